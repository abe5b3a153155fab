//! How a presented secret is compared with what is stored, from the dearest way to the cheapest.
//!
//! - [`HashPool`]: argon2id on a fixed number of threads with a bounded queue; [`Argon2Settings`] for new hashes,
//!   [`Phc`] for stored ones, capped before anything is allocated;
//! - [`SecretHash`]: what stands in a record, argon2id or an [`ImportedHash`] that the first use replaces;
//! - [`Passwords`]: a pool of its own for passwords, where an unknown account costs what a wrong password costs;
//! - [`TagKeys`], [`GuardTag`]: 16 bits of a keyed hash, kept beside the argon2 hash, that stop nearly every wrong
//!   secret before argon2;
//! - [`ProofKey`], [`ProofDigest`]: what memory keeps of a secret that argon2 has accepted.
//!
//! ```
//! use gatewright_core::hash::{Argon2Settings, HashPool, PoolConfig};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = HashPool::start(PoolConfig::new(Argon2Settings::default()))?;
//! let stored = pool.hash(b"tnx_a1b2c3d4_the-secret")?.await.ok_or("the pool failed")?;
//!
//! assert_eq!(pool.verify(&stored, b"tnx_a1b2c3d4_the-secret")?.await, Some(true));
//! assert_eq!(pool.verify(&stored, b"tnx_a1b2c3d4_another")?.await, Some(false));
//! # Ok(())
//! # }
//! ```

mod answer;
#[cfg(feature = "bcrypt")]
mod bcrypt;
mod imported;
mod passwords;
mod phc;
mod pool;
mod proof;
mod settings;
mod stored;
mod tag;
mod worker;

pub use answer::Answer;
pub use imported::{ImportError, ImportedHash};
pub use passwords::{MAX_PASSWORD_LENGTH, PasswordError, Passwords};
pub use phc::{Phc, PhcError};
pub use pool::{HashPool, HashStats, PoolConfig, PoolError, QueueFull};
pub use proof::{ProofDigest, ProofKey};
pub use settings::{Argon2Settings, SettingsError};
pub use stored::{SecretHash, SecretHashError};
pub use tag::{GuardTag, KeyError, TagKey, TagKeys, TagVerdict};
