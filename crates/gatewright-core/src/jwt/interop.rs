//! From the types of `jsonwebtoken`, for services that move over from it.

use jsonwebtoken as theirs;

use super::algorithm::{Algorithm, UnknownAlgorithm};
use super::error::KeyError;
use super::key::VerifyingKey;

impl TryFrom<theirs::Algorithm> for Algorithm {
    type Error = UnknownAlgorithm;

    /// HS384 and HS512 are refused: HS256 is the only HMAC here.
    fn try_from(algorithm: theirs::Algorithm) -> Result<Self, UnknownAlgorithm> {
        Ok(match algorithm {
            theirs::Algorithm::RS256 => Self::Rs256,
            theirs::Algorithm::RS384 => Self::Rs384,
            theirs::Algorithm::RS512 => Self::Rs512,
            theirs::Algorithm::PS256 => Self::Ps256,
            theirs::Algorithm::PS384 => Self::Ps384,
            theirs::Algorithm::PS512 => Self::Ps512,
            theirs::Algorithm::ES256 => Self::Es256,
            theirs::Algorithm::ES384 => Self::Es384,
            theirs::Algorithm::EdDSA => Self::EdDsa,
            theirs::Algorithm::HS256 => Self::Hs256,
            // Also what a later version of theirs may add.
            _ => return Err(UnknownAlgorithm),
        })
    }
}

impl From<Algorithm> for theirs::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Rs384 => Self::RS384,
            Algorithm::Rs512 => Self::RS512,
            Algorithm::Ps256 => Self::PS256,
            Algorithm::Ps384 => Self::PS384,
            Algorithm::Ps512 => Self::PS512,
            Algorithm::Es256 => Self::ES256,
            Algorithm::Es384 => Self::ES384,
            Algorithm::EdDsa => Self::EdDSA,
            Algorithm::Hs256 => Self::HS256,
        }
    }
}

impl TryFrom<&theirs::jwk::Jwk> for VerifyingKey {
    type Error = KeyError;

    /// As [`VerifyingKey::from_jwk`], with the same checks. Members that their type doesn't hold, such as a private
    /// `d`, are lost before this sees them; whoever has the document itself reads that.
    fn try_from(jwk: &theirs::jwk::Jwk) -> Result<Self, KeyError> {
        let document = serde_json::to_vec(jwk).map_err(|_| KeyError::Json)?;
        Self::from_jwk(document)
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::Jwk;
    use serde_json::{Value, json};

    use super::*;
    use crate::jwt::SigningKey;

    #[test]
    fn algorithms_keep_their_names_both_ways() {
        for name in [
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
            "HS256",
        ] {
            let ours: Algorithm = name.parse().unwrap();
            assert_eq!(theirs::Algorithm::from(ours), name.parse().unwrap());
            assert_eq!(theirs::Algorithm::from(ours).try_into(), Ok(ours));
        }
        for other in [theirs::Algorithm::HS384, theirs::Algorithm::HS512] {
            assert_eq!(Algorithm::try_from(other), Err(UnknownAlgorithm));
        }
    }

    fn read(jwk: Value) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::try_from(&serde_json::from_value::<Jwk>(jwk).unwrap())
    }

    #[test]
    fn a_jwk_of_theirs_is_the_same_key() {
        for name in ["RS256", "PS384", "ES256", "ES384", "EdDSA"] {
            let ours = SigningKey::generate(name.parse().unwrap()).unwrap();
            let key = read(ours.public_jwk().unwrap()).unwrap();
            assert_eq!(key.thumbprint().as_deref(), Some(ours.kid()), "{name}");
            assert_eq!(key.kid(), Some(ours.kid()));
            assert_eq!(key.algorithm(), ours.algorithm());
        }
    }

    #[test]
    fn a_jwk_of_theirs_meets_the_same_checks() {
        let jwk = SigningKey::generate(Algorithm::EdDsa)
            .unwrap()
            .public_jwk()
            .unwrap();
        for (member, value, why) in [
            ("use", json!("enc"), KeyError::Use),
            ("key_ops", json!(["sign"]), KeyError::Operations),
            ("alg", json!("ES256"), KeyError::Algorithm),
            ("x", json!("AA"), KeyError::Invalid),
            ("x", json!("not base64url!"), KeyError::Json),
        ] {
            let mut jwk = jwk.clone();
            jwk[member] = value;
            assert_eq!(read(jwk).unwrap_err(), why, "{member}");
        }
        let secret = json!({"kty": "oct", "k": "c2VjcmV0"});
        assert_eq!(read(secret).unwrap_err(), KeyError::Symmetric);
    }
}
