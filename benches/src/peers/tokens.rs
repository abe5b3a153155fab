//! Crates that verify tokens.

use std::rc::Rc;

use gatewright_core::jwt::Algorithm;
use jwt_authorizer::JwtAuthorizer;
use jwt_simple::prelude::{
    Duration, ECDSAP256PublicKeyLike as _, ES256PublicKey, Ed25519PublicKey,
    EdDSAPublicKeyLike as _, HS256Key, JWTClaims, MACLike as _, RS256PublicKey,
    RSAPublicKeyLike as _, VerificationOptions,
};
use serde::{Deserialize, Serialize};

use super::Call;
use crate::fixture::{AUDIENCE, Claims, ISSUER, TYP};
use crate::floor::decoded;
use crate::{World, block_on, ready};

/// `jsonwebtoken` 11 over aws-lc-rs: one `DecodingKey` and one `Validation`, made once, that allows one algorithm, asks for
/// `exp`, `nbf`, `iss`, `aud` and `sub`, and has no leeway; claims into a struct.
pub(super) fn jsonwebtoken(world: &World, algorithm: Algorithm) -> Box<dyn Fn(&str) -> Call> {
    use jsonwebtoken::{DecodingKey, Validation, decode};

    let key = match world.jwk(algorithm) {
        Some(jwk) => {
            let jwk = serde_json::from_value(jwk).expect("a JWK");
            DecodingKey::from_jwk(&jwk).expect("a key")
        }
        None => DecodingKey::from_secret(world.hs256_secret()),
    };
    let mut validation = Validation::new(match algorithm {
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        _ => jsonwebtoken::Algorithm::EdDSA,
    });
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = 0;
    let shared = Rc::new((key, validation));
    Box::new(move |token| {
        let (shared, token) = (Rc::clone(&shared), token.to_owned());
        Box::new(move || decode::<Claims>(&token, &shared.0, &shared.1).is_ok())
    })
}

/// `jwt-simple` 0.15: a key parsed once, `VerificationOptions` with issuer, audience and `typ`, no tolerance. They are
/// taken by value, so each call has a clone of them. It asks for no `exp`, `sub` or `jti`: that is done after it. Which back
/// end it has, the feature `boringssl` of this package says.
pub(super) fn jwt_simple(world: &World, algorithm: Algorithm) -> Box<dyn Fn(&str) -> Call> {
    #[derive(Deserialize, Serialize)]
    struct Private {
        client_id: String,
        scope: String,
    }

    enum Key {
        Hs256(HS256Key),
        Rs256(RS256PublicKey),
        Es256(ES256PublicKey),
        Ed25519(Ed25519PublicKey),
    }

    let member = |name: &str| {
        let jwk = world.jwk(algorithm).expect("a public key");
        decoded(jwk[name].as_str().expect("a member of the key"))
    };
    let key = match algorithm {
        Algorithm::Hs256 => Key::Hs256(HS256Key::from_bytes(world.hs256_secret())),
        Algorithm::Rs256 => {
            let key = RS256PublicKey::from_components(&member("n"), &member("e"));
            Key::Rs256(key.expect("a key"))
        }
        Algorithm::Es256 => {
            let point = [vec![4], member("x"), member("y")].concat();
            Key::Es256(ES256PublicKey::from_bytes(&point).expect("a key"))
        }
        _ => Key::Ed25519(Ed25519PublicKey::from_bytes(&member("x")).expect("a key")),
    };
    let options = VerificationOptions {
        allowed_issuers: Some([ISSUER.to_owned()].into()),
        allowed_audiences: Some([AUDIENCE.to_owned()].into()),
        required_signature_type: Some(TYP.to_owned()),
        time_tolerance: Some(Duration::from_secs(0)),
        ..VerificationOptions::default()
    };
    let shared = Rc::new((key, options));
    Box::new(move |token| {
        let (shared, token) = (Rc::clone(&shared), token.to_owned());
        Box::new(move || {
            let options = Some(shared.1.clone());
            let verified = match &shared.0 {
                Key::Hs256(key) => key.verify_token::<Private>(&token, options),
                Key::Rs256(key) => key.verify_token::<Private>(&token, options),
                Key::Es256(key) => key.verify_token::<Private>(&token, options),
                Key::Ed25519(key) => key.verify_token::<Private>(&token, options),
            };
            verified.is_ok_and(|claims: JWTClaims<Private>| {
                claims.expires_at.is_some()
                    && claims.issued_at.is_some()
                    && claims.subject.is_some()
                    && claims.jwt_id.is_some()
            })
        })
    })
}

/// `jwt-authorizer` 0.15, which is `jsonwebtoken` 9 over ring: an `Authorizer` from a key set (or a secret) in memory,
/// with `Validation` for `iss`, `aud`, `exp` and `nbf`; `check_auth`, claims into a struct.
pub(super) fn jwt_authorizer(world: &World, algorithm: Algorithm) -> Box<dyn Fn(&str) -> Call> {
    let builder = match algorithm {
        Algorithm::Hs256 => {
            let secret = std::str::from_utf8(world.hs256_secret()).expect("text");
            JwtAuthorizer::<Claims>::from_secret(secret)
        }
        _ => JwtAuthorizer::<Claims>::from_jwks_text(&world.jwks(algorithm)),
    };
    let validation = jwt_authorizer::Validation::new()
        .iss(&[ISSUER])
        .aud(&[AUDIENCE])
        .nbf(true)
        .leeway(0);
    let built = block_on(builder.validation(validation).no_refresh().build());
    let authorizer = Rc::new(built.expect("an authorizer"));
    Box::new(move |token| {
        let (authorizer, token) = (Rc::clone(&authorizer), token.to_owned());
        Box::new(move || ready(authorizer.check_auth(&token)).is_ok())
    })
}
