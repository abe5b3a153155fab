//! Key sets that somebody else publishes.

mod location;
mod policy;
mod remote;
mod sources;
mod task;

pub use policy::RefreshPolicy;
pub use remote::RemoteKeys;
pub use sources::KeySources;
