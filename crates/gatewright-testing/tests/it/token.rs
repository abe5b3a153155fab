//! What a token holds is what was said.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::error::ErrorCode;
use gatewright_core::principal::Subject;
use gatewright_testing::TestAuthority;
use serde_json::{Value, json};

use crate::{NOW, anyone, ask, links, quick};

/// The header and the claims.
fn read(token: &str) -> (Value, Value) {
    let mut segments = token.split('.').map(|segment| {
        let bytes = URL_SAFE_NO_PAD.decode(segment).unwrap();
        serde_json::from_slice(&bytes).unwrap_or_default()
    });
    (segments.next().unwrap(), segments.next().unwrap())
}

#[tokio::test]
async fn a_token_of_which_nothing_is_said_is_an_access_token() {
    let (builder, clock) = quick();
    let authority = builder.build().await;
    let kid = authority.rotate_keys();
    let token = authority.token("usr_1");
    let (header, claims) = read(&token.sign());
    assert_eq!(header, json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid}));
    let expected = json!({
        "iss": "https://issuer.example", "aud": "https://api.example", "sub": "usr_1", "client_id": "app",
        "jti": "jti_1", "iat": NOW, "exp": NOW + 900,
    });
    assert_eq!(claims, expected);
    // The next one of the same builder is another token, of its own time.
    clock.advance(5);
    let (_, claims) = read(&token.sign());
    assert_eq!(
        (&claims["jti"], &claims["iat"]),
        (&json!("jti_2"), &json!(NOW + 5))
    );
}

#[tokio::test]
async fn what_is_said_is_what_it_holds() {
    let authority = quick().0.build().await;
    let token = authority
        .token("usr_2")
        .issuer("https://other.example")
        .audiences(["a", "b"])
        .client("cli")
        .scope("x y")
        .session("sid_1")
        .tenant("globex")
        .epoch(7)
        .issued_ago(20)
        .expires_in(-10)
        .not_before_in(-15)
        .claim("roles", vec!["admin"])
        .claim("jti", "chosen")
        .kid("k")
        .typ("JWT")
        .header("x5t", "abc");
    let (header, claims) = read(&token.sign());
    assert_eq!(
        header,
        json!({"alg": "EdDSA", "typ": "JWT", "kid": "k", "x5t": "abc"})
    );
    let expected = json!({
        "iss": "https://other.example", "aud": ["a", "b"], "sub": "usr_2", "client_id": "cli", "scope": "x y",
        "sid": "sid_1", "tenant": "globex", "epoch": 7, "iat": NOW - 20, "exp": NOW - 10, "nbf": NOW - 15,
        "roles": ["admin"], "jti": "chosen",
    });
    assert_eq!(claims, expected);
    let (header, claims) = read(
        &token
            .without("sub")
            .without("nbf")
            .without_header("kid")
            .sign(),
    );
    assert_eq!(
        (claims.get("sub"), claims.get("nbf"), header.get("kid")),
        (None, None, None)
    );
}

#[tokio::test]
async fn a_token_ends_by_the_authoritys_clock() {
    let (builder, clock) = quick();
    let authority = builder.build().await;
    let policy = links(&authority);
    let (token, later) = (
        authority.token("usr_1").expires_in(60).sign(),
        authority.token("usr_1").not_before_in(60).sign(),
    );
    clock.advance(59);
    assert!(ask(&authority, &policy, &token).await.is_ok());
    let early = ask(&authority, &policy, &later).await.unwrap_err();
    early.assert_code(ErrorCode::InvalidToken);
    clock.advance(1);
    let late = ask(&authority, &policy, &token).await.unwrap_err();
    late.assert_code(ErrorCode::TokenExpired);
    assert!(ask(&authority, &policy, &later).await.is_ok());
}

#[tokio::test]
async fn sessions_epochs_and_tokens_end() {
    let authority = quick().0.build().await;
    let policy = links(&authority);
    let token = || authority.token("usr_1").session("sid_1");
    let (first, second) = (token().sign(), token().sign());
    authority.revoke(&first).await;
    let refused = ask(&authority, &policy, &first).await.unwrap_err();
    refused.assert_code(ErrorCode::TokenRevoked);
    assert!(ask(&authority, &policy, &second).await.is_ok());
    authority.end_session("sid_1").await;
    let refused = ask(&authority, &policy, &second).await.unwrap_err();
    refused.assert_code(ErrorCode::TokenRevoked);

    let other = authority.token("usr_1").sign();
    assert!(ask(&authority, &policy, &other).await.is_ok());
    let epoch = authority.end_tokens("usr_1").await;
    let refused = ask(&authority, &policy, &other).await.unwrap_err();
    refused.assert_code(ErrorCode::TokenRevoked);
    let renewed = authority.token("usr_1").epoch(epoch).sign();
    assert!(ask(&authority, &policy, &renewed).await.is_ok());
}

#[tokio::test]
async fn a_machine_acts_in_its_tenant_while_it_is_registered() {
    let authority = quick().0.build().await;
    let policy = anyone(&authority);
    let token = authority
        .machine_token("cli_1")
        .tenant("acme")
        .scope("a b")
        .sign();
    let unregistered = ask(&authority, &policy, &token).await.unwrap_err();
    unregistered.assert_code(ErrorCode::TokenRevoked);
    authority.client("cli_1", "acme").await;
    let caller = ask(&authority, &policy, &token)
        .await
        .unwrap()
        .principal
        .unwrap();
    assert!(matches!(caller.subject(), Subject::Client(id) if id.as_str() == "cli_1"));
    assert_eq!(caller.scopes().iter().count(), 2);
    assert_eq!(caller.tenant().unwrap().slug(), "acme");
}

#[tokio::test]
async fn keys_are_rotated_and_retired() {
    let authority = quick().0.build().await;
    let policy = links(&authority);
    let old = authority.token("usr_1").sign();
    authority.rotate_keys();
    let new = authority.token("usr_1").sign();
    assert!(ask(&authority, &policy, &old).await.is_ok());
    authority.retire_keys();
    let refused = ask(&authority, &policy, &old).await.unwrap_err();
    refused.assert_code(ErrorCode::InvalidToken);
    assert!(ask(&authority, &policy, &new).await.is_ok());
}

#[tokio::test]
async fn trust_is_for_its_own_tokens_and_one_audience() {
    let authority = quick().0.build().await;
    let other: TestAuthority = quick().0.build().await;
    let policy = links(&authority);
    let foreign = ask(&authority, &policy, &other.token("usr_1").sign()).await;
    foreign.unwrap_err().assert_code(ErrorCode::InvalidToken);

    let realm = gatewright_core::policy::Realm::builder("second")
        .trust(authority.trust_for("https://second.example"))
        .build();
    let policy = gatewright_core::policy::Policy::jwt();
    let policy = authority.gate().compile(&policy, &realm).unwrap();
    let second = authority
        .token("usr_1")
        .audience("https://second.example")
        .sign();
    assert!(ask(&authority, &policy, &second).await.is_ok());
    let first = ask(&authority, &policy, &authority.token("usr_1").sign()).await;
    first.unwrap_err().assert_code(ErrorCode::InvalidToken);
}
