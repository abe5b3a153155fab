//! What each cache of the gate assumes, and what empties it; `docs/caches.md` names these tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use gatewright_core::credential::SecretKind;
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::gate::{Admission, Admitted, Arrival, Coherence};
use gatewright_core::jwt::{AccessTokenClaims, Algorithm, KeySet, SigningKey};
use gatewright_core::policy::{CompiledPolicy, Limits, LivePolicy, Policy, Realm, TokenTrust};
use gatewright_core::principal::{CredentialId, Principal, Tenant, TenantKind, Verified};
use gatewright_core::store::{
    CredentialStore, InsertOutcome, MembershipStore, NewCredential, RevocationStore, RotateOutcome,
    Rotation, StoredSecret,
};
use gatewright_core::time::Clock as _;

use crate::fixture::{
    HANDLE_AUDIENCE, ISSUER, NOW, WORKSPACE_AUDIENCE, World, at, cause, is_pending, roles, tenant,
    user, verifier,
};
use crate::gate_token::machine;

const HANDLE: TenantKind = TenantKind::from_static("handle");
const WORKSPACE: TenantKind = TenantKind::from_static("workspace");

/// The answer, which must be there at once and without a look at the store.
#[track_caller]
fn warm(
    world: &World,
    text: &str,
    policy: &Arc<CompiledPolicy>,
    arrival: Arrival<'_>,
) -> Result<Admitted, AuthError> {
    let reads = world.store.reads();
    let Admission::Ready(decision) = world.admit(text, policy, arrival) else {
        panic!("waits for something");
    };
    assert_eq!(world.store.reads(), reads);
    decision
}

#[track_caller]
fn caller(decision: Result<Admitted, AuthError>) -> Verified<Principal> {
    decision.unwrap().principal.unwrap()
}

/// `handle/role/plan` of the caller.
#[track_caller]
fn place(decision: Result<Admitted, AuthError>) -> String {
    let caller = caller(decision);
    let tenant = caller.tenant().unwrap();
    let role = caller.role().map_or("-", |role| role.as_str());
    format!("{}/{role}/{}", tenant.slug(), tenant.plan())
}

async fn set_plan(world: &World, id: &str, plan: &str) {
    let changed = world.store.set_plan(&tenant(id), plan).await.unwrap();
    assert!(world.gate.changes().publish(changed));
}

/// A trust of the world's issuer and keys for the handles, and realms of two kinds that share it.
fn realms_of_two_kinds(world: &World) -> [Realm; 2] {
    let verifier = verifier(HANDLE_AUDIENCE).build().unwrap();
    let trust = TokenTrust::new(verifier, Arc::clone(&world.keys));
    [HANDLE, WORKSPACE].map(|kind| {
        Realm::builder("shared")
            .tenant_kind(kind)
            .roles(roles())
            .trust(trust.clone())
            .build()
    })
}

// Records and proofs.

#[tokio::test]
async fn a_record_is_judged_by_the_time_of_the_call() {
    let world = World::new().await;
    let policy = world.anyone();
    let key = world
        .mint(SecretKind::Pat, "*", |new| {
            new.not_before = Some(NOW);
            new.expires_at = Some(NOW + 10);
        })
        .await;
    world.passes(&key.text, &policy).await;
    let mut judged = Vec::new();
    for now in [NOW + 9, NOW + 10, NOW + 9, NOW - 1] {
        world.clock.set(now);
        judged.push(warm(&world, &key.text, &policy, at("neo")).map_err(|refusal| refusal.cause()));
    }
    assert!(judged[0].is_ok() && judged[2].is_ok());
    assert_eq!(judged[1].as_ref().err(), Some(&Some(Cause::Expired)));
    assert_eq!(judged[3].as_ref().err(), Some(&Some(Cause::NotYetValid)));
}

