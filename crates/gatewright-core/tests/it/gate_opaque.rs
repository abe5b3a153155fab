//! Tokens that only a tenant's provider can read: what its answer must say, how long it counts, and who pays for asking.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use futures_util::future::{join_all, poll_immediate};
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::federation::{ClaimPolicy, Provider, TenantProviders, TenantProvidersError};
use gatewright_core::gate::{Admission, Arrival};
use gatewright_core::jwt::Verifier;
use gatewright_core::principal::Mode;
use serde_json::{Value, json};

use crate::fixture::{ELSEWHERE, ISSUER, NOW, at, set};
use crate::fixture_idp::{
    GATEWAY, IDP, Idp, Oracle, active, handle, scopes_alone, trusts, with, without,
};
use crate::gate_external::Gateway;

const TOKEN: &str = "opaque-token.of/somebody~else+1234567890==";

struct Opaque {
    gateway: Gateway,
    oracle: Arc<Oracle>,
}

impl Opaque {
    async fn new() -> Self {
        let opaque = Self {
            gateway: Gateway::new().await,
            oracle: Oracle::new(),
        };
        opaque.trust(scopes_alone());
        opaque
    }

    fn trust(&self, policy: ClaimPolicy) {
        let provider = self.gateway.idp.provider(policy);
        let provider = provider.with_introspector(Arc::clone(&self.oracle) as _);
        self.gateway
            .configured
            .put("neo", trusts("neo", [provider]));
    }

    fn asked(&self) -> u64 {
        self.oracle.asked.load(SeqCst)
    }

