//! Who may call: one store, one clock, and a credential for every situation, by name.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use gatewright::cookie::{Cookie, SameSite, TrustedOrigins};
use gatewright::credential::{
    Formats, MAX_JWT_LENGTH, MAX_SECRET_LENGTH, SecretFormat, SecretKind,
};
use gatewright::gate::{Coherence, Gate};
use gatewright::hash::{Argon2Settings, HashPool, PoolConfig, TagKey, TagKeys};
use gatewright::jwt::{AccessTokenClaims, Algorithm, KeySet, LiveKeys, SigningKey, Verifier};
use gatewright::policy::TokenTrust;
use gatewright::principal::{CredentialId, Tenant, TenantId, TenantKind, UserId, VisitorId};
use gatewright::scope::ScopeSet;
use gatewright::session::{
    Visit, VisitorKey, VisitorKeys, VisitorSeal, VisitorTerms, VisitorTrust,
};
use gatewright::store::{
    CredentialStore as _, MembershipStore as _, MemoryStore, NewCredential, StoredSecret,
};
use gatewright::testing::{FakeClock, Outage};
use gatewright::time::Timestamp;

pub(crate) const HANDLE: TenantKind = TenantKind::from_static("handle");
pub(crate) const WORKSPACE: TenantKind = TenantKind::from_static("workspace");
pub(crate) const HANDLE_AUDIENCE: &str = "https://api.example/v2";
pub(crate) const WORKSPACE_AUDIENCE: &str = "https://api.example/api/v1";

const ISSUER: &str = "https://auth.example";
const NOW: Timestamp = 1_700_000_000;
/// Thirty days: more than all rows take.
const VISITOR_IDLE_SECS: u64 = 2_592_000;

/// The handles `neo` (plan pro; Alice owns, Bob creates) and `trinity` (plan free; Carol owns), some handles with awkward
/// names, the workspace `acme`, and what its people hold.
pub(crate) struct World {
    pub(crate) store: Arc<Outage<MemoryStore>>,
    pub(crate) clock: FakeClock,
    keys: Arc<LiveKeys>,
    signer: SigningKey,
    /// By the name that the table of requests calls it by.
    credentials: BTreeMap<String, String>,
}

/// A stored credential of the table.
struct Held<'a> {
    name: &'a str,
    tenant: &'a str,
    scopes: &'a str,
}

impl World {
    pub(crate) async fn new() -> Self {
        let signer = SigningKey::generate(Algorithm::Es256).unwrap();
        let keys = KeySet::from_keys([signer.verifying_key()]).unwrap();
        let mut world = Self {
            store: Arc::new(Outage::new(Arc::default())),
            clock: FakeClock::at(NOW),
            keys: Arc::new(LiveKeys::new(keys)),
            signer,
            credentials: BTreeMap::new(),
        };
        for (kind, slug, plan, owner) in [
            (HANDLE, "neo", "pro", "alice"),
            (HANDLE, "trinity", "free", "carol"),
            (HANDLE, "a/b", "free", "alice"),
            (HANDLE, "50%", "free", "alice"),
            (HANDLE, "c+d", "free", "alice"),
            (HANDLE, "zoë", "free", "alice"),
            (WORKSPACE, "acme", "free", "alice"),
        ] {
            let tenant = Tenant::new(id_of(slug), kind, slug, plan);
            let (store, owner) = (&world.store, user(owner));
            published(store.create_tenant(tenant, &owner, "owner").await);
        }
        let (neo, bob) = (id_of("neo"), user("bob"));
        published(world.store.put_member(&neo, &bob, "creator").await);
        world.mint().await;
        world.sign();
        world.meet();
        world
    }

    /// A gate of its own over the one store, as a process of its own would have.
    pub(crate) fn gate(&self) -> Gate {
        let config =
            PoolConfig::new(Argon2Settings::insecure_for_tests()).with_threads(NonZeroUsize::MIN);
        let formats = Formats::builder()
            .secret(SecretFormat::separated(SecretKind::ApiKey, "tnx"))
            .secret(SecretFormat::dotted(SecretKind::Pat, "patv1"))
            .secret(SecretFormat::joined(SecretKind::ApiKey, "apx_live_sk"))
            .secret(widest())
            .jwt()
            .build()
            .unwrap();
        Gate::builder(Arc::clone(&self.store), Coherence::SingleProcess, tags())
            .formats(formats)
            .hash_pool(HashPool::start(config).unwrap())
            .clock(Arc::new(self.clock.clone()))
            .build()
            .unwrap()
    }

    /// Trust in the tokens that were made for this audience.
    pub(crate) fn trust(&self, audience: &str) -> TokenTrust {
        let verifier = Verifier::builder(ISSUER, audience)
            .algorithms([Algorithm::Es256])
            .rfc9068()
            .private_claims()
            .build()
            .unwrap();
        TokenTrust::new(verifier, Arc::clone(&self.keys))
    }

