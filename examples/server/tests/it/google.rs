//! Logging in with Google, whose part npm `oidc-provider` plays: by `curl` with a cookie jar, as a browser does it, and with
//! everything tampered with on the way.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::call::Api;
use crate::companion::Companion;
use crate::node::script;
use crate::server::{Home, Server};

const AUTHORIZE: &str = "/api/v1/users/google/authorize";
const PASSWORD: &str = "tidal-copper-violin-42";

/// A server that lets people in whom the provider knows, if their address is of `acme.test`.
struct Site {
    // Before the folder: the server is gone when its files are removed.
    server: Server,
    provider: Companion,
    issuer: String,
    api: Api,
    home: Home,
}

impl Site {
    fn start() -> Self {
        Self::vouched_for("acme.test")
    }

    fn vouched_for(domains: &str) -> Self {
        let (mut provider, hello) = Companion::start(script("login-provider.mjs"));
        let issuer = hello["issuer"].as_str().unwrap().to_owned();
        let secret = hello["secret"].as_str().unwrap();
        let home = Home::new();
        let file = home.path().join("client-secret");
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        let host = issuer.trim_start_matches("http://");
        let server = home.serve_with(&[
            "--limits",
            "off",
            "--google-client-id",
            "app",
            "--google-client-secret-file",
            file.to_str().unwrap(),
            "--oidc-issuer",
            &issuer,
            "--oidc-domains",
            domains,
            "--allow-idp-host",
            host,
        ]);
        server.keep_secret(secret);
        let callback = format!("{}/api/v1/users/google/callback", server.base);
        provider.ask(&json!({"do": "register", "redirect_uri": callback}));
        Self {
            api: Api::new(&server),
            server,
            provider,
            issuer,
            home,
        }
    }

    /// Who comes to the provider next.
    fn person(&mut self, sub: &str, email: &str, verified: bool) {
        let claims = json!({"email": email, "email_verified": verified, "name": "Jane Doe"});
        self.provider
            .ask(&json!({"do": "person", "sub": sub, "claims": claims}));
    }

    /// The whole way, as `curl -L` goes it.
    fn log_in(&self, browser: &Browser, query: &str) -> (u16, Value) {
        let url = format!("{}{AUTHORIZE}{query}", self.server.base);
        let answer = browser.curl(&["-L", &url]);
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    /// The first step: where the provider is to be asked.
    fn begin(&self, browser: &Browser) -> String {
        let answer = browser.curl(&[&format!("{}{AUTHORIZE}", self.server.base)]);
        assert_eq!(answer.status, 302, "{}", answer.body);
        assert!(answer.redirect.starts_with(&self.issuer));
        answer.redirect
    }

    /// Goes to the provider with this URL, until it sends the browser back: answers where to.
    fn ask(&self, browser: &Browser, url: &str) -> String {
        let mut url = url.to_owned();
        for _ in 0..10 {
            if url.starts_with(&self.server.base) {
                return url;
            }
            let answer = browser.curl(&[&url]);
            assert!(
                (300..400).contains(&answer.status),
                "{}: {}",
                answer.status,
                answer.body
            );
            url = answer.redirect;
        }
        panic!("the provider never ends");
    }

    async fn me(&self, token: &str) -> Value {
        let me = self.api.get("/api/v1/users/me").bearer(token);
        me.send().await.is(200).json()
    }
}

/// A browser's cookies, in a file.
struct Browser {
    jar: PathBuf,
    _folder: tempfile::TempDir,
}

/// What curl was answered.
struct Answered {
    status: u16,
    redirect: String,
    body: String,
}

impl Browser {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            jar: folder.path().join("jar"),
            _folder: folder,
        }
    }

    fn curl(&self, arguments: &[&str]) -> Answered {
        let output = Command::new("curl")
            .args(["-sS", "--noproxy", "*", "--max-time", "60"])
            .args(["-w", "\n%{http_code} %{redirect_url}", "-b"])
            .arg(&self.jar)
            .arg("-c")
            .arg(&self.jar)
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, last) = text.rsplit_once('\n').unwrap();
        let (status, redirect) = last.split_once(' ').unwrap();
        Answered {
            status: status.parse().unwrap(),
            redirect: redirect.to_owned(),
            body: body.to_owned(),
        }
    }

    fn jar(&self) -> String {
        std::fs::read_to_string(&self.jar).unwrap_or_default()
    }

    /// The cookie of a login that is under way.
    fn cookie(&self) -> Option<String> {
        let jar = self.jar();
        let line = jar.lines().find(|line| line.contains("\t__Host-login\t"))?;
        Some(line.rsplit('\t').next().unwrap().to_owned())
    }
}

