//! Other crates at the same work: each verifies the world's own tokens, under the same keys, and checks the same claims.
//!
//! `iss`, `aud`, `exp` and `nbf` are checked without leeway, and `sub`, `iat`, `jti`, `client_id` and `scope` have to be
//! there; where a crate does not ask for one of these by itself, its caller does, as a service would. Each is set up once
//! and in the way that its documentation recommends; what that is stands at the function that does it. The smoke test of
//! the benchmark shows that each refuses what it should.
//!
//! What is left out: HS256 for `oauth-resource-server` and `huskarl-resource-server`, which refuse shared secrets for
//! access tokens on purpose. `axum-jwt-auth` and `actix-web-httpauth` are middleware and measured as such.

mod opaque;
mod resource_servers;
mod tokens;

use gatewright_core::jwt::Algorithm;

use crate::World;
use crate::fixture::TYP;

/// Asks a peer; answers whether it accepts.
pub type Call = Box<dyn Fn() -> bool>;

/// Makes the call for a credential.
type Prepare = Box<dyn Fn(&str) -> Call>;

/// One crate at one task.
pub struct Row {
    /// What the result is called.
    pub name: String,
    /// What the crate accepts.
    pub credential: String,
    /// What it has to refuse, and why.
    pub refused: Vec<(&'static str, String)>,
    prepare: Prepare,
}

impl Row {
    /// The call for this credential. What a service has at hand before, such as the fields of a request, is made here.
    #[must_use]
    pub fn call(&self, credential: &str) -> Call {
        (self.prepare)(credential)
    }

    /// Checks that the crate accepts what it should and nothing else.
    ///
    /// # Panics
    ///
    /// If it doesn't.
    pub fn expect_sound(&self) {
        assert!(self.call(&self.credential)(), "{} refuses", self.name);
        for (why, refused) in &self.refused {
            assert!(!self.call(refused)(), "{} accepts {why}", self.name);
        }
    }
}

/// Every crate at every task that it can do.
#[must_use]
pub fn rows(world: &World) -> Vec<Row> {
    let mut rows = Vec::new();
    for algorithm in crate::fixture::ALGORITHMS {
        rows.push(token(
            world,
            algorithm,
            "jsonwebtoken",
            tokens::jsonwebtoken,
        ));
        rows.push(token(world, algorithm, "jwt_simple", tokens::jwt_simple));
        rows.push(token(
            world,
            algorithm,
            "jwt_authorizer",
            tokens::jwt_authorizer,
        ));
        if algorithm != Algorithm::Hs256 {
            let (oauth, huskarl) = (resource_servers::oauth, resource_servers::huskarl);
            rows.push(token(world, algorithm, "oauth_resource_server", oauth));
            rows.push(token(world, algorithm, "huskarl", huskarl));
        }
    }
    rows.push(opaque::prefixed_api_key());
    rows.push(opaque::api_keys_simplified());
    rows.push(opaque::argon2_verify());
    rows
}

/// `jsonwebtoken` alone, with this world's token: to set up every crate takes valgrind long.
#[must_use]
pub fn jsonwebtoken(world: &World, algorithm: Algorithm) -> Call {
    tokens::jsonwebtoken(world, algorithm)(world.jwt(algorithm))
}

fn token(
    world: &World,
    algorithm: Algorithm,
    name: &str,
    prepare: fn(&World, Algorithm) -> Prepare,
) -> Row {
    Row {
        name: format!("{name}_{}", suffix(algorithm)),
        credential: world.jwt(algorithm).to_owned(),
        refused: broken(world, algorithm),
        prepare: prepare(world, algorithm),
    }
}

/// The name of an algorithm in the names of results.
///
/// # Panics
///
/// For an algorithm that isn't measured.
#[must_use]
pub fn suffix(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Hs256 => "hs256",
        Algorithm::Rs256 => "rs256",
        Algorithm::Es256 => "es256",
        Algorithm::EdDsa => "eddsa",
        other => panic!("{other:?} is not measured"),
    }
}

/// Tokens of which one thing is wrong each.
fn broken(world: &World, algorithm: Algorithm) -> Vec<(&'static str, String)> {
    let now = world.now();
    let forged = {
        let (good, other) = (world.jwt(algorithm), world.jwts(algorithm, 1).remove(0));
        let (signed, _) = good.rsplit_once('.').expect("a token");
        let (_, signature) = other.rsplit_once('.').expect("a token");
        format!("{signed}.{signature}")
    };
    let without_subject = {
        let mut claims = serde_json::to_value(world.claims()).expect("claims");
        claims.as_object_mut().expect("an object").remove("sub");
        world.sign_as(algorithm, TYP, &claims)
    };
    let with = |edit: fn(&mut crate::fixture::Claims, u64)| {
        world.jwt_with(algorithm, |claims| edit(claims, now))
    };
    vec![
        ("another signature", forged),
        ("no subject", without_subject),
        (
            "a token that has expired",
            with(|claims, now| claims.exp = now - 5),
        ),
        (
            "a token of later",
            with(|claims, now| claims.nbf = now + 60),
        ),
        (
            "another issuer",
            with(|claims, _| claims.iss = "https://other.example".to_owned()),
        ),
        (
            "another audience",
            with(|claims, _| claims.aud = "https://other.example".to_owned()),
        ),
    ]
}
