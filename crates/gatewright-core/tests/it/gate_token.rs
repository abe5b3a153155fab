//! The ladder for signed tokens: what ends one early, where one is good, and what cached ones may not do.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use gatewright_core::credential::SecretKind;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::gate::{Admission, Arrival, Coherence};
use gatewright_core::jwt::{AccessTokenClaims, Algorithm, KeySet, LiveKeys, SigningKey};
use gatewright_core::limit::Rate;
use gatewright_core::policy::{Limits, Policy, Realm, TokenTrust};
use gatewright_core::principal::{CredentialId, Subject, TenantKind};
use gatewright_core::store::{
    CredentialStore, MembershipStore, NewCredential, RevocationStore, StoredSecret,
};

use crate::fixture::{
    HANDLE_AUDIENCE, ISSUER, NOW, WORKSPACE_AUDIENCE, World, at, cause, roles, set, tenant, user,
    verifier,
};

#[tokio::test]
async fn a_warm_token_reads_nothing() {
    let world = World::new().await;
    let (policy, jwt) = (world.read_links(), world.jwt("alice"));
    for _ in 0..50 {
        let admitted = world.ask(&jwt, &policy).await.unwrap();
        let caller = admitted.principal.unwrap();
        assert_eq!(caller.subject(), &Subject::User(user("alice")));
        assert_eq!(caller.role().unwrap().as_str(), "owner");
        assert_eq!(caller.tenant().unwrap().slug(), "neo");
    }
    assert_eq!(world.store.reads(), 2, "its standing and the membership");
}

#[tokio::test]
async fn what_ends_a_token_ends_a_cached_one_at_once() {
    let world = World::new().await;
    let policy = world.read_links();
    let publish = world.gate.changes();

    let jwt = world.jwt("alice");
    world.passes(&jwt, &policy).await;
    let denied = world.store.deny_token("jti_alice", NOW + 3600).await;
    publish.publish(denied.unwrap());
    let refused = world.refused(&jwt, &policy).await;
    assert_eq!(refused, Cause::TokenDenied);
    assert_eq!(refused.code(), ErrorCode::TokenRevoked);

    let other = world.sign(&world.claims("alice", "another"));
    world.passes(&other, &policy).await;
    let session = world.end_session("alice");
    let ended = world.store.end_session(&session, NOW + 3600).await;
    publish.publish(ended.unwrap());
    assert_eq!(world.refused(&other, &policy).await, Cause::SessionEnded);

    let third = world.sign(&world.claims("alice", "third").with_session_id("new"));
    world.passes(&third, &policy).await;
    let epoch = world.store.raise_user_epoch(&user("alice")).await;
    let epoch = publish.publish(epoch.unwrap());
    assert_eq!(world.refused(&third, &policy).await, Cause::EpochRevoked);
    let fourth = world.claims("alice", "fourth").with_session_id("new");
    world
        .passes(&world.sign(&fourth.clone().with_epoch(epoch)), &policy)
        .await;
    // Neither an epoch that is not yet.
    let early = world.sign(&fourth.with_epoch(epoch + 1));
    assert_eq!(world.refused(&early, &policy).await, Cause::EpochRevoked);
}

#[tokio::test]
async fn a_token_ends_with_its_last_second() {
    let world = World::new().await;
    let (policy, jwt) = (world.read_links(), world.jwt("alice"));
    world.passes(&jwt, &policy).await;
    world.clock.advance(3599);
    world.passes(&jwt, &policy).await;
    world.clock.advance(1);
    let refused = world.refused(&jwt, &policy).await;
    assert_eq!(refused.code(), ErrorCode::TokenExpired);
}

#[tokio::test]
async fn a_cached_token_does_not_outlive_the_longest_age() {
    let world = World::new().await;
    let verifier = verifier(HANDLE_AUDIENCE).max_age_secs(300).build().unwrap();
    let realm = Realm::builder("short")
        .trust(TokenTrust::new(verifier, Arc::clone(&world.keys)))
        .build();
    let policy = world.gate.compile(&Policy::jwt(), &realm).unwrap();
    let jwt = world.jwt("alice");
    world.passes(&jwt, &policy).await;
    world.clock.advance(299);
    world.passes(&jwt, &policy).await;
    world.clock.advance(2);
    assert_eq!(
        world.refused(&jwt, &policy).await.code(),
        ErrorCode::InvalidToken
    );
}

