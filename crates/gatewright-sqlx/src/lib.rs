//! Relational stores for Gatewright: SQLite, migrations and the change feed.
//!
//! - [`SqlStore`]: every store trait of `gatewright-core` over one database; [`SqliteStore`] is the one for SQLite.
//! - [`SqliteOptions`]: how a SQLite database is opened.
//! - [`ChangeFeed`]: how a process learns what others changed, and waits until they have learned of its changes.
//! - [`Dialect`]: what a database must provide; SQLite is the one implemented.
//!
//! ```
//! use gatewright_core::credential::SecretKind;
//! use gatewright_core::hash::SecretHash;
//! use gatewright_core::principal::{CredentialId, Tenant, TenantId, TenantKind, UserId};
//! use gatewright_core::store::{
//!     Changes, CredentialStore, MembershipStore, NewCredential, RevokeOutcome, StoredSecret,
//! };
//! use gatewright_sqlx::{DEAD_AFTER, SqlStore};
//!
//! # async fn example(path: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let (store, changes) = (SqlStore::open(path).await?, Changes::new());
//! let mut feed = store.join(changes.clone()).await?;
//!
//! let (acme, alice) = (TenantId::new("ten_1")?, UserId::new("usr_1")?);
//! let workspace = TenantKind::from_static("workspace");
//! let tenant = Tenant::new(acme.clone(), workspace, "acme", "free");
//! changes.publish(store.create_tenant(tenant, &alice, "owner").await?);
//!
//! let hash: SecretHash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$\
//!             aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g".parse()?;
//! let secret = StoredSecret::new(hash, None);
//! let id = CredentialId::new("k1")?;
//! let key = NewCredential::new(SecretKind::ApiKey, id, acme.clone(), alice, secret, 1_700_000_000);
//! changes.publish(store.insert(key).await?);
//! assert!(store.find(SecretKind::ApiKey, "k1").await?.is_some());
//!
//! let revoked = store.revoke(&acme, SecretKind::ApiKey, "k1", 1_700_000_060).await?;
//! assert_eq!(changes.publish(revoked), RevokeOutcome::Revoked);
//!
//! // In a server this runs in a loop; a command line tool waits until all servers have acknowledged its change.
//! feed.poll().await?;
//! assert_eq!(store.acknowledged(DEAD_AFTER).await?, 1);
//! feed.leave().await?;
//! # Ok(())
//! # }
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("gatewright.db");
//! # let path = path.to_str().ok_or("a path in UTF-8")?;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example(path))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The service's own tables
//!
//! They may live in the same database: [`SqlStore::pool`] hands out the connections, and our migrations keep their record
//! in a table of their own, `_gatewright_migrations`. These names are taken: `tenants`, `accounts`, `memberships`,
//! `credentials`, `epochs`, `ended_sessions`, `denied_tokens`, `signing_keys`, `tag_keys`, `changes`, `nodes`, `sessions`,
//! `refresh_tokens`, `mailed_tokens`, `invites` and `linked_logins`.
//!
//! # Features
//!
//! - `sqlite` (on by default): SQLite, compiled in.

mod account;
mod credential;
mod dialect;
mod feed;
mod keys;
mod people;
#[cfg(all(test, feature = "sqlite"))]
mod plans;
mod revocation;
mod session;
mod store;
mod tenant;
mod words;

pub use dialect::Dialect;
#[cfg(feature = "sqlite")]
pub use dialect::SqliteOptions;
pub use feed::{ChangeFeed, DEAD_AFTER, HEARTBEAT};
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use store::{OpenError, SqlStore};
