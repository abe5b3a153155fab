//! What a call costs whose answer is known.

use std::sync::Arc;

use gatewright_core::credential::Field;
use gatewright_core::error::AuthError;
use gatewright_core::gate::{Admission, Admitted, Arrival, Coherence};
use gatewright_core::limit::Rate;
use gatewright_core::policy::{CompiledPolicy, Limits};
use gatewright_core::store::ChangeKey;

use crate::fixture::{World, at};
use crate::fixture_idp::{Oracle, scopes_alone, trusts};
use crate::gate_external::Gateway;

fn allocations(
    world: &World,
    text: &str,
    policy: &Arc<CompiledPolicy>,
    arrival: Arrival<'_>,
    passes: bool,
) -> u64 {
    let line = format!("Bearer {text}");
    let fields = [(Field::Authorization, line.as_bytes())];
    let measured = allocation_counter::measure(|| {
        for _ in 0..100 {
            let Admission::Ready(decision) = world.gate.authenticate(&fields[..], policy, &arrival)
            else {
                panic!("waits for something");
            };
            assert_eq!(decision.is_ok(), passes);
        }
    });
    measured.count_total
}

#[tokio::test]
async fn a_warm_call_allocates_nothing() {
    let world = World::with(
        Coherence::SingleProcess,
        Limits::none()
            .by_plan()
            .per_credential(Rate::per_minute(100_000).unwrap())
            .pat_guard(Rate::per_minute(100_000).unwrap()),
        |builder| builder,
    )
    .await;
    // By plan: 300 a minute.
    let (links, any) = (world.read_links(), world.anyone());
    let (key, pat, jwt) = (
        world.api_key("*").await,
        world.pat("links.read").await,
        world.jwt("alice"),
    );
    world.passes(&key.text, &any).await;
    world.passes(&pat.text, &links).await;
    world.passes(&jwt, &links).await;
    assert_eq!(
        allocations(&world, &key.text, &any, Arrival::new(), true),
        0,
        "an API key"
    );
    world.clock.advance(3600);
    let jwt = world.jwt("alice");
    world.passes(&jwt, &links).await;
    world.passes(&pat.text, &links).await;
    assert_eq!(
        allocations(&world, &pat.text, &links, at("neo"), true),
        0,
        "a PAT of the tenant in the path"
    );
    world.clock.advance(600);
    assert_eq!(
        allocations(&world, &jwt, &links, at("neo"), true),
        0,
        "a user's JWT with a membership"
    );
    for malformed in ["tnx_short", "patv1_", "nothing-known", "eyJh.eyJh", "a b"] {
        assert_eq!(
            allocations(&world, malformed, &links, at("neo"), false),
            0,
            "{malformed}"
        );
    }
}

/// A token is kept with one of its places. Were it the last one, a token that is used in two in turn would be kept anew at
/// each call.
#[tokio::test]
async fn a_token_that_is_used_in_two_tenants_stays_with_the_first() {
    let world = World::new().await;
    world.put_member("ten_trinity", "alice", "owner").await;
    let (links, jwt) = (world.read_links(), world.jwt("alice"));
    let cost = |slug| allocations(&world, &jwt, &links, at(slug), true);
    for slug in ["neo", "trinity"] {
        let admitted = world.admit(&jwt, &links, at(slug)).decided().await;
        assert!(admitted.is_ok(), "{slug}");
    }
    for _ in 0..2 {
        assert_eq!(cost("neo"), 0);
        // The principal, made for the call.
        assert_eq!(cost("trinity"), 100);
    }
}

/// Where the place that it is kept with was overtaken by a change, a token is kept with the one that another token of its
/// user's has brought to memory since.
#[tokio::test]
async fn a_token_takes_a_place_that_memory_knows_already() {
    let world = World::new().await;
    let (links, jwt) = (world.read_links(), world.jwt("alice"));
    world.passes(&jwt, &links).await;
    world.gate.changes().raise(&ChangeKey::Tenant("".into()));
    let another = world.sign(&world.claims("alice", "jti_another"));
    world.passes(&another, &links).await;
    let cost = || allocations(&world, &jwt, &links, at("neo"), true);
    let first = cost();
    assert!(
        (1..100).contains(&first),
        "{first}: kept once, and by memory alone"
    );
    assert_eq!(cost(), 0);
}

#[test]
fn answers_are_small() {
    assert!(size_of::<AuthError>() <= 24);
    assert!(size_of::<Option<AuthError>>() <= 24);
    assert!(size_of::<Admitted>() <= 64, "{}", size_of::<Admitted>());
    assert!(size_of::<Admission>() <= 64, "{}", size_of::<Admission>());
}

#[tokio::test]
async fn a_warm_call_of_a_tenants_own_provider_allocates_nothing() {
    let rate = Rate::per_minute(100_000).unwrap();
    let limits = Limits::none().per_credential(rate);
    let gateway = Gateway::with(Coherence::SingleProcess, limits).await;
    let provider = gateway.idp.provider(scopes_alone());
    let provider = provider.with_introspector(Oracle::new());
    gateway.configured.put("neo", trusts("neo", [provider]));
    let (world, policy) = (&gateway.world, &gateway.policy);
    for token in [gateway.idp.token("ext_1"), "opaque".repeat(5)] {
        world.passes(&token, policy).await;
        assert_eq!(
            allocations(world, &token, policy, at("neo"), true),
            0,
            "{token}"
        );
    }
}
