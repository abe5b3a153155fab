//! Cookies, kept and sent by the real `curl`, which knows the rules of `Secure` and `__Host-`: the blocks of the product's
//! documents, and what a browser does, over TLS and on localhost.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::call::Api;
use crate::server::{Home, Server};
use crate::shell::{Ran, curl};
use crate::world::{HANDLE, OWNER, PASSWORD, World};

/// A server behind a way in of its own, with a browser's cookie jar.
struct Site {
    // Before the home: the server is gone when its files are removed.
    server: Server,
    _home: Home,
    /// What the server believes that it is reached at, and is.
    base: String,
    directory: tempfile::TempDir,
}

impl Site {
    /// Reached at `https://localhost`, with a certificate that the jar's directory has, or at `http://localhost`.
    async fn start(tls: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let acceptor = tls.then(|| acceptor(&directory.path().join("cert.pem")));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls { "https" } else { "http" };
        let base = format!("{scheme}://localhost:{port}");
        let home = Home::new();
        home.user(OWNER, "acme", PASSWORD);
        let server = home.serve_with(&["--limits", "off", "--public-url", &base]);
        server.keep_secret(PASSWORD);
        let to = server.authority().parse().unwrap();
        tokio::spawn(forward(listener, acceptor, to));
        Self {
            server,
            _home: home,
            base,
            directory,
        }
    }

    /// What a page of the site itself fetches.
    async fn fetch(&self, arguments: &str) -> Ran {
        let origin = &self.base;
        let headers = format!("-H 'Origin: {origin}' -H 'Sec-Fetch-Site: same-origin'");
        self.curl("jar", &format!("{headers} {arguments}")).await
    }

    /// Requests with this jar. `{base}` among the arguments stands for the site.
    async fn curl(&self, jar: &str, arguments: &str) -> Ran {
        let trust = if self.base.starts_with("https:") {
            "--cacert cert.pem "
        } else {
            ""
        };
        let arguments = arguments.replace("{base}", &self.base);
        let line = format!("curl -sS {trust}-b {jar} -c {jar} {arguments}");
        let directory = self.directory.path().to_owned();
        let running = tokio::task::spawn_blocking(move || curl(&line, &[], &directory));
        running.await.unwrap()
    }

    async fn log_in(&self) -> String {
        let body = json!({"email": OWNER, "password": PASSWORD});
        let ran = self
            .fetch(&format!(
                "-H 'Content-Type: application/json' -d '{body}' {{base}}/v2/auth/login"
            ))
            .await;
        self.token(&ran)
    }

    /// The access token of an answer, which must stay secret.
    fn token(&self, ran: &Ran) -> String {
        assert_eq!(ran.status, 200, "{ran:?}");
        let token = ran.json()["access_token"].as_str().unwrap().to_owned();
        self.server.keep_secret(&token);
        self.server.keep_secret(&self.kept("jar", REFRESH).unwrap());
        token
    }

    /// The value of a cookie in a jar, in which it must be for this host alone, over TLS, and not for scripts.
    fn kept(&self, jar: &str, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.directory.path().join(jar)).unwrap();
        let mut cookies = text.lines().filter_map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            match columns[..] {
                [domain, subdomains, path, secure, expires, found, value] if found == name => {
                    let expected = if name == REFRESH { "/v2/auth" } else { "/" };
                    assert_eq!((domain, subdomains), ("#HttpOnly_localhost", "FALSE"));
                    assert_eq!((path, secure), (expected, "TRUE"));
                    assert_ne!(expires, "0", "it would be gone with the window");
                    Some(value.to_owned())
                }
                _ => None,
            }
        });
        let first = cookies.next();
        assert!(cookies.next().is_none(), "{text}");
        first
    }

    fn copy(&self, from: &str, to: &str) {
        let directory = self.directory.path();
        std::fs::copy(directory.join(from), directory.join(to)).unwrap();
    }

    async fn handles(&self, token: &str) -> u16 {
        let call = Api::new(&self.server).get("/v2/handles").bearer(token);
        call.send().await.status
    }
}

const REFRESH: &str = "_10x_admin_refresh";
const VISITOR: &str = "__Host-visitor";

/// A terminator with a certificate for `localhost`, which is written to this file.
fn acceptor(file: &Path) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn forward(listener: TcpListener, acceptor: Option<TlsAcceptor>, to: SocketAddr) {
    loop {
        let (from, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match acceptor {
                None => pass_on(from, to).await,
                // Whoever does not finish the handshake is gone.
                Some(acceptor) => {
                    if let Ok(from) = acceptor.accept(from).await {
                        pass_on(from, to).await;
                    }
                }
            }
        });
    }
}

async fn pass_on(mut from: impl AsyncRead + AsyncWrite + Unpin, to: SocketAddr) {
    let mut to = TcpStream::connect(to).await.unwrap();
    // Either side may end it.
    let _ = copy_bidirectional(&mut from, &mut to).await;
}

const POST_REFRESH: &str = "-X POST {base}/v2/auth/refresh";

