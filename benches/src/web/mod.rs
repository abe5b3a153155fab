//! The same small service in each framework: bare, behind the gate, and behind peers.
//!
//! One route, `GET /w/{workspace}/links`, that answers a word. What stands in front of it is what is measured. Answers have
//! a `content-type`, and requests come with the peer's address, as from a server: otherwise whoever is the first to put
//! something there would pay for room that every service has. Routers of axum are given their state, which is none, before
//! the first request and not on each, as `axum::serve` does it.

mod apps;
mod least;
mod rivals;
mod routers;
mod services;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;

use crate::World;
use crate::fixture::TENANT;
use gatewright_core::jwt::Algorithm;

pub use apps::{app_bare, app_decoding, app_gated, app_request, app_routes};
pub use least::least;
pub use rivals::{
    axum_jwt_auth, axum07_bare, axum07_request, jwt_authorizer, oauth_resource_server,
};
pub use routers::{bare, decoding, guarded, hashing};
pub use services::{BoxedBody, service_bare, service_gated, service_request};

/// The route, as axum 0.8 and actix-web write it.
pub const ROUTE: &str = "/w/{workspace}/links";

/// What every service answers.
pub const ANSWER: &str = "the links of a workspace\n";

/// The socket's other end.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 4711);

/// The path that is called.
#[must_use]
pub fn path() -> String {
    format!("/w/{TENANT}/links")
}

/// A credential as a client presents it.
#[derive(Clone)]
pub struct Presented {
    /// The field's name, in lower case.
    pub field: &'static str,
    /// The field's value.
    pub value: String,
}

impl Presented {
    /// The world's API key, in `x-api-key`.
    #[must_use]
    pub fn key(world: &World) -> Self {
        let value = world.api_key().to_owned();
        let field = "x-api-key";
        Self { field, value }
    }

    /// The world's personal access token.
    #[must_use]
    pub fn pat(world: &World) -> Self {
        Self::bearer(world.pat())
    }

    /// The world's token of this algorithm.
    #[must_use]
    pub fn jwt(world: &World, algorithm: Algorithm) -> Self {
        Self::bearer(world.jwt(algorithm))
    }

    fn bearer(text: &str) -> Self {
        let value = format!("Bearer {text}");
        let field = "authorization";
        Self { field, value }
    }

    /// The fields of a request, these among what a client of an API sends.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("host", "api.example"),
            ("user-agent", "curl/8.5.0"),
            ("accept", "*/*"),
            (self.field, &self.value),
        ]
        .into_iter()
    }

    /// The request for axum.
    ///
    /// # Panics
    ///
    /// Never: the fields are well formed.
    #[must_use]
    pub fn request(&self) -> Request<Body> {
        let mut request = Request::get(path());
        for (name, value) in self.fields() {
            request = request.header(name, value);
        }
        let request = request.extension(ConnectInfo(PEER));
        request.body(Body::empty()).expect("a request")
    }

    /// The request in the bytes of HTTP/1.1.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let fields: String = self
            .fields()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!("GET {} HTTP/1.1\r\n{fields}\r\n", path()).into()
    }
}
