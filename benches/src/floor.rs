//! What the signature alone costs: the same bytes under the same key, by aws-lc-rs and nothing else.
//!
//! The signature is decoded and the key is parsed beforehand.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::jwt::Algorithm;
use serde_json::Value;

use crate::World;

/// A signature that is ready to be verified.
pub struct Signed {
    message: Vec<u8>,
    signature: Vec<u8>,
    key: Key,
}

enum Key {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl Signed {
    /// The signature of the world's token of this algorithm.
    ///
    /// # Panics
    ///
    /// For an algorithm that the world has no key of.
    #[must_use]
    pub fn of(world: &World, algorithm: Algorithm) -> Self {
        let token = world.jwt(algorithm);
        let (message, signature) = token.rsplit_once('.').expect("a token");
        let key = match world.jwk(algorithm) {
            Some(jwk) => Key::Public(parsed(algorithm, &jwk)),
            None => Key::Secret(Box::new(hmac::Key::new(
                hmac::HMAC_SHA256,
                world.hs256_secret(),
            ))),
        };
        Self {
            message: message.as_bytes().to_vec(),
            signature: decoded(signature),
            key,
        }
    }

    /// Whether the signature holds.
    #[must_use]
    pub fn verify(&self) -> bool {
        match &self.key {
            Key::Public(key) => key.verify_sig(&self.message, &self.signature).is_ok(),
            Key::Secret(key) => hmac::verify(key, &self.message, &self.signature).is_ok(),
        }
    }
}

fn parsed(algorithm: Algorithm, jwk: &Value) -> ParsedPublicKey {
    let member = |name: &str| decoded(jwk[name].as_str().expect("a member of the key"));
    match algorithm {
        Algorithm::Rs256 => {
            let (n, e) = (member("n"), member("e"));
            let components = RsaPublicKeyComponents { n: &n, e: &e };
            components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
        Algorithm::Es256 => {
            let point = [vec![4], member("x"), member("y")].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
        }
        _ => ParsedPublicKey::new(&ED25519, member("x")),
    }
    .expect("a public key")
}

/// Bytes in base64url.
#[must_use]
pub fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
