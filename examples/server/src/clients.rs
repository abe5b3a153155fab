//! OAuth clients of orgs: who gets tokens for itself (RFC 6749 §4.4).

use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::credential::{IdAlphabet, Secret, SecretFormat, SecretKind, random_id};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::principal::{CredentialId, Subject, TenantId, UserId};
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{CredentialStore, InsertOutcome, NewCredential, StoredSecret};
use gatewright_core::time::Timestamp;

use crate::app::App;

/// The brand of client secrets.
const BRAND: &str = "apx_secret";
/// What client ids begin with.
const ID_PREFIX: &str = "apx_client_";
/// The characters behind that: 82 random bits.
const ID_LENGTH: usize = 16;

/// A client that is to be registered. Whoever calls has checked that the minter may pass on the scopes.
pub(crate) struct NewClient {
    pub(crate) tenant: TenantId,
    pub(crate) owner: UserId,
    pub(crate) name: String,
    pub(crate) scopes: ScopeSet,
}

/// A client that was registered. The secret is here and nowhere else.
pub(crate) struct MintedClient {
    pub(crate) id: CredentialId,
    pub(crate) secret: Secret,
    pub(crate) created_at: Timestamp,
}

/// Makes a client id with its secret, and stores them.
///
/// # Errors
/// `temporarily_unavailable` when the store or the hashing pool cannot answer.
pub(crate) async fn mint(app: &App, new: NewClient) -> Result<MintedClient, AuthError> {
    let gate = &app.gate;
    let id = random_id(IdAlphabet::Alphanumeric, ID_LENGTH).map_err(internal)?;
    let id = CredentialId::new(format!("{ID_PREFIX}{id}")).map_err(internal)?;
    let format = SecretFormat::unnamed(SecretKind::Client, BRAND);
    let secret = format.mint().map_err(internal)?.secret;
    let text = secret.expose().as_bytes();
    let hashing = gate.hash_pool().hash(text);
    let hash = hashing.map_err(|_full| Cause::HashQueueFull)?.await;
    let hash = hash.ok_or(Cause::HashWorkerLost)?;
    let stored = StoredSecret::new(hash, Some(gate.tag_keys().tag(text)));
    let now = gate.clock().now();
    let (tenant, owner) = (new.tenant.clone(), new.owner.clone());
    let mut record = NewCredential::new(
        SecretKind::Client,
        id.clone(),
        new.tenant,
        new.owner,
        stored,
        now,
    );
    record.name = new.name;
    record.scopes = new.scopes;
    let inserted = app.store.insert(record).await;
    let inserted =
        inserted.map_err(|error| AuthError::from(Cause::StoreUnavailable).with_source(error))?;
    if gate.changes().publish(inserted) != InsertOutcome::Inserted {
        // Of so many bits that it means that something is wrong with the system's random bytes.
        return Err(ErrorCode::InternalError.into());
    }
    app.audit.record(
        AuditEvent::new(AuditKind::Minted, now)
            .subject(Subject::User(owner))
            .tenant(tenant)
            .target(id.as_str()),
    );
    Ok(MintedClient {
        id,
        secret,
        created_at: now,
    })
}

fn internal(source: impl std::error::Error + Send + Sync + 'static) -> AuthError {
    AuthError::new(ErrorCode::InternalError).with_source(source)
}
