//! Scopes: what a credential may do, and a decision procedure for "is this enough?".
//!
//! A [`Scope`] is one or more segments of `[A-Za-z0-9_-]+` joined by `.` or `:`. A `*` may stand alone or
//! as the last segment. A scope without `*` is a *permission*, and every scope denotes a set of permissions:
//!
//! | scope | denotes | in words |
//! |---|---|---|
//! | `*`   | every permission | |
//! | `p`   | `p` itself, and every `p:q…` | a colon narrows: `mcp:call` covers `mcp:call:conn_1` |
//! | `p.*` | every `p.q…` | a dot only names: `links.read` does not cover `links.read.all` |
//! | `p:*` | every `p:q…`, not `p` itself | |
//!
//! What follows `p.` or `p:` is free: `a.*` covers `a.b:c`, and `a` covers `a:b.c`. Permissions have no
//! greatest length and there are infinitely many segments; the 256 bytes a [`Scope`] may have limit what is
//! read, not what is denoted. Two scopes therefore denote the same set only if they are the same text.
//!
//! `a` [covers](Scope::covers) `b` when all that `b` denotes is denoted by `a`. Any two scopes are nested or
//! disjoint, and no finite number of smaller scopes fills a larger one. So a [`ScopeSet`] contains a scope
//! exactly when *one* of its members covers it, and a requirement that is itself a wildcard (`analytics.*`)
//! needs no rule of its own.
//!
//! Scopes are case-sensitive ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)), and every
//! scope is a `scope-token` of that section.
//!
//! ```
//! use gatewright_core::scope::{Scope, ScopeSet};
//!
//! let granted = ScopeSet::parse("links.* mcp:call")?;
//! const READ: Scope = Scope::from_static("links.read");
//!
//! assert!(granted.allows(&READ));
//! assert!(granted.allows(&"mcp:call:conn_1".parse()?));
//! assert!(!granted.allows(&"mcp".parse()?));
//!
//! let required = ScopeSet::parse("links.write analytics.* analytics.export")?;
//! assert_eq!(granted.missing(&required).to_string(), "analytics.*");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod catalog;
mod marker;
mod set;
mod syntax;
mod wire;

pub use catalog::{CatalogError, CatalogMistake, ScopeCatalog, ScopeCatalogBuilder, UnknownScopes};
pub use marker::ScopeMarker;
pub use set::{ScopeSet, ScopeSetError};
pub use syntax::{Scope, ScopeError};
