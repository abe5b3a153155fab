//! The life of API keys and personal access tokens: mint, rotate, revoke.

use std::fmt;
use std::sync::Arc;

use gatewright_core::audit::{AuditEvent, AuditKind, AuditSink};
use gatewright_core::credential::{
    IdAlphabet, MintError, Secret, SecretFormat, SecretKind, random_id,
};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::gate::Gate;
use gatewright_core::principal::{CredentialId, Subject, TenantId, UserId};
use gatewright_core::scope::{ScopeCatalog, ScopeSet};
use gatewright_core::store::{
    ChangeKey, CredentialStore, InsertOutcome, NewCredential, RevokeOutcome, RotateOutcome,
    Rotation, StoreError, StoredSecret,
};
use gatewright_core::time::Timestamp;

use crate::Authority;
use crate::told::TellOnDrop;

/// How often a taken public id is replaced by another before giving up. Ids have 41 random bits or more, so even the
/// second try is rare.
const MAX_ID_TRIES: u32 = 8;
/// The random characters of a public id that travels beside its secret: 82 bits.
const ID_LENGTH: usize = 16;
/// After how many seconds to try again when the hashing queue was full.
const HASH_RETRY_SECS: u32 = 1;
/// After how many seconds to try again when the store was out of reach.
pub(crate) const STORE_RETRY_SECS: u32 = 2;

/// Mints, rotates and revokes credentials with random secrets.
///
/// It stores through the gate's own generations, so what it changes holds at that gate from the next request on.
#[derive(Clone)]
pub struct CredentialIssuer {
    gate: Gate,
    store: Arc<dyn CredentialStore>,
    catalog: Arc<ScopeCatalog>,
    audit: Arc<dyn AuditSink>,
}

/// What is to be minted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MintRequest {
    /// The format to mint in, by its brand: `tnx`, `patv1`.
    pub brand: String,
    /// The tenant to bind it to.
    pub tenant: TenantId,
    /// On whose account: the verified caller, never a name from a request's body.
    pub owner: UserId,
    /// What the owner calls it.
    pub name: String,
    /// What it shall be able to do; `*` for all that the minter can.
    pub scopes: ScopeSet,
    /// When it shall expire; `None` for never. Cut to the expiry of the key that mints it.
    pub expires_at: Option<Timestamp>,
}

impl MintRequest {
    /// A request for a credential that never expires and has no name.
    #[must_use]
    pub fn new(
        brand: impl Into<String>,
        tenant: TenantId,
        owner: UserId,
        scopes: ScopeSet,
    ) -> Self {
        Self {
            brand: brand.into(),
            tenant,
            owner,
            name: String::new(),
            scopes,
            expires_at: None,
        }
    }

    /// Names it.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Lets it expire.
    #[must_use]
    pub const fn expiring_at(mut self, at: Option<Timestamp>) -> Self {
        self.expires_at = at;
        self
    }
}

/// A credential that was minted and stored. The secret is here and nowhere else.
#[derive(Debug)]
#[non_exhaustive]
pub struct MintedCredential {
    /// The public id.
    pub id: CredentialId,
    /// The whole credential text, to be shown once.
    pub secret: Secret,
    /// What it may do.
    pub scopes: ScopeSet,
    /// When it was minted.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

/// A credential's new secret.
#[derive(Debug)]
#[non_exhaustive]
pub struct RotatedCredential {
    /// The whole credential text, to be shown once.
    pub secret: Secret,
    /// Until when the secret before it is honoured: the end of the grace, or of the credential where that is earlier.
    pub old_secret_ends_at: Timestamp,
}

/// For how long a replaced secret is still honoured, in seconds: 0 to 86,400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationGrace(u64);

impl RotationGrace {
    /// The longest grace: a day.
    pub const MAX_SECS: u64 = 86_400;

    /// A grace of `secs` seconds; `None` above [`MAX_SECS`](Self::MAX_SECS).
    #[must_use]
    pub const fn from_secs(secs: u64) -> Option<Self> {
        if secs <= Self::MAX_SECS {
            Some(Self(secs))
        } else {
            None
        }
    }
}

impl Default for RotationGrace {
    /// An hour.
    fn default() -> Self {
        Self(3_600)
    }
}

impl CredentialIssuer {
    /// An issuer whose credentials `gate` proves. `store` is the store that the gate reads, `catalog` the scopes that may
    /// be granted.
    #[must_use]
    pub fn new(
        gate: Gate,
        store: Arc<dyn CredentialStore>,
        catalog: Arc<ScopeCatalog>,
        audit: Arc<dyn AuditSink>,
    ) -> Self {
        Self {
            gate,
            store,
            catalog,
            audit,
        }
    }

