//! Roles: an ordered ladder of names, and the permissions that each carries.
//!
//! A higher role carries all that the lower ones do. A role above a whole product, such as a platform
//! administrator, is simply the last rung.
//!
//! ```
//! use gatewright_core::role::Roles;
//! use gatewright_core::scope::ScopeSet;
//!
//! let roles = Roles::builder()
//!     .role("creator", ScopeSet::parse("links.read")?)
//!     .role("operator", ScopeSet::parse("links.write")?)
//!     .role("owner", ScopeSet::parse("billing.*")?)
//!     .build()?;
//!
//! assert!(roles.at_least("owner", "operator"));
//! assert!(!roles.at_least("creator", "operator"));
//! assert!(!roles.at_least("Owner", "creator"));
//!
//! let operator = roles.rank("operator").ok_or("no such role")?;
//! assert_eq!(roles.permissions(operator).to_string(), "links.read links.write");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ladder;
mod name;

pub use ladder::{RoleMistake, RoleRank, Roles, RolesBuilder, RolesError};
pub use name::{Role, RoleError};
