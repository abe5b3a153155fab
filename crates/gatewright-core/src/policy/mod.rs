//! Who may call what: a policy is declared beside its route, compiled when the router is built, and judged on
//! every request without allocating.
//!
//! ```
//! use gatewright_core::policy::Policy;
//!
//! let read_links = Policy::pat()
//!     .scope("links.read")
//!     .or(Policy::jwt().role("operator"))
//!     .tenant_from("handle");
//! ```
//!
//! A malformed scope or an unknown role in a policy stops the router from being built; no request meets it.

mod compiled;
mod declared;
mod grants;
mod live;
mod path;
mod plan;
mod query;
mod realm;
mod route;

pub use compiled::{CompiledPolicy, Compiler, QueryTenant};
pub(crate) use compiled::{Shortfall, Standing};
pub use declared::{Policy, PolicyError};
pub(crate) use grants::Grants;
pub use live::{ForeignPolicy, LivePolicy};
pub use plan::{Plans, PlansBuilder};
pub use realm::{Limits, Realm, RealmBuilder, TokenTrust};
pub use route::{
    RouteAlternative, RouteError, RouteErrors, RouteRow, RouteTable, RouteTableBuilder, allowed,
};