async fn a_browser_stays_logged_in_until_its_cookie_is_stolen(site: &Site) {
    let first = site.log_in().await;
    let login = site.kept("jar", REFRESH).unwrap();
    let second = site.token(&site.fetch(POST_REFRESH).await);
    let refreshed = site.kept("jar", REFRESH).unwrap();
    let third = site.token(&site.fetch(POST_REFRESH).await);
    let again = site.kept("jar", REFRESH).unwrap();
    assert!(login != refreshed && refreshed != again && again != login);
    for token in [&first, &second, &third] {
        assert_eq!(site.handles(token).await, 200);
    }

    // Two tabs that wake at once have one cookie, and go on with one.
    site.copy("jar", "tab");
    let (one, other) = tokio::join!(site.fetch(POST_REFRESH), site.curl("tab", POST_REFRESH));
    assert_eq!((one.status, other.status), (200, 200), "{one:?} {other:?}");
    assert_eq!(site.kept("jar", REFRESH), site.kept("tab", REFRESH));
    assert_ne!(site.kept("jar", REFRESH).unwrap(), again);

    // Somebody else has the cookie of now, and the browser goes on twice.
    site.copy("jar", "stolen");
    for _ in 0..2 {
        site.token(&site.fetch(POST_REFRESH).await);
    }
    for jar in ["stolen", "jar"] {
        let refused = site.curl(jar, POST_REFRESH).await;
        assert_eq!(refused.status, 401, "{jar}: {refused:?}");
        let code = &refused.json()["error"]["code"];
        assert_eq!(code, "invalid_refresh_token", "{jar}");
        assert_eq!(site.kept(jar, REFRESH), None, "{jar} forgets it");
    }
    assert_eq!(site.handles(&first).await, 401);
}

async fn a_browser_logs_out_and_foreign_pages_do_nothing(site: &Site) {
    let token = site.log_in().await;
    let before = site.kept("jar", REFRESH);
    for foreign in [
        "-H 'Origin: https://evil.test' -H 'Sec-Fetch-Site: cross-site'",
        "-H 'Origin: null' -H 'Sec-Fetch-Site: cross-site'",
        "-H 'Sec-Fetch-Site: same-site'",
    ] {
        for path in ["refresh", "logout"] {
            let line = format!("{foreign} -X POST {{base}}/v2/auth/{path}");
            let refused = site.curl("jar", &line).await;
            assert_eq!(refused.status, 403, "{line}: {refused:?}");
            assert_eq!(refused.json()["error"]["code"], "forbidden_origin");
        }
    }
    assert_eq!(site.kept("jar", REFRESH), before);
    assert_eq!(site.handles(&token).await, 200);
    let out = site.fetch("-X POST {base}/v2/auth/logout").await;
    assert_eq!((out.status, &*out.body), (204, ""), "{out:?}");
    assert_eq!(site.kept("jar", REFRESH), None);
    assert_eq!(site.handles(&token).await, 401);
    let refused = site.fetch(POST_REFRESH).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["code"], "refresh_token_missing");
    let out = site.fetch("-X POST {base}/v2/auth/logout").await;
    assert_eq!(out.status, 204, "{out:?}");
}

async fn a_browser_buys_a_page(site: &Site) {
    let code = sold(&site.server).await;
    let read = "{base}/v2/public/pages/guide";
    let free = site.fetch("{base}/v2/public/pages/welcome").await;
    assert_eq!(free.status, 200, "{free:?}");
    let visitor = site.kept("jar", VISITOR).unwrap();
    site.server.keep_secret(&visitor);
    let locked = site.fetch(read).await;
    assert_eq!(locked.status, 403, "{locked:?}");
    assert_eq!(locked.json()["error"]["code"], "insufficient_scope");
    let me = site.fetch("{base}/v2/visitor/me").await.json();

    let buy = format!(
        "-H 'Content-Type: application/json' -d '{{\"code\":\"{code}\"}}' {{base}}/v2/visitor/entitlements"
    );
    let evil = format!("-H 'Origin: https://evil.test' {buy}");
    let refused = site.curl("jar", &evil).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let bought = site.fetch(&buy).await;
    assert_eq!(bought.status, 201, "{bought:?}");
    assert_ne!(site.kept("jar", VISITOR).unwrap(), visitor, "it says more");
    let page = site.fetch(read).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.json()["body"], "All of it.");
    let after = site.fetch("{base}/v2/visitor/me").await.json();
    assert_eq!(after["visitor"], me["visitor"]);
    assert_eq!(after["pages"], json!(["guide"]));

    // Another browser comes too late.
    let late = site.curl("other", &buy).await;
    assert_eq!(late.status, 404, "{late:?}");
    assert_eq!(site.curl("other", read).await.status, 403);
}

