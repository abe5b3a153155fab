//! A gate and the credentials that it knows.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright::testing::TestAuthority;
use gatewright_core::credential::Field;
use gatewright_core::gate::{Admission, Arrival, Gate, GateBuilder};
use gatewright_core::hash::Argon2Settings;
use gatewright_core::jwt::{Algorithm, KeySet, LiveKeys, SigningKey, Verifier};
use gatewright_core::limit::Rate;
use gatewright_core::policy::{CompiledPolicy, Limits, Plans, Policy, Realm, TokenTrust};
use gatewright_core::principal::TenantKind;
use gatewright_core::role::Roles;
use gatewright_core::scope::ScopeSet;
use gatewright_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{block_on, folder};

/// `iss` of every token.
pub const ISSUER: &str = "https://id.example";
/// `aud` of every token.
pub const AUDIENCE: &str = "https://api.example";
/// The tenant that every path names.
pub const TENANT: &str = "acme";
/// The path parameter that names the tenant.
pub const PARAMETER: &str = "workspace";
/// The scope that is asked for.
pub const SCOPE: &str = "links.read";
/// `typ` of every token (RFC 9068 §2.1).
pub const TYP: &str = "at+jwt";
/// The algorithms that tokens are signed with.
pub const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Hs256,
    Algorithm::Rs256,
    Algorithm::Es256,
    Algorithm::EdDsa,
];

const USER: &str = "usr_01J9ZK4T7Q";
const HS256_SECRET: [u8; 32] = *b"thirty-two octets for the bench!";
const LIFE_SECS: u64 = 3_600;

/// The claims of every token, and the struct that peers deserialize them into: a claim that is missing is a refusal.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Claims {
    /// [`ISSUER`].
    pub iss: String,
    /// The user, who is a member of [`TENANT`].
    pub sub: String,
    /// [`AUDIENCE`].
    pub aud: String,
    /// In an hour.
    pub exp: u64,
    /// Now.
    pub iat: u64,
    /// Now, so that it can be checked.
    pub nbf: u64,
    /// Another one in each token.
    pub jti: String,
    /// The client that the token was issued to.
    pub client_id: String,
    /// Three scopes, [`SCOPE`] among them.
    pub scope: String,
}

/// A gate over a store in memory, argon2id at rest with the default settings, and credentials that it admits.
pub struct World {
    authority: TestAuthority,
    realm: Realm,
    policy: Arc<CompiledPolicy>,
    hs256_policy: Arc<CompiledPolicy>,
    limited: Arc<CompiledPolicy>,
    /// The keys of [`policy`](Self::policy)'s realm.
    live: Arc<LiveKeys>,
    signers: Vec<Signer>,
    api_key: String,
    pat: String,
    tokens: AtomicU64,
}

/// All that there is for one algorithm.
struct Signer {
    algorithm: Algorithm,
    key: SigningKey,
    keys: KeySet,
    verifier: Verifier,
    token: String,
}