#[tokio::test]
async fn a_grace_ends_in_memory() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let new = world.rotate(&key, 60).await;
    world.passes(&key.text, &policy).await;
    world.passes(&new, &policy).await;
    world.clock.advance(59);
    assert!(warm(&world, &key.text, &policy, at("neo")).is_ok());
    world.clock.advance(1);
    let ended = warm(&world, &key.text, &policy, at("neo"));
    assert_eq!(cause(ended), Cause::TagMismatch);
    assert!(warm(&world, &new, &policy, at("neo")).is_ok());
    assert_eq!(world.hashed(), 2);
}

#[tokio::test]
async fn that_there_is_no_record_is_not_remembered() {
    let world = World::new().await;
    let policy = world.anyone();
    let format = world.gate.formats().format("patv1").unwrap().clone();
    let minted = format.mint().unwrap();
    let text = minted.secret.expose();
    for _ in 0..2 {
        assert_eq!(world.refused(text, &policy).await, Cause::UnknownCredential);
    }
    assert_eq!(world.store.finds.load(SeqCst), 2);
    let hash = world.gate.hash_pool().hash(text.as_bytes()).unwrap();
    let new = NewCredential::new(
        SecretKind::Pat,
        CredentialId::new(minted.public_id.as_str()).unwrap(),
        tenant("ten_neo"),
        user("alice"),
        StoredSecret::new(hash.await.unwrap(), None),
        NOW,
    );
    // Not even published.
    std::mem::forget(world.store.insert(new).await.unwrap());
    world.passes(text, &policy).await;
}

#[tokio::test]
async fn what_is_wrong_for_one_hash_may_be_right_for_the_next() {
    let world = World::new().await;
    let policy = world.anyone();
    let key = world
        .mint(SecretKind::Pat, "*", |new| new.secret.tag = None)
        .await;
    let wrong = world.wrong(&key);
    assert_eq!(world.refused(&wrong, &policy).await, Cause::WrongSecret);
    let remembered = warm(&world, &wrong, &policy, at("neo"));
    assert_eq!(cause(remembered), Cause::RememberedWrongSecret);

    let hash = world.gate.hash_pool().hash(wrong.as_bytes()).unwrap();
    let secret = StoredSecret::new(hash.await.unwrap(), None);
    let rotation = Rotation::new(secret, NOW, NOW);
    let rotated = world
        .store
        .rotate(&tenant("ten_neo"), key.kind, &key.id, rotation)
        .await;
    let rotated = world.gate.changes().publish(rotated.unwrap());
    assert_eq!(rotated, RotateOutcome::Rotated);
    world.passes(&wrong, &policy).await;
    assert_eq!(world.hashed(), 2);
}

/// Two ask with one wrong text while two secrets are live, and the first is done with both before the other has looked at
/// the second.
#[tokio::test]
async fn what_was_found_wrong_meanwhile_is_not_hashed_again() {
    let world = World::new().await;
    let policy = world.anyone();
    let key = world
        .mint(SecretKind::Pat, "*", |new| new.secret.tag = None)
        .await;
    let next = world.wrong(&key);
    let hash = world.gate.hash_pool().hash(next.as_bytes()).unwrap();
    let secret = StoredSecret::new(hash.await.unwrap(), None);
    let rotation = Rotation::new(secret, NOW + 60, NOW);
    let neo = tenant("ten_neo");
    let rotated = world.store.rotate(&neo, key.kind, &key.id, rotation).await;
    let _ = world.gate.changes().publish(rotated.unwrap());

    let wrong = world.wrong(&key);
    let busy = world.busy();
    let [mut first, mut second] =
        [(); 2].map(|()| Box::pin(world.admit(&wrong, &policy, at("neo")).decided()));
    assert!(is_pending(&mut first).await && is_pending(&mut second).await);
    assert_eq!(cause(first.await), Cause::WrongSecret);
    assert_eq!(cause(second.await), Cause::WrongSecret);
    busy.await;
    assert_eq!(world.hashed(), 1 + 2);
}

