//! Where a request came from.

use std::net::IpAddr;
use std::sync::Arc;

use gatewright_core::source::TrustedProxies;
use gatewright_tower::source_behind;
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

/// The address that these proxies tell of, or the peer's.
pub(crate) fn behind(proxies: Option<TrustedProxies>) -> ReadSource {
    match proxies {
        Some(proxies) => {
            Arc::new(move |parts| source_behind(&proxies, peer(parts), &parts.headers))
        }
        None => Arc::new(peer),
    }
}