    fn wait(&self, token: &str) -> gatewright_core::gate::Pending {
        match self.gateway.admit(token, at("neo")) {
            Admission::Pending(pending) => pending,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_active_token_passes_as_a_signed_one_would() {
    let opaque = Opaque::new().await;
    let admitted = opaque.gateway.ask(TOKEN).await.unwrap();
    let caller = admitted.principal.unwrap();
    assert_eq!(caller.mode(), Mode::External);
    assert_eq!(
        caller.subject().to_string(),
        format!("external:ten_neo/{IDP}#ext_1")
    );
    assert_eq!(caller.scopes(), &set("mcp:call"));
    assert_eq!(caller.expires_at(), Some(NOW + 3600));
    // `iss` and `exp` are optional (RFC 7662 §2.2): who was asked is the issuer.
    opaque
        .oracle
        .says(Some(without(without(active(), "iss"), "exp").to_string()));
    let admitted = opaque.gateway.ask("another").await.unwrap();
    let endless = admitted.principal.unwrap();
    assert_eq!(endless.subject(), caller.subject());
    assert_eq!(endless.expires_at(), None);
    assert_eq!(opaque.gateway.world.store.reads(), 0);
}

#[tokio::test]
async fn what_an_answer_must_say() {
    let opaque = Opaque::new().await;
    let good = active;
    let table: [(&str, Value, Cause); 16] = [
        (
            "not active",
            with(good(), "active", json!(false)),
            Cause::JwtClaims,
        ),
        (
            "active by name",
            with(good(), "active", json!("true")),
            Cause::JwtClaims,
        ),
        (
            "nothing of that",
            without(good(), "active"),
            Cause::JwtClaims,
        ),
        (
            "another issuer",
            with(good(), "iss", json!("https://evil.example")),
            Cause::JwtIssuer,
        ),
        (
            "another audience",
            with(good(), "aud", json!(format!("{GATEWAY}trinity"))),
            Cause::JwtAudience,
        ),
        ("no audience", without(good(), "aud"), Cause::JwtClaims),
        (
            "expired",
            with(good(), "exp", json!(NOW)),
            Cause::JwtExpired,
        ),
        (
            "an end that is no time",
            with(good(), "exp", json!("soon")),
            Cause::JwtClaims,
        ),
        (
            "not yet",
            with(good(), "nbf", json!(NOW + 1)),
            Cause::JwtNotYetValid,
        ),
        (
            "bound to a key",
            with(good(), "cnf", json!({"x5t#S256": "x"})),
            Cause::JwtNotAllowed,
        ),
        (
            "bound by its type",
            with(good(), "token_type", json!("DPoP")),
            Cause::JwtType,
        ),
        (
            "a refresh token",
            with(good(), "token_type", json!("refresh_token")),
            Cause::JwtType,
        ),
        (
            "malformed scopes",
            with(good(), "scope", json!({})),
            Cause::JwtNotAllowed,
        ),
        ("nobody", without(good(), "sub"), Cause::JwtClaims),
        ("a list", json!([]), Cause::JwtClaims),
        (
            "too much",
            with(good(), "x", json!("x".repeat(65_536))),
            Cause::JwtClaims,
        ),
    ];
    for (what, answer, wanted) in table {
        opaque.oracle.says(Some(answer.to_string()));
        assert_eq!(
            opaque
                .gateway
                .refused(what.replace(' ', "-").as_str())
                .await,
            wanted,
            "{what}"
        );
    }
    for answer in [
        r#"{"active":true,"active":true}"#,
        r#"{"active":true"#,
        "",
        r#"{"active":true,"x":{"a":1,"a":2}}"#,
    ] {
        opaque.oracle.says(Some(answer.to_owned()));
        let refused = opaque.gateway.refused("odd").await;
        assert_eq!(refused.code(), ErrorCode::InvalidToken, "{answer}");
    }
    assert_eq!(opaque.gateway.world.gate.stats().cached_tokens, 0);
    opaque.oracle.says(Some(good().to_string()));
    opaque.gateway.passes("odd").await;

    // The rules for claims are those of signed tokens.
    opaque.trust(ClaimPolicy::builder().client("other").build().unwrap());
    assert_eq!(opaque.gateway.refused("odd").await, Cause::JwtNotAllowed);
}

#[tokio::test]
async fn an_answer_counts_for_a_minute_or_until_the_token_ends() {
    let opaque = Opaque::new().await;
    let clock = &opaque.gateway.world.clock;
    opaque.gateway.passes(TOKEN).await;
    opaque.oracle.says(None);
    clock.advance(59);
    let shared = opaque.gateway.configured.shared.load(SeqCst);
    opaque.gateway.passes(TOKEN).await;
    assert!(matches!(
        opaque.gateway.admit(TOKEN, at("neo")),
        Admission::Ready(Ok(_))
    ));
    // Nor does a warm call take a reference that all cores would count.
    assert_eq!(opaque.gateway.configured.shared.load(SeqCst), shared);
    assert_eq!(opaque.asked(), 1);
    clock.advance(1);
    assert_eq!(opaque.gateway.refused(TOKEN).await, Cause::TokenInactive);
    assert_eq!(opaque.asked(), 2);

    // That it is not active is not remembered.
    let answer = with(active(), "exp", json!(NOW + 70));
    opaque.oracle.says(Some(answer.to_string()));
    opaque.gateway.passes(TOKEN).await;
    assert_eq!(opaque.asked(), 3);
    clock.advance(9);
    opaque.gateway.passes(TOKEN).await;
    assert_eq!(opaque.asked(), 3);
    clock.advance(1);
    assert_eq!(opaque.gateway.refused(TOKEN).await, Cause::JwtExpired);
}

#[tokio::test]
async fn the_minute_counts_from_the_question() {
    let opaque = Opaque::new().await;
    let held = opaque.oracle.held.write().await;
    let mut waiting = opaque.wait(TOKEN);
    assert!(poll_immediate(&mut waiting).await.is_none());
    opaque.gateway.world.clock.advance(50);
    drop(held);
    assert!(waiting.await.is_ok());
    opaque.oracle.says(None);
    opaque.gateway.world.clock.advance(10);
    assert_eq!(opaque.gateway.refused(TOKEN).await, Cause::TokenInactive);
}

#[tokio::test]
async fn all_who_present_one_token_ask_once() {
    let opaque = Opaque::new().await;
    let held = opaque.oracle.held.write().await;
    let mut waiting: Vec<_> = (0..100).map(|_| opaque.wait(TOKEN)).collect();
    let mut other = opaque.wait("another");
    for one in &mut waiting {
        assert!(poll_immediate(one).await.is_none());
    }
    assert!(poll_immediate(&mut other).await.is_none());
    // The one who asked goes away.
    drop(waiting.remove(0));
    drop(held);
    for decision in join_all(waiting).await {
        assert!(decision.is_ok(), "{decision:?}");
    }
    assert!(other.await.is_ok());
    assert_eq!(opaque.asked(), 2);
}

#[tokio::test]
async fn what_a_tenant_changes_counts_for_what_was_answered_too() {
    let opaque = Opaque::new().await;
    opaque.gateway.passes(TOKEN).await;
    opaque.gateway.configured.remove("neo");
    assert_eq!(opaque.gateway.refused(TOKEN).await, Cause::UnknownFormat);
    opaque.trust(scopes_alone());
    opaque.gateway.passes(TOKEN).await;
    assert_eq!(opaque.asked(), 2, "another configuration asks by itself");

    let provider = opaque.gateway.idp.provider(scopes_alone());
    let provider = provider.with_introspector(Arc::clone(&opaque.oracle) as _);
    let low = TenantProviders::new(handle("neo", "pro"), set("mcp:call:crm"), [provider]);
    opaque.gateway.configured.put("neo", low.unwrap());
    assert_eq!(opaque.gateway.refused(TOKEN).await, Cause::MissingScope);

    // While the provider is asked, too.
    opaque.trust(scopes_alone());
    let held = opaque.oracle.held.write().await;
    let mut waiting = opaque.wait(TOKEN);
    assert!(poll_immediate(&mut waiting).await.is_none());
    opaque.gateway.configured.remove("neo");
    drop(held);
    assert_eq!(waiting.await.unwrap_err().cause(), Some(Cause::JwtIssuer));
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_says_nothing() {
    let opaque = Opaque::new().await;
    opaque.gateway.passes("known").await;
    opaque.oracle.is_down.store(true, SeqCst);
    for _ in 0..60 {
        let refusal = opaque.gateway.ask(TOKEN).await.unwrap_err();
        assert_eq!(refusal.cause(), Some(Cause::IntrospectionUnavailable));
        assert_eq!(refusal.code(), ErrorCode::TemporarilyUnavailable);
        assert_eq!(refusal.retry_after().unwrap().get(), 7);
    }
    // Nor does one address hammer it.
    assert_eq!(opaque.gateway.refused(TOKEN).await, Cause::FailureLimited);
    assert_eq!(opaque.asked(), 61);
    opaque.gateway.passes("known").await;
    let arrival = Arrival::new().tenant(Some("neo")).source(Some(ELSEWHERE));
    let elsewhere = opaque.gateway.admit(TOKEN, arrival).decided().await;
    let cause = elsewhere.unwrap_err().cause();
    assert_eq!(cause, Some(Cause::IntrospectionUnavailable));
    opaque.oracle.is_down.store(false, SeqCst);
    opaque.gateway.world.clock.advance(1);
    opaque.gateway.passes(TOKEN).await;
}

#[tokio::test]
async fn guesses_are_not_passed_on_for_ever() {
    let opaque = Opaque::new().await;
    opaque.gateway.passes(TOKEN).await;
    opaque.oracle.says(None);
    for n in 0..200 {
        let refused = opaque.gateway.refused(&format!("guess-{n}")).await;
        let wanted = if n < 60 {
            Cause::TokenInactive
        } else {
            Cause::FailureLimited
        };
        assert_eq!(refused, wanted, "{n}");
    }
    assert_eq!(opaque.asked(), 61);
    // Who is remembered is no guesser; nor is another address.
    opaque.gateway.passes(TOKEN).await;
    let arrival = Arrival::new().tenant(Some("neo")).source(Some(ELSEWHERE));
    let elsewhere = opaque.gateway.admit("guess", arrival).decided().await;
    assert_eq!(elsewhere.unwrap_err().cause(), Some(Cause::TokenInactive));
}

#[tokio::test]
async fn what_is_shown_to_a_provider() {
    let opaque = Opaque::new().await;
    let gateway = &opaque.gateway;
    opaque.oracle.says(None);
    // Ours, of ours, mistyped; JWTs, encrypted and malformed ones among them.
    let key = gateway.world.api_key("mcp:call").await;
    gateway.passes(&key.text).await;
    gateway.refused(&gateway.world.wrong(&key)).await;
    for theirs in [
        key.text[..key.text.len() - 1].to_owned(),
        gateway.idp.token("x"),
        Idp::new().token("x"),
        "eyJhbGciOiJub25lIn0.e30.".to_owned(),
        "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d".to_owned(),
    ] {
        let _ = gateway.ask(&theirs).await;
        assert_eq!(opaque.asked(), 0, "{theirs}");
    }
    // An opaque one that begins as a JWT by chance.
    assert_eq!(
        gateway.refused("eyAbcdef0123456789").await,
        Cause::TokenInactive
    );
    assert_eq!(opaque.asked(), 1);

    // Nowhere but where tokens of providers are accepted and a tenant is named that has one to ask.
    let ours = gateway.world.anyone();
    assert_eq!(
        gateway.world.refused(TOKEN, &ours).await,
        Cause::UnknownFormat
    );
    let refused = gateway.admit(TOKEN, at("trinity")).decided().await;
    assert_eq!(refused.unwrap_err().cause(), Some(Cause::UnknownFormat));
    let provider = gateway.idp.provider(scopes_alone());
    gateway.configured.put("neo", trusts("neo", [provider]));
    assert_eq!(gateway.refused(TOKEN).await, Cause::UnknownFormat);
    assert_eq!(opaque.asked(), 1);
}

/// Nobody but ourselves says what our own issuer means.
#[tokio::test]
async fn our_own_issuer_is_not_asked_among_a_tenants() {
    let opaque = Opaque::new().await;
    let own = Verifier::builder(ISSUER, format!("{GATEWAY}neo"))
        .build()
        .unwrap();
    let keys = Arc::clone(&opaque.gateway.idp.keys) as _;
    let provider = Provider::new(own, keys, scopes_alone()).unwrap();
    let provider = provider.with_introspector(Arc::clone(&opaque.oracle) as _);
    let configured = &opaque.gateway.configured;
    configured.put("neo", trusts("neo", [provider]));
    opaque
        .oracle
        .says(Some(without(active(), "iss").to_string()));
    assert_eq!(opaque.gateway.refused(TOKEN).await, Cause::UnknownFormat);
    assert_eq!(opaque.asked(), 0);
}

/// What the cache knows a token by is no token.
#[tokio::test]
async fn a_digest_is_not_the_token() {
    let opaque = Opaque::new().await;
    // One whose digest begins as a JWT does.
    let (token, digest) = (0..)
        .map(|n| format!("token-{n}"))
        .find_map(|token| {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
            let text: String = digest
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            (text.starts_with('e') && text.as_bytes()[1].is_ascii_digit()).then_some((token, text))
        })
        .unwrap();
    opaque.gateway.passes(&token).await;
    opaque.oracle.says(None);
    assert_eq!(opaque.gateway.refused(&digest).await, Cause::TokenInactive);
    opaque.gateway.passes(&token).await;
}

#[test]
fn one_provider_of_a_tenant_is_asked() {
    let (idp, oracle) = (Idp::new(), Oracle::new());
    let asked = |issuer: &str| {
        let verifier = gatewright_core::jwt::Verifier::builder(issuer, "a").build();
        gatewright_core::federation::Provider::new(
            verifier.unwrap(),
            Arc::clone(&idp.keys) as _,
            scopes_alone(),
        )
        .unwrap()
        .with_introspector(Arc::clone(&oracle) as _)
    };
    let two = [asked("https://a.example"), asked("https://b.example")];
    let two = TenantProviders::new(handle("neo", "pro"), set("mcp:call"), two);
    assert_eq!(two.unwrap_err(), TenantProvidersError::TwoIntrospectors);
}