#[tokio::test]
async fn a_key_that_is_taken_away_takes_its_tokens_along() {
    let world = World::new().await;
    let (policy, jwt) = (world.read_links(), world.jwt("alice"));
    world.passes(&jwt, &policy).await;
    let next = SigningKey::generate(Algorithm::Es256).unwrap();
    let both = [world.signer.verifying_key(), next.verifying_key()];
    world.keys.replace(KeySet::from_keys(both).unwrap());
    world.passes(&jwt, &policy).await;
    world
        .keys
        .replace(KeySet::from_keys([next.verifying_key()]).unwrap());
    assert_eq!(world.refused(&jwt, &policy).await, Cause::JwtUnknownKey);
    let renewed = next.sign("at+jwt", &world.claims("alice", "new")).unwrap();
    world.passes(&renewed, &policy).await;
}

#[tokio::test]
async fn a_membership_that_ends_ends_access_at_once() {
    let world = World::new().await;
    let (policy, bob) = (
        world.compile(Policy::jwt().tenant_from("handle")),
        world.jwt("bob"),
    );
    world.passes(&bob, &policy).await;
    let removed = world
        .store
        .remove_member(&tenant("ten_neo"), &user("bob"), "owner")
        .await;
    let _ = world.gate.changes().publish(removed.unwrap());
    let refused = world.refused(&bob, &policy).await;
    assert_eq!(
        (refused, refused.code()),
        (Cause::NoMembership, ErrorCode::NotFound)
    );
}

#[tokio::test]
async fn tenants_that_exist_and_those_that_do_not_look_alike() {
    let world = World::new().await;
    let policy = world.read_links();
    let (key, jwt) = (world.pat("*").await, world.jwt("bob"));
    for (text, expected) in [
        (&key.text, Cause::ForeignTenant),
        (&jwt, Cause::NoMembership),
    ] {
        let mut answers = Vec::new();
        for slug in ["trinity", "nowhere"] {
            let refusal = world
                .admit(text, &policy, at(slug))
                .decided()
                .await
                .unwrap_err();
            assert_eq!(refusal.cause(), Some(expected));
            answers.push(policy.refusal(&refusal, false));
        }
        assert_eq!(answers[0], answers[1]);
    }
    // A tenant of another kind is none here, though Alice owns it.
    let alice = world.jwt("alice");
    let decision = world.admit(&alice, &policy, at("acme")).decided().await;
    assert_eq!(cause(decision), Cause::NoMembership);
}

#[tokio::test]
async fn a_token_bound_to_a_tenant_is_good_in_no_other() {
    let world = World::new().await;
    let policy = world.read_links();
    world.put_member("ten_trinity", "alice", "owner").await;
    let jwt = world.sign(&world.claims("alice", "bound").with_tenant("ten_neo"));
    for _ in 0..2 {
        world.passes(&jwt, &policy).await;
        let decision = world.admit(&jwt, &policy, at("trinity")).decided().await;
        assert_eq!(cause(decision), Cause::NoMembership);
    }
    // Without a tenant in the path the token says in which tenant it acts.
    let admitted = world.ask(&jwt, &world.anyone()).await.unwrap();
    assert_eq!(admitted.principal.unwrap().tenant().unwrap().slug(), "neo");
}

#[tokio::test]
async fn a_jwt_where_only_secrets_go_is_the_wrong_format_for_everybody() {
    let world = World::new().await;
    let policy = world.compile(Policy::pat().tenant_from("handle"));
    for who in ["alice", "bob", "nobody"] {
        for _ in 0..2 {
            let refused = world.refused(&world.jwt(who), &policy).await;
            assert_eq!(refused, Cause::WrongModeJwt);
            assert_eq!(refused.code(), ErrorCode::InvalidTokenFormat);
        }
    }
    assert_eq!(world.store.lookups.load(SeqCst), 0);
    // Proof comes first.
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let forged = stranger
        .sign("at+jwt", &world.claims("alice", "x"))
        .unwrap();
    assert_eq!(
        world.refused(&forged, &policy).await.code(),
        ErrorCode::InvalidToken
    );
}

