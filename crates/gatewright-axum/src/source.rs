//! Where a request came from.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;

/// Reads the source address of a request.
pub(crate) type ReadSource = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;

/// The peer's address, where the server was made with `into_make_service_with_connect_info::<SocketAddr>()`.
#[cfg(feature = "connect-info")]
pub(crate) fn peer(parts: &Parts) -> Option<IpAddr> {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;

    let ConnectInfo(address) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip())
}

/// Without axum's `ConnectInfo` no address is known.
#[cfg(not(feature = "connect-info"))]
pub(crate) fn peer(_: &Parts) -> Option<IpAddr> {
    None
}
