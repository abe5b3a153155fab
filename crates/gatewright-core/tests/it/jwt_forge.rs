//! Signs anything, so that a test can break one rule and no other.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::jwt::{Algorithm, KeySet, Verifier, VerifierBuilder, VerifyingKey};

pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const AUDIENCE: &str = "https://api.example";
pub(crate) const NOW: u64 = 1_000;

pub(crate) const HEADER: &str = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;
pub(crate) const CLAIMS: &str = r#"{"iss":"https://idp.example","aud":"https://api.example","exp":2000,"iat":900,"sub":"u","client_id":"c","jti":"j"}"#;

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A key named `k` and the set that holds it.
pub(crate) struct Forge {
    pair: Ed25519KeyPair,
    pub(crate) keys: KeySet,
}

impl Forge {
    pub(crate) fn new() -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let jwk = format!(
            r#"{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{}"}}"#,
            b64(pair.public_key())
        );
        let key = VerifyingKey::from_jwk(jwk).unwrap();
        Self {
            pair,
            keys: KeySet::from_keys([key]).unwrap(),
        }
    }

    pub(crate) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.sign_segments(&b64(header), &b64(payload))
    }

    pub(crate) fn sign_segments(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        let signature = b64(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    pub(crate) fn with_claims(&self, payload: &str) -> String {
        self.sign(HEADER, payload)
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}

pub(crate) fn rules() -> VerifierBuilder {
    Verifier::builder(ISSUER, AUDIENCE).algorithms([Algorithm::EdDsa])
}
