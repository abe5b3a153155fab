//! JSON Web Tokens, verified and signed without trusting anything a token says about itself.
//!
//! - **Keys**: [`VerifyingKey`] and [`SigningKey`] each hold one key for one [`Algorithm`]; [`KeySet`] is a parsed
//!   JWK Set, [`LiveKeys`] one that is replaced while requests run, [`SigningRing`] the life of our own keys.
//! - **Tokens**: [`Verifier`] turns a token into [`Claims`] or a [`JwtError`]; [`AccessTokenClaims`] is what
//!   [`SigningKey::sign`] puts into a token of ours (RFC 9068).
//! - **Cache**: [`TokenCache`] remembers tokens that were verified, never ones that were refused.
//!
//! ```
//! use gatewright_core::jwt::{AccessTokenClaims, Algorithm, JwtError, KeySet, SigningKey, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::generate(Algorithm::Es256)?;
//! let keys = KeySet::from_keys([key.verifying_key()])?;
//! let verifier = Verifier::builder("https://auth.example", "https://api.example")
//!     .algorithms([Algorithm::Es256])
//!     .rfc9068()
//!     .build()?;
//!
//! let claims = AccessTokenClaims::new("https://auth.example", "usr_1", "https://api.example", "app", "t_1", 1_000, 1_900);
//! let token = key.sign("at+jwt", &claims)?;
//!
//! assert_eq!(verifier.verify(&token, &keys, 1_500)?.subject(), Some("usr_1"));
//! assert_eq!(verifier.verify(&token, &keys, 1_900).unwrap_err(), JwtError::Expired);
//! # Ok(())
//! # }
//! ```
//!
//! Signatures go to aws-lc-rs directly, so no process-wide provider decides what is verified. A service that holds the
//! types of `jsonwebtoken` can hand them over: [`Algorithm`] converts both ways, and [`VerifyingKey`] from its `Jwk`.

mod access_token;
mod algorithm;
mod base64url;
mod cache;
mod claims;
mod der;
mod error;
mod header;
mod interop;
mod jwk;
mod key;
mod key_set;
mod live;
mod ring;
mod signing;
mod verifier;

use crate::json;

pub use access_token::AccessTokenClaims;
pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use cache::{TokenCache, TokenCacheBuilder};
pub use claims::{Claims, ScopeClaim};
pub use error::{ClaimName, JwtError, KeyError, KeySetError, SignError, VerifierError};
pub use key::VerifyingKey;
pub use key_set::{KeySet, SkippedKey};
pub use live::LiveKeys;
pub use ring::{RingKey, SigningRing};
pub use signing::SigningKey;
pub use verifier::{TypRule, Verifier, VerifierBuilder, insecure_unverified_issuer};