    /// The cookie that visitors are known again by.
    pub(crate) fn visitors(&self) -> VisitorTrust {
        let cookie = Cookie::host("visitor", SameSite::Lax).max_age_secs(VISITOR_IDLE_SECS);
        let terms = VisitorTerms::new(VISITOR_IDLE_SECS, VISITOR_IDLE_SECS).unwrap();
        let origins = TrustedOrigins::of("https://api.example").unwrap();
        VisitorTrust::new(
            cookie.build().unwrap(),
            visitor_keys(2, &[1]),
            terms,
            origins,
        )
    }

    /// Cookies of visitors who came before.
    fn meet(&mut self) {
        for (name, key, seen_at, scopes) in [
            ("visitor", 2, NOW, ""),
            ("entitled", 2, NOW, "pages.read:launch"),
            ("older-key", 1, NOW, "pages.read:launch"),
            (
                "unseen",
                2,
                NOW - VISITOR_IDLE_SECS / 2,
                "pages.read:launch",
            ),
            ("forgotten", 2, NOW - VISITOR_IDLE_SECS, "pages.read:launch"),
            ("foreign-key", 3, NOW, "pages.read:launch"),
        ] {
            let seal = VisitorSeal::new(visitor_keys(key, &[]), "__Host-visitor", "public");
            let visitor = VisitorId::generate(seen_at).unwrap();
            let scopes = ScopeSet::parse(scopes).unwrap();
            let value = seal.seal(&Visit::new(visitor, seen_at, scopes)).unwrap();
            self.name(name, value.expose());
        }
    }

    /// The credential of a name.
    pub(crate) fn credential(&self, name: &str) -> &str {
        let found = self.credentials.get(name);
        found.unwrap_or_else(|| panic!("there is no credential `{name}`"))
    }

