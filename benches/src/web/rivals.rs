//! The layers and extractors of peers for axum, with RS256, which all of them take.

use std::sync::Arc;

use ::jwt_authorizer::{IntoLayer as _, JwtAuthorizer, JwtClaims};
use ::oauth_resource_server::axum::AuthLayer;
use ::oauth_resource_server::{AuthorizedToken, KeyNaming, OAuthConfig, OAuthValidator};
use axum::Router;
use axum::routing::get;
use axum_jwt_auth::{Decoder, LocalDecoder};
use jsonwebtoken10::{DecodingKey, Validation};

use super::{ANSWER, PEER, Presented, ROUTE, path};
use crate::World;
use crate::fixture::{AUDIENCE, Claims, ISSUER, SCOPE};
use gatewright_core::jwt::Algorithm;

/// axum-jwt-auth: the extractor `Claims` over a key in memory.
///
/// # Panics
///
/// Where it can't be set up.
pub fn axum_jwt_auth(world: &World) -> Router {
    let jwk = world.jwk(Algorithm::Rs256).expect("a public key");
    let jwk = serde_json::from_value(jwk).expect("a JWK");
    let key = DecodingKey::from_jwk(&jwk).expect("a key");
    let mut validation = Validation::new(jsonwebtoken10::Algorithm::RS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = 0;
    let decoder = LocalDecoder::builder()
        .keys(vec![key])
        .validation(validation);
    let decoder: Decoder<Claims> = Arc::new(decoder.build().expect("a decoder"));
    let links = get(async |_: ::axum_jwt_auth::Claims<Claims>| ANSWER);
    Router::new().route(ROUTE, links).with_state(decoder)
}

/// oauth-resource-server: its layer over a key set in memory, and its extractor.
///
/// # Panics
///
/// Where it can't be set up.
pub fn oauth_resource_server(world: &World) -> Router {
    let config = OAuthConfig {
        enabled: true,
        issuer: ISSUER.into(),
        jwks_uri: Some(format!("{ISSUER}/jwks.json")),
        audience: AUDIENCE.into(),
        resource: AUDIENCE.into(),
        required_scope: Some(SCOPE.into()),
        algorithms: vec!["RS256".into()],
        leeway_secs: 0,
        require_at_jwt: true,
        ..OAuthConfig::default()
    };
    let config = config
        .resolve(KeyNaming::Dotted("oauth"))
        .expect("a right configuration");
    let validator = OAuthValidator::builder(&config.expect("it is enabled"))
        .initial_jwks(&world.jwks(Algorithm::Rs256))
        .build();
    let layer = AuthLayer::builder().oauth(Arc::new(validator.expect("a validator")));
    let links = get(async |_: AuthorizedToken| ANSWER);
    Router::new()
        .route(ROUTE, links)
        .route_layer(layer.build().expect("a layer"))
        .with_state(())
}

/// The service without anything in front of it, in the axum that jwt-authorizer is for.
pub fn axum07_bare() -> axum07::Router {
    axum07::Router::new()
        .route(ROUTE07, axum07::routing::get(|| async { ANSWER }))
        .with_state(())
}

/// jwt-authorizer: its layer over a key set in memory, and its extractor.
///
/// # Panics
///
/// Where it can't be set up.
pub async fn jwt_authorizer(world: &World) -> axum07::Router {
    let validation = ::jwt_authorizer::Validation::new()
        .iss(&[ISSUER])
        .aud(&[AUDIENCE])
        .nbf(true)
        .leeway(0);
    let authorizer = JwtAuthorizer::<Claims>::from_jwks_text(&world.jwks(Algorithm::Rs256))
        .validation(validation)
        .no_refresh()
        .build()
        .await;
    let links = axum07::routing::get(|_: JwtClaims<Claims>| async { ANSWER });
    axum07::Router::new()
        .route(ROUTE07, links)
        .layer(authorizer.expect("an authorizer").into_layer())
        .with_state(())
}

/// The request for that axum.
///
/// # Panics
///
/// Never: the fields are well formed.
#[must_use]
pub fn axum07_request(presented: &Presented) -> axum07::http::Request<axum07::body::Body> {
    let mut request = axum07::http::Request::get(path());
    for (name, value) in presented.fields() {
        request = request.header(name, value);
    }
    request
        .extension(axum07::extract::ConnectInfo(PEER))
        .body(axum07::body::Body::empty())
        .expect("a request")
}

/// The route, as axum 0.7 writes it.
const ROUTE07: &str = "/w/:workspace/links";
