//! One key that verifies, for one algorithm.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, RsaSubjectPublicKey,
};
use serde_json::{Value, json};

use super::algorithm::{Algorithm, Family};
use super::base64url;
use super::der::read_rsa_public_key;
use super::error::KeyError;
use super::header;
use super::jwk;
use super::verifier::TypRule;

/// The least length of an HMAC secret: that of the hash (RFC 7518 §3.2).
const MIN_SECRET_BYTES: usize = 32;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// The library takes public exponents of up to 33 bits.
const MAX_EXPONENT_BYTES: usize = 5;
/// Longer headers are read anew each time.
const MAX_KNOWN_HEADER_CHARS: usize = 512;

/// A key that verifies signatures of exactly one algorithm (RFC 8725 §3.1).
pub struct VerifyingKey {
    kid: Option<Box<str>>,
    algorithm: Algorithm,
    material: Material,
    /// Of the first token that the key verified.
    header: OnceLock<KnownHeader>,
}

/// A header that was read and found in order. Issuers write the same one into every token of a key.
struct KnownHeader {
    /// As it stands in tokens.
    segment: Box<str>,
    typ: Option<Box<str>>,
}

enum Material {
    Public {
        key: ParsedPublicKey,
        members: Members,
    },
    Secret(Box<hmac::Key>),
}

/// The members of a JWK that are the key itself, in base64url (RFC 7638 §3.2).
enum Members {
    Rsa {
        n: String,
        e: String,
    },
    Ec {
        crv: &'static str,
        x: String,
        y: String,
    },
    Ed25519 {
        x: String,
    },
}

impl VerifyingKey {
    /// Reads a public JWK (RFC 7517). Without `alg` an RSA key is for RS256, the others for the algorithm of their
    /// curve; [`VerifyingKey::from_jwk_for`] says otherwise.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] for a key that is malformed, unsupported, too small or too large, not meant for verifying
    /// (`use`, `key_ops`, `alg`), private, or a shared secret: those are given to [`VerifyingKey::hmac`] only.
    pub fn from_jwk(jwk: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        jwk::parse(jwk.as_ref(), None)
    }

    /// Reads a public JWK as a key for `algorithm`.
    ///
    /// # Errors
    ///
    /// As [`VerifyingKey::from_jwk`], and [`KeyError::Algorithm`] if the JWK is for another one.
    pub fn from_jwk_for(algorithm: Algorithm, jwk: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        jwk::parse(jwk.as_ref(), Some(algorithm))
    }

