//! What is minted can do no more than its minter.

use std::sync::Arc;

use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::policy::Policy;
use gatewright_core::principal::TenantId;
use gatewright_core::scope::{Scope, ScopeSet};
use gatewright_issuer::{Authority, MintRequest, MintedCredential, RotationGrace};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{NOW, World, scopes};

impl World {
    async fn mint(&self, asked: &str, authority: &Authority) -> Result<ScopeSet, ErrorCode> {
        let minted = self.issuer.mint(self.key(asked), authority).await;
        minted
            .map(|minted| minted.scopes)
            .map_err(|refusal| refusal.code())
    }

    async fn rotate(&self, id: &str, authority: &Authority) -> Result<(), ErrorCode> {
        let grace = RotationGrace::default();
        let rotated = self
            .issuer
            .rotate("tnx", &self.acme, id, grace, authority)
            .await;
        rotated.map(drop).map_err(|refusal| refusal.code())
    }

    async fn minted_for_bob(&self, asked: &str, expires_at: Option<u64>) -> MintedCredential {
        let mut request = self.key(asked).expiring_at(expires_at);
        request.owner = self.bob.clone();
        self.issuer
            .mint(request, &Authority::operator())
            .await
            .unwrap()
    }
}

const KNOWN: [&str; 12] = [
    "*",
    "links.read",
    "links.write",
    "links.*",
    "links.read:one",
    "links.write:*",
    "analytics",
    "billing",
    "mcp:call",
    "mcp:*",
    "mcp:call:conn_1",
    "analytics:x",
];