/// A record that has to be read again proves as little about the state as none, but its holder guesses nothing.
#[tokio::test]
async fn a_proven_holder_passes_the_failure_limiter_though_the_record_is_out_of_date() {
    for coherence in [Coherence::SingleProcess, Coherence::Strict] {
        let world = World::with(coherence, Limits::none(), |builder| builder).await;
        let (policy, key) = (world.anyone(), world.pat("links.read").await);
        world.passes(&key.text, &policy).await;
        for _ in 0..10 {
            assert_eq!(
                world.refused(&world.wrong(&key), &policy).await,
                Cause::TagMismatch
            );
        }
        assert_eq!(
            world.refused(&world.wrong(&key), &policy).await,
            Cause::FailureLimited
        );
        set_plan(&world, "ten_trinity", "pro").await;
        let finds = world.store.finds.load(SeqCst);
        world.passes(&key.text, &policy).await;
        assert_eq!(world.store.finds.load(SeqCst), finds + 1);
        assert_eq!(
            world.refused(&world.wrong(&key), &policy).await,
            Cause::FailureLimited
        );
        // A text that was right for a hash that is gone is a guess again, once that is known.
        world.rotate(&key, 0).await;
        assert_eq!(world.refused(&key.text, &policy).await, Cause::TagMismatch);
        assert_eq!(
            world.refused(&key.text, &policy).await,
            Cause::FailureLimited
        );
    }
}

// Tokens.

#[tokio::test]
async fn the_longest_life_counts_from_the_verification() {
    let world = World::new().await;
    let policy = world.read_links();
    let claims = AccessTokenClaims::new(
        ISSUER,
        "alice",
        HANDLE_AUDIENCE,
        "app",
        "long",
        NOW,
        NOW + 36_000,
    );
    let jwt = world.sign(&claims);
    world.passes(&jwt, &policy).await;
    world.clock.advance(3000);
    // The standing is read anew, the signature is not looked at.
    world.put_member("ten_neo", "alice", "operator").await;
    world.passes(&jwt, &policy).await;
    world.clock.advance(599);
    assert!(warm(&world, &jwt, &policy, at("neo")).is_ok());
    world.clock.advance(1);
    let standings = world.store.standings.load(SeqCst);
    world.passes(&jwt, &policy).await;
    assert_eq!(world.store.standings.load(SeqCst), standings + 1);
    assert!(warm(&world, &jwt, &policy, at("neo")).is_ok());
}

#[tokio::test]
async fn a_date_that_is_set_back_has_tokens_judged_again() {
    let world = World::new().await;
    let verifier = verifier(HANDLE_AUDIENCE).max_age_secs(300).build().unwrap();
    let realm = Realm::builder("young")
        .trust(TokenTrust::new(verifier, Arc::clone(&world.keys)))
        .build();
    let policy = world.gate.compile(&Policy::jwt(), &realm).unwrap();
    let jwt = world.jwt("alice");
    world.passes(&jwt, &policy).await;
    assert!(warm(&world, &jwt, &policy, Arrival::new()).is_ok());
    world.clock.set(NOW - 600);
    assert_eq!(world.refused(&jwt, &policy).await, Cause::JwtNotYetValid);
    world.clock.set(NOW);
    assert!(warm(&world, &jwt, &policy, Arrival::new()).is_ok());
}

#[tokio::test]
async fn what_is_verified_while_the_keys_change_is_not_kept_under_the_new_ones() {
    let world = World::new().await;
    let (policy, jwt) = (world.read_links(), world.jwt("alice"));
    let held = world.store.held.write().await;
    let mut under_way = Box::pin(world.admit(&jwt, &policy, at("neo")).decided());
    assert!(is_pending(&mut under_way).await);
    assert_eq!(world.store.standings.load(SeqCst), 1, "verified");
    let next = SigningKey::generate(Algorithm::Es256).unwrap();
    let keys = KeySet::from_keys([next.verifying_key()]).unwrap();
    world.keys.replace(keys);
    drop(held);
    // It began before the keys were replaced.
    assert!(under_way.await.is_ok());
    for _ in 0..2 {
        assert_eq!(world.refused(&jwt, &policy).await, Cause::JwtUnknownKey);
    }
}

