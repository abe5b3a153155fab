//! The half of Gatewright that issues credentials, and manages the accounts of people.
//!
//! - [`CredentialIssuer`] mints, rotates and revokes API keys and personal access tokens. Nobody sees a secret that
//!   can do more than they can, or that lives longer than their own credential: see [`Authority`].
//! - [`OAuthClients`] registers OAuth clients, rotates their secrets and revokes them with all their tokens.
//! - [`AuthorizationServer`] answers at the token, revocation and introspection endpoints (RFC 6749 §4.4, RFC 7009, RFC 7662);
//!   [`ClientAuthenticator`] is how clients prove themselves there.
//! - [`AuthorizationServerMetadata`] and [`ProtectedResourceMetadata`] are the documents by which clients find them
//!   (RFC 8414, RFC 9728).
//! - [`SigningKeys`] keeps the keys that sign access tokens: generated, published before use, retired after the last token
//!   they signed has expired, and sealed at rest under a [`SealingKey`].
//! - [`AccessTokens`] signs access tokens (RFC 9068).
//! - [`Sessions`] opens login sessions, extends them by refresh tokens that can be used once, and ends them: at a logout,
//!   when they have lasted as long as the [`SessionTerms`] allow, or because a used token was presented again.
//! - [`Accounts`] signs people up, verifies their addresses, checks and changes their passwords, and invites them to
//!   tenants; [`PasswordPolicy`] says what is allowed as a password, and a [`Mailer`] sends the mails.
//! - [`LoginLinks`] finds the account of whoever logged in at an identity provider, or makes one.
//! - [`guard_tag_keys`] loads the keys of the guard tags, or makes the first one.
//!
//! There is no framework in here: your handlers call it.
//!
//! # A key's life
//!
//! A key is minted, passes, cannot mint more than it has, and is refused from the moment it is revoked:
//!
//! ```
//! use std::sync::Arc;
//!
//! use gatewright_core::audit::NoAudit;
//! use gatewright_core::credential::{Field, Secret, SecretKind};
//! use gatewright_core::error::ErrorCode;
//! use gatewright_core::gate::{Admitted, Arrival, Coherence, Gate};
//! use gatewright_core::hash::{Argon2Settings, HashPool, PoolConfig};
//! use gatewright_core::policy::{Policy, Realm};
//! use gatewright_core::principal::{Tenant, TenantId, TenantKind, UserId};
//! use gatewright_core::scope::{ScopeCatalog, ScopeSet};
//! use gatewright_core::store::{MembershipStore, MemoryStore};
//! use gatewright_issuer::{Authority, CredentialIssuer, MintRequest, guard_tag_keys};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(MemoryStore::new());
//! // Cheap hashes, for examples and tests alone. Without this line the gate hashes at 19 MiB.
//! let pool = HashPool::start(PoolConfig::new(Argon2Settings::insecure_for_tests()))?;
//! let tags = guard_tag_keys(&*store).await?;
//! let gate = Gate::builder(Arc::clone(&store), Coherence::SingleProcess, tags)
//!     .hash_pool(pool)
//!     .build()?;
//! let catalog = ScopeCatalog::builder()
//!     .declare("links.read", "See links")
//!     .declare("links.write", "Change links")
//!     .build()?;
//! let issuer =
//!     CredentialIssuer::new(gate.clone(), store.clone(), Arc::new(catalog), Arc::new(NoAudit::default()));
//!
//! let (acme, alice) = (TenantId::new("ten_1")?, UserId::new("usr_1")?);
//! let workspace = Tenant::new(acme.clone(), TenantKind::from_static("workspace"), "acme", "free");
//! gate.changes().publish(store.create_tenant(workspace, &alice, "owner").await?);
//!
//! // Minted at the command line.
//! let scopes = ScopeSet::parse("links.read")?;
//! let request = MintRequest::new("tnx", acme.clone(), alice.clone(), scopes).named("ci");
//! let minted = issuer.mint(request, &Authority::operator()).await?;
//!
//! let realm = Realm::builder("api").build();
//! let policy = gate.compile(&Policy::api_key().scope("links.read"), &realm).expect("no mistakes");
//! let present = async |secret: &Secret| {
//!     let value = format!("Bearer {}", secret.expose());
//!     let fields: &[(Field, &[u8])] = &[(Field::Authorization, value.as_bytes())];
//!     gate.authenticate(fields, &policy, &Arrival::new()).decided().await
//! };
//!
//! // It passes ...
//! let Admitted { principal: Some(caller), .. } = present(&minted.secret).await? else {
//!     unreachable!("the policy admits nobody without a key");
//! };
//! assert_eq!(caller.user(), Some(&alice));
//!
//! // ... and passes on no more than it has ...
//! let more = MintRequest::new("tnx", acme.clone(), alice, ScopeSet::parse("links.write")?);
//! let refusal = issuer.mint(more, &Authority::of(&caller, &realm)).await.unwrap_err();
//! assert_eq!(refusal.code(), ErrorCode::InsufficientScope);
//!
//! // ... until it is revoked: the very next request is refused.
//! issuer.revoke(SecretKind::ApiKey, &acme, minted.id.as_str(), None).await?;
//! let refusal = present(&minted.secret).await.unwrap_err();
//! assert_eq!(refusal.code(), ErrorCode::TokenRevoked);
//! # Ok(())
//! # }
//! ```
//!
//! # A login's life
//!
//! A login is extended, and ends for everybody when one of its used tokens is presented again:
//!
//! ```
//! use std::sync::Arc;
//!
//! use gatewright_core::audit::NoAudit;
//! use gatewright_core::error::Cause;
//! use gatewright_core::gate::{Coherence, Gate};
//! # use gatewright_core::hash::{Argon2Settings, HashPool, PoolConfig};
//! use gatewright_core::principal::UserId;
//! use gatewright_core::store::MemoryStore;
//! use gatewright_issuer::{Grant, NewSession, Sessions, guard_tag_keys};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(MemoryStore::new());
//! let tags = guard_tag_keys(&*store).await?;
//! let gate = Gate::builder(Arc::clone(&store), Coherence::SingleProcess, tags)
//! #   .hash_pool(HashPool::start(PoolConfig::new(Argon2Settings::insecure_for_tests()))?)
//!     .build()?;
//! let sessions = Sessions::new(gate, store, Arc::new(NoAudit::default()));
//!
//! // Alice has given her password.
//! let new = NewSession::new(UserId::new("usr_1")?, "app").labelled("Firefox");
//! let login = sessions.open(new).await?;
//! let _grant = Grant::of_session(&login.session, "https://api.example", 0);
//!
//! // Her browser extends the login, again and again: each answer brings the next token.
//! let first = login.refresh.expose().as_bytes();
//! let second = sessions.refresh(first, None).await?.refresh;
//! // Two tabs at once, or a lost answer: for a few seconds, the same token gets the same answer.
//! let in_other_tab = sessions.refresh(first, None).await?.refresh;
//! assert_eq!(in_other_tab.expose(), second.expose());
//! let third = sessions.refresh(second.expose().as_bytes(), None).await?.refresh;
//!
//! // A thief presents a used one. Nobody can tell them from Alice, so both have to log in again.
//! let refusal = sessions.refresh(first, None).await.unwrap_err();
//! assert_eq!(refusal.cause(), Some(Cause::RefreshReused));
//! let refusal = sessions.refresh(third.expose().as_bytes(), None).await.unwrap_err();
//! assert_eq!(refusal.cause(), Some(Cause::RefreshInvalid));
//! # Ok(())
//! # }
//! ```

