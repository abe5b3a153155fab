//! Where a request came from.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use gatewright_tower::source_behind;

use crate::app::App;
use crate::routes::Site;

/// Where the request came from, as the gate's limits have it: the address of the socket's other end, where the server knows
/// it, or what the proxies say that it was told to believe. No other field that names an address is believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(pub(crate) Option<IpAddr>);

impl FromRequestParts<Site> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Infallible> {
        Ok(Self(source(&site.app, parts)))
    }
}

pub(crate) fn source(app: &App, parts: &Parts) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(address)| address.ip());
    match &app.proxies {
        Some(proxies) => source_behind(proxies, peer, &parts.headers),
        None => peer,
    }
}