    /// All of them; none may stand in an answer.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = &str> {
        self.credentials.values().map(String::as_str)
    }

    async fn mint(&mut self) {
        let gate = self.gate();
        for (name, brand, tenant, scopes) in [
            ("reader", "patv1", "neo", "links.read"),
            ("writer", "patv1", "neo", "links.write"),
            ("hooks", "patv1", "neo", "webhooks.read"),
            ("trinity", "patv1", "trinity", "links.read webhooks.read"),
            ("expired", "patv1", "neo", "links.read"),
            ("not-yet", "patv1", "neo", "links.read"),
            ("revoked", "patv1", "neo", "links.read"),
            ("unasked", "patv1", "neo", "links.read"),
            ("slash", "patv1", "a/b", "links.read"),
            ("percent", "patv1", "50%", "links.read"),
            ("plus", "patv1", "c+d", "links.read"),
            ("diaeresis", "patv1", "zoë", "links.read"),
            ("key", "tnx", "acme", "keys.read keys.write"),
            ("narrow", "tnx", "acme", "other.read"),
            ("busy", "tnx", "acme", "keys.read"),
            ("denied", "tnx", "acme", "other.read"),
            ("guessed", "tnx", "acme", "keys.read"),
            ("connector", "apx_live_sk", "acme", "mcp:call:one"),
        ] {
            let format = gate.formats().format(brand).unwrap();
            let minted = format.mint().unwrap();
            let wrong = format.mint_secret_for(&minted.public_id).unwrap();
            let id = minted.public_id.as_str();
            let held = Held {
                name,
                tenant,
                scopes,
            };
            self.store_credential(&gate, format.kind(), id, minted.secret.expose(), held)
                .await;
            self.name(format!("{name}-wrong"), wrong.secret.expose());
        }
        for (name, brand) in [("unknown", "patv1"), ("unknown-key", "tnx")] {
            let minted = gate.formats().format(brand).unwrap().mint().unwrap();
            self.name(name, minted.secret.expose());
        }
        self.name("mistyped", &mistyped(self.credential("reader")));
        let cut = self.credential("reader")[..20].to_owned();
        self.name("cut", &cut);

        let id = "longest0";
        let longest = format!(
            "big_{id}_{:a>1$}",
            "",
            MAX_SECRET_LENGTH - "big_longest0_".len()
        );
        self.name("longest-key-and-one", &format!("{longest}a"));
        let held = Held {
            name: "longest-key",
            tenant: "acme",
            scopes: "keys.read",
        };
        self.store_credential(&gate, SecretKind::ApiKey, id, &longest, held)
            .await;

        let revoked = self.credential("revoked");
        let (id, _) = revoked["patv1_".len()..].split_once('.').unwrap();
        let neo = id_of("neo");
        published(self.store.revoke(&neo, SecretKind::Pat, id, NOW).await);
    }

    async fn store_credential(
        &mut self,
        gate: &Gate,
        kind: SecretKind,
        id: &str,
        text: &str,
        Held {
            name,
            tenant,
            scopes,
        }: Held<'_>,
    ) {
        let hash = gate.hash_pool().hash(text.as_bytes()).unwrap().await;
        let tag = gate.tag_keys().tag(text.as_bytes());
        let secret = StoredSecret::new(hash.unwrap(), Some(tag));
        let id = CredentialId::new(id).unwrap();
        let mut new = NewCredential::new(kind, id, id_of(tenant), user("alice"), secret, NOW - 9);
        new.scopes = ScopeSet::parse(scopes).unwrap();
        new.expires_at = (name == "expired").then_some(NOW - 1);
        new.not_before = (name == "not-yet").then_some(NOW + 3600);
        published(self.store.insert(new).await);
        self.name(name, text);
    }

    fn sign(&mut self) {
        let claims = |who: &str, audience: &str, expires_at: Timestamp| {
            let jti = format!("jti_{who}_{expires_at}");
            AccessTokenClaims::new(ISSUER, who, audience, "app", jti, NOW - 60, expires_at)
        };
        let sign = |claims: &AccessTokenClaims| self.signer.sign("at+jwt", claims).unwrap();
        let (soon, past) = (NOW + 600, NOW - 30);
        let mut tokens = vec![
            (
                "alice-expired",
                sign(&claims("alice", HANDLE_AUDIENCE, past)),
            ),
            (
                "alice-at-acme",
                sign(&claims("alice", WORKSPACE_AUDIENCE, soon)),
            ),
            (
                "id-token",
                self.signer
                    .sign("JWT", &claims("alice", HANDLE_AUDIENCE, soon))
                    .unwrap(),
            ),
        ];
        for who in ["alice", "bob", "carol", "dave", "erin"] {
            tokens.push((who, sign(&claims(who, HANDLE_AUDIENCE, soon))));
        }
        let forger = SigningKey::generate(Algorithm::Es256).unwrap();
        tokens.push((
            "forged",
            forger
                .sign("at+jwt", &claims("alice", HANDLE_AUDIENCE, soon))
                .unwrap(),
        ));

        // Nothing longer can be signed. Base64url leaves out one length in four, so the longest may be one short of the limit.
        let longest = (0..MAX_JWT_LENGTH * 3 / 4).rev().find_map(|padding| {
            let mut claims = serde_json::to_value(claims("alice", HANDLE_AUDIENCE, soon)).unwrap();
            claims["padding"] = "a".repeat(padding).into();
            self.signer.sign("at+jwt", &claims).ok()
        });
        let longest = longest.unwrap();
        assert!((MAX_JWT_LENGTH - 1..=MAX_JWT_LENGTH).contains(&longest.len()));
        tokens.push((
            "too-long-token",
            format!("{longest:A<0$}", MAX_JWT_LENGTH + 1),
        ));
        tokens.push(("longest-token", longest));
        for (name, token) in tokens {
            self.name(name, &token);
        }
    }

    fn name(&mut self, name: impl Into<String>, text: &str) {
        let taken = self.credentials.insert(name.into(), text.to_owned());
        assert_eq!(taken, None);
    }
}

fn visitor_keys(newest: u32, older: &[u32]) -> Arc<VisitorKeys> {
    let key = |id| VisitorKey::from_bytes(id, &[9; 32]).unwrap();
    let older = older.iter().map(|id| key(*id));
    Arc::new(VisitorKeys::new(key(newest), older).unwrap())
}

/// A format whose older secrets may be as long as any credential.
fn widest() -> SecretFormat {
    SecretFormat::separated(SecretKind::ApiKey, "big")
        .with_id_length(8)
        .accept_unchecked(200..=MAX_SECRET_LENGTH - "big_longest0_".len())
}

/// The same but for one letter, which the checksum finds.
fn mistyped(text: &str) -> String {
    let (head, last) = text.split_at(text.len() - 1);
    format!("{head}{}", if last == "a" { "b" } else { "a" })
}

fn tags() -> TagKeys {
    TagKeys::new(TagKey::from_bytes(7, [7; 32]), []).unwrap()
}

fn id_of(slug: &str) -> TenantId {
    let letters: String = slug.bytes().map(|byte| format!("{byte:02x}")).collect();
    TenantId::new(format!("ten_{letters}")).unwrap()
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// No gate has been asked yet, so no cache need be told.
fn published<T>(change: Result<gatewright::store::Unpublished<T>, gatewright::store::StoreError>) {
    gatewright::store::Changes::new().publish(change.unwrap());
}
