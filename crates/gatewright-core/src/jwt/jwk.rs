//! Public keys as JSON (RFC 7517).

use super::algorithm::{Algorithm, Family};
use super::base64url;
use super::error::KeyError;
use super::json::{Json, JsonError, Object};
use super::key::{VerifyingKey, coordinate_bytes};

/// Twice what RFC 7517 §4.3 names. They are compared each with each, so their number is bounded.
const MAX_OPERATIONS: usize = 16;

pub(super) fn parse(jwk: &[u8], algorithm: Option<Algorithm>) -> Result<VerifyingKey, KeyError> {
    let object = Object::parse(jwk).map_err(|error| match error {
        JsonError::Malformed => KeyError::Json,
        JsonError::Repeated => KeyError::DuplicateMember,
    })?;
    read(&object, algorithm)
}

/// Reads a public key; `algorithm` is what the caller says where the JWK says nothing.
pub(super) fn read(
    jwk: &Object<'_>,
    algorithm: Option<Algorithm>,
) -> Result<VerifyingKey, KeyError> {
    let kty = required_text(jwk, "kty")?;
    let kid = text(jwk, "kid")?.map(Box::from);
    check_purpose(jwk)?;
    // `d` is the private part of every kind of public key (RFC 7518 §6, RFC 8037 §2).
    if kty != "oct" && jwk.get("d").is_some() {
        return Err(KeyError::Private);
    }
    let (family, natural) = match kty {
        "RSA" => (Family::Rsa, Algorithm::Rs256),
        "EC" => match required_text(jwk, "crv")? {
            "P-256" => (Family::Ec, Algorithm::Es256),
            "P-384" => (Family::Ec, Algorithm::Es384),
            _ => return Err(KeyError::Unsupported),
        },
        "OKP" if required_text(jwk, "crv")? == "Ed25519" => (Family::Ed25519, Algorithm::EdDsa),
        "oct" => return Err(KeyError::Symmetric),
        _ => return Err(KeyError::Unsupported),
    };
    let declared = text(jwk, "alg")?
        .map(|name| name.parse::<Algorithm>().map_err(|_| KeyError::Algorithm))
        .transpose()?;
    let algorithm = match (declared, algorithm) {
        (Some(declared), Some(wanted)) if declared != wanted => {
            return Err(KeyError::Algorithm);
        }
        (declared, wanted) => declared.or(wanted).unwrap_or(natural),
    };
    let fits = match family {
        Family::Rsa => algorithm.family() == Family::Rsa,
        _ => algorithm == natural,
    };
    if !fits {
        return Err(KeyError::Algorithm);
    }
    match family {
        Family::Rsa => VerifyingKey::from_rsa(algorithm, kid, &bytes(jwk, "n")?, &bytes(jwk, "e")?),
        Family::Ec => {
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            // RFC 7518 §6.2.1.2: each coordinate has the full length of the field.
            if x.len() != coordinate_bytes(algorithm) || y.len() != x.len() {
                return Err(KeyError::Invalid);
            }
            VerifyingKey::from_ec_point(algorithm, kid, &[&[4], &*x, &*y].concat())
        }
        _ => VerifyingKey::from_ed25519(kid, &bytes(jwk, "x")?),
    }
}

/// `use` and `key_ops`, where present, must say that the key verifies signatures (RFC 7517 §4.2, §4.3).
fn check_purpose(jwk: &Object<'_>) -> Result<(), KeyError> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyError::Use);
    }
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let Json::Array(operations) = operations else {
        return Err(KeyError::Json);
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(KeyError::Operations);
    }
    let mut names = Vec::with_capacity(operations.len());
    for operation in operations {
        let Json::String(name) = operation else {
            return Err(KeyError::Json);
        };
        if names.contains(&name) {
            return Err(KeyError::Operations);
        }
        names.push(name);
    }
    if names.iter().any(|name| **name == "verify") {
        Ok(())
    } else {
        Err(KeyError::Operations)
    }
}

fn text<'o>(jwk: &'o Object<'_>, name: &str) -> Result<Option<&'o str>, KeyError> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyError::Json),
    }
}

fn required_text<'o>(jwk: &'o Object<'_>, name: &str) -> Result<&'o str, KeyError> {
    text(jwk, name)?.ok_or(KeyError::Json)
}

fn bytes(jwk: &Object<'_>, name: &str) -> Result<Vec<u8>, KeyError> {
    base64url::decode(required_text(jwk, name)?).ok_or(KeyError::Json)
}
