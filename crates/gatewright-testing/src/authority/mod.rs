//! A gate that is ready to be asked, and credentials that it knows.

#![allow(
    clippy::unwrap_used,
    reason = "a fixture of tests: a panic is how it says that it could not be set up"
)]

mod builder;
mod new_key;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::credential::{Credential, SecretFormat, SecretKind};
use gatewright_core::gate::Gate;
use gatewright_core::jwt::{LiveKeys, Verifier};
use gatewright_core::policy::{Realm, RealmBuilder, TokenTrust};
use gatewright_core::principal::{CredentialId, SessionId, TenantId, TenantKind, UserId};
use gatewright_core::store::{
    CredentialStore as _, InsertOutcome, MembershipStore as _, MemoryStore, NewCredential,
    RemoveOutcome, RevocationStore as _, RevokeOutcome, StoredSecret,
};
use gatewright_core::time::Timestamp;
use serde_json::Value;

use crate::Outage;
use crate::jwks::JwksServer;
use crate::token::{TestKeys, TokenBuilder};
pub use builder::TestAuthorityBuilder;
pub use new_key::NewKey;

/// A gate over a store in memory, with tenants, and all sorts of credentials for them.
///
/// Secrets are hashed with settings that cost next to nothing, so it is for tests alone. Every tenant bears its slug as
/// its id and belongs to the user `usr_1`, in the role `owner`; so do the keys, unless something else is said.
/// [`TestAuthority::new`] is for most tests, [`TestAuthority::builder`] for those that choose the plan, the clock or the
/// algorithm.
///
/// Its tokens are good at the gate where the realm has its [`trust`](Self::trust). Its signing key is made when one is
/// first asked for, so tests of keys alone don't wait for it.
///
/// ```
/// use gatewright_core::credential::Field;
/// use gatewright_core::error::ErrorCode;
/// use gatewright_core::gate::Arrival;
/// use gatewright_core::policy::{Policy, Realm};
/// use gatewright_core::principal::TenantKind;
/// use gatewright_testing::TestAuthority;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let workspace = TenantKind::from_static("workspace");
/// let authority = TestAuthority::new(workspace, ["acme"]).await;
/// let (reader, writer) =
///     (authority.key("acme", "links.read").await, authority.key("acme", "links.write").await);
///
/// let gate = authority.gate();
/// let reading = Policy::api_key().scope("links.read");
/// let reading = gate.compile(&reading, &Realm::builder("links").build()).unwrap();
/// let call = async |key: &str| {
///     let fields = [(Field::ApiKey, key.as_bytes())];
///     gate.authenticate(&fields[..], &reading, &Arrival::new()).decided().await
/// };
/// assert!(call(&reader).await.is_ok());
/// assert_eq!(call(&writer).await.unwrap_err().code(), ErrorCode::InsufficientScope);
///
/// authority.revoke(&reader).await;
/// assert_eq!(call(&reader).await.unwrap_err().code(), ErrorCode::TokenRevoked);
/// # }
/// ```
#[derive(Debug)]
pub struct TestAuthority {
    gate: Gate,
    store: Arc<MemoryStore>,
    /// The store as the gate sees it.
    outage: Arc<Outage<MemoryStore>>,
    kind: TenantKind,
    issuer: String,
    audience: String,
    keys: Arc<TestKeys>,
}

impl TestAuthority {
    /// A gate that knows one tenant of each slug, on the plan `free`, and the machine's clock.
    ///
    /// # Panics
    /// Where a slug is not a [`TenantId`] or stands twice, or no thread can be started.
    pub async fn new(kind: TenantKind, slugs: impl IntoIterator<Item = &str>) -> Self {
        let builder = Self::builder(kind);
        let builder = slugs
            .into_iter()
            .fold(builder, |builder, slug| builder.tenant(slug, "free"));
        builder.build().await
    }

    /// Starts an authority of which more is to be said.
    pub fn builder(kind: TenantKind) -> TestAuthorityBuilder {
        TestAuthorityBuilder::new(kind)
    }

    /// The gate.
    #[must_use]
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The store behind it. What is changed there is to be published on [`Gate::changes`].
    #[must_use]
    pub const fn store(&self) -> &Arc<MemoryStore> {
        &self.store
    }

