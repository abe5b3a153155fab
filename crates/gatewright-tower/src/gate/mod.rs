//! The gate as tower middleware.

mod future;
mod layer;
mod service;

pub use future::GateFuture;
pub use layer::GateLayer;
pub use service::GateService;

use std::borrow::Cow;
use std::net::IpAddr;

use http::request::Parts;

/// Reads the tenant's name from a request's head.
pub type ReadTenant = for<'a> fn(&'a Parts) -> Option<Cow<'a, str>>;

/// Reads the address that a request came from.
pub type ReadSource = fn(&Parts) -> Option<IpAddr>;