impl World {
    /// A world with argon2id as it is by default.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Argon2Settings::default(), |gate| gate)
    }

    /// A world in which hashing costs next to nothing, where what it costs is not measured.
    #[must_use]
    pub fn with_cheap_hashing(
        configure: impl FnOnce(GateBuilder) -> GateBuilder + Send + 'static,
    ) -> Self {
        Self::with(Argon2Settings::insecure_for_tests(), configure)
    }

    fn with(
        hashing: Argon2Settings,
        configure: impl FnOnce(GateBuilder) -> GateBuilder + Send + 'static,
    ) -> Self {
        block_on(async {
            let authority = TestAuthority::builder(TenantKind::from_static(PARAMETER))
                .tenant(TENANT, "free")
                .hashing(hashing)
                .configure(configure)
                .build()
                .await;
            authority.member(USER, TENANT, "viewer").await;
            let scopes = "links.read links.write stats.read";
            let api_key = authority.key(TENANT, scopes).await;
            let pat = authority.pat(TENANT, scopes).await;
            Self::around(authority, api_key, pat)
        })
    }

    fn around(authority: TestAuthority, api_key: String, pat: String) -> Self {
        let signers = ALGORITHMS.map(|algorithm| {
            let key = match algorithm {
                Algorithm::Hs256 => SigningKey::hmac("shared", &HS256_SECRET),
                Algorithm::Rs256 => Ok(rsa_key()),
                _ => SigningKey::generate(algorithm),
            };
            let key = key.expect("a signing key");
            Signer {
                algorithm,
                keys: KeySet::from_keys([key.verifying_key()]).expect("one key"),
                verifier: verifier([algorithm]),
                token: String::new(),
                key,
            }
        });
        // A shared secret verifies beside no other algorithm, so HS256 has a realm of its own.
        let (shared, public): (Vec<_>, Vec<_>) = signers
            .iter()
            .partition(|signer| signer.algorithm == Algorithm::Hs256);
        let live = |signers: &[&Signer]| {
            let keys = signers.iter().map(|signer| signer.key.verifying_key());
            Arc::new(LiveKeys::new(
                KeySet::from_keys(keys).expect("names differ"),
            ))
        };
        let trust = |signers: &[&Signer], live: &Arc<LiveKeys>| {
            let verifier = verifier(signers.iter().map(|signer| signer.algorithm));
            TokenTrust::new(verifier, Arc::clone(live))
        };
        // Realms that trust the same issuer share the trust: to memory, another one is another issuer.
        let live_public = live(&public);
        let trust_public = trust(&public, &live_public);
        let realm = self::realm(trust_public.clone(), Limits::none());
        let hs256_realm = self::realm(trust(&shared, &live(&shared)), Limits::none());
        let limits = Limits::none().by_plan().per_credential(plenty());
        let limited_realm = self::realm(trust_public, limits);
        let compile = |realm: &Realm| {
            let compiled = authority.gate().compile(&Self::links(), realm);
            compiled.expect("the policy fits the realm")
        };
        let mut world = Self {
            policy: compile(&realm),
            hs256_policy: compile(&hs256_realm),
            limited: compile(&limited_realm),
            realm,
            live: live_public,
            signers: signers.into(),
            api_key,
            pat,
            tokens: AtomicU64::new(0),
            authority,
        };
        for place in 0..world.signers.len() {
            world.signers[place].token = world.sign(world.signers[place].algorithm);
        }
        world
    }

    /// What every route asks for: the scope of keys and personal access tokens, the role of users, in the tenant that the
    /// path names.
    pub fn links() -> Policy {
        Policy::api_key()
            .scope(SCOPE)
            .or(Policy::pat().scope(SCOPE))
            .or(Policy::jwt().role("viewer"))
            .tenant_from(PARAMETER)
    }

    /// The request's circumstances: the tenant in its path and the address that it came from.
    #[must_use]
    pub fn arrival() -> Arrival<'static> {
        Arrival::new()
            .tenant(Some(TENANT))
            .source(Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))))
    }

    /// The gate.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        self.authority.gate()
    }

    /// The store and what issues credentials.
    #[must_use]
    pub fn authority(&self) -> &TestAuthority {
        &self.authority
    }

    /// The realm of [`policy`](Self::policy), for whoever compiles policies of its own, such as a guarded router.
    #[must_use]
    pub fn realm(&self) -> &Realm {
        &self.realm
    }

    /// [`links`](Self::links), for keys, personal access tokens and tokens that are not by HS256. Without limits.
    #[must_use]
    pub fn policy(&self) -> &Arc<CompiledPolicy> {
        &self.policy
    }

    /// [`links`](Self::links) where tokens of this algorithm are trusted.
    #[must_use]
    pub fn policy_for(&self, algorithm: Algorithm) -> &Arc<CompiledPolicy> {
        match algorithm {
            Algorithm::Hs256 => &self.hs256_policy,
            _ => &self.policy,
        }
    }

    /// [`policy`](Self::policy) with two rates that nobody reaches: the plan's and the credential's.
    #[must_use]
    pub fn limited_policy(&self) -> &Arc<CompiledPolicy> {
        &self.limited
    }

    /// An API key.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// A personal access token.
    #[must_use]
    pub fn pat(&self) -> &str {
        &self.pat
    }

    /// A token of this algorithm, always the same.
    #[must_use]
    pub fn jwt(&self, algorithm: Algorithm) -> &str {
        &self.signer(algorithm).token
    }

    /// So many other tokens of one algorithm.
    #[must_use]
    pub fn jwts(&self, algorithm: Algorithm, count: usize) -> Vec<String> {
        (0..count).map(|_| self.sign(algorithm)).collect()
    }

    /// A token whose claims or `typ` were changed by `edit` before it was signed.
    #[must_use]
    pub fn jwt_with(&self, algorithm: Algorithm, edit: impl FnOnce(&mut Claims)) -> String {
        let mut claims = self.claims();
        edit(&mut claims);
        self.sign_as(algorithm, TYP, &claims)
    }

    /// Signs these claims.
    #[must_use]
    pub fn sign_as<C: Serialize>(&self, algorithm: Algorithm, typ: &str, claims: &C) -> String {
        let signed = self.signer(algorithm).key.sign(typ, claims);
        signed.expect("the claims can be signed")
    }

    /// New claims.
    #[must_use]
    pub fn claims(&self) -> Claims {
        let number = self.tokens.fetch_add(1, Ordering::Relaxed);
        let now = self.now();
        Claims {
            iss: ISSUER.to_owned(),
            sub: USER.to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: now + LIFE_SECS,
            iat: now,
            nbf: now,
            jti: format!("01J9ZK4T7QW3{number:010}"),
            client_id: "app".to_owned(),
            scope: "links.read links.write stats.read".to_owned(),
        }
    }

    /// What verifies tokens of this algorithm, by the claims that an access token has (RFC 9068 §2.2).
    #[must_use]
    pub fn verifier(&self, algorithm: Algorithm) -> &Verifier {
        &self.signer(algorithm).verifier
    }

    /// The key that tokens of this algorithm are verified with.
    #[must_use]
    pub fn keys(&self, algorithm: Algorithm) -> &KeySet {
        &self.signer(algorithm).keys
    }

    /// The public key of this algorithm as a JWK; `None` for HS256.
    #[must_use]
    pub fn jwk(&self, algorithm: Algorithm) -> Option<Value> {
        self.signer(algorithm).key.public_jwk()
    }

    /// A JWK Set of that key; an empty one for HS256.
    #[must_use]
    pub fn jwks(&self, algorithm: Algorithm) -> String {
        let keys: Vec<Value> = self.jwk(algorithm).into_iter().collect();
        json!({ "keys": keys }).to_string()
    }

    /// The secret that HS256 shares.
    #[must_use]
    pub fn hs256_secret(&self) -> &'static [u8] {
        &HS256_SECRET
    }

    /// The time by the gate's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.gate().clock().now()
    }

    /// Proves each credential once, so that memory knows it from now on.
    ///
    /// # Panics
    ///
    /// If one is refused, or memory does not know it afterwards.
    pub fn warm(&self) {
        for (text, policy) in [
            (self.api_key(), self.policy()),
            (self.pat(), self.policy()),
            (self.api_key(), self.limited_policy()),
            (self.jwt(Algorithm::Rs256), self.limited_policy()),
        ] {
            self.expect_admitted(text, policy);
            assert!(self.is_warm(text, policy));
        }
        for algorithm in ALGORITHMS {
            let (token, policy) = (self.jwt(algorithm), self.policy_for(algorithm));
            self.expect_admitted(token, policy);
            assert!(self.is_warm(token, policy));
        }
    }

    /// Whether memory admits this credential at once.
    #[must_use]
    pub fn is_warm(&self, text: &str, policy: &Arc<CompiledPolicy>) -> bool {
        Call::new(text).is_admitted(self.gate(), policy)
    }

    /// Makes the gate forget every verified token that is not by HS256, by a change of keys to the same ones.
    pub fn forget_tokens(&self) {
        self.live.replace(KeySet::clone(&self.live.load()));
    }

    /// Waits until the gate admits this credential.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn expect_admitted(&self, text: &str, policy: &Arc<CompiledPolicy>) {
        let call = Call::new(text);
        let decision = block_on(call.ask(self.gate(), policy).decided());
        if let Err(refusal) = decision {
            panic!("refused: {refusal} ({:?})", refusal.cause());
        }
    }

    fn sign(&self, algorithm: Algorithm) -> String {
        self.sign_as(algorithm, TYP, &self.claims())
    }

    fn signer(&self, algorithm: Algorithm) -> &Signer {
        let mut signers = self.signers.iter();
        let found = signers.find(|signer| signer.algorithm == algorithm);
        found.expect("one of the algorithms")
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// A request as the gate sees it.
pub struct Call {
    line: String,
    arrival: Arrival<'static>,
}

impl Call {
    /// `Authorization: Bearer`, then this credential, from [`World::arrival`].
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            line: format!("Bearer {text}"),
            arrival: World::arrival(),
        }
    }

    /// Asks the gate.
    pub fn ask(&self, gate: &Gate, policy: &Arc<CompiledPolicy>) -> Admission {
        let fields = [(Field::Authorization, self.line.as_bytes())];
        gate.authenticate(&fields[..], policy, &self.arrival)
    }

    /// Asks the gate, and whether it admits at once.
    #[must_use]
    pub fn is_admitted(&self, gate: &Gate, policy: &Arc<CompiledPolicy>) -> bool {
        matches!(self.ask(gate, policy), Admission::Ready(Ok(_)))
    }

    /// Asks the gate, and whether it refuses at once.
    #[must_use]
    pub fn is_refused(&self, gate: &Gate, policy: &Arc<CompiledPolicy>) -> bool {
        matches!(self.ask(gate, policy), Admission::Ready(Err(_)))
    }
}

