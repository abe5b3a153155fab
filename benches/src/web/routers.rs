//! axum 0.8: bare, behind the gate, and with the work that services without one do in an extractor.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::get;
use gatewright::axum::{Authenticated, GuardedRouter};
use jsonwebtoken::{DecodingKey, Validation};

use super::{ANSWER, ROUTE};
use crate::World;
use crate::fixture::{AUDIENCE, Claims, ISSUER};
use gatewright_core::jwt::Algorithm;

/// The service without anything in front of it.
pub fn bare() -> Router {
    Router::new()
        .route(ROUTE, get(async || ANSWER))
        .with_state(())
}

/// The service behind the gate: its handler asks for the caller.
///
/// # Panics
///
/// Where the route does not fit the realm.
pub fn guarded(world: &World) -> Router {
    let links = gatewright::axum::get(World::links(), async |_: Authenticated| ANSWER);
    let router =
        GuardedRouter::new(world.gate().clone(), world.realm().clone()).route(ROUTE, links);
    let (router, _) = router.finish().expect("the routes fit the realm");
    router.with_state(())
}

/// The service that decodes the token with `jsonwebtoken` on every request.
pub fn decoding(world: &World, algorithm: Algorithm) -> Router {
    let state = Arc::new(Decoding::new(world, algorithm));
    let links = get(async |_: Decoded| ANSWER);
    Router::new().route(ROUTE, links).with_state(state)
}

/// The service that runs argon2id on every request, on the runtime's threads for blocking work.
pub fn hashing(world: &World) -> Router {
    let hash = Argon2::default().hash_password(world.api_key().as_bytes());
    let hash = hash.expect("a hash").to_string();
    let links = get(async |_: Hashed| ANSWER);
    Router::new()
        .route(ROUTE, links)
        .with_state(Arc::<str>::from(hash))
}

/// A key, and what is checked of the claims.
pub(super) struct Decoding {
    key: DecodingKey,
    validation: Validation,
}

impl Decoding {
    pub(super) fn new(world: &World, algorithm: Algorithm) -> Self {
        let (key, name) = match algorithm {
            Algorithm::Hs256 => (
                DecodingKey::from_secret(world.hs256_secret()),
                jsonwebtoken::Algorithm::HS256,
            ),
            algorithm => {
                let jwk = world.jwk(algorithm).expect("a public key");
                let name = jwk["alg"].as_str().expect("alg").parse().expect("known");
                let jwk = serde_json::from_value(jwk).expect("a JWK");
                (DecodingKey::from_jwk(&jwk).expect("a key"), name)
            }
        };
        let mut validation = Validation::new(name);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        Self { key, validation }
    }

    pub(super) fn claims(&self, token: &str) -> Option<Claims> {
        let decoded = jsonwebtoken::decode(token, &self.key, &self.validation);
        decoded.ok().map(|decoded| decoded.claims)
    }
}

struct Decoded(#[expect(dead_code, reason = "a handler would look at them")] Claims);

impl FromRequestParts<Arc<Decoding>> for Decoded {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<Decoding>,
    ) -> Result<Self, StatusCode> {
        let line = parts.headers.get("authorization");
        line.and_then(|line| line.to_str().ok()?.strip_prefix("Bearer "))
            .and_then(|token| state.claims(token))
            .map(Self)
            .ok_or(StatusCode::UNAUTHORIZED)
    }
}

struct Hashed;

impl FromRequestParts<Arc<str>> for Hashed {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<str>) -> Result<Self, StatusCode> {
        let key = parts.headers.get("x-api-key").cloned();
        let key = key.ok_or(StatusCode::UNAUTHORIZED)?;
        let hash = Arc::clone(state);
        let verified = tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(&hash).ok()?;
            let verified = Argon2::default().verify_password(key.as_bytes(), &hash);
            verified.ok()
        });
        match verified.await {
            Ok(Some(())) => Ok(Self),
            _ => Err(StatusCode::UNAUTHORIZED),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt as _;

    use super::super::{Presented, least};
    use super::*;
    use crate::block_on;

    fn status(router: Router, presented: &Presented) -> u16 {
        let answered = block_on(router.oneshot(presented.request()));
        answered.unwrap().status().as_u16()
    }

    fn wrong(presented: &Presented) -> Presented {
        let mut wrong = presented.clone();
        // Within the signature or the secret, where it does not become malformed.
        let place = wrong.value.len() - 12;
        let digit = if wrong.value.as_bytes()[place] == b'A' {
            "B"
        } else {
            "A"
        };
        wrong.value.replace_range(place..=place, digit);
        wrong
    }

    #[test]
    fn each_service_admits_what_is_measured_and_nothing_else() {
        let world = World::with_cheap_hashing(|gate| gate);
        let guarded = guarded(&world);
        for presented in [
            Presented::key(&world),
            Presented::pat(&world),
            Presented::jwt(&world, Algorithm::Rs256),
        ] {
            assert_eq!(status(bare(), &presented), 200);
            assert_eq!(status(least(), &presented), 200);
            assert_eq!(status(guarded.clone(), &presented), 200);
            assert_eq!(status(guarded.clone(), &wrong(&presented)), 401);
        }
        for algorithm in [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256] {
            let presented = Presented::jwt(&world, algorithm);
            assert_eq!(status(decoding(&world, algorithm), &presented), 200);
            assert_eq!(status(decoding(&world, algorithm), &wrong(&presented)), 401);
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let key = Presented::key(&world);
        for (presented, want) in [(key.clone(), 200), (wrong(&key), 401)] {
            let answered = runtime.block_on(hashing(&world).oneshot(presented.request()));
            assert_eq!(answered.unwrap().map(|_: Body| ()).status(), want);
        }
    }
}
