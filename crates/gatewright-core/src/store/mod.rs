//! What the gate reads and the service writes: records, the traits over them, and an in-memory store.
//!
//! The traits are small, one for each sort of record, object safe, and asynchronous without naming a runtime. Every
//! method that changes what a gate may have cached answers an [`Unpublished`] value: the result is inside, and
//! the only way to it is [`Changes::publish`], which makes the caches forget. So a revocation that a cache
//! outlives does not compile.

mod account;
mod changes;
mod credential;
mod keys;
mod memory;
mod page;
mod people;
mod revocation;
mod session;
mod tenant;

use std::future::Future;
use std::pin::Pin;

pub use account::{Account, AccountStore, PasswordChange};
pub use changes::{ChangeKey, Changes, Stamp, Unpublished};
pub use credential::{
    CredentialFilter, CredentialRecord, CredentialStore, InsertOutcome, NewCredential,
    RevokeOutcome, RotateOutcome, Rotation, StoredSecret, Use,
};
pub use keys::{KeyStore, StoredSigningKey, StoredTagKey};
pub use memory::MemoryStore;
pub use page::{Cursor, Page, PageRequest};
pub use people::{
    AcceptOutcome, Invite, InviteStore, LinkedLogin, LinkedLoginStore, MailedPurpose, MailedToken,
    MailedTokenStore, UnlinkOutcome,
};
pub use revocation::{RevocationStore, TokenRef, TokenStanding};
pub use session::{
    OpenOutcome, RefreshPlace, RefreshRecord, RefreshRotation, SessionFilter, SessionRecord,
    SessionStore,
};
pub use tenant::{Member, Membership, MembershipStore, RemoveOutcome, RoleOutcome, TenantRef};

/// A future that can be sent to another thread, boxed so that the store traits stay object safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a store did not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store is out of reach or overloaded; the same call may succeed later. Never an answer about a credential.
    #[error("the store is out of reach")]
    Unavailable(#[source] std::sync::Arc<dyn std::error::Error + Send + Sync>),
    /// A row holds what this version cannot read. Names the column, never its content.
    #[error("a stored record cannot be read: {0}")]
    Corrupt(&'static str),
}

impl StoreError {
    /// An [`Unavailable`](Self::Unavailable) with its cause.
    #[must_use]
    pub fn unavailable(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(std::sync::Arc::new(source))
    }
}