    /// Mints and stores a credential that can do no more than `authority` allows.
    ///
    /// # Errors
    /// `invalid_scope` for scopes that the catalog does not know, `insufficient_scope` for scopes that the minter lacks
    /// and for a tenant or an account that is not theirs, `validation_error` for an expiry that has passed,
    /// `temporarily_unavailable` when the store or the hashing pool cannot answer, `internal_error` for a brand that no
    /// format has or whose secrets hold no id, and when the system gives no random bytes.
    pub async fn mint(
        &self,
        request: MintRequest,
        authority: &Authority,
    ) -> Result<MintedCredential, AuthError> {
        self.mint_named(request, authority, None).await
    }

    /// [`mint`](Self::mint) for a secret that may hold no id: its id then begins with `id_prefix`.
    pub(crate) async fn mint_named(
        &self,
        request: MintRequest,
        authority: &Authority,
        id_prefix: Option<&str>,
    ) -> Result<MintedCredential, AuthError> {
        let format = self.format(&request.brand)?;
        let scopes = authority
            .reaches(&request.tenant, &request.owner)
            .and_then(|()| authority.grant(&request.scopes, &self.catalog))
            .map_err(|error| self.denied(error, &request.tenant, authority, None))?;
        let now = self.now();
        let expires_at = authority.expiry(request.expires_at);
        if expires_at.is_some_and(|end| end <= now) {
            return Err(AuthError::new(ErrorCode::ValidationError)
                .with_message("The expiry is not in the future"));
        }
        for _ in 0..MAX_ID_TRIES {
            let minted = format.mint().map_err(internal)?;
            let id = match id_prefix.filter(|_| !format.has_id()) {
                None => minted.public_id,
                Some(prefix) => {
                    let random = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH);
                    format!("{prefix}_{}", random.map_err(internal)?)
                }
            };
            let id = CredentialId::new(id).map_err(internal)?;
            let secret = self.stored(&minted.secret).await?;
            let mut new = NewCredential::new(
                format.kind(),
                id.clone(),
                request.tenant.clone(),
                request.owner.clone(),
                secret,
                now,
            );
            new.name.clone_from(&request.name);
            new.scopes.clone_from(&scopes);
            new.expires_at = expires_at;
            let inserted = self.store.insert(new).await.map_err(store_failed)?;
            if self.gate.changes().publish(inserted) == InsertOutcome::Inserted {
                self.tell(
                    AuditKind::Minted,
                    now,
                    &request.tenant,
                    Some(&request.owner),
                    id.as_str(),
                );
                return Ok(MintedCredential {
                    id,
                    secret: minted.secret,
                    scopes,
                    created_at: now,
                    expires_at,
                });
            }
        }
        Err(AuthError::new(ErrorCode::InternalError))
    }

    /// Gives the tenant's credential a new secret. The one it replaces is honoured for the grace, but never past the
    /// credential's own expiry; every older one ends now.
    ///
    /// Whoever rotates a credential gets to see its secret, so it is refused to those who could not have minted it.
    ///
    /// # Errors
    /// `not_found` where the tenant has no such credential, `insufficient_scope` where `authority` holds in another tenant
    /// or the credential can do more than it or outlives it, `conflict` where it is revoked or expired,
    /// `temporarily_unavailable` when the store or the hashing pool cannot answer, `internal_error` for a brand that no
    /// format has.
    pub async fn rotate(
        &self,
        brand: &str,
        tenant: &TenantId,
        id: &str,
        grace: RotationGrace,
        authority: &Authority,
    ) -> Result<RotatedCredential, AuthError> {
        let format = self.format(brand)?;
        let not_found = || AuthError::new(ErrorCode::NotFound);
        if !authority.holds_in(tenant) {
            return Err(self.denied(Cause::ForeignTenant.into(), tenant, authority, Some(id)));
        }
        // An id that is not of this format names nothing here.
        let within = if format.has_id() { id } else { "" };
        let minted = format
            .mint_secret_for(within)
            .map_err(|error| match error {
                MintError::PublicId => not_found(),
                error => internal(error),
            })?;
        // Read first, so that nothing is hashed in vain. What is looked at never changes; whether the credential still
        // lives is for the store to say.
        let record = self.store.find(format.kind(), id).await;
        let record = record
            .map_err(store_failed)?
            .filter(|record| record.tenant.id() == tenant)
            .ok_or_else(not_found)?;
        authority
            .takes_over(&record, &self.catalog)
            .map_err(|error| self.denied(error, tenant, authority, Some(id)))?;
        let ended = record.expires_at.is_some_and(|end| end <= self.now());
        if ended || record.revoked_at.is_some() {
            return Err(not_live());
        }
        let secret = self.stored(&minted.secret).await?;
        // Not before: the secret may have waited to be hashed.
        let now = self.now();
        let grace_ends_at = now.saturating_add(grace.0);
        let old_secret_ends_at = record
            .expires_at
            .map_or(grace_ends_at, |end| end.min(grace_ends_at));
        let rotation = Rotation::new(secret, old_secret_ends_at, now);
        let told = self.tell_if_dropped(format.kind(), id);
        let rotated = self
            .store
            .rotate(tenant, format.kind(), id, rotation)
            .await
            .map_err(store_failed)?;
        let rotated = self.gate.changes().publish(rotated);
        told.done();
        match rotated {
            RotateOutcome::Rotated => {
                self.tell(AuditKind::Rotated, now, tenant, authority.user(), id);
                Ok(RotatedCredential {
                    secret: minted.secret,
                    old_secret_ends_at,
                })
            }
            RotateOutcome::NotFound => Err(not_found()),
            _ => Err(not_live()),
        }
    }