mod access_token;
mod accounts;
mod authority;
mod client;
mod credential;
mod guard_tag;
mod linking;
mod metadata;
mod oauth;
mod sealing;
mod session;
mod signing;
mod told;

pub use access_token::{AccessTokens, Grant, IssueError, IssuedToken};
pub use accounts::{
    AcceptedInvite, Accounts, Afterwards, LoggedIn, Mail, Mailer, NewPassword, PasswordPolicy,
    PeopleStore, SignedUp, WeakPassword,
};
pub use authority::Authority;
pub use client::OAuthClients;
pub use credential::{
    CredentialIssuer, MintRequest, MintedCredential, RotatedCredential, RotationGrace,
};
pub use guard_tag::{GuardTagError, guard_tag_keys};
pub use linking::{
    EmailDomains, ExternalLogin, InvalidDomain, LinkError, LinkOutcome, LinkedUser, LoginLinkStore,
    LoginLinks,
};
pub use metadata::{AuthorizationServerMetadata, MetadataError, ProtectedResourceMetadata};
pub use oauth::{
    AuthorizationServer, AuthorizationServerBuilder, ClientAuthenticator, OAuthAnswer,
    OAuthRequest, TenantResource,
};
pub use sealing::{SealError, SealingKey};
pub use session::{
    CarriedSession, NewSession, SessionTerms, SessionTermsBuilder, SessionTermsError, Sessions,
};
pub use signing::{KeyLifetimes, SigningKeys, SigningKeysError};