/// The RSA key, made once and kept in the target folder. Making one takes valgrind half a minute, and each case that it runs
/// would make one.
fn rsa_key() -> SigningKey {
    let path = folder().with_file_name("rsa-key.der");
    let kept = fs::read(&path).ok();
    if let Some(key) = kept.and_then(|der| SigningKey::from_pkcs8_der(Algorithm::Rs256, &der).ok())
    {
        return key;
    }
    let key = SigningKey::generate(Algorithm::Rs256).expect("a signing key");
    let der = key.to_pkcs8_der().expect("the key as a document");
    fs::create_dir_all(path.parent().expect("a folder")).expect("the target folder can be made");
    fs::write(&path, &der).expect("the key can be kept");
    key
}

/// A rate that no caller reaches, so that every charge is one that is granted.
#[must_use]
pub fn plenty() -> Rate {
    Rate::per_minute(4_000_000_000).expect("a rate")
}

fn verifier(algorithms: impl IntoIterator<Item = Algorithm>) -> Verifier {
    let verifier = Verifier::builder(ISSUER, AUDIENCE)
        .algorithms(algorithms)
        .rfc9068()
        .build();
    verifier.expect("a verifier")
}

fn realm(trust: TokenTrust, limits: Limits) -> Realm {
    let roles = Roles::builder()
        .role("viewer", ScopeSet::default())
        .role("owner", ScopeSet::parse("*").expect("a scope"))
        .build();
    Realm::builder("links")
        .tenant_kind(TenantKind::from_static(PARAMETER))
        .roles(roles.expect("a ladder of roles"))
        .plans(Plans::builder().plan("free", [], Some(plenty())).build())
        .limits(limits)
        .trust(trust)
        .build()
}
