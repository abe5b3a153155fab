//! What a browser may bring back, and what it may not.

use gatewright_core::error::ErrorCode;
use gatewright_jwks::login::{LoginError, ProviderAnswer};
use serde_json::json;

use super::provider::{NOW, Provider, Ways};

/// What one browser brings: query, cookie, and when.
struct Brought {
    query: String,
    cookie: String,
    now: u64,
}

/// Tampers with what this browser brings; the other is what an attacker's own login gave.
type Tamper = fn(&mut Brought, &Brought);

const STATE: LoginError = LoginError::State;
const QUERY: LoginError = LoginError::Query;
const COOKIE: LoginError = LoginError::Cookie;
const ISSUER: LoginError = LoginError::ResponseIssuer;

const TABLE: &[(&str, Tamper, LoginError)] = &[
    (
        "RFC 9700 §4.7.1: an attacker's answer in the victim's browser (login CSRF)",
        |own, other| own.query.clone_from(&other.query),
        STATE,
    ),
    (
        "RFC 9700 §4.7.1: an attacker's cookie beside the victim's answer",
        |own, other| own.cookie.clone_from(&other.cookie),
        STATE,
    ),
    (
        "RFC 6749 §10.12: no state",
        |own, _| own.query = without(&own.query, "state"),
        STATE,
    ),
    (
        "RFC 6749 §10.12: an empty state",
        |own, _| own.query = format!("{}&state=", without(&own.query, "state")),
        STATE,
    ),
    (
        "RFC 6749 §10.12: a state that begins like ours",
        |own, _| own.query = own.query.replace("&iss", "A&iss"),
        STATE,
    ),
    (
        "RFC 6749 §10.12: a browser that began no login",
        |own, _| own.cookie.clear(),
        COOKIE,
    ),
    (
        "a changed cookie: another place to go to",
        |own, _| {
            let fields: Vec<_> = own.cookie.split('.').collect();
            own.cookie = [fields[0], fields[1], "L2V2aWw", fields[3]].join(".");
        },
        COOKIE,
    ),
    (
        "a changed cookie: a later end",
        |own, _| {
            let fields: Vec<_> = own.cookie.split('.').collect();
            own.cookie = [fields[0], "9999999999", fields[2], fields[3]].join(".");
        },
        COOKIE,
    ),
    (
        "a login that took ten minutes",
        |own, _| own.now = NOW + 600,
        LoginError::Expired,
    ),
    (
        "RFC 6749 §3.1: the code twice",
        |own, _| own.query.push_str("&code=other"),
        QUERY,
    ),
    (
        "RFC 6749 §3.1: the state twice",
        |own, _| own.query.push_str("&state=other"),
        QUERY,
    ),
    (
        "RFC 6749 §3.1: a parameter twice, spelt in two ways",
        |own, _| own.query.push_str("&%63ode=other"),
        QUERY,
    ),
    (
        "RFC 6749 §3.1: any parameter twice",
        |own, _| own.query.push_str("&x=1&x=1"),
        QUERY,
    ),
    (
        "RFC 6749 §4.1.2: neither code nor error",
        |own, _| own.query = without(&own.query, "code"),
        QUERY,
    ),
    (
        "RFC 6749 §4.1.2: an empty code",
        |own, _| own.query = format!("{}&code=", without(&own.query, "code")),
        QUERY,
    ),
    (
        "RFC 6749 §4.1.2.1: code and error",
        |own, _| own.query.push_str("&error=access_denied"),
        QUERY,
    ),
    (
        "an answer of more than 8 KiB",
        |own, _| own.query.push_str(&format!("&x={}", "a".repeat(8192))),
        QUERY,
    ),
    (
        "RFC 9207 §2.4: the answer of another provider (mix-up, RFC 9700 §4.4)",
        |own, _| own.query = format!("{}&iss=https://evil.example", without(&own.query, "iss")),
        ISSUER,
    ),
    (
        "RFC 9207 §2.4: compared byte by byte",
        |own, _| own.query.push('/'),
        ISSUER,
    ),
    (
        "RFC 9207 §2.4: no issuer, though the metadata promise one",
        |own, _| own.query = without(&own.query, "iss"),
        ISSUER,
    ),
    (
        "RFC 9207 §2.4: an error of another provider",
        |own, _| {
            own.query = without(&without(&own.query, "iss"), "code");
            own.query
                .push_str("&error=access_denied&iss=https://evil.example");
        },
        ISSUER,
    ),
];