/// Makes a handle with a free page and a paid one, and answers a code for that.
async fn sold(server: &Server) -> String {
    let api = Api::new(server);
    let login = json!({"email": OWNER, "password": PASSWORD});
    let login = api.post("/v2/auth/login", &login).send().await.is(200);
    let jwt = login.string("access_token");
    server.keep_secret(&jwt);
    let call = api.post("/v2/handles", &json!({"handle": HANDLE}));
    call.bearer(&jwt).send().await.is(201);
    let pages = format!("/v2/handles/{HANDLE}/pages");
    for (name, paid) in [("welcome", false), ("guide", true)] {
        let page = json!({"title": name, "body": "All of it.", "paid": paid});
        let put = api.put(&format!("{pages}/{name}"), &page).bearer(&jwt);
        put.send().await.is(201);
    }
    let codes = format!("{pages}/guide/purchase-codes");
    let minted = api.post(&codes, &json!({})).bearer(&jwt).send().await;
    let code = minted.is(201).string("code");
    server.keep_secret(&code);
    code
}

#[tokio::test]
async fn a_browser_over_tls() {
    let site = Site::start(true).await;
    a_browser_stays_logged_in_until_its_cookie_is_stolen(&site).await;
    a_browser_logs_out_and_foreign_pages_do_nothing(&site).await;
    a_browser_buys_a_page(&site).await;
}

#[tokio::test]
async fn a_browser_on_localhost() {
    let site = Site::start(false).await;
    a_browser_stays_logged_in_until_its_cookie_is_stolen(&site).await;
    a_browser_logs_out_and_foreign_pages_do_nothing(&site).await;
    a_browser_buys_a_page(&site).await;
}

/// Both documents show the same two steps with one jar between them.
#[tokio::test]
async fn the_cookie_jars_of_the_documents() {
    let world = World::new().await;
    let port = world.server.authority().rsplit_once(':').unwrap().1;
    let localhost = format!("http://localhost:{port}");
    for [login, refresh] in [
        // API auth and error model.
        [
            r#"curl -sS -c cookies.txt -X POST "https://api.10x.in/v2/auth/login" \
-H "content-type: application/json" \
-d '{"email":"you@example.com","password":"your-password"}'"#,
            r#"curl -sS -b cookies.txt -c cookies.txt -X POST "https://api.10x.in/v2/auth/refresh" \
-H "content-type: application/json""#,
        ],
        // JWT vs PAT: when to use each.
        [
            r#"# 1) Login and save cookies (includes refresh cookie)
curl -sS -c cookies.txt -X POST "https://api.10x.in/v2/auth/login" \
-H "content-type: application/json" \
-d '{"email":"owner@example.com","password":"<password>"}'"#,
            r#"# 2) Refresh using saved refresh cookie
curl -sS -b cookies.txt -c cookies.txt -X POST "https://api.10x.in/v2/auth/refresh" \
-H "content-type: application/json""#,
        ],
    ] {
        let directory = tempfile::tempdir().unwrap();
        let run = |line: &str| {
            let line = line
                .replace("https://api.10x.in", &localhost)
                .replace("you@example.com", OWNER)
                .replace("owner@example.com", OWNER)
                .replace("your-password", PASSWORD)
                .replace("<password>", PASSWORD);
            curl(&line, &[], directory.path())
        };
        // "expect 401 refresh_token_missing or 401 invalid_refresh_token"
        let missing = run(&refresh.replace("-b cookies.txt ", ""));
        assert_eq!(missing.status, 401, "{missing:?}");
        assert_eq!(missing.json()["error"]["code"], "refresh_token_missing");
        let mut token = Value::Null;
        for line in [login, refresh, refresh] {
            let ran = run(line);
            assert_eq!(ran.status, 200, "{line}\n{ran:?}");
            let answer = ran.json();
            assert_eq!(answer["token_type"], "bearer");
            token = answer["access_token"].clone();
            world.server.keep_secret(token.as_str().unwrap());
        }
        let call = world.api.get("/v2/handles").bearer(token.as_str().unwrap());
        call.send().await.is(200);
    }
}

/// Keys are replaced by the two steps that the program asks for, and nobody is forgotten.
#[tokio::test]
async fn a_visitor_is_known_when_the_keys_are_replaced() {
    let home = Home::new();
    home.user(OWNER, "acme", PASSWORD);
    let directory = tempfile::tempdir().unwrap();
    let me = |server: &Server| {
        let port = server.authority().rsplit_once(':').unwrap().1;
        let line = format!("curl -sS -b jar -c jar http://localhost:{port}/v2/visitor/me");
        let ran = curl(&line, &[], directory.path());
        assert_eq!(ran.status, 200, "{ran:?}");
        let jar = std::fs::read_to_string(directory.path().join("jar")).unwrap();
        (ran.json()["visitor"].clone(), jar)
    };
    let server = home.serve();
    let (visitor, sealed) = me(&server);
    server.stop();
    let mut last = sealed;
    for (step, anew) in [("add", false), ("use", true)] {
        home.run_ok(&["visitor-key", step], "");
        let server = home.serve();
        let (known, sealed) = me(&server);
        assert_eq!(known, visitor, "{step}");
        assert_eq!(sealed != last, anew, "{step}: {sealed}\n{last}");
        last = sealed;
        server.stop();
    }
}
