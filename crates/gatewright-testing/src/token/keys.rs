//! The keys that an authority signs with.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::jwt::{Algorithm, KeySet, LiveKeys, SigningKey};
use serde_json::{Value, json};

/// The keys of one authority, shared with what publishes them. None is made before one is needed.
#[derive(Debug)]
pub(crate) struct TestKeys {
    algorithm: Algorithm,
    /// The published ones; the last one signs.
    published: Mutex<Vec<Arc<TestKey>>>,
    live: Arc<LiveKeys>,
    foreign: OnceLock<Arc<TestKey>>,
    tokens: AtomicU64,
}

impl TestKeys {
    /// # Panics
    /// For HS256: what verifies its tokens can't be published.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        assert!(
            !algorithm.is_symmetric(),
            "an authority publishes its keys, so {algorithm} is none for it"
        );
        Self {
            algorithm,
            published: Mutex::default(),
            live: Arc::default(),
            foreign: OnceLock::new(),
            tokens: AtomicU64::new(0),
        }
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that signs.
    pub(crate) fn active(&self) -> Arc<TestKey> {
        match self.published().last() {
            Some(key) => Arc::clone(key),
            None => unreachable!("there is always one"),
        }
    }

    /// A key of the same kind that was never published.
    pub(crate) fn foreign(&self) -> Arc<TestKey> {
        let made = || Arc::new(TestKey::generate(self.algorithm));
        Arc::clone(self.foreign.get_or_init(made))
    }

    /// The published keys, as a verifier sees them; later changes show.
    pub(crate) fn live(&self) -> Arc<LiveKeys> {
        drop(self.published());
        Arc::clone(&self.live)
    }

    /// The published keys as a JWK Set (RFC 7517 §5).
    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<Value> = self.published().iter().map(|key| key.jwk()).collect();
        json!({ "keys": keys })
    }

    /// Signs with a new key from now on. Answers its `kid`.
    pub(crate) fn rotate(&self) -> String {
        let key = Arc::new(TestKey::generate(self.algorithm));
        let kid = key.kid().to_owned();
        let mut published = self.published();
        published.push(key);
        self.show(&published);
        kid
    }

    /// Publishes the key that signs, and no other.
    pub(crate) fn retire(&self) {
        let mut published = self.published();
        let before = published.len().saturating_sub(1);
        published.drain(..before);
        self.show(&published);
    }

    /// A number that no token of this authority had.
    pub(crate) fn next_token(&self) -> u64 {
        self.tokens.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn published(&self) -> MutexGuard<'_, Vec<Arc<TestKey>>> {
        let mut published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if published.is_empty() {
            published.push(Arc::new(TestKey::generate(self.algorithm)));
            self.show(&published);
        }
        published
    }

    fn show(&self, published: &[Arc<TestKey>]) {
        let keys = published.iter().map(|key| key.signing.verifying_key());
        self.live.replace(KeySet::from_keys(keys).unwrap());
    }
}

/// A key that signs whatever it is given, so that a token can break one rule and no other.
pub(crate) struct TestKey {
    signing: SigningKey,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl TestKey {
    fn generate(algorithm: Algorithm) -> Self {
        let signing = SigningKey::generate(algorithm).unwrap();
        let der = signing.to_pkcs8_der().unwrap();
        Self {
            pair: Pair::read(algorithm, &der),
            signing,
        }
    }

    pub(super) fn kid(&self) -> &str {
        self.signing.kid()
    }

    pub(super) fn jwk(&self) -> Value {
        self.signing.public_jwk().unwrap()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key as a `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    pub(super) fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match &self.pair {
            Pair::Rsa(pair, _) => pair.public_key().as_der().unwrap(),
            Pair::Ec(pair) => pair.public_key().as_der().unwrap(),
            Pair::Ed25519(pair) => pair.public_key().as_der().unwrap(),
        };
        der.as_ref().to_vec()
    }

    /// The public key as a text (RFC 7468 §13), just as `openssl` writes it.
    pub(super) fn public_pem(&self) -> String {
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for (index, character) in STANDARD.encode(self.public_der()).chars().enumerate() {
            if index != 0 && index % 64 == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push_str("\n-----END PUBLIC KEY-----\n");
        pem
    }
}

impl fmt::Debug for TestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.signing.fmt(f)
    }
}

impl Pair {
    fn read(algorithm: Algorithm, der: &[u8]) -> Self {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            Algorithm::Es256 => {
                let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
                return Self::Ec(EcdsaKeyPair::from_pkcs8(curve, der).unwrap());
            }
            Algorithm::Es384 => {
                let curve = &ECDSA_P384_SHA384_FIXED_SIGNING;
                return Self::Ec(EcdsaKeyPair::from_pkcs8(curve, der).unwrap());
            }
            Algorithm::EdDsa => return Self::Ed25519(Ed25519KeyPair::from_pkcs8(der).unwrap()),
            Algorithm::Rs256 => &RSA_PKCS1_SHA256,
            Algorithm::Rs384 => &RSA_PKCS1_SHA384,
            Algorithm::Rs512 => &RSA_PKCS1_SHA512,
            Algorithm::Ps256 => &RSA_PSS_SHA256,
            Algorithm::Ps384 => &RSA_PSS_SHA384,
            Algorithm::Ps512 => &RSA_PSS_SHA512,
            _ => unreachable!("the authority was refused this algorithm"),
        };
        Self::Rsa(RsaKeyPair::from_pkcs8(der).unwrap(), encoding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_core::jwt::VerifyingKey;

    const ALL: [Algorithm; 4] = [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];

    #[test]
    fn the_public_text_is_the_key_that_verifies() {
        for algorithm in ALL {
            let key = TestKey::generate(algorithm);
            let read = VerifyingKey::from_spki_pem(algorithm, None, &key.public_pem()).unwrap();
            assert!(
                read.verify(b"message", &key.sign(b"message")),
                "{algorithm}"
            );
        }
    }

    #[test]
    fn an_old_key_is_published_until_it_is_retired() {
        let keys = TestKeys::new(Algorithm::EdDsa);
        let (live, old) = (keys.live(), keys.active());
        let new = keys.rotate();
        assert_ne!(old.kid(), new);
        assert_eq!((live.load().len(), keys.active().kid()), (2, &*new));
        assert_eq!(keys.jwks()["keys"][0]["kid"], old.kid());
        keys.retire();
        let kids: Vec<_> = live
            .load()
            .iter()
            .map(|key| key.kid().map(str::to_owned))
            .collect();
        assert_eq!(kids, [Some(new)]);
        assert_eq!(keys.jwks()["keys"].as_array().unwrap().len(), 1);
    }
}