fn token(answer: &(u16, Value)) -> &str {
    assert_eq!(answer.0, 200, "{}", answer.1);
    assert_eq!(answer.1["token_type"], "bearer");
    assert_eq!(answer.1["expires_in"], 3600);
    answer.1["access_token"].as_str().unwrap()
}

fn refused(answer: &Answered) {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        (answer.status, body["code"].as_str()),
        (401, Some("invalid_credentials")),
        "{body}"
    );
}

/// The URL with another value of this parameter.
fn tampered(url: &str, parameter: &str, value: &str) -> String {
    let start = url
        .find(&format!("?{parameter}="))
        .or_else(|| url.find(&format!("&{parameter}=")))
        .unwrap_or_else(|| panic!("no {parameter}: {url}"));
    let start = start + parameter.len() + 2;
    let end = url[start..].find('&').map_or(url.len(), |at| start + at);
    format!("{}{value}{}", &url[..start], &url[end..])
}

#[tokio::test]
async fn a_browser_logs_in_and_is_known_again() {
    let mut site = Site::start();
    site.person("248289761001", "Jane@acme.test", true);
    let browser = Browser::new();
    let first = site.log_in(&browser, "");
    let me = site.me(token(&first)).await;
    assert_eq!(me["email"], "jane@acme.test");
    assert_eq!(me["name"], "Jane Doe");
    assert_eq!(me["workspace"]["slug"], "jane");
    assert_eq!(me["role"], "admin");
    assert_eq!(browser.cookie(), None, "it is used up: {}", browser.jar());

    // By (iss, sub) from then on, whatever the address is.
    site.person("248289761001", "other@elsewhere.test", true);
    let again = site.log_in(&Browser::new(), "?workspace=jane");
    assert_eq!(site.me(token(&again)).await["id"], me["id"]);
    let grants = site.api.get("/api/v1/users/oauth-grants");
    let grants = grants.bearer(token(&again)).send().await.is(200).json();
    assert_eq!(grants["items"][0]["issuer"], *site.issuer);
    assert_eq!(grants["items"][0]["email"], "jane@acme.test");
    let only = format!(
        "/api/v1/users/oauth-grants/{}",
        grants["items"][0]["id"].as_str().unwrap()
    );
    let last = site.api.delete(&only).bearer(token(&again)).send().await;
    last.refuses(409, "conflict");
    // Nobody goes where they do not belong.
    let (status, _) = site.log_in(&Browser::new(), "?workspace=elsewhere");
    assert_eq!(status, 404);
    let (status, _) = site.log_in(&Browser::new(), "?workspace=%2F%2Fevil.example");
    assert_eq!(status, 400);
}

