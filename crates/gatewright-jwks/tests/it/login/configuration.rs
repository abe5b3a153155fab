//! What a login can't be built from.

use gatewright_core::credential::Secret;
use gatewright_core::jwt::{Algorithm, VerifierError};
use gatewright_jwks::login::{OidcClient, OidcLogin, OidcLoginBuilder, OidcLoginError};
use gatewright_jwks::{HttpClient, UrlError};

const ISSUER: &str = "https://idp.example";
const BACK: &str = "https://app.example/callback";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn with(issuer: &str, id: &str, client_secret: &str, back: &str, key: &str) -> OidcLoginBuilder {
    let http = HttpClient::builder().build().unwrap();
    let client = OidcClient::new(id, secret(client_secret), back);
    OidcLogin::builder(&http, issuer, client, secret(key))
}

fn good() -> OidcLoginBuilder {
    with(ISSUER, "app", "hunter2", BACK, &"k".repeat(32))
}

#[tokio::test]
async fn mistakes_by_name() {
    let key = &"k".repeat(32);
    let issuer = OidcLoginError::Issuer;
    let table = [
        (good(), None),
        (
            with(ISSUER, "app", "s", "http://localhost:8080/back?a=b", key),
            None,
        ),
        (
            with("http://idp.example", "app", "s", BACK, key),
            Some(issuer(UrlError::Scheme)),
        ),
        (
            with("https://idp.example?a", "app", "s", BACK, key),
            Some(issuer(UrlError::Query)),
        ),
        (
            with("https://127.0.0.1", "app", "s", BACK, key),
            Some(issuer(UrlError::Address)),
        ),
        (
            with(ISSUER, "", "s", BACK, key),
            Some(OidcLoginError::Client),
        ),
        (
            with(ISSUER, "app", "", BACK, key),
            Some(OidcLoginError::Client),
        ),
        (
            with(ISSUER, "app", "s", "/callback", key),
            Some(OidcLoginError::RedirectUri),
        ),
        (
            with(ISSUER, "app", "s", "app://callback", key),
            Some(OidcLoginError::RedirectUri),
        ),
        (
            with(ISSUER, "app", "s", &format!("{BACK}#a"), key),
            Some(OidcLoginError::RedirectUri),
        ),
        (
            with(ISSUER, "app", "s", BACK, &key[1..]),
            Some(OidcLoginError::Key),
        ),
        (good().scopes("openid"), None),
        (good().scopes("email profile"), Some(OidcLoginError::Scopes)),
        (good().scopes("openid  email"), Some(OidcLoginError::Scopes)),
        (good().scopes("openid \"x\""), Some(OidcLoginError::Scopes)),
        (good().scopes(""), Some(OidcLoginError::Scopes)),
        (
            good().algorithms([Algorithm::Hs256]),
            Some(OidcLoginError::SharedSecret),
        ),
        (
            good().algorithms([Algorithm::Rs256, Algorithm::Hs256]),
            Some(OidcLoginError::SharedSecret),
        ),
        (
            good().algorithms([]),
            Some(OidcLoginError::Verifier(VerifierError::NoAlgorithm)),
        ),
        (
            good().leeway_secs(61),
            Some(OidcLoginError::Verifier(VerifierError::Leeway)),
        ),
        (
            good().also_issued_as(""),
            Some(OidcLoginError::Verifier(VerifierError::Issuer)),
        ),
    ];
    for (n, (builder, expected)) in table.into_iter().enumerate() {
        assert_eq!(builder.build().err(), expected, "row {n}");
    }
}

#[tokio::test]
async fn no_secret_is_shown() {
    let builder = good();
    let shown = format!("{builder:?}");
    let shown = format!("{shown}{:?}", builder.build().unwrap());
    assert!(shown.contains("idp.example"), "{shown}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("kkk"),
        "{shown}"
    );
}