#[tokio::test]
async fn a_token_of_one_realm_is_refused_in_another_and_cached_in_neither_for_the_other() {
    let world = World::new().await;
    let handles = world.anyone();
    let workspaces = world
        .gate
        .compile(&Policy::jwt(), &world.workspaces)
        .unwrap();
    let jwt = world.jwt("alice");
    for _ in 0..3 {
        world.passes(&jwt, &handles).await;
        assert_eq!(world.refused(&jwt, &workspaces).await, Cause::JwtAudience);
    }
    let both = world.sign(
        &world
            .claims("alice", "both")
            .with_audience(WORKSPACE_AUDIENCE),
    );
    world.passes(&both, &handles).await;
    world.passes(&both, &workspaces).await;
}

#[tokio::test]
async fn of_several_issuers_each_speaks_with_its_own_keys() {
    let world = World::new().await;
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    let keys = KeySet::from_keys([other.verifying_key()]).unwrap();
    let theirs = gatewright_core::jwt::Verifier::builder("https://idp.example", HANDLE_AUDIENCE)
        .algorithms([Algorithm::Es256])
        .build()
        .unwrap();
    let ours = verifier(HANDLE_AUDIENCE).build().unwrap();
    let realm = Realm::builder("two")
        .trust(TokenTrust::new(ours, Arc::clone(&world.keys)))
        .trust(TokenTrust::new(theirs, Arc::new(LiveKeys::new(keys))))
        .build();
    let policy = world.gate.compile(&Policy::jwt(), &realm).unwrap();
    let claims = |issuer: &str| {
        let now = NOW;
        AccessTokenClaims::new(issuer, "u", HANDLE_AUDIENCE, "app", "j", now, now + 60)
    };
    let sign = |key: &SigningKey, issuer| key.sign("at+jwt", &claims(issuer)).unwrap();
    world.passes(&sign(&world.signer, ISSUER), &policy).await;
    world
        .passes(&sign(&other, "https://idp.example"), &policy)
        .await;
    for forged in [
        sign(&other, ISSUER),
        sign(&world.signer, "https://idp.example"),
    ] {
        assert_eq!(
            world.refused(&forged, &policy).await.code(),
            ErrorCode::InvalidToken
        );
    }
    assert_eq!(
        world
            .refused(&sign(&world.signer, "https://nobody.example"), &policy)
            .await,
        Cause::JwtIssuer
    );
}

/// A machine registered in `neo`, and its token with these scopes.
pub(crate) async fn machine(world: &World, scopes: &str) -> String {
    let key = world.pat("*").await;
    let found = world.store.find(SecretKind::Pat, &key.id).await;
    let secret: StoredSecret = found.unwrap().unwrap().secrets.remove(0);
    let id = CredentialId::new("cli_1").unwrap();
    let owner = user("alice");
    let client = NewCredential::new(
        SecretKind::Client,
        id,
        tenant("ten_neo"),
        owner,
        secret,
        NOW,
    );
    let inserted = world.store.insert(client).await.unwrap();
    world.gate.changes().publish(inserted);
    let claims = AccessTokenClaims::new(
        ISSUER,
        "cli_1",
        HANDLE_AUDIENCE,
        "cli_1",
        "jti_cli",
        NOW,
        NOW + 3600,
    );
    world.sign(&claims.with_tenant("ten_neo").with_scope(scopes))
}

