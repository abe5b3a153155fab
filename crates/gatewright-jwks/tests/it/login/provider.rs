//! An OpenID Connect provider that checks what a client sends, and answers as a test says.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gatewright_core::credential::Secret;
use gatewright_core::jwt::{Algorithm, SigningKey};
use gatewright_core::time::Timestamp;
use gatewright_jwks::HttpClient;
use gatewright_jwks::login::{OidcClient, OidcLogin, OidcLoginBuilder};
use serde_json::{Value, json};

use crate::allowing;
use crate::server::{Answer, Seen, Server, answer};

pub(super) const NOW: Timestamp = 1_700_000_000;
pub(super) const CLIENT: &str = "app:1";
pub(super) const SECRET: &str = "a client secret of 32 bytes & + %";
pub(super) const BACK: &str = "https://app.example/login/callback";
/// The access token of OpenID Connect Core, Appendix A.3, and its `at_hash` there.
const ACCESS_TOKEN: &str = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
pub(super) const AT_HASH: &str = "77QmUPtjPfzWtF2AnpK9RQ";
const JSON: (&str, &str) = ("content-type", "application/json");

/// The key that the provider publishes.
pub(super) static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::Rs256).unwrap());
/// One that it does not.
pub(super) static OTHER_KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::Rs256).unwrap());

/// What the provider does otherwise than it should.
#[derive(Clone, Copy)]
pub(super) struct Ways {
    pub(super) metadata: fn(&mut Value),
    pub(super) claims: fn(&mut Value),
    pub(super) sign: fn(&Value) -> String,
    pub(super) tokens: fn(&mut Value),
    pub(super) keys: fn() -> Value,
}

impl Ways {
    pub(super) fn good() -> Self {
        Self {
            metadata: |_| {},
            claims: |_| {},
            sign: |claims| KEY.sign("JWT", claims).unwrap(),
            tokens: |_| {},
            keys: || json!({ "keys": [KEY.public_jwk().unwrap()] }),
        }
    }
}

/// What was asked for under a code.
struct Grant {
    challenge: String,
    nonce: String,
}

#[derive(Default)]
struct Book {
    grants: HashMap<String, Grant>,
    spent: HashSet<String>,
}

pub(super) struct Provider {
    pub(super) server: Server,
    book: Arc<Mutex<Book>>,
}

impl Provider {
    pub(super) async fn good() -> Self {
        Self::with(Ways::good()).await
    }

    pub(super) async fn with(ways: Ways) -> Self {
        let book = Arc::<Mutex<Book>>::default();
        let kept = Arc::clone(&book);
        let server = Server::start(move |seen| {
            let answered = respond(&seen, &ways, &kept);
            async move { answered }
        })
        .await;
        Self { server, book }
    }

    pub(super) fn http(&self) -> HttpClient {
        allowing(self.server.url()).build().unwrap()
    }

    pub(super) fn builder(&self) -> OidcLoginBuilder {
        builder_at(&self.http(), self.server.url())
    }

    pub(super) fn login(&self) -> OidcLogin {
        self.builder().build().unwrap()
    }

    /// Plays the browser and its user: goes to the URL, agrees, and is sent back with this query.
    pub(super) fn approve(&self, url: &str) -> String {
        let asked = parameters(url.split_once('?').unwrap().1);
        let mut book = self.book.lock().unwrap();
        let code = format!("code-{}", book.grants.len());
        let grant = Grant {
            challenge: asked["code_challenge"].clone(),
            nonce: asked["nonce"].clone(),
        };
        book.grants.insert(code.clone(), grant);
        form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .append_pair("iss", self.server.url())
            .finish()
    }

    pub(super) fn exchanges(&self) -> usize {
        let paths = self.server.paths();
        paths.iter().filter(|path| *path == "/token").count()
    }
}

pub(super) fn builder_at(http: &HttpClient, issuer: &str) -> OidcLoginBuilder {
    let client = OidcClient::new(CLIENT, Secret::new(SECRET.to_owned()), BACK);
    let key = Secret::new("0123456789abcdef0123456789abcdef".to_owned());
    OidcLogin::builder(http, issuer, client, key)
}

/// Each once.
pub(super) fn parameters(form: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (name, value) in form_urlencoded::parse(form.as_bytes()).into_owned() {
        assert_eq!(found.insert(name, value), None, "{form}");
    }
    found
}

fn respond(seen: &Seen, ways: &Ways, book: &Mutex<Book>) -> Answer {
    let url = format!("http://{}", seen.headers["host"].to_str().unwrap());
    match &*seen.path {
        "/.well-known/openid-configuration" => {
            let mut metadata = json!({
                "issuer": url,
                "authorization_endpoint": format!("{url}/authorize"),
                "token_endpoint": format!("{url}/token"),
                "jwks_uri": format!("{url}/keys"),
                "authorization_response_iss_parameter_supported": true,
            });
            (ways.metadata)(&mut metadata);
            answer(200, &[JSON], &metadata.to_string())
        }
        "/keys" => answer(200, &[JSON], &(ways.keys)().to_string()),
        "/token" => match exchange(seen, &url, ways, &mut book.lock().unwrap()) {
            Ok(tokens) => answer(200, &[JSON], &tokens.to_string()),
            Err((status, error)) => answer(status, &[JSON], &json!({ "error": error }).to_string()),
        },
        _ => answer(404, &[], ""),
    }
}

/// RFC 6749 §4.1.3, RFC 7636 §4.6.
fn exchange(
    seen: &Seen,
    url: &str,
    ways: &Ways,
    book: &mut Book,
) -> Result<Value, (u16, &'static str)> {
    let form = parameters(&seen.body);
    let get = |name: &str| form.get(name).map_or("", String::as_str);
    // RFC 6749 §2.3.1: in one way, not in two.
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET)));
    let by_header = seen
        .headers
        .get("authorization")
        .map(|value| *value == *format!("Basic {basic}"));
    let by_form = form
        .get("client_secret")
        .map(|secret| secret == SECRET && get("client_id") == CLIENT);
    if !matches!(
        (by_header, by_form),
        (Some(true), None) | (None, Some(true))
    ) {
        return Err((401, "invalid_client"));
    }
    if get("grant_type") != "authorization_code" || get("redirect_uri") != BACK {
        return Err((400, "invalid_request"));
    }
    let code = get("code").to_owned();
    let grant = book.grants.get(&code).ok_or((400, "invalid_grant"))?;
    let verifier = get("code_verifier");
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    if !(43..=128).contains(&verifier.len()) || challenge != grant.challenge {
        return Err((400, "invalid_grant"));
    }
    if !book.spent.insert(code) {
        return Err((400, "invalid_grant"));
    }
    let mut claims = json!({
        "iss": url,
        "sub": "248289761001",
        "aud": CLIENT,
        "exp": NOW + 300,
        "iat": NOW,
        "nonce": grant.nonce,
        "at_hash": AT_HASH,
        "email": "Jane@example.com",
        "email_verified": true,
        "name": "Jane Doe",
    });
    (ways.claims)(&mut claims);
    let mut tokens = json!({
        "access_token": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 3600,
        "id_token": (ways.sign)(&claims),
    });
    (ways.tokens)(&mut tokens);
    Ok(tokens)
}
