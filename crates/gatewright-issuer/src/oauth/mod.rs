//! The endpoints of an authorization server, without a framework.

mod authenticator;
mod form;
mod introspect;
mod issued;
mod request;
mod resource;
mod revoke;
mod token;

use std::fmt;
use std::sync::Arc;

use gatewright_core::audit::{AuditEvent, AuditKind, AuditSink, NoAudit};
use gatewright_core::dialect::{Dialect, RenderContext, render};
use gatewright_core::error::AuthError;
use gatewright_core::gate::{Client, Gate};
use gatewright_core::jwt::{Claims, VerifierError};
use gatewright_core::principal::Verified;
use gatewright_core::store::{CredentialStore, RevocationStore};

pub use authenticator::ClientAuthenticator;
pub use request::{OAuthAnswer, OAuthRequest};
pub use resource::TenantResource;

use crate::AccessTokens;
use form::Form;
use issued::IssuedTokens;

/// Token, revocation and introspection endpoint for confidential clients with the grant `client_credentials`. Cheap to
/// clone; all clones are the same server.
///
/// Each method takes the parts of a request and answers the parts of a response. Refusals are those of RFC 6749 §5.2, and no
/// answer may be stored.
///
/// ```
/// use std::sync::Arc;
///
/// use gatewright_core::audit::NoAudit;
/// use gatewright_core::credential::{Formats, SecretFormat, SecretKind};
/// use gatewright_core::gate::{Coherence, Gate};
/// # use gatewright_core::hash::{Argon2Settings, HashPool, PoolConfig};
/// use gatewright_core::jwt::Algorithm;
/// use gatewright_core::principal::{Tenant, TenantId, TenantKind, UserId};
/// use gatewright_core::scope::{ScopeCatalog, ScopeSet};
/// use gatewright_core::store::{MembershipStore, MemoryStore};
/// use gatewright_issuer::{
///     AccessTokens, Authority, AuthorizationServer, CredentialIssuer, KeyLifetimes, OAuthClients, OAuthRequest,
///     SealingKey, SigningKeys, TenantResource, guard_tag_keys,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(MemoryStore::new());
/// let secrets = SecretFormat::unnamed(SecretKind::Client, "apx_secret");
/// let gate = Gate::builder(Arc::clone(&store), Coherence::SingleProcess, guard_tag_keys(&*store).await?)
///     .formats(Formats::standard().with(secrets)?)
/// #     .hash_pool(HashPool::start(PoolConfig::new(Argon2Settings::insecure_for_tests()))?)
///     .build()?;
/// # let (acme, alice) = (TenantId::new("ten_1")?, UserId::new("usr_1")?);
/// # let org = Tenant::new(acme.clone(), TenantKind::from_static("org"), "acme", "free");
/// # gate.changes().publish(store.create_tenant(org, &alice, "admin").await?);
/// let (sealing, lifetimes) = (SealingKey::new(&[7; 32])?, KeyLifetimes::new(600, 3_600));
/// let now = gate.clock().now();
/// let keys = SigningKeys::open(store.clone(), sealing, Algorithm::Es256, lifetimes, now).await?;
/// let tokens = AccessTokens::new("https://gateway.example", Arc::new(keys), 3_600);
/// let resource = TenantResource::under("https://gateway.example/mcp/");
/// let server = AuthorizationServer::builder(gate.clone(), store.clone(), tokens, resource).build()?;
///
/// // An administrator registers a client; its secret is shown once.
/// let catalog = ScopeCatalog::builder().declare("mcp:call", "Call tools").build()?;
/// let issuer = CredentialIssuer::new(gate, store.clone(), Arc::new(catalog), Arc::new(NoAudit::default()));
/// let clients = OAuthClients::new(issuer, store);
/// let request = clients.request(acme, alice, ScopeSet::parse("mcp:call")?).named("nightly");
/// let client = clients.register(request, &Authority::operator()).await?;
///
/// // It asks for a token.
/// let form: &[u8] = b"application/x-www-form-urlencoded";
/// let body = format!(
///     "grant_type=client_credentials&client_id={}&client_secret={}",
///     client.id, client.secret.expose(),
/// );
/// let answer = server.token(&OAuthRequest::post(body.as_bytes()).content_type(Some(form))).await;
/// assert_eq!(answer.status, 200);
/// let answer: serde_json::Value = serde_json::from_slice(&answer.body)?;
/// assert_eq!((&answer["token_type"], &answer["scope"]), (&"Bearer".into(), &"mcp:call".into()));
///
/// // More than it is registered for, it does not get.
/// let more = format!("{body}&scope=admin");
/// let answer = server.token(&OAuthRequest::post(more.as_bytes()).content_type(Some(form))).await;
/// assert_eq!(answer.status, 400);
/// let answer: serde_json::Value = serde_json::from_slice(&answer.body)?;
/// assert_eq!(answer["error"], "invalid_scope");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AuthorizationServer(Arc<Inner>);

struct Inner {
    gate: Gate,
    clients: ClientAuthenticator,
    tokens: AccessTokens,
    issued: IssuedTokens,
    revocations: Arc<dyn RevocationStore>,
    resource: TenantResource,
    /// What every token is for besides its tenant's resource.
    audiences: Vec<Box<str>>,
    may_introspect: Option<Box<IntrospectionRule>>,
    audit: Arc<dyn AuditSink>,
    realm: Box<str>,
}

type IntrospectionRule = dyn Fn(&Client, &Claims) -> bool + Send + Sync;