#[tokio::test]
async fn a_standing_that_was_read_before_a_denial_is_not_kept() {
    for is_cached in [false, true] {
        let world = World::new().await;
        let (policy, jwt) = (world.anyone(), world.jwt("alice"));
        if is_cached {
            world.passes(&jwt, &policy).await;
            // Has the standing read again.
            world.put_member("ten_neo", "alice", "operator").await;
        }
        let standings = world.store.standings.load(SeqCst);
        let held = world.store.held.write().await;
        let mut under_way = Box::pin(world.admit(&jwt, &policy, Arrival::new()).decided());
        assert!(is_pending(&mut under_way).await);
        assert_eq!(world.store.standings.load(SeqCst), standings + 1);
        let denied = world.store.deny_token("jti_alice", NOW + 3600).await;
        world.gate.changes().publish(denied.unwrap());
        let mut after = Box::pin(world.admit(&jwt, &policy, Arrival::new()).decided());
        assert!(is_pending(&mut after).await);
        drop(held);
        assert_eq!(cause(after.await), Cause::TokenDenied);
        // What was asked before may be answered as before, and comes too late to be remembered.
        drop(under_way.await);
        assert_eq!(world.refused(&jwt, &policy).await, Cause::TokenDenied);
    }
}

#[tokio::test]
async fn a_token_that_borrows_anothers_signature_is_not_taken_for_it() {
    let world = World::new().await;
    let (policy, alice, bob) = (world.anyone(), world.jwt("alice"), world.jwt("bob"));
    world.passes(&alice, &policy).await;
    let (_, signature) = alice.rsplit_once('.').unwrap();
    let (claimed, _) = bob.rsplit_once('.').unwrap();
    let forged = format!("{claimed}.{signature}");
    for _ in 0..2 {
        assert_eq!(world.refused(&forged, &policy).await, Cause::JwtSignature);
        let holder = caller(warm(&world, &alice, &policy, at("neo")));
        assert_eq!(holder.user(), Some(&user("alice")));
    }
}

#[tokio::test]
async fn a_verifier_that_asks_for_more_is_not_answered_by_one_that_asks_for_less() {
    let world = World::new().await;
    let (policy, jwt) = (world.anyone(), world.jwt("alice"));
    world.passes(&jwt, &policy).await;
    world.clock.advance(20);
    for verifier in [
        verifier(HANDLE_AUDIENCE).max_age_secs(10),
        verifier("https://elsewhere.example"),
    ] {
        // The same issuer and keys.
        let trust = TokenTrust::new(verifier.build().unwrap(), Arc::clone(&world.keys));
        let realm = Realm::builder("strict").trust(trust).build();
        let strict = world.gate.compile(&Policy::jwt(), &realm).unwrap();
        for _ in 0..2 {
            assert!(world.ask(&jwt, &strict).await.is_err());
            assert!(warm(&world, &jwt, &policy, at("neo")).is_ok());
        }
    }
}

#[tokio::test]
async fn a_flood_of_tokens_pushes_out_its_own_issuers_alone_and_nothing_hot() {
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.cache_capacity(64)
    })
    .await;
    let policy = world.anyone();
    let others = world
        .gate
        .compile(&Policy::jwt(), &world.workspaces)
        .unwrap();
    let of_others: Vec<String> = (0..8)
        .map(|n| {
            let (jti, end) = (format!("other_{n}"), NOW + 3600);
            let to = WORKSPACE_AUDIENCE;
            world.sign(&AccessTokenClaims::new(
                ISSUER, "alice", to, "app", jti, NOW, end,
            ))
        })
        .collect();
    for jwt in &of_others {
        world.passes(jwt, &others).await;
    }
    let hot = world.jwt("alice");
    world.passes(&hot, &policy).await;
    for n in 0..500 {
        let jwt = world.sign(&world.claims("alice", &format!("flood_{n}")));
        world.passes(&jwt, &policy).await;
        assert!(warm(&world, &hot, &policy, at("neo")).is_ok(), "{n}");
    }
    for jwt in &of_others {
        assert!(warm(&world, jwt, &others, Arrival::new()).is_ok());
    }
    // A quarter for the flood.
    assert_eq!(world.gate.stats().cached_tokens, 16 + 8);
}

