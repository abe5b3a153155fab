//! Who is calling, once that is proven.
//!
//! A [`Principal`] is what a proven credential says about its holder. Only the gate makes a
//! [`Verified<Principal>`], so a function that takes one cannot be called for a caller nobody verified.

mod id;
mod identity;
mod tenancy;
mod verified;
mod visitor;

pub use id::{CredentialId, ExternalId, IdError, SessionId, TenantId, UserId};
pub use identity::{ExternalSubject, Identity, Mode, Principal, Subject};
pub use tenancy::{Tenancy, Tenant, TenantKind};
pub use verified::Verified;
pub use visitor::VisitorId;
