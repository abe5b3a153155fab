//! Key sets that somebody else publishes.

mod location;
mod policy;
mod remote;
mod sources;
mod task;

pub(crate) use location::Issuer;
pub use policy::RefreshPolicy;
pub use remote::RemoteKeys;
pub use sources::KeySources;