#[tokio::test]
async fn a_flood_of_keys_and_places_stays_within_its_bound() {
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.cache_capacity(16)
    })
    .await;
    let policy = world.read_links();
    let hot = world.pat("links.read").await;
    // All that is published comes first: one of many changes may share its generation with the hot record.
    let mut flood = Vec::new();
    for n in 0..100 {
        let who = format!("user_{n}");
        world.put_member("ten_neo", &who, "operator").await;
        flood.push((world.pat("links.read").await, world.jwt(&who)));
    }
    world.passes(&hot.text, &policy).await;
    for (key, jwt) in &flood {
        world.passes(&key.text, &policy).await;
        world.passes(jwt, &policy).await;
        assert!(warm(&world, &hot.text, &policy, at("neo")).is_ok());
    }
    let stats = world.gate.stats();
    assert_eq!((stats.cached_records, stats.cached_memberships), (16, 16));
    assert!(stats.cached_tokens <= 4);
}

// Policies.

#[tokio::test]
async fn what_is_cached_is_judged_by_the_policy_that_stands() {
    let world = World::new().await;
    let compile = |scope: &str| {
        let policy = Policy::pat().scope(scope).or(Policy::jwt().scope(scope));
        world.compile(policy.tenant_from("handle"))
    };
    let key = world.pat("links.read webhooks.*").await;
    let jwt = machine(&world, "links.read webhooks.*").await;
    let live = LivePolicy::new(compile("links.read"));
    for text in [&key.text, &jwt] {
        world.passes(text, &live.current()).await;
    }
    live.replace(compile("links.write")).unwrap();
    for text in [&key.text, &jwt] {
        let refused = warm(&world, text, &live.current(), at("neo"));
        assert_eq!(cause(refused), Cause::MissingScope);
    }
    // A scope that no policy named when the grants were prepared.
    live.replace(compile("webhooks.delete")).unwrap();
    for text in [&key.text, &jwt] {
        assert!(warm(&world, text, &live.current(), at("neo")).is_ok());
    }
    live.replace(world.compile(Policy::api_key().tenant_from("handle")))
        .unwrap();
    let refused = warm(&world, &key.text, &live.current(), at("neo"));
    assert_eq!(cause(refused), Cause::WrongModeSecret);
}

// Places.

#[tokio::test]
async fn one_token_in_two_tenants_has_each_ones_role_and_plan() {
    let world = World::new().await;
    world.put_member("ten_trinity", "alice", "creator").await;
    let policy = world.compile(Policy::jwt().tenant_from("handle"));
    let jwt = world.jwt("alice");
    for slug in ["neo", "trinity", "neo"] {
        assert!(world.admit(&jwt, &policy, at(slug)).decided().await.is_ok());
    }
    for _ in 0..3 {
        let answer = |slug| place(warm(&world, &jwt, &policy, at(slug)));
        assert_eq!(answer("neo"), "neo/owner/pro");
        assert_eq!(answer("trinity"), "trinity/creator/free");
        let without = caller(warm(&world, &jwt, &world.anyone(), Arrival::new()));
        assert_eq!(without.tenant(), None);
    }
    let ask = async |slug| place(world.admit(&jwt, &policy, at(slug)).decided().await);
    world.put_member("ten_trinity", "alice", "operator").await;
    assert_eq!(ask("trinity").await, "trinity/operator/free");
    assert_eq!(ask("neo").await, "neo/owner/pro");
    set_plan(&world, "ten_trinity", "business").await;
    assert_eq!(ask("neo").await, "neo/owner/pro");
    assert_eq!(ask("trinity").await, "trinity/operator/business");
    let nowhere = world.admit(&jwt, &policy, at("nowhere")).decided().await;
    assert_eq!(cause(nowhere), Cause::NoMembership);
}

