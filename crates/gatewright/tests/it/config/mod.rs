//! A gate from its configuration.

mod files;
mod forms;
mod mistakes;
mod proxies;
mod reload;
mod secrets;

use gatewright::config::{ConfigSources, Configured, GateConfig};
use gatewright::credential::Field;
use gatewright::error::ErrorCode;
use gatewright::gate::Arrival;
use gatewright::jwt::{AccessTokenClaims, Algorithm, SigningKey};
use gatewright::policy::Policy;
use gatewright::store::MemoryStore;
use std::sync::Arc;

/// 32 bytes in base64.
const TAG: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=";
/// 32 others.
const OTHER_TAG: &str = "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXIhISE=";
const ISSUER: &str = "https://auth.example";
const AUDIENCE: &str = "https://api.example";

/// What every configuration must have.
fn least() -> String {
    format!("coherence.mode = 'single-process'\ntag_keys = [{{ id = 1, secret = '{TAG}' }}]\n")
}

fn toml(text: &str) -> ConfigSources {
    toml::from_str(text).unwrap()
}

fn read(text: &str) -> GateConfig {
    toml(text).read().unwrap()
}

/// The mistakes of what must have some, a line for each.
fn mistakes(sources: ConfigSources) -> String {
    sources.read().unwrap_err().to_string()
}

fn build(config: GateConfig) -> Configured {
    config.build(Arc::new(MemoryStore::new())).unwrap()
}

fn signing_key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

/// A JWK Set of one key, in JSON.
fn jwks(key: &SigningKey) -> String {
    let jwk = key.verifying_key().public_jwk().unwrap();
    format!(r#"{{"keys":[{jwk}]}}"#)
}

/// A machine's token with this scope.
fn token(key: &SigningKey, scope: &str) -> String {
    token_at(key, scope, configured_now())
}

fn token_at(key: &SigningKey, scope: &str, now: u64) -> String {
    let claims = AccessTokenClaims::new(ISSUER, "bot", AUDIENCE, "bot", "t1", now, now + 600);
    key.sign("at+jwt", &claims.with_scope(scope)).unwrap()
}

fn configured_now() -> u64 {
    use gatewright::time::{Clock as _, SystemClock};
    SystemClock::new().now()
}

/// What the realm `links` says to a bearer token where `links.read` is asked for: the status of the refusal and its body,
/// or `None` for a pass.
async fn ask(configured: &Configured, bearer: &str) -> Option<(u16, ErrorCode, String)> {
    let realm = configured.realm("links").unwrap();
    let policy = Policy::jwt()
        .scope("links.read")
        .or(Policy::api_key().scope("links.read"));
    let policy = configured.gate().compile(&policy, realm).unwrap();
    let line = format!("Bearer {bearer}");
    let fields = [(Field::Authorization, line.as_bytes())];
    let asked = configured
        .gate()
        .authenticate(&fields[..], &policy, &Arrival::new());
    let refusal = asked.decided().await.err()?;
    let answer = policy.refusal(&refusal, false);
    let body = String::from_utf8(answer.body).unwrap();
    Some((answer.status, refusal.code(), body))
}