/// Requirements that a route may have.
const PROBES: [&str; 11] = [
    "links.read",
    "links.read:one",
    "links.write",
    "links.write:one",
    "links.delete",
    "analytics",
    "analytics:x",
    "billing",
    "mcp:call",
    "mcp:call:conn_1",
    "everything.else",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_admits_the_minted_admits_its_minter(
        held in vec(select(&KNOWN[..]), 0..4),
        asked in vec(select(&KNOWN[..]), 0..4),
        cap in proptest::option::of(1_u64..1_000),
        until in proptest::option::of(1_u64..1_000),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let held: ScopeSet = held.iter().map(|text| text.parse::<Scope>().unwrap()).collect();
            let asked: ScopeSet = asked.iter().map(|text| text.parse::<Scope>().unwrap()).collect();

            let request = world.key(&held.to_string()).expiring_at(cap.map(|secs| NOW + secs));
            let minter = world.issuer.mint(request, &Authority::operator()).await.unwrap();
            let authority = world.authority(&minter.secret).await;
            let request = world.key(&asked.to_string()).expiring_at(until.map(|secs| NOW + secs));
            let child = match world.issuer.mint(request, &authority).await {
                Ok(child) => child,
                Err(refusal) => {
                    prop_assert_eq!(refusal.code(), ErrorCode::InsufficientScope);
                    prop_assert!(!world.catalog.closure(&held).allows_all(&asked));
                    return Ok(());
                }
            };
            if let Some(cap) = minter.expires_at {
                prop_assert!(child.expires_at.is_some_and(|end| end <= cap));
            }
            for probe in PROBES {
                let policy = world.gate.compile(&Policy::api_key().scope(probe), &world.realm).unwrap();
                if world.enter_by(&child.secret, &policy).await.is_ok() {
                    prop_assert!(world.enter_by(&minter.secret, &policy).await.is_ok(), "{}", probe);
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_star_is_what_the_minter_has() {
    let world = World::new().await;
    let narrow = world.minted("links.write mcp:call:conn_1").await;
    let authority = world.authority(&narrow.secret).await;
    let all = "links.read links.write mcp:call:conn_1";
    assert_eq!(world.mint("*", &authority).await, Ok(scopes(all)));
    assert_eq!(
        world.mint("* billing", &authority).await,
        Ok(scopes(all)),
        "a * asks for all there is, and more than that is not given"
    );
    let everything = world.mint("*", &Authority::operator()).await;
    assert_eq!(everything, Ok(scopes("*")));

    let nothing = world.minted("").await;
    let authority = world.authority(&nothing.secret).await;
    assert_eq!(world.mint("*", &authority).await, Ok(scopes("")));
    assert_eq!(
        world.mint("links.read", &authority).await,
        Err(ErrorCode::InsufficientScope)
    );
}

#[tokio::test]
async fn unknown_scopes_are_told_from_scopes_that_are_lacking() {
    let world = World::new().await;
    let key = world.minted("links.read").await;
    let authority = world.authority(&key.secret).await;
    for unknown in ["nope", "links.read nope", "* nope", "links.delete", "mcp"] {
        for authority in [&authority, &Authority::operator()] {
            let refused = world.mint(unknown, authority).await;
            assert_eq!(refused, Err(ErrorCode::InvalidScope), "{unknown}");
        }
    }
    let asked = world.key("links.write mcp:call:PRESENTED links.read");
    let refused = world.issuer.mint(asked, &authority).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InsufficientScope);
    assert!(refused.message().ends_with(": links.write"));
}

#[tokio::test]
async fn what_scopes_imply_is_granted_with_them() {
    let world = World::new().await;
    let key = world.minted("links.write").await;
    assert_eq!(key.scopes, scopes("links.read links.write"));
    let read = Policy::api_key().scope("links.read");
    let read = world.gate.compile(&read, &world.realm).unwrap();
    assert!(world.enter_by(&key.secret, &read).await.is_ok());
    let child = world.authority(&key.secret).await;
    assert_eq!(
        world.mint("links.read", &child).await,
        Ok(scopes("links.read"))
    );
    assert_eq!(
        world.minted("links.*").await.scopes,
        scopes("links.*"),
        "as it was written, where it says it all"
    );
}

#[tokio::test]
async fn a_person_passes_on_the_permissions_of_their_role() {
    let world = World::new().await;
    let bob = world.logged_in(&world.bob, &world.acme).await;
    let mint = |asked: &'static str| {
        let (acme, owner) = (world.acme.clone(), world.bob.clone());
        let request = MintRequest::new("patv1", acme, owner, scopes(asked));
        let (world, bob) = (&world, &bob);
        async move { world.issuer.mint(request, bob).await }
    };
    let all = mint("*").await.unwrap();
    assert_eq!(all.scopes, scopes("links.read links.write"));
    assert_eq!(
        all.expires_at, None,
        "a login is short, its keys need not be"
    );
    let more = mint("billing").await.unwrap_err();
    assert_eq!(more.code(), ErrorCode::InsufficientScope);
}

#[tokio::test]
async fn a_key_mints_nothing_that_outlives_it() {
    let world = World::new().await;
    let request = world.key("*").expiring_at(Some(NOW + 100));
    let minter = world.issuer.mint(request, &Authority::operator()).await;
    let authority = world.authority(&minter.unwrap().secret).await;
    for (asked, got) in [(None, 100), (Some(101), 100), (Some(99), 99)] {
        let request = world.key("*").expiring_at(asked.map(|secs| NOW + secs));
        let minted = world.issuer.mint(request, &authority).await.unwrap();
        assert_eq!(minted.expires_at, Some(NOW + got));
    }
}

#[tokio::test]
async fn an_authority_holds_in_its_tenant_and_on_its_account() {
    let world = World::new().await;
    let key = world.minted("*").await;
    for authority in [
        world.authority(&key.secret).await,
        world.logged_in(&world.alice, &world.acme).await,
    ] {
        let mut abroad = world.key("links.read");
        abroad.tenant = world.globex.clone();
        let refused = world.issuer.mint(abroad, &authority).await.unwrap_err();
        assert_eq!(refused.cause(), Some(Cause::ForeignTenant));
        let mut for_bob = world.key("links.read");
        for_bob.owner = world.bob.clone();
        let refused = world.issuer.mint(for_bob, &authority).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InsufficientScope);
        let globex: &TenantId = &world.globex;
        let grace = RotationGrace::default();
        let refused = world
            .issuer
            .rotate("tnx", globex, key.id.as_str(), grace, &authority)
            .await;
        assert_eq!(refused.unwrap_err().cause(), Some(Cause::ForeignTenant));
    }
}

#[tokio::test]
async fn nobody_gets_more_by_rotating_than_by_minting() {
    let world = World::new().await;
    let strong = world.minted("billing").await;
    let narrow = world.minted("links.read").await;
    let by_key = world.authority(&narrow.secret).await;
    let by_bob = world.logged_in(&world.bob, &world.acme).await;
    let by_alice = world.logged_in(&world.alice, &world.acme).await;
    let hashes = world.gate.stats().hashing.hashes;
    for authority in [&by_key, &by_bob] {
        let refused = world.rotate(strong.id.as_str(), authority).await;
        assert_eq!(refused, Err(ErrorCode::InsufficientScope));
    }
    assert_eq!(world.gate.stats().hashing.hashes, hashes);
    assert_eq!(world.rotate(narrow.id.as_str(), &by_bob).await, Ok(()));
    assert_eq!(world.rotate(strong.id.as_str(), &by_alice).await, Ok(()));

    // A key of one's own, minted in a higher role: it may be revoked, but it does not give the role back.
    let bobs = world.minted_for_bob("billing", None).await;
    let refused = world.rotate(bobs.id.as_str(), &by_bob).await;
    assert_eq!(refused, Err(ErrorCode::InsufficientScope));

    let itself = world.authority(&strong.secret).await;
    assert_eq!(world.rotate(strong.id.as_str(), &itself).await, Ok(()));

    let short = world.minted_for_bob("*", Some(NOW + 100)).await;
    let short = world.authority(&short.secret).await;
    for (until, verdict) in [
        (None, Err(ErrorCode::InsufficientScope)),
        (Some(NOW + 101), Err(ErrorCode::InsufficientScope)),
        (Some(NOW + 100), Ok(())),
    ] {
        let other = world.minted_for_bob("links.read", until).await;
        assert_eq!(world.rotate(other.id.as_str(), &short).await, verdict);
    }
}

#[tokio::test]
async fn the_operator_may_mint_for_anybody_anywhere() {
    let world = Arc::new(World::new().await);
    let mut request = world.key("*");
    (request.tenant, request.owner) = (world.globex.clone(), world.bob.clone());
    let minted = world.issuer.mint(request, &Authority::operator()).await;
    let principal = world.enter(&minted.unwrap().secret).await.unwrap();
    assert_eq!(principal.user(), Some(&world.bob));
    assert_eq!(principal.tenant().unwrap().id(), &world.globex);
}