    /// Revokes the tenant's credential. Every request that starts after this returns is refused. Revoking it again
    /// changes nothing.
    ///
    /// Run it to its end: when its future is dropped, as by a caller who hangs up, it is not known whether the
    /// credential was revoked.
    ///
    /// # Errors
    /// `not_found` where the tenant has no such credential, `temporarily_unavailable` when the store cannot answer.
    pub async fn revoke(
        &self,
        kind: SecretKind,
        tenant: &TenantId,
        id: &str,
        by: Option<&UserId>,
    ) -> Result<(), AuthError> {
        let now = self.now();
        let told = self.tell_if_dropped(kind, id);
        let revoked = self
            .store
            .revoke(tenant, kind, id, now)
            .await
            .map_err(store_failed)?;
        let revoked = self.gate.changes().publish(revoked);
        told.done();
        match revoked {
            RevokeOutcome::Revoked => {
                self.tell(AuditKind::Revoked, now, tenant, by, id);
                Ok(())
            }
            RevokeOutcome::AlreadyRevoked => Ok(()),
            _ => Err(AuthError::new(ErrorCode::NotFound)),
        }
    }

    pub(crate) const fn gate(&self) -> &Gate {
        &self.gate
    }

    fn now(&self) -> Timestamp {
        self.gate.clock().now()
    }

    /// Has the caches forget the credential when the store's answer is an error, or is not waited for: the change may
    /// have been committed all the same.
    fn tell_if_dropped(&self, kind: SecretKind, id: &str) -> TellOnDrop<'_> {
        TellOnDrop::new(self.gate.changes(), ChangeKey::Credential(kind, id.into()))
    }

    pub(crate) fn format(&self, brand: &str) -> Result<&SecretFormat, AuthError> {
        self.gate
            .formats()
            .format(brand)
            .ok_or_else(|| AuthError::new(ErrorCode::InternalError))
    }

    /// The secret as it is kept: its hash and its guard tag.
    async fn stored(&self, secret: &Secret) -> Result<StoredSecret, AuthError> {
        let text = secret.expose().as_bytes();
        let hash = self
            .gate
            .hash_pool()
            .hash(text)
            .map_err(|_full| hash_overload(Cause::HashQueueFull))?
            .await
            .ok_or_else(|| hash_overload(Cause::HashWorkerLost))?;
        Ok(StoredSecret::new(
            hash,
            Some(self.gate.tag_keys().tag(text)),
        ))
    }

    /// Tells the audit of somebody who asked for more than they may pass on, and answers the refusal.
    fn denied(
        &self,
        error: AuthError,
        tenant: &TenantId,
        authority: &Authority,
        target: Option<&str>,
    ) -> AuthError {
        if error.code() == ErrorCode::InsufficientScope {
            let mut event = AuditEvent::new(AuditKind::Denied, self.now())
                .tenant(tenant.clone())
                .because(error.cause().unwrap_or(Cause::MissingScope));
            if let Some(user) = authority.user() {
                event = event.subject(Subject::User(user.clone()));
            }
            if let Some(id) = target {
                event = event.target(id);
            }
            self.audit.record(event);
        }
        error
    }

    fn tell(
        &self,
        kind: AuditKind,
        now: Timestamp,
        tenant: &TenantId,
        by: Option<&UserId>,
        target: &str,
    ) {
        let mut event = AuditEvent::new(kind, now)
            .tenant(tenant.clone())
            .target(target);
        if let Some(user) = by {
            event = event.subject(Subject::User(user.clone()));
        }
        self.audit.record(event);
    }
}

impl fmt::Debug for CredentialIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialIssuer").finish_non_exhaustive()
    }
}

fn not_live() -> AuthError {
    AuthError::new(ErrorCode::Conflict)
        .with_message("A revoked or expired credential cannot be rotated")
}

pub(crate) fn hash_overload(cause: Cause) -> AuthError {
    AuthError::from(cause).with_retry_after(HASH_RETRY_SECS)
}

pub(crate) fn store_failed(error: StoreError) -> AuthError {
    AuthError::from(Cause::StoreUnavailable)
        .with_retry_after(STORE_RETRY_SECS)
        .with_source(error)
}

pub(crate) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> AuthError {
    AuthError::new(ErrorCode::InternalError).with_source(error)
}