    /// Puts the store out of the gate's reach, or back into it. What the gate knows by heart still passes meanwhile, as it
    /// may under its [coherence](gatewright_core::gate::Coherence); everything else is 503. The methods here, such as
    /// [`key`](Self::key), reach it always.
    pub fn put_store_out_of_reach(&self, out: bool) {
        self.outage.put_out_of_reach(out);
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `aud` of its tokens.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The keys that its tokens can be verified with; a rotation shows in them.
    ///
    /// # Panics
    /// If a key could not be made.
    #[must_use]
    pub fn keys(&self) -> Arc<LiveKeys> {
        self.keys.live()
    }

    /// Trusts its tokens for its own [`audience`](Self::audience).
    ///
    /// # Panics
    /// As [`trust_for`](Self::trust_for).
    #[must_use]
    pub fn trust(&self) -> TokenTrust {
        self.trust_for(&self.audience)
    }

    /// Trusts its tokens for this audience: access tokens of RFC 9068, with `tenant` and `epoch` where they have them.
    /// No leeway, so that a [`FakeClock`](crate::FakeClock) ends a token in the second that its `exp` names.
    ///
    /// # Panics
    /// Where the audience or the issuer is empty, or a key could not be made.
    #[must_use]
    pub fn trust_for(&self, audience: &str) -> TokenTrust {
        let verifier = Verifier::builder(&self.issuer, audience)
            .algorithms([self.keys.algorithm()])
            .rfc9068()
            .private_claims()
            .build();
        TokenTrust::new(verifier.unwrap(), self.keys())
    }

    /// Starts a realm of its kind of tenant that trusts its tokens.
    ///
    /// # Panics
    /// As [`trust`](Self::trust).
    #[must_use]
    pub fn realm(&self, name: &str) -> RealmBuilder {
        Realm::builder(name)
            .tenant_kind(self.kind.clone())
            .trust(self.trust())
    }

    /// Starts a token for this user.
    pub fn token(&self, user: &str) -> TokenBuilder<'_> {
        let clock = self.gate.clock();
        TokenBuilder::new(&self.keys, clock, &self.issuer, &self.audience, user)
    }