    /// Reads a public key in PEM: `PUBLIC KEY` (RFC 7468 §13), or `RSA PUBLIC KEY` (RFC 8017 §A.1.1).
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`] if it is neither or of another kind than `algorithm` needs, [`KeyError::TooSmall`],
    /// [`KeyError::TooLarge`] and [`KeyError::Invalid`] for what it holds, [`KeyError::Symmetric`] for HS256.
    pub fn from_spki_pem(
        algorithm: Algorithm,
        kid: Option<&str>,
        pem: &str,
    ) -> Result<Self, KeyError> {
        let document = pem::parse(pem).map_err(|_| KeyError::Encoding)?;
        let family = algorithm.family();
        match (document.tag(), family) {
            (_, Family::Hmac) => return Err(KeyError::Symmetric),
            ("PUBLIC KEY", _) | ("RSA PUBLIC KEY", Family::Rsa) => {}
            _ => return Err(KeyError::Encoding),
        }
        let der = document.contents();
        let kid = kid.map(Box::from);
        if family == Family::Rsa {
            let key = RsaSubjectPublicKey::from_der(der).map_err(|_| KeyError::Encoding)?;
            let (n, e) = read_rsa_public_key(key.as_ref()).ok_or(KeyError::Encoding)?;
            return Self::from_rsa(algorithm, kid, n, e);
        }
        let parsed = match algorithm {
            Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der),
            Algorithm::Es384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, der),
            _ => ParsedPublicKey::new(&ED25519, der),
        }
        .map_err(|_| KeyError::Encoding)?;
        // SubjectPublicKeyInfo ends in the bits of the key.
        let spki = parsed.as_der().map_err(|_| KeyError::Internal)?;
        let tail = |length: usize| {
            let spki = spki.as_ref();
            spki.len()
                .checked_sub(length)
                .and_then(|start| spki.get(start..))
        };
        match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => {
                let point = tail(1 + 2 * coordinate_bytes(algorithm)).ok_or(KeyError::Encoding)?;
                Self::from_ec_point(algorithm, kid, point)
            }
            _ => Self::from_ed25519(kid, tail(32).ok_or(KeyError::Encoding)?),
        }
    }

    /// A shared secret for HS256. Whoever holds it can also sign.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooSmall`] below 32 bytes.
    pub fn hmac(kid: Option<&str>, secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::TooSmall);
        }
        Ok(Self {
            kid: kid.map(Box::from),
            algorithm: Algorithm::Hs256,
            material: Material::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret))),
            header: OnceLock::new(),
        })
    }

    /// The key's name within its set.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm that the key is used with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` over `message` holds.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Public { key, .. } => key.verify_sig(message, signature).is_ok(),
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }

    /// Remembers the header of a token that this key verified and that names it, if there is none yet and it is not long. Written
    /// once in the key's life, so that to look at it costs no core anything.
    #[inline]
    pub(super) fn remember_header(&self, segment: &str) {
        if self.header.get().is_none() && segment.len() <= MAX_KNOWN_HEADER_CHARS {
            self.learn_header(segment);
        }
    }

    #[cold]
    fn learn_header(&self, segment: &str) {
        let Some(header) = base64url::decode(segment) else {
            return;
        };
        let Ok(header) = header::read(&header, &TypRule::Any) else {
            return;
        };
        // The name is unique in every set; without it, which key is meant depends on the set.
        if header.kid.as_deref() == self.kid()
            && header.kid.is_some()
            && header.algorithm == self.algorithm
        {
            self.header.get_or_init(|| KnownHeader {
                segment: segment.into(),
                typ: header.typ.as_deref().map(Box::from),
            });
        }
    }

    /// The `typ` of the header that is remembered, if that is this one.
    #[inline]
    pub(super) fn known_header(&self, segment: &str) -> Option<Option<&str>> {
        let known = self.header.get()?;
        (*known.segment == *segment).then_some(known.typ.as_deref())
    }

    /// The public JWK with `use`, `alg` and `kid`; `None` for a shared secret, which is never shown.
    #[must_use]
    pub fn public_jwk(&self) -> Option<Value> {
        let Material::Public { members, .. } = &self.material else {
            return None;
        };
        let mut jwk = members.to_value();
        if let Some(object) = jwk.as_object_mut() {
            object.insert("use".to_owned(), json!("sig"));
            object.insert("alg".to_owned(), json!(self.algorithm.as_str()));
            if let Some(kid) = &self.kid {
                object.insert("kid".to_owned(), json!(kid));
            }
        }
        Some(jwk)
    }

    /// The SHA-256 thumbprint of RFC 7638 in base64url; `None` for a shared secret, which it would help to guess.
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        match &self.material {
            Material::Public { members, .. } => Some(base64url::encode(
                digest(&SHA256, members.canonical().as_bytes()).as_ref(),
            )),
            Material::Secret(_) => None,
        }
    }

    pub(super) fn named(mut self, kid: &str) -> Self {
        self.kid = Some(kid.into());
        self.header = OnceLock::new();
        self
    }

    /// From big-endian numbers; leading zeros, which some libraries write (RFC 7518 §6.3.1.1), are dropped.
    pub(super) fn from_rsa(
        algorithm: Algorithm,
        kid: Option<Box<str>>,
        n: &[u8],
        e: &[u8],
    ) -> Result<Self, KeyError> {
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        let bits = n
            .first()
            .map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if bits < *RSA_BITS.start() {
            return Err(KeyError::TooSmall);
        }
        if bits > *RSA_BITS.end() {
            return Err(KeyError::TooLarge);
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        if !odd(n) || !odd(e) || e == [1] || e.len() > MAX_EXPONENT_BYTES {
            return Err(KeyError::Invalid);
        }
        let key = RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(rsa_parameters(algorithm).ok_or(KeyError::Algorithm)?)
            .map_err(|_| KeyError::Invalid)?;
        let members = Members::Rsa {
            n: base64url::encode(n),
            e: base64url::encode(e),
        };
        Ok(Self::public(algorithm, kid, key, members))
    }

    /// From an uncompressed point; the library checks that it is on the curve.
    pub(super) fn from_ec_point(
        algorithm: Algorithm,
        kid: Option<Box<str>>,
        point: &[u8],
    ) -> Result<Self, KeyError> {
        let (key, crv) = match algorithm {
            Algorithm::Es256 => (
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point),
                "P-256",
            ),
            Algorithm::Es384 => (
                ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point),
                "P-384",
            ),
            _ => return Err(KeyError::Algorithm),
        };
        let length = coordinate_bytes(algorithm);
        let (Some((4, coordinates)), true) = (point.split_first(), point.len() == 1 + 2 * length)
        else {
            return Err(KeyError::Invalid);
        };
        let (x, y) = coordinates.split_at(length);
        let members = Members::Ec {
            crv,
            x: base64url::encode(x),
            y: base64url::encode(y),
        };
        Ok(Self::public(
            algorithm,
            kid,
            key.map_err(|_| KeyError::Invalid)?,
            members,
        ))
    }

    pub(super) fn from_ed25519(kid: Option<Box<str>>, x: &[u8]) -> Result<Self, KeyError> {
        if x.len() != 32 {
            return Err(KeyError::Invalid);
        }
        let key = ParsedPublicKey::new(&ED25519, x).map_err(|_| KeyError::Invalid)?;
        let members = Members::Ed25519 {
            x: base64url::encode(x),
        };
        Ok(Self::public(Algorithm::EdDsa, kid, key, members))
    }

    fn public(
        algorithm: Algorithm,
        kid: Option<Box<str>>,
        key: ParsedPublicKey,
        members: Members,
    ) -> Self {
        Self {
            kid,
            algorithm,
            material: Material::Public { key, members },
            header: OnceLock::new(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Members {
    fn to_value(&self) -> Value {
        match self {
            Self::Rsa { n, e } => json!({"kty": "RSA", "n": n, "e": e}),
            Self::Ec { crv, x, y } => json!({"kty": "EC", "crv": crv, "x": x, "y": y}),
            Self::Ed25519 { x } => json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
        }
    }

    /// The required members in lexicographic order and without white space (RFC 7638 §3.3). Spelt out, since the order
    /// of a `Value` is another crate's choice; base64url needs no escapes.
    fn canonical(&self) -> String {
        match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::Ec { crv, x, y } => {
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
        }
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let start = number
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

pub(super) fn coordinate_bytes(algorithm: Algorithm) -> usize {
    if algorithm == Algorithm::Es384 {
        48
    } else {
        32
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembers(kid: Option<&str>, header: &str) -> bool {
        let key = VerifyingKey::hmac(kid, &[7; 32]).unwrap();
        let segment = base64url::encode(header.as_bytes());
        key.remember_header(&segment);
        key.known_header(&segment).is_some()
    }

    #[test]
    fn a_header_that_says_more_or_less_than_the_key_is_not_remembered() {
        assert!(remembers(Some("k"), r#"{"alg":"HS256","kid":"k"}"#));
        for (kid, header) in [
            (Some("k"), r#"{"alg":"RS256","kid":"k"}"#),
            (Some("k"), r#"{"alg":"none","kid":"k"}"#),
            (Some("k"), r#"{"alg":"HS256","kid":"l"}"#),
            (Some("k"), r#"{"alg":"HS256","kid":"k","crit":[]}"#),
            (Some("k"), r#"{"alg":"HS256"}"#),
            (None, r#"{"alg":"HS256","kid":"k"}"#),
            // Which key is meant, the set says.
            (None, r#"{"alg":"HS256"}"#),
        ] {
            assert!(!remembers(kid, header), "{kid:?} {header}");
        }
    }

    #[test]
    fn a_long_header_is_not_remembered() {
        let header = |length| {
            format!(
                r#"{{"alg":"HS256","kid":"k","x":"{}"}}"#,
                "x".repeat(length)
            )
        };
        let room = MAX_KNOWN_HEADER_CHARS / 4 * 3 - header(0).len();
        assert!(remembers(Some("k"), &header(room)));
        assert!(!remembers(Some("k"), &header(room + 1)));
    }

    #[test]
    fn a_key_with_another_name_remembers_nothing() {
        let key = VerifyingKey::hmac(Some("k"), &[7; 32]).unwrap();
        let segment = base64url::encode(br#"{"alg":"HS256","kid":"k"}"#);
        key.remember_header(&segment);
        assert_eq!(key.known_header(&segment), Some(None));
        assert_eq!(key.named("l").known_header(&segment), None);
    }
}