fn without(query: &str, name: &str) -> String {
    let is_other = |pair: &&str| !pair.starts_with(&format!("{name}="));
    query
        .split('&')
        .filter(is_other)
        .collect::<Vec<_>>()
        .join("&")
}

#[tokio::test]
async fn only_the_answer_to_this_browsers_login_is_taken() {
    let provider = Provider::good().await;
    let login = provider.login();
    for (rule, tamper, expected) in TABLE {
        let mut brought = Vec::new();
        for _ in 0..2 {
            let start = login.begin(NOW, None).await.unwrap();
            brought.push(Brought {
                query: provider.approve(&start.authorization_url),
                cookie: start.cookie.expose().to_owned(),
                now: NOW,
            });
        }
        let other = brought.pop().unwrap();
        let mut own = brought.pop().unwrap();
        tamper(&mut own, &other);
        let finished = login.finish(&own.query, &own.cookie, own.now).await;
        assert_eq!(finished.map(drop), Err(*expected), "{rule}");
        assert_eq!(expected.code(), ErrorCode::InvalidCredentials, "{rule}");
        // The same provider takes what was not tampered with.
        let finished = login.finish(&other.query, &other.cookie, other.now).await;
        assert_eq!(finished.map(drop), Ok(()), "{rule}");
    }
    assert_eq!(
        provider.exchanges(),
        TABLE.len(),
        "no tampered code was sent anywhere"
    );
}

/// RFC 9207 §2.4: where the metadata promise nothing, an issuer may be missing, but not be another.
#[tokio::test]
async fn an_issuer_that_was_not_promised_may_be_missing() {
    let provider = Provider::with(Ways {
        metadata: |metadata| {
            metadata["authorization_response_iss_parameter_supported"] = json!(false);
        },
        ..Ways::good()
    })
    .await;
    let login = provider.login();
    for (add, expected) in [
        ("", Ok(())),
        ("&iss=https://evil.example", Err(ISSUER)),
        ("&iss=", Err(ISSUER)),
    ] {
        let start = login.begin(NOW, None).await.unwrap();
        let query = without(&provider.approve(&start.authorization_url), "iss") + add;
        let finished = login.finish(&query, start.cookie.expose(), NOW).await;
        assert_eq!(finished.map(drop), expected, "{add}");
    }
}

/// RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6. The provider's words go nowhere.
#[tokio::test]
async fn refusals_are_told_apart_by_name() {
    let provider = Provider::good().await;
    let login = provider.login();
    for (error, expected, status) in [
        ("access_denied", ProviderAnswer::AccessDenied, 401),
        ("login_required", ProviderAnswer::InteractionRequired, 401),
        ("consent_required", ProviderAnswer::InteractionRequired, 401),
        ("server_error", ProviderAnswer::Unavailable, 503),
        ("temporarily_unavailable", ProviderAnswer::Unavailable, 503),
        ("invalid_scope", ProviderAnswer::Other, 401),
        ("<script>", ProviderAnswer::Other, 401),
    ] {
        let start = login.begin(NOW, None).await.unwrap();
        let query = without(&provider.approve(&start.authorization_url), "code");
        let query = format!("{query}&error={error}&error_description=hunter2");
        let finished = login.finish(&query, start.cookie.expose(), NOW).await;
        let refused = finished.unwrap_err();
        assert_eq!(refused, LoginError::Refused(expected), "{error}");
        assert_eq!(refused.code().status(), status, "{error}");
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }
    assert_eq!(provider.exchanges(), 0);
}