#[tokio::test]
async fn an_account_that_is_there_is_linked_by_its_address() {
    let mut site = Site::start();
    site.home.user("max@acme.test", "acme", PASSWORD);
    site.person("1", "max@acme.test", true);
    let login = site.log_in(&Browser::new(), "");
    let me = site.me(token(&login)).await;
    assert_eq!(me["workspace"]["slug"], "acme");
    // The password is a way in, so the link may go.
    let grants = site.api.get("/api/v1/users/oauth-grants");
    let grants = grants.bearer(token(&login)).send().await.json();
    let id = grants["items"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/users/oauth-grants/{id}");
    let unlinked = site.api.delete(&path).bearer(token(&login));
    unlinked.send().await.is(204);
}

#[tokio::test]
async fn whom_the_provider_does_not_vouch_for_gets_no_account() {
    let mut site = Site::start();
    site.home.user("max@acme.test", "acme", PASSWORD);
    for (email, verified) in [
        ("max@acme.test", false),
        ("max@elsewhere.test", true),
        ("max@sub.acme.test", true),
    ] {
        site.person("1", email, verified);
        let (status, body) = site.log_in(&Browser::new(), "");
        assert_eq!(
            (status, &body["code"]),
            (401, &json!("invalid_credentials")),
            "{email}"
        );
    }
    // Somebody who says no.
    site.provider
        .ask(&json!({"do": "person", "sub": null, "claims": {}}));
    let (status, body) = site.log_in(&Browser::new(), "");
    assert_eq!(
        (status, &body["code"]),
        (401, &json!("invalid_credentials"))
    );
}

#[tokio::test]
async fn what_was_tampered_with_is_refused() {
    let mut site = Site::start();
    site.person("1", "max@acme.test", true);
    // On the way there. The provider knows nothing of what they should have been.
    let other = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for parameter in ["state", "nonce", "code_challenge"] {
        let browser = Browser::new();
        let url = tampered(&site.begin(&browser), parameter, other);
        let back = site.ask(&browser, &url);
        refused(&browser.curl(&[&back]));
        assert_eq!(browser.cookie(), None, "{parameter}");
    }
    // On the way back.
    for (parameter, value) in [
        ("state", other),
        ("state", ""),
        ("code", other),
        ("iss", "https%3A%2F%2Fevil.example"),
    ] {
        let browser = Browser::new();
        let back = site.ask(&browser, &site.begin(&browser));
        refused(&browser.curl(&[&tampered(&back, parameter, value)]));
    }
    // In nobody's browser, and in another's, which has begun a login too.
    let browser = Browser::new();
    let back = site.ask(&browser, &site.begin(&browser));
    let victim = Browser::new();
    refused(&victim.curl(&[&back]));
    site.begin(&victim);
    refused(&victim.curl(&[&back]));
    // The cookie, changed in one place, and twice.
    let cookie = browser.cookie().unwrap();
    let (first, rest) = cookie.split_at(1);
    let changed = format!("{}{rest}", if first == "A" { "B" } else { "A" });
    let header = format!("cookie: __Host-login={changed}");
    refused(&Browser::new().curl(&["-H", &header, &back]));
    let header = format!("cookie: __Host-login={cookie}; __Host-login={cookie}");
    refused(&Browser::new().curl(&["-H", &header, &back]));

    // What was not touched leads in, and only once.
    let answer = browser.curl(&[&back]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let header = format!("cookie: __Host-login={cookie}");
    refused(&Browser::new().curl(&["-H", &header, &back]));
}

#[tokio::test]
async fn the_cookie_is_of_this_host_alone_and_nothing_is_stored() {
    let site = Site::start();
    let answer = site.api.get(AUTHORIZE).send().await.is(302);
    let line = answer.header("set-cookie").unwrap();
    let (value, attributes) = line.split_once(';').unwrap();
    assert!(value.starts_with("__Host-login="));
    assert_eq!(
        attributes,
        " Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_provider_that_is_out_of_reach_refuses_nobody() {
    let mut site = Site::start();
    site.person("1", "max@acme.test", true);
    let browser = Browser::new();
    let back = site.ask(&browser, &site.begin(&browser));
    site.provider.end();
    let answer = browser.curl(&[&back]);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        (answer.status, &body["code"]),
        (503, &json!("temporarily_unavailable"))
    );
}
