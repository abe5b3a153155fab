//! Crates that are the resource server of OAuth.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::jwt::Algorithm;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use huskarl_resource_server::core::Error;
use huskarl_resource_server::core::http::{HttpClient, HttpResponse, Idempotency};
use huskarl_resource_server::core::platform::MaybeSendBoxFuture;
use huskarl_resource_server::validator::rfc9068::Rfc9068Validator;
use oauth_resource_server::{KeyNaming, OAuthConfig, OAuthValidator};

use super::Call;
use crate::fixture::{AUDIENCE, ISSUER, SCOPE};
use crate::{World, block_on, ready};

/// `oauth-resource-server` 0.4, which is `jsonwebtoken` 9 over ring: one `OAuthValidator` with its key set in memory, one
/// algorithm, `typ` and a scope that are required, no leeway; `validate`. It takes tokens without `sub` and `jti`: that they
/// are there is asked after it.
pub(super) fn oauth(world: &World, algorithm: Algorithm) -> Box<dyn Fn(&str) -> Call> {
    let config = OAuthConfig {
        enabled: true,
        issuer: ISSUER.to_owned(),
        jwks_uri: Some(format!("{ISSUER}/jwks.json")),
        audience: AUDIENCE.to_owned(),
        resource: AUDIENCE.to_owned(),
        required_scope: Some(SCOPE.to_owned()),
        algorithms: vec![algorithm.as_str().to_owned()],
        leeway_secs: 0,
        require_at_jwt: true,
        ..OAuthConfig::default()
    };
    let resolved = config.resolve(KeyNaming::Dotted("oauth"));
    let resolved = resolved.expect("a configuration").expect("it is enabled");
    let validator = OAuthValidator::builder(&resolved)
        .initial_jwks(&world.jwks(algorithm))
        .build();
    let validator = Rc::new(validator.expect("a validator"));
    Box::new(move |token| {
        let (validator, token) = (Rc::clone(&validator), token.to_owned());
        Box::new(move || {
            ready(validator.validate(&token)).is_ok_and(|token| {
                token.subject.is_some()
                    && token.issued_at.is_some()
                    && token.client_id.is_some()
                    && token.jti.is_some()
            })
        })
    })
}

/// `huskarl-resource-server` 0.11 with its native verifiers (RustCrypto): an `Rfc9068Validator` whose `JwksSource` gets the
/// set from memory, one algorithm, no leeway, no proof of possession; `validate_request` over fields that are at hand. It
/// takes tokens without `jti`, and leaves `scope` to its caller: both are asked after it.
pub(super) fn huskarl(world: &World, algorithm: Algorithm) -> Box<dyn Fn(&str) -> Call> {
    let client = InMemory(Bytes::from(world.jwks(algorithm)));
    let uri = format!("{ISSUER}/jwks.json");
    let validator = Rfc9068Validator::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .jwks_uri(uri.parse().expect("a URI"))
        .jwks_source(client)
        .allowed_signing_algorithms(vec![algorithm.as_str().to_owned()])
        .clock_leeway(Duration::ZERO)
        .build();
    let validator = Rc::new(block_on(validator).expect("a validator"));
    Box::new(move |token| {
        let validator = Rc::clone(&validator);
        let mut fields = HeaderMap::new();
        let value = format!("Bearer {token}").parse().expect("a field's value");
        fields.insert(AUTHORIZATION, value);
        let uri = Uri::from_static("/acme/links");
        Box::new(move || {
            let answer = ready(validator.validate_request(&fields, &Method::GET, &uri, None));
            answer.outcome.is_ok_and(|request| {
                request
                    .is_some_and(|request| request.jti.is_some() && request.claims.scope.is_some())
            })
        })
    })
}

/// Answers every request with this document.
struct InMemory(Bytes);

impl HttpClient for InMemory {
    fn execute(
        &self,
        _: Request<Bytes>,
        _: Idempotency,
    ) -> MaybeSendBoxFuture<'_, Result<HttpResponse, Error>> {
        let body = self.0.clone();
        Box::pin(async move {
            Ok(HttpResponse {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body,
            })
        })
    }
}
