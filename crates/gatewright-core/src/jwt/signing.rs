//! One key that signs.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, Family};
use super::base64url;
use super::der::read_rsa_public_key;
use super::error::{KeyError, SignError};
use super::header::MAX_TOKEN_BYTES;
use super::json::Object;
use super::key::VerifyingKey;

/// A private key that signs tokens with exactly one algorithm. The parsed key pair is held, not its encoding.
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    pair: Pair,
    verifying: Arc<VerifyingKey>,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Box<hmac::Key>),
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'a str,
    kid: &'a str,
}

impl SigningKey {
    /// A new key. RSA keys have 2048 bits.
    ///
    /// # Errors
    ///
    /// [`KeyError::Symmetric`] for HS256, whose secret comes from the caller ([`SigningKey::hmac`]), and
    /// [`KeyError::Internal`] if the library fails.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let internal = |_| KeyError::Internal;
        let pair = match algorithm.family() {
            Family::Rsa => Pair::rsa(
                algorithm,
                RsaKeyPair::generate(KeySize::Rsa2048).map_err(internal)?,
            )?,
            Family::Ec => Pair::Ec(EcdsaKeyPair::generate(curve(algorithm)).map_err(internal)?),
            Family::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().map_err(internal)?),
            Family::Hmac => return Err(KeyError::Symmetric),
        };
        Self::from_pair(algorithm, pair)
    }

    /// A shared secret for HS256, under a name of the caller's choice: a thumbprint would help to guess it.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooSmall`] below 32 bytes.
    pub fn hmac(kid: impl Into<String>, secret: &[u8]) -> Result<Self, KeyError> {
        let kid = kid.into();
        let verifying = Arc::new(VerifyingKey::hmac(Some(&kid), secret)?);
        Ok(Self {
            kid,
            algorithm: Algorithm::Hs256,
            pair: Pair::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret))),
            verifying,
        })
    }

    /// Reads an unencrypted private key in PEM, tag `PRIVATE KEY` (RFC 7468 §10).
    ///
    /// # Errors
    ///
    /// As [`SigningKey::from_pkcs8_der`].
    pub fn from_pkcs8_pem(algorithm: Algorithm, pem: &str) -> Result<Self, KeyError> {
        let document = pem::parse(pem).map_err(|_| KeyError::Encoding)?;
        let is_pkcs8 = document.tag() == "PRIVATE KEY";
        let der = Zeroizing::new(document.into_contents());
        if !is_pkcs8 {
            return Err(KeyError::Encoding);
        }
        Self::from_pkcs8_der(algorithm, &der)
    }

    /// Reads an unencrypted PKCS#8 document (RFC 5208).
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`] if it holds no usable key of the kind that `algorithm` needs, an RSA key below 2048
    /// bits among them; [`KeyError::Symmetric`] for HS256.
    pub fn from_pkcs8_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let rejected = |_| KeyError::Encoding;
        let pair = match algorithm.family() {
            Family::Rsa => Pair::rsa(algorithm, RsaKeyPair::from_pkcs8(der).map_err(rejected)?)?,
            Family::Ec => {
                Pair::Ec(EcdsaKeyPair::from_pkcs8(curve(algorithm), der).map_err(rejected)?)
            }
            Family::Ed25519 => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der).map_err(rejected)?),
            Family::Hmac => return Err(KeyError::Symmetric),
        };
        Self::from_pair(algorithm, pair)
    }

    /// The private key as an unencrypted PKCS#8 document, for whoever stores it.
    ///
    /// # Errors
    ///
    /// [`KeyError::Symmetric`] for a shared secret, [`KeyError::Internal`] if the library fails.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let internal = |_| KeyError::Internal;
        Ok(Zeroizing::new(match &self.pair {
            Pair::Rsa(pair, _) => pair.as_der().map_err(internal)?.as_ref().to_vec(),
            Pair::Ec(pair) => pair.to_pkcs8v1().map_err(internal)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(internal)?.as_ref().to_vec(),
            Pair::Secret(_) => return Err(KeyError::Symmetric),
        }))
    }

    /// The key's name: its RFC 7638 SHA-256 thumbprint, or the caller's for a shared secret.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm that the key signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that verifies what this one signs, under the same name.
    #[must_use]
    pub fn verifying_key(&self) -> Arc<VerifyingKey> {
        Arc::clone(&self.verifying)
    }

    /// The public key as a JWK; `None` for a shared secret.
    #[must_use]
    pub fn public_jwk(&self) -> Option<Value> {
        self.verifying.public_jwk()
    }

    /// Signs `claims` as a token with this `typ`, such as `at+jwt` (RFC 9068 §2.1).
    ///
    /// # Errors
    ///
    /// [`SignError::Claims`] if the claims are not an object that a [`Verifier`](super::Verifier) could read,
    /// [`SignError::TooLong`] if the token would be longer than one reads, [`SignError::Internal`] if the library
    /// fails.
    pub fn sign<C: Serialize + ?Sized>(&self, typ: &str, claims: &C) -> Result<String, SignError> {
        let header = Header {
            alg: self.algorithm.as_str(),
            typ,
            kid: &self.kid,
        };
        let header = serde_json::to_vec(&header).map_err(|_| SignError::Internal)?;
        let payload = serde_json::to_vec(claims).map_err(|_| SignError::Claims)?;
        Object::parse(&payload).map_err(|_| SignError::Claims)?;

        // An RSA signature of 8192 bits is the longest; the common ones fit without growing.
        let mut token = String::with_capacity((header.len() + payload.len() + 256) * 4 / 3 + 8);
        base64url::encode_onto(&header, &mut token);
        token.push('.');
        base64url::encode_onto(&payload, &mut token);
        let signature = self.pair.sign(token.as_bytes())?;
        token.push('.');
        base64url::encode_onto(&signature, &mut token);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(SignError::TooLong);
        }
        Ok(token)
    }

    fn from_pair(algorithm: Algorithm, pair: Pair) -> Result<Self, KeyError> {
        let verifying = match &pair {
            Pair::Rsa(pair, _) => {
                let (n, e) =
                    read_rsa_public_key(pair.public_key().as_ref()).ok_or(KeyError::Internal)?;
                VerifyingKey::from_rsa(algorithm, None, n, e)?
            }
            Pair::Ec(pair) => {
                VerifyingKey::from_ec_point(algorithm, None, pair.public_key().as_ref())?
            }
            Pair::Ed25519(pair) => VerifyingKey::from_ed25519(None, pair.public_key().as_ref())?,
            Pair::Secret(_) => return Err(KeyError::Symmetric),
        };
        let kid = verifying.thumbprint().ok_or(KeyError::Internal)?;
        let verifying = Arc::new(verifying.named(&kid));
        Ok(Self {
            kid,
            algorithm,
            pair,
            verifying,
        })
    }
}

impl Pair {
    fn rsa(algorithm: Algorithm, pair: RsaKeyPair) -> Result<Self, KeyError> {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            Algorithm::Rs256 => &RSA_PKCS1_SHA256,
            Algorithm::Rs384 => &RSA_PKCS1_SHA384,
            Algorithm::Rs512 => &RSA_PKCS1_SHA512,
            Algorithm::Ps256 => &RSA_PSS_SHA256,
            Algorithm::Ps384 => &RSA_PSS_SHA384,
            Algorithm::Ps512 => &RSA_PSS_SHA512,
            _ => return Err(KeyError::Algorithm),
        };
        Ok(Self::Rsa(pair, encoding))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let internal = |_| SignError::Internal;
        let random = SystemRandom::new();
        Ok(match self {
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)
                    .map_err(internal)?;
                signature
            }
            Self::Ec(pair) => pair
                .sign(&random, message)
                .map_err(internal)?
                .as_ref()
                .to_vec(),
            Self::Ed25519(pair) => pair.try_sign(message).map_err(internal)?.as_ref().to_vec(),
            Self::Secret(key) => hmac::sign(key, message).as_ref().to_vec(),
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn curve(algorithm: Algorithm) -> &'static EcdsaSigningAlgorithm {
    if algorithm == Algorithm::Es384 {
        &ECDSA_P384_SHA384_FIXED_SIGNING
    } else {
        &ECDSA_P256_SHA256_FIXED_SIGNING
    }
}
