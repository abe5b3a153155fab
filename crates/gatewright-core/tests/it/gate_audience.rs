//! Tokens of ours that are for one tenant's audience.

use gatewright_core::credential::{Secret, SecretKind};
use gatewright_core::error::Cause;
use gatewright_core::gate::Arrival;
use gatewright_core::jwt::{AccessTokenClaims, Algorithm, JwtError, Verifier, VerifierError};
use gatewright_core::policy::Policy;
use gatewright_core::principal::CredentialId;
use gatewright_core::store::{CredentialStore as _, NewCredential, StoredSecret};

use crate::fixture::{HANDLE_AUDIENCE, ISSUER, NOW, World, at, cause, tenant, user};
use crate::fixture_idp::GATEWAY;
use crate::gate_external::Gateway;

async fn client(world: &World, id: &str, of: &str) {
    let secret = Secret::new(format!("secret of {id}"));
    let hash = world.gate.hash_pool().hash(secret.expose().as_bytes());
    let stored = StoredSecret::new(hash.unwrap().await.unwrap(), None);
    let id = CredentialId::new(id).unwrap();
    let new = NewCredential::new(
        SecretKind::Client,
        id,
        tenant(of),
        user("alice"),
        stored,
        NOW,
    );
    let inserted = world.store.insert(new).await.unwrap();
    world.gate.changes().publish(inserted);
}

/// What the client `id` of `neo` gets for the audience `aud`.
fn claims(id: &str, aud: &str) -> AccessTokenClaims {
    let jti = format!("{id} {aud}");
    AccessTokenClaims::new(ISSUER, id, aud, id, jti, NOW, NOW + 3600)
        .with_tenant("ten_neo")
        .with_scope("mcp:call")
}

fn audience(slug: &str) -> String {
    format!("{GATEWAY}{slug}")
}

#[tokio::test]
async fn a_machines_token_is_for_its_tenants_gateway_alone() {
    let gateway = Gateway::new().await;
    client(&gateway.world, "cli_1", "ten_neo").await;
    let sign = |claims| gateway.world.sign(&claims);
    let good = sign(claims("cli_1", &audience("neo")));
    for _ in 0..3 {
        gateway.passes(&good).await;
        // Cached or not.
        let elsewhere = gateway.admit(&good, at("trinity")).decided().await;
        assert_eq!(cause(elsewhere), Cause::JwtAudience);
    }
    for (what, aud) in [
        ("another tenant's", audience("trinity")),
        ("nobody's", GATEWAY.to_owned()),
        ("one that goes on", audience("neo/x")),
        ("one that ends sooner", audience("ne")),
        ("another case", audience("NEO")),
        ("of another family", HANDLE_AUDIENCE.to_owned()),
    ] {
        let token = sign(claims("cli_1", &aud));
        for slug in ["neo", "trinity"] {
            let decision = gateway.admit(&token, at(slug)).decided().await;
            assert_eq!(cause(decision), Cause::JwtAudience, "{what} at {slug}");
        }
    }
    let two = claims("cli_1", &audience("neo")).with_audience(audience("trinity"));
    assert_eq!(gateway.refused(&sign(two)).await, Cause::JwtAudience);
    let beside = claims("cli_1", "https://other.example").with_audience(audience("neo"));
    gateway.passes(&sign(beside)).await;

    // The record says whose the client is, whatever the token does.
    client(&gateway.world, "cli_2", "ten_trinity").await;
    assert_eq!(
        gateway
            .refused(&sign(claims("cli_2", &audience("neo"))))
            .await,
        Cause::Revoked
    );
    let unbound = AccessTokenClaims::new(
        ISSUER,
        "cli_1",
        audience("neo"),
        "cli_1",
        "u",
        NOW,
        NOW + 60,
    );
    let unbound = unbound.with_scope("mcp:call");
    assert_eq!(gateway.refused(&sign(unbound)).await, Cause::JwtAudience);

    // Keys of the tenant are as good as ever.
    let key = gateway.world.api_key("mcp:call").await;
    gateway.passes(&key.text).await;
}

