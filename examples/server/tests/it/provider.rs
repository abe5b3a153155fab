//! A customer's identity provider: npm `oidc-provider`, on loopback.

use reqwest::Client;
use serde_json::{Value, json};

use crate::companion::Companion;
use crate::node::script;

/// Every fault that [`Provider::forge`] knows.
pub(crate) const FAULTS: [&str; 11] = [
    "wrong issuer",
    "wrong audience",
    "missing aud",
    "expired",
    "not yet valid",
    "none",
    "none with a signature",
    "HS256 of the public key",
    "unknown kid",
    "known kid, another key",
    "typ of an ID token",
];

/// A running provider. Its client `machine` gets access tokens that are JWTs, `opaque` such as only it can read; they may
/// both ask it about tokens. It ends when this is dropped.
pub(crate) struct Provider {
    companion: Companion,
    http: Client,
    pub(crate) issuer: String,
    /// Of either client.
    pub(crate) secret: String,
}

impl Provider {
    /// Starts one, on a free port, whose tokens are for this audience.
    pub(crate) fn start(audience: &str) -> Self {
        let mut command = script("provider.mjs");
        command.arg(audience);
        let (companion, hello) = Companion::start(command);
        let field = |name: &str| hello[name].as_str().unwrap().to_owned();
        Self {
            companion,
            http: Client::builder().no_proxy().build().unwrap(),
            issuer: field("issuer"),
            secret: field("secret"),
        }
    }

    pub(crate) fn jwks_uri(&self) -> String {
        format!("{}/jwks", self.issuer)
    }

    pub(crate) fn introspection_uri(&self) -> String {
        format!("{}/token/introspection", self.issuer)
    }

    /// Its key set as it stands.
    pub(crate) async fn jwks(&self) -> Vec<u8> {
        let answer = self.http.get(self.jwks_uri()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap().to_vec()
    }

    /// What it says of itself (OpenID Connect Discovery §4).
    pub(crate) async fn configuration(&self) -> Value {
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        self.http
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// A token as the client gets it, by its credentials (RFC 6749 §4.4).
    pub(crate) async fn token(&self, client: &str) -> String {
        let form = "grant_type=client_credentials&scope=mcp%3Acall";
        let answer = self.form("/token", client, form).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// What it says of a token (RFC 7662).
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        let form = format!("token={token}");
        self.form("/token/introspection", "opaque", &form).await
    }

    async fn form(&self, path: &str, client: &str, form: &str) -> Value {
        let request = self
            .http
            .post(format!("{}{path}", self.issuer))
            .basic_auth(client, Some(&self.secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// A token such as its own, with nothing wrong.
    pub(crate) fn right(&mut self) -> String {
        self.forge("nothing")
    }

    /// A token such as its own but for one fault, signed with its key unless that is the fault.
    pub(crate) fn forge(&mut self, fault: &str) -> String {
        let answer = self.companion.ask(&json!({"do": "forge", "fault": fault}));
        answer["token"].as_str().unwrap().to_owned()
    }

    /// Signs with a new key from now on, and publishes the old ones beside it. Answers the new `kid`.
    pub(crate) fn rotate(&mut self) -> String {
        let answer = self.companion.ask(&json!({"do": "rotate"}));
        answer["kid"].as_str().unwrap().to_owned()
    }

    /// Publishes no key any more but the one that signs.
    pub(crate) fn retire(&mut self) {
        self.companion.ask(&json!({"do": "retire"}));
    }

    /// How often it was asked for its keys.
    pub(crate) fn fetches(&mut self) -> u64 {
        let answer = self.companion.ask(&json!({"do": "asked", "path": "/jwks"}));
        answer["times"].as_u64().unwrap()
    }

    /// Ends it; from then on connections are refused.
    pub(crate) fn stop(&mut self) {
        self.companion.end();
    }
}
