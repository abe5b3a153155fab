//! actix-web: what an app is configured with.

use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::test::TestRequest;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, HttpMessage as _};
use actix_web_httpauth::extractors::AuthenticationError;
use actix_web_httpauth::extractors::bearer::{BearerAuth, Config};
use actix_web_httpauth::middleware::HttpAuthentication;
use gatewright::actix::{Authenticated, GateMiddleware, GuardedRoutes, GuardedScope};

use super::routers::Decoding;
use super::{ANSWER, PEER, Presented, ROUTE, path};
use crate::World;
use gatewright_core::jwt::Algorithm;

/// The service without anything in front of it.
pub fn app_bare(config: &mut ServiceConfig) {
    config.route(ROUTE, web::get().to(async || ANSWER));
}

/// The service behind the gate, as routes that know their policies.
///
/// # Panics
///
/// Where the route does not fit the realm.
pub fn app_routes(world: &World) -> GuardedRoutes {
    let links = gatewright::actix::get(World::links(), async |_: Authenticated| ANSWER);
    let scope = GuardedScope::new(world.gate().clone(), world.realm().clone()).route(ROUTE, links);
    let (routes, _) = scope.finish().expect("the routes fit the realm");
    routes
}

/// The service behind the gate, as middleware around a resource.
pub fn app_gated(world: &World) -> impl FnOnce(&mut ServiceConfig) {
    let middleware = GateMiddleware::new(world.gate().clone(), world.policy().clone());
    |config| {
        let links = web::resource(ROUTE).wrap(middleware);
        config.service(links.route(web::get().to(async |_: Authenticated| ANSWER)));
    }
}

/// The service behind actix-web-httpauth, whose validator decodes the token with `jsonwebtoken`.
pub fn app_decoding(world: &World, algorithm: Algorithm) -> impl FnOnce(&mut ServiceConfig) {
    let decoding = Arc::new(Decoding::new(world, algorithm));
    move |config| {
        let middleware =
            HttpAuthentication::bearer(move |request: ServiceRequest, bearer: BearerAuth| {
                let decoding = Arc::clone(&decoding);
                async move {
                    match decoding.claims(bearer.token()) {
                        Some(claims) => {
                            request.extensions_mut().insert(claims);
                            Ok(request)
                        }
                        None => {
                            let refusal = AuthenticationError::from(Config::default());
                            Err::<_, (Error, ServiceRequest)>((refusal.into(), request))
                        }
                    }
                }
            });
        let links = web::resource(ROUTE).wrap(middleware);
        config.service(links.route(web::get().to(async || ANSWER)));
    }
}

/// The request for an app.
#[must_use]
pub fn app_request(presented: &Presented) -> actix_http::Request {
    let mut request = TestRequest::get().uri(&path()).peer_addr(PEER);
    for field in presented.fields() {
        request = request.insert_header(field);
    }
    request.to_request()
}