impl AuthorizationServer {
    /// Starts a server whose clients `gate` proves and whose tokens `tokens` signs. `store` is the store that the gate
    /// reads, `resource` says what a client's tokens are for.
    pub fn builder<S>(
        gate: Gate,
        store: Arc<S>,
        tokens: AccessTokens,
        resource: TenantResource,
    ) -> AuthorizationServerBuilder
    where
        S: CredentialStore + RevocationStore + 'static,
    {
        AuthorizationServerBuilder {
            gate,
            credentials: Arc::<S>::clone(&store),
            revocations: store,
            tokens,
            resource,
            audiences: Vec::new(),
            may_introspect: None,
            audit: Arc::new(NoAudit::default()),
            realm: "oauth".into(),
        }
    }

    /// The token endpoint (RFC 6749 §4.4, §5): a client exchanges its secret for an access token (RFC 9068).
    ///
    /// The token has the scopes that `scope` asks for, which the client must have, or all that it has. `resource`
    /// (RFC 8707) may repeat; the token is then for those resources alone. It ends no later than the client.
    pub async fn token(&self, request: &OAuthRequest<'_>) -> OAuthAnswer {
        self.answer(self.0.token(request).await)
    }

    /// The revocation endpoint (RFC 7009): a client gives back a token of its own. The gate refuses it from the next request
    /// on. A token that is unknown, expired or revoked already is answered with 200 as well.
    ///
    /// Run it to its end: when its future is dropped, as by a caller who hangs up, it is not known whether the token was
    /// revoked.
    pub async fn revoke(&self, request: &OAuthRequest<'_>) -> OAuthAnswer {
        self.answer(self.0.revoke(request).await)
    }

    /// The introspection endpoint (RFC 7662): what a token says, if it is good and the caller
    /// [may know](AuthorizationServerBuilder::may_introspect).
    pub async fn introspect(&self, request: &OAuthRequest<'_>) -> OAuthAnswer {
        self.answer(self.0.introspect(request).await)
    }

    /// A refusal as these endpoints make it, for what the embedder refuses itself.
    #[must_use]
    pub fn refusal(&self, error: &AuthError) -> OAuthAnswer {
        let context = RenderContext::new(Dialect::OAuth).with_realm(&self.0.realm);
        render(error, &context).into()
    }

    fn answer(&self, outcome: Result<OAuthAnswer, AuthError>) -> OAuthAnswer {
        outcome.unwrap_or_else(|error| self.refusal(&error))
    }
}

impl Inner {
    async fn authenticate(
        &self,
        request: &OAuthRequest<'_>,
        form: &Form,
    ) -> Result<Verified<Client>, AuthError> {
        let proven = self.clients.authenticate_form(request, form).await;
        proven.inspect_err(|refusal| {
            // Who it claimed to be is not proven, so it is not written down.
            if let Some(cause) = refusal.cause().filter(|_| refusal.status() < 500) {
                let at = self.gate.clock().now();
                let event = AuditEvent::new(AuditKind::LoginFailed, at);
                self.audit.record(event.from(request.source).because(cause));
            }
        })
    }
}

impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServer")
            .field("tokens", &self.0.tokens)
            .field("realm", &self.0.realm)
            .finish_non_exhaustive()
    }
}

/// Puts an [`AuthorizationServer`] together. What is not said has the default named at its method.
#[must_use]
pub struct AuthorizationServerBuilder {
    gate: Gate,
    credentials: Arc<dyn CredentialStore>,
    revocations: Arc<dyn RevocationStore>,
    tokens: AccessTokens,
    resource: TenantResource,
    audiences: Vec<Box<str>>,
    may_introspect: Option<Box<IntrospectionRule>>,
    audit: Arc<dyn AuditSink>,
    realm: Box<str>,
}

impl AuthorizationServerBuilder {
    /// Names one more audience in every token that is not asked for other resources, such as that of a family of routes whose
    /// verifier knows no tenants.
    pub fn also_for(mut self, audience: &str) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Which client may learn about which token, such as a resource server about those of its tenant. A client may always
    /// learn about its own tokens, and about no others if nothing is said.
    pub fn may_introspect(
        mut self,
        rule: impl Fn(&Client, &Claims) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.may_introspect = Some(Box::new(rule));
        self
    }

    /// Where tokens issued and revoked, failures to authenticate and denials are recorded; nowhere if not said.
    pub fn audit(mut self, sink: Arc<dyn AuditSink>) -> Self {
        self.audit = sink;
        self
    }

    /// The `realm` of challenges (RFC 7617 §2); `oauth` if not said.
    pub fn realm(mut self, name: &str) -> Self {
        self.realm = name.into();
        self
    }

    /// The server.
    ///
    /// # Errors
    /// [`VerifierError::Issuer`] where the tokens name no issuer.
    pub fn build(self) -> Result<AuthorizationServer, VerifierError> {
        let revocations = Arc::clone(&self.revocations);
        let issued = IssuedTokens::new(&self.tokens, self.credentials, revocations)?;
        Ok(AuthorizationServer(Arc::new(Inner {
            clients: ClientAuthenticator::new(self.gate.clone()),
            gate: self.gate,
            tokens: self.tokens,
            issued,
            revocations: self.revocations,
            resource: self.resource,
            audiences: self.audiences,
            may_introspect: self.may_introspect,
            audit: self.audit,
            realm: self.realm,
        })))
    }
}

impl fmt::Debug for AuthorizationServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServerBuilder")
            .field("tokens", &self.tokens)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}
