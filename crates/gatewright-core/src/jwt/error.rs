//! What can be wrong with a token, a key, a key set or a configuration. Never what was presented.

use std::fmt;

use crate::json::JsonError;

/// Why a token was refused. A resource server answers all of these as `invalid_token` (RFC 6750 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// Not three non-empty base64url segments, or longer than 16 KiB.
    #[error("the token is not a compact JWS")]
    Malformed,
    /// The header is not a JSON object whose members have the right types.
    #[error("the token's header is malformed")]
    Header,
    /// The header holds `crit`, `b64`, `jwk`, `jku`, `x5u` or `x5c`.
    #[error("the token's header holds a parameter that is not allowed")]
    ForbiddenHeader,
    /// `typ` is missing or names another kind of token (RFC 8725 §3.11).
    #[error("the token is of another type")]
    Type,
    /// `alg` is unknown, not allowed, or not the key's.
    #[error("the token's signature algorithm is not allowed")]
    Algorithm,
    /// No key of the set, or more than one, fits the token.
    #[error("the token was signed with an unknown key")]
    UnknownKey,
    /// The signature does not hold.
    #[error("the token's signature is invalid")]
    Signature,
    /// A JSON object of the token names a member twice (RFC 7519 §4).
    #[error("the token repeats a member")]
    DuplicateMember,
    /// The payload is not a JSON object in UTF-8.
    #[error("the token's claims are not a JSON object")]
    Payload,
    /// A required claim is not there.
    #[error("the token lacks the claim {0}")]
    MissingClaim(ClaimName),
    /// A claim is there, but is not of its one right type.
    #[error("the token's claim {0} is malformed")]
    MalformedClaim(ClaimName),
    /// `iss` is another issuer.
    #[error("the token is from another issuer")]
    Issuer,
    /// `aud` does not hold ours.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come yet, or an age is judged and `iat` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` is longer ago than the verifier allows.
    #[error("the token was issued too long ago")]
    TooOld,
}

impl JsonError {
    /// What is wrong with a token of whose part this is said.
    pub(super) const fn in_token(self, malformed: JwtError) -> JwtError {
        match self {
            Self::Malformed => malformed,
            Self::Repeated => JwtError::DuplicateMember,
        }
    }
}

/// The claim an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClaimName {
    /// `iss`
    Issuer,
    /// `sub`
    Subject,
    /// `aud`
    Audience,
    /// `exp`
    ExpiresAt,
    /// `nbf`
    NotBefore,
    /// `iat`
    IssuedAt,
    /// `jti`
    Id,
    /// `client_id`
    ClientId,
    /// `sid`
    SessionId,
    /// `tenant`
    Tenant,
    /// `epoch`
    Epoch,
    /// Any other claim that the configuration requires.
    Other,
}

impl ClaimName {
    const REGISTERED: [Self; 11] = [
        Self::Issuer,
        Self::Subject,
        Self::Audience,
        Self::ExpiresAt,
        Self::NotBefore,
        Self::IssuedAt,
        Self::Id,
        Self::ClientId,
        Self::SessionId,
        Self::Tenant,
        Self::Epoch,
    ];

    /// The name as a token spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "iss",
            Self::Subject => "sub",
            Self::Audience => "aud",
            Self::ExpiresAt => "exp",
            Self::NotBefore => "nbf",
            Self::IssuedAt => "iat",
            Self::Id => "jti",
            Self::ClientId => "client_id",
            Self::SessionId => "sid",
            Self::Tenant => "tenant",
            Self::Epoch => "epoch",
            Self::Other => "that the configuration requires",
        }
    }

    pub(super) fn named(name: &str) -> Self {
        Self::REGISTERED
            .into_iter()
            .find(|claim| claim.as_str() == name)
            .unwrap_or(Self::Other)
    }
}

impl fmt::Display for ClaimName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a JSON object, or one of its members has the wrong type.
    #[error("the key is not a well-formed JWK")]
    Json,
    /// The JWK names a member twice.
    #[error("the key repeats a member")]
    DuplicateMember,
    /// Not the PEM or DER encoding of such a key.
    #[error("the key is not a well-formed PEM or DER document of its kind")]
    Encoding,
    /// The `kty` or curve is not supported (RFC 7517 §5: to be ignored).
    #[error("the kind of key is not supported")]
    Unsupported,
    /// `alg` or the kind of key is for another algorithm.
    #[error("the key is for another algorithm")]
    Algorithm,
    /// `use` is not `sig` (RFC 7517 §4.2).
    #[error("the key is not for signatures")]
    Use,
    /// `key_ops` lacks `verify`, repeats itself or has more than 16 entries (RFC 7517 §4.3).
    #[error("the key is not for verifying")]
    Operations,
    /// An RSA modulus below 2048 bits or an HMAC secret below 32 bytes (RFC 7518 §3.2, §3.3).
    #[error("the key is too small")]
    TooSmall,
    /// An RSA modulus above 8192 bits.
    #[error("the key is too large")]
    TooLarge,
    /// The numbers are no key: a point that is not on the curve, an even exponent, a wrong length.
    #[error("the key's numbers are not valid")]
    Invalid,
    /// A shared secret where only public keys belong, or the other way round.
    #[error("the key is a shared secret, not a public key")]
    Symmetric,
    /// A private key where only public ones belong: whoever reads the set can sign with it.
    #[error("the key's private part is published")]
    Private,
    /// Another usable key of the set has the same `kid`, so the name names neither.
    #[error("the key shares its identifier with another")]
    DuplicateKid,
    /// The library that holds keys failed.
    #[error("the key could not be made")]
    Internal,
}

/// Why a key set can't be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Longer than 256 KiB.
    #[error("the key set is too large")]
    TooLarge,
    /// More than 100 keys.
    #[error("the key set holds too many keys")]
    TooManyKeys,
    /// Not a JSON object with one array named `keys` (RFC 7517 §5).
    #[error("the key set is not a well-formed JWK Set")]
    Json,
    /// Two keys given by the caller have the same `kid`.
    #[error("two keys of the set share an identifier")]
    DuplicateKid,
}

/// Why a token could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The claims do not serialize to a JSON object with each member once.
    #[error("the claims are not a JSON object that names each member once")]
    Claims,
    /// The token would be longer than the 16 KiB that a verifier reads.
    #[error("the token would be too long to be accepted")]
    TooLong,
    /// The library that holds the key failed.
    #[error("the signature could not be made")]
    Internal,
}

/// What is wrong with the configuration of a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierError {
    /// The issuer is empty.
    #[error("a verifier needs an issuer")]
    Issuer,
    /// An audience is empty.
    #[error("a verifier needs an audience that is not empty")]
    Audience,
    /// No algorithm is allowed.
    #[error("a verifier needs at least one algorithm")]
    NoAlgorithm,
    /// Shared secrets and public keys are allowed side by side (RFC 8725 §2.1).
    #[error("a verifier takes either public keys or shared secrets")]
    MixedAlgorithms,
    /// The leeway is over a minute.
    #[error("the leeway of a verifier is at most 60 seconds")]
    Leeway,
}