/// A proven secret is found before it is classified, so nothing but its digest tells it from another text.
#[tokio::test]
async fn a_proven_secret_is_known_by_all_of_its_text() {
    let world = World::new().await;
    let policy = world.anyone();
    for key in [
        world.pat("links.read").await,
        world.mint(SecretKind::ApiKey, "links.read", |_| {}).await,
    ] {
        world.passes(&key.text, &policy).await;
        let hashed = world.hashed();
        for place in 0..key.text.len() {
            for other in ["a", "b", "\t", "~"] {
                let mut text = key.text.clone();
                text.replace_range(place..=place, other);
                if text != key.text {
                    let decision = world.admit(&text, &policy, Arrival::new()).decided();
                    assert!(decision.await.is_err(), "{other:?} at {place}");
                }
            }
        }
        // The same id and a right checksum.
        let decision = warm(&world, &world.wrong(&key), &policy, Arrival::new());
        assert_eq!(cause(decision), Cause::TagMismatch);
        assert!(warm(&world, &key.text, &policy, Arrival::new()).is_ok());
        assert_eq!(world.hashed(), hashed);
    }
}

/// Tokens with one text of scopes share what it means.
#[tokio::test]
async fn scopes_are_those_that_the_token_names() {
    let world = World::new().await;
    let _ = machine(&world, "links.read").await;
    let policy = world.compile(Policy::jwt().scope("links.read"));
    let long = format!("links.read {}", "s".repeat(200));
    let longer = format!("{long} {} {}", "t".repeat(200), "u".repeat(200));
    let texts = [
        "links.read",
        "links.write",
        &long,
        &longer,
        "",
        "links.read ",
    ];
    for round in 0..3 {
        for text in texts {
            let (client, end) = ("cli_1", NOW + 3600);
            let jti = format!("{round} {}", text.len());
            let claims =
                AccessTokenClaims::new(ISSUER, client, HANDLE_AUDIENCE, client, jti, NOW, end);
            let jwt = world.sign(&claims.with_tenant("ten_neo").with_scope(text));
            match text.parse() {
                Ok(set) if text.starts_with("links.read") => {
                    let caller = caller(world.ask(&jwt, &policy).await);
                    assert_eq!(caller.scopes(), &set, "{text:?}");
                }
                Ok(_) => assert_eq!(world.refused(&jwt, &policy).await, Cause::MissingScope),
                Err(_) => assert_eq!(world.refused(&jwt, &policy).await, Cause::JwtClaims),
            }
        }
    }
}

#[tokio::test]
async fn a_remembered_place_hears_of_a_plan() {
    let world = World::new().await;
    let policy = world.compile(Policy::jwt().feature("webhooks").tenant_from("handle"));
    let jwt = world.jwt("alice");
    for (plan, passes) in [("business", true), ("free", false), ("pro", true)] {
        set_plan(&world, "ten_neo", plan).await;
        for _ in 0..2 {
            assert_eq!(world.ask(&jwt, &policy).await.is_ok(), passes, "{plan}");
        }
    }
}

/// Tenants of two kinds may have one slug, and realms of two kinds may trust one issuer.
#[tokio::test]
async fn a_place_is_of_one_kind() {
    let world = World::new().await;
    let new = Tenant::new(tenant("ten_other_neo"), WORKSPACE, "neo", "free");
    let owner = user("alice");
    let created = world.store.create_tenant(new, &owner, "creator").await;
    let created = world.gate.changes().publish(created.unwrap());
    assert_eq!(created, InsertOutcome::Inserted);
    let realms = realms_of_two_kinds(&world);
    let [handles, workspaces] = realms.each_ref().map(|realm| {
        let policy = Policy::jwt().tenant_from("slug");
        world.gate.compile(&policy, realm).unwrap()
    });
    let jwt = world.jwt("alice");
    for _ in 0..3 {
        assert_eq!(place(world.ask(&jwt, &handles).await), "neo/owner/pro");
        assert_eq!(
            place(world.ask(&jwt, &workspaces).await),
            "neo/creator/free"
        );
    }

    // The same by id: a token that is bound to the handle has no place where workspaces are served.
    let [handles, workspaces] = realms
        .each_ref()
        .map(|realm| world.gate.compile(&Policy::jwt(), realm).unwrap());
    let bound = world.sign(&world.claims("alice", "bound").with_tenant("ten_neo"));
    for _ in 0..3 {
        assert_eq!(place(world.ask(&bound, &handles).await), "neo/owner/pro");
        assert_eq!(
            world.refused(&bound, &workspaces).await,
            Cause::NoMembership
        );
    }
}