#[tokio::test]
async fn a_machines_token_is_judged_by_its_scopes_in_its_tenant() {
    let world = World::new().await;
    let policy = world.compile(
        Policy::jwt()
            .scope("links.read")
            .feature("webhooks")
            .tenant_from("handle"),
    );
    let jwt = machine(&world, "links.read").await;
    for _ in 0..2 {
        let admitted = world.ask(&jwt, &policy).await.unwrap().principal.unwrap();
        let id = CredentialId::new("cli_1").unwrap();
        assert_eq!(admitted.subject(), &Subject::Client(id));
        assert_eq!(admitted.scopes(), &set("links.read"));
        let decision = world.admit(&jwt, &policy, at("trinity")).decided().await;
        assert_eq!(cause(decision), Cause::ForeignTenant);
    }
    let writing = world.compile(Policy::jwt().scope("links.write").tenant_from("handle"));
    assert_eq!(world.refused(&jwt, &writing).await, Cause::MissingScope);
    // No role, whatever it may do.
    let owners = world.compile(Policy::jwt().role("creator").tenant_from("handle"));
    assert_eq!(world.refused(&jwt, &owners).await, Cause::MissingRole);

    let plan = world.store.set_plan(&tenant("ten_neo"), "free").await;
    world.gate.changes().publish(plan.unwrap());
    assert_eq!(world.refused(&jwt, &policy).await, Cause::MissingFeature);
}

/// A machine gets itself as many tokens as it likes: each is charged to the machine, and to no user of the same name.
#[tokio::test]
async fn a_machines_tokens_share_its_limits() {
    let limits = Limits::none().per_credential(Rate::per_minute(3).unwrap());
    let world = World::with(Coherence::SingleProcess, limits, |builder| builder).await;
    let (reading, writing) = (
        world.compile(Policy::jwt().scope("links.read")),
        world.compile(Policy::jwt().scope("links.write")),
    );
    let first = machine(&world, "links.read").await;
    let token = |jti| {
        let (client, end) = ("cli_1", NOW + 3600);
        let claims = AccessTokenClaims::new(ISSUER, client, HANDLE_AUDIENCE, client, jti, NOW, end);
        world.sign(&claims.with_tenant("ten_neo").with_scope("links.read"))
    };
    for left in (0..3).rev() {
        let admitted = world.ask(&first, &reading).await.unwrap();
        assert_eq!(admitted.limits.unwrap().remaining(), left);
    }
    for jti in ["fresh", "fresher"] {
        assert_eq!(
            world.refused(&token(jti), &reading).await,
            Cause::RateLimited
        );
    }
    for jti in ["a", "b", "c"] {
        assert_eq!(
            world.refused(&token(jti), &writing).await,
            Cause::MissingScope
        );
    }
    assert_eq!(
        world.refused(&token("d"), &writing).await,
        Cause::RateLimited
    );
    let namesake = world.sign(&world.claims("cli_1", "person"));
    let anything = world.compile(Policy::jwt());
    let admitted = world.ask(&namesake, &anything).await.unwrap();
    assert_eq!(admitted.limits.unwrap().remaining(), 2);
}

#[tokio::test]
async fn a_machines_token_ends_with_its_epoch_and_its_record() {
    let world = World::new().await;
    let policy = world.compile(Policy::jwt().tenant_from("handle"));
    let jwt = machine(&world, "*").await;
    world.passes(&jwt, &policy).await;
    let revoked = world
        .store
        .revoke(&tenant("ten_neo"), SecretKind::Client, "cli_1", NOW)
        .await;
    let _ = world.gate.changes().publish(revoked.unwrap());
    assert_eq!(
        world.refused(&jwt, &policy).await.code(),
        ErrorCode::TokenRevoked
    );

    let world = World::new().await;
    let policy = world.compile(Policy::jwt().tenant_from("handle"));
    let jwt = machine(&world, "*").await;
    world.passes(&jwt, &policy).await;
    let raised = world.store.raise_client_epoch("cli_1").await;
    world.gate.changes().publish(raised.unwrap());
    assert_eq!(world.refused(&jwt, &policy).await, Cause::EpochRevoked);
}

#[tokio::test]
async fn a_realm_without_issuers_calls_every_jwt_the_wrong_format() {
    let world = World::new().await;
    let realm = Realm::builder("keys")
        .tenant_kind(TenantKind::from_static("handle"))
        .roles(roles())
        .build();
    let policy = world.gate.compile(&Policy::pat(), &realm).unwrap();
    let Admission::Ready(decision) = world.admit(&world.jwt("alice"), &policy, Arrival::new())
    else {
        panic!("waits for something");
    };
    assert_eq!(cause(decision), Cause::WrongModeJwt);
}