#[tokio::test]
async fn where_no_tenant_is_named_the_holders_counts() {
    let gateway = Gateway::new().await;
    client(&gateway.world, "cli_1", "ten_neo").await;
    let whoami = gateway
        .world
        .gate
        .compile(&Policy::jwt(), &gateway.realm)
        .unwrap();
    let ask = |token: String, arrival| {
        let admission = gateway.world.admit(&token, &whoami, arrival);
        admission.decided()
    };
    let good = gateway.world.sign(&claims("cli_1", &audience("neo")));
    assert!(ask(good.clone(), Arrival::new()).await.is_ok());
    assert!(ask(good.clone(), at("neo")).await.is_ok());
    assert_eq!(cause(ask(good, at("trinity")).await), Cause::JwtAudience);
    let foreign = gateway.world.sign(&claims("cli_1", &audience("trinity")));
    assert_eq!(
        cause(ask(foreign, Arrival::new()).await),
        Cause::JwtAudience
    );
}

#[tokio::test]
async fn a_users_token_is_held_to_the_same() {
    let gateway = Gateway::new().await;
    // Alice owns `neo`; `trinity` is Carol's.
    let policy = Policy::jwt().role("owner").tenant_from("org");
    let policy = gateway.world.gate.compile(&policy, &gateway.realm).unwrap();
    let token = |who: &str, slug: &str| {
        let jti = format!("{who} {slug}");
        let claims = AccessTokenClaims::new(ISSUER, who, audience(slug), "app", jti, NOW, NOW + 60);
        gateway.world.sign(&claims)
    };
    for _ in 0..2 {
        gateway.world.passes(&token("alice", "neo"), &policy).await;
        let foreign = gateway
            .world
            .refused(&token("alice", "trinity"), &policy)
            .await;
        assert_eq!(foreign, Cause::JwtAudience);
    }
}

#[test]
fn who_verifies_without_a_gate_is_told_whose_it_is() {
    let gateway = crate::jwt_forge::Forge::new();
    let builder =
        || Verifier::builder_of_tenants(crate::jwt_forge::ISSUER, "https://g.example/mcp/");
    let verifier = builder().algorithms([Algorithm::EdDsa]).build().unwrap();
    let both = builder()
        .audience("https://api.example")
        .algorithms([Algorithm::EdDsa])
        .build()
        .unwrap();
    let verify = |verifier: &Verifier, aud: &str| {
        let payload = format!(r#"{{"iss":"https://idp.example","aud":{aud},"exp":2000}}"#);
        let token = gateway.with_claims(&payload);
        let claims = verifier.verify(&token, &gateway.keys, crate::jwt_forge::NOW)?;
        Ok(verifier.tenant_in_audience(&claims).map(str::to_owned))
    };
    let neo = || Ok(Some("neo".to_owned()));
    for (aud, alone, beside) in [
        (r#""https://g.example/mcp/neo""#, neo(), neo()),
        (r#"["x","https://g.example/mcp/neo"]"#, neo(), neo()),
        (
            r#""https://g.example/mcp/""#,
            Err(JwtError::Audience),
            Err(JwtError::Audience),
        ),
        (
            r#""https://g.example/mcp""#,
            Err(JwtError::Audience),
            Err(JwtError::Audience),
        ),
        (
            r#"["https://g.example/mcp/neo","https://g.example/mcp/trinity"]"#,
            Err(JwtError::Audience),
            Err(JwtError::Audience),
        ),
        (
            r#""https://api.example""#,
            Err(JwtError::Audience),
            Ok(None),
        ),
        (
            r#"["https://api.example","https://g.example/mcp/neo"]"#,
            neo(),
            Ok(None),
        ),
    ] {
        assert_eq!(verify(&verifier, aud), alone, "{aud}");
        assert_eq!(verify(&both, aud), beside, "{aud}");
    }
    let empty = Verifier::builder_of_tenants("i", "").build();
    assert_eq!(empty.unwrap_err(), VerifierError::Audience);
}