#[tokio::test]
async fn a_membership_that_was_read_before_a_change_is_not_kept() {
    let world = World::new().await;
    let policy = world.compile(Policy::jwt().feature("webhooks").tenant_from("handle"));
    let jwt = world.jwt("alice");
    let held = world.store.held_places.write().await;
    let mut under_way = Box::pin(world.admit(&jwt, &policy, at("neo")).decided());
    assert!(is_pending(&mut under_way).await);
    assert_eq!(world.store.lookups.load(SeqCst), 1, "the good plan is read");
    set_plan(&world, "ten_neo", "free").await;
    drop(held);
    drop(under_way.await);
    for _ in 0..2 {
        assert_eq!(world.refused(&jwt, &policy).await, Cause::MissingFeature);
    }
}

// Coherence.

#[tokio::test]
async fn a_silent_feed_has_standings_and_places_read_again() {
    let coherence = Coherence::Bounded {
        max_silence_secs: 5,
    };
    let world = World::with(coherence, Limits::none(), |builder| builder).await;
    let policy = world.compile(Policy::jwt().tenant_from("handle"));
    let jwt = world.jwt("bob");
    world.clock.advance(1);
    world.gate.heard_feed();
    world.passes(&jwt, &policy).await;
    world.clock.advance(5);
    assert!(warm(&world, &jwt, &policy, at("neo")).is_ok());
    world.clock.advance_nanos(1);
    let reads = world.store.reads();
    world.passes(&jwt, &policy).await;
    assert_eq!(world.store.reads(), reads + 2);
    // Another process removes Bob; its word of it is lost.
    let neo = tenant("ten_neo");
    let removed = world.store.remove_member(&neo, &user("bob"), "owner").await;
    std::mem::forget(removed.unwrap());
    assert_eq!(world.refused(&jwt, &policy).await, Cause::NoMembership);
    world.gate.heard_feed();
    assert_eq!(world.refused(&jwt, &policy).await, Cause::NoMembership);
}

/// What other processes change shows at once, in what is shared between entries as well.
#[tokio::test]
async fn a_shared_tenancy_is_as_the_store_last_told_it() {
    let world = World::with(Coherence::Strict, Limits::none(), |builder| builder).await;
    let policy = world.compile(
        Policy::pat()
            .or(Policy::jwt())
            .feature("webhooks")
            .tenant_from("handle"),
    );
    let (key, jwt) = (world.pat("*").await, world.jwt("alice"));
    for (plan, passes) in [("free", false), ("business", true), ("free", false)] {
        let elsewhere = world.store.set_plan(&tenant("ten_neo"), plan).await;
        std::mem::forget(elsewhere.unwrap());
        for text in [&key.text, &jwt] {
            assert_eq!(world.ask(text, &policy).await.is_ok(), passes, "{plan}");
        }
    }
}

// Many threads.

/// Has the other threads stop when one fails.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Asks again and again until told to stop; each answer is judged by `check`, with what `before` saw before the call.
fn hammer<T>(
    world: &World,
    text: &str,
    policy: &Arc<CompiledPolicy>,
    stop: &AtomicBool,
    asked: &AtomicU64,
    before: impl Fn() -> T,
    check: impl Fn(T, Result<Admitted, AuthError>),
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _alarm = Alarm(stop);
    while !stop.load(SeqCst) {
        let seen = before();
        let decision = match world.admit(text, policy, at("neo")) {
            Admission::Ready(decision) => decision,
            pending => runtime.block_on(pending.decided()),
        };
        check(seen, decision);
        asked.fetch_add(1, SeqCst);
    }
}

/// Until so many calls more are answered, or one was answered wrong.
fn wait_for(asked: &AtomicU64, stop: &AtomicBool, more: u64) {
    let from = asked.load(SeqCst);
    while asked.load(SeqCst) < from + more && !stop.load(SeqCst) {
        std::thread::yield_now();
    }
}