    /// Starts a token for this machine: its `sub` is its `client_id`. One that is bound to a tenant needs a record there;
    /// see [`client`](Self::client).
    pub fn machine_token(&self, client: &str) -> TokenBuilder<'_> {
        self.token(client).client(client)
    }

    /// Signs with a new key from now on; the old one stays published. Answers the new `kid`.
    ///
    /// # Panics
    /// If a key could not be made.
    pub fn rotate_keys(&self) -> String {
        self.keys.rotate()
    }

    /// Takes away all keys but the one that signs, and with them the tokens that they signed.
    ///
    /// # Panics
    /// If a key could not be made.
    pub fn retire_keys(&self) {
        self.keys.retire();
    }

    /// Serves its keys on this machine, for a client that fetches them. The documents name its [`issuer`](Self::issuer).
    ///
    /// # Panics
    /// Where no port can be listened on, or a key could not be made.
    pub async fn serve_jwks(&self) -> JwksServer {
        JwksServer::start(Arc::clone(&self.keys), |_| self.issuer.clone()).await
    }

    /// Serves its keys on this machine and takes the server's URL for its [`issuer`](Self::issuer), for a client that is
    /// told an issuer and finds out the rest (RFC 8414 §3, OpenID Connect Discovery §4). What was trusted before trusts
    /// the old issuer.
    ///
    /// # Panics
    /// As [`serve_jwks`](Self::serve_jwks).
    pub async fn serve_as_issuer(&mut self) -> JwksServer {
        let server = JwksServer::start(Arc::clone(&self.keys), str::to_owned).await;
        server.url().clone_into(&mut self.issuer);
        server
    }

    /// The text of a new API key of a tenant, with these scopes, parted by spaces. It never expires.
    ///
    /// # Panics
    /// As [`NewKey::mint`].
    pub async fn key(&self, tenant: &str, scopes: &str) -> String {
        self.new_key(tenant).scopes(scopes).mint().await
    }

    /// The text of a new personal access token of a tenant, with these scopes, parted by spaces. It never expires.
    ///
    /// # Panics
    /// As [`NewKey::mint`].
    pub async fn pat(&self, tenant: &str, scopes: &str) -> String {
        self.new_pat(tenant).scopes(scopes).mint().await
    }

    /// Starts an API key of a tenant.
    pub fn new_key(&self, tenant: &str) -> NewKey<'_> {
        NewKey::new(self, SecretKind::ApiKey, tenant)
    }

    /// Starts a personal access token of a tenant.
    pub fn new_pat(&self, tenant: &str) -> NewKey<'_> {
        NewKey::new(self, SecretKind::Pat, tenant)
    }

    /// Puts a user into a tenant, in this role; one who is in it gets the role.
    ///
    /// # Panics
    /// Where there is no such tenant, or the user's name is not a [`UserId`].
    pub async fn member(&self, user: &str, tenant: &str, role: &str) {
        let (tenant, user) = (tenant_id(tenant), user_id(user));
        let put = self.store.put_member(&tenant, &user, role).await;
        self.gate.changes().publish(put.unwrap());
    }

    /// Takes a user out of a tenant.
    ///
    /// # Panics
    /// Where the user is not in it, or is its last `owner`.
    pub async fn remove_member(&self, user: &str, tenant: &str) {
        let (tenant, user) = (tenant_id(tenant), user_id(user));
        let removed = self.store.remove_member(&tenant, &user, "owner").await;
        let outcome = self.gate.changes().publish(removed.unwrap());
        assert_eq!(outcome, RemoveOutcome::Removed, "{user} is to leave");
    }

    /// Registers a machine in a tenant, for [`machine_token`](Self::machine_token). Nobody knows its secret.
    ///
    /// # Panics
    /// Where there is no such tenant, or the client's name is taken or not a [`CredentialId`].
    pub async fn client(&self, client: &str, tenant: &str) {
        let secret = SecretFormat::unnamed(SecretKind::Client, "client");
        let secret = secret.mint().unwrap().secret;
        let new = NewCredential::new(
            SecretKind::Client,
            CredentialId::new(client).unwrap(),
            tenant_id(tenant),
            user_id(FIRST),
            self.stored(secret.expose()).await,
            self.gate.clock().now(),
        );
        self.insert(new).await;
    }

    /// Revokes a key, a personal access token or a token that it signed, given its text. It ends at once.
    ///
    /// # Panics
    /// For a text that is none of these, and a key that the store doesn't hold or that was revoked before.
    pub async fn revoke(&self, text: &str) {
        let classified = self.gate.formats().classify(text.as_bytes());
        match classified.unwrap() {
            Credential::Secret(secret) => {
                let (kind, id) = (secret.kind(), secret.public_id());
                let found = self.store.find(kind, id).await.unwrap();
                let tenant = found.unwrap().tenant.id().clone();
                let at = self.gate.clock().now();
                let revoked = self.store.revoke(&tenant, kind, id, at).await;
                let outcome = self.gate.changes().publish(revoked.unwrap());
                assert_eq!(outcome, RevokeOutcome::Revoked, "the key is to be revoked");
            }
            Credential::Jwt(jwt) => {
                let payload = URL_SAFE_NO_PAD.decode(jwt.payload()).unwrap();
                let claims: Value = serde_json::from_slice(&payload).unwrap();
                let jti = claims["jti"].as_str().unwrap();
                let denied = self.store.deny_token(jti, Timestamp::MAX).await;
                self.gate.changes().publish(denied.unwrap());
            }
            _ => unreachable!("there is no third sort"),
        }
    }

    /// Ends a session, and with it the tokens that name it.
    ///
    /// # Panics
    /// Where the name is not a [`SessionId`].
    pub async fn end_session(&self, session: &str) {
        let session = SessionId::new(session).unwrap();
        let ended = self.store.end_session(&session, Timestamp::MAX).await;
        self.gate.changes().publish(ended.unwrap());
    }

    /// Ends every token that the user holds. Answers the epoch that later ones need.
    ///
    /// # Panics
    /// Where the name is not a [`UserId`].
    pub async fn end_tokens(&self, user: &str) -> u64 {
        let raised = self.store.raise_user_epoch(&user_id(user)).await;
        self.gate.changes().publish(raised.unwrap())
    }

    async fn stored(&self, text: &str) -> StoredSecret {
        let hashed = self.gate.hash_pool().hash(text.as_bytes()).unwrap();
        let tag = self.gate.tag_keys().tag(text.as_bytes());
        StoredSecret::new(hashed.await.unwrap(), Some(tag))
    }

    async fn insert(&self, new: NewCredential) {
        let inserted = self.store.insert(new).await.unwrap();
        let outcome = self.gate.changes().publish(inserted);
        assert_eq!(outcome, InsertOutcome::Inserted, "the id is taken");
    }
}

/// Who owns what nobody else is said to own.
const FIRST: &str = "usr_1";

fn user_id(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

fn tenant_id(text: &str) -> TenantId {
    TenantId::new(text).unwrap()
}