#[test]
fn threads_on_hot_credentials_see_a_revocation_with_the_next_call() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for _ in 0..5 {
        let world = runtime.block_on(World::new());
        let policy = world.read_links();
        let key = runtime.block_on(world.pat("links.read"));
        let jwt = world.jwt("alice");
        for text in [&key.text, &jwt] {
            runtime.block_on(world.passes(text, &policy));
        }
        let id = CredentialId::new(key.id.as_str()).unwrap();
        let jti = CredentialId::new("jti_alice").unwrap();
        let (ended, stop, asked) = (
            AtomicBool::new(false),
            AtomicBool::new(false),
            AtomicU64::new(0),
        );
        let (world, policy, ended, stop, asked) = (&world, &policy, &ended, &stop, &asked);
        std::thread::scope(|scope| {
            for thread in 0..6 {
                let (text, own) = if thread % 2 == 0 {
                    (&key.text, &id)
                } else {
                    (&jwt, &jti)
                };
                scope.spawn(move || {
                    let before = || ended.load(SeqCst);
                    hammer(
                        world,
                        text,
                        policy,
                        stop,
                        asked,
                        before,
                        |late, decision| {
                            assert!(!(late && decision.is_ok()), "admitted after the end");
                            if let Ok(admitted) = decision {
                                let caller = admitted.principal.unwrap();
                                assert_eq!(caller.credential(), own, "another's principal");
                            }
                        },
                    );
                });
            }
            wait_for(asked, stop, 500);
            runtime.block_on(async {
                world.revoke(&key).await;
                let denied = world.store.deny_token("jti_alice", NOW + 3600).await;
                world.gate.changes().publish(denied.unwrap());
            });
            ended.store(true, SeqCst);
            wait_for(asked, stop, 500);
            stop.store(true, SeqCst);
        });
    }
}

/// While no change was begun since the last one was done, an answer is the one that the last change left.
#[test]
fn threads_on_hot_credentials_see_plan_and_role_with_the_next_call() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let policy = world.compile(
        Policy::pat()
            .or(Policy::jwt().role("operator"))
            .feature("webhooks")
            .tenant_from("handle"),
    );
    let key = runtime.block_on(world.pat("webhooks.read"));
    let jwt = world.jwt("bob");
    let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let (stop, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    let judged = AtomicU64::new(0);
    let (world, policy, stop, asked) = (&world, &policy, &stop, &asked);
    let (begun, done, judged) = (&begun, &done, &judged);
    // Rounds of four: plan and role good, plan bad, plan good and role bad, role good.
    let allowed = |round: u64, is_jwt: bool| match round % 4 {
        1 => false,
        2 => !is_jwt,
        _ => true,
    };
    runtime.block_on(world.put_member("ten_neo", "bob", "operator"));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let is_jwt = thread % 2 == 1;
            let text = if is_jwt { &jwt } else { &key.text };
            scope.spawn(move || {
                let before = || done.load(SeqCst);
                hammer(
                    world,
                    text,
                    policy,
                    stop,
                    asked,
                    before,
                    |round, decision| {
                        if begun.load(SeqCst) == round {
                            assert_eq!(decision.is_ok(), allowed(round, is_jwt), "{round}");
                            judged.fetch_add(1, SeqCst);
                        }
                    },
                );
            });
        }
        wait_for(asked, stop, 100);
        for round in 1..200 {
            begun.store(round, SeqCst);
            runtime.block_on(async {
                match round % 4 {
                    0 => {}
                    1 => set_plan(world, "ten_neo", "free").await,
                    2 => {
                        set_plan(world, "ten_neo", "pro").await;
                        world.put_member("ten_neo", "bob", "creator").await;
                    }
                    _ => world.put_member("ten_neo", "bob", "operator").await,
                }
            });
            done.store(round, SeqCst);
            wait_for(asked, stop, 20);
        }
        stop.store(true, SeqCst);
    });
    assert!(judged.load(SeqCst) > 500);
    assert_eq!(world.clock.now(), NOW);
}
