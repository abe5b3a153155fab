//! From bytes to a credential: which header field counts, what kind of credential it holds, and whether it is
//! well formed. Nothing here knows a clock, a key or a store, and nothing here says that a credential is *right*.
//!
//! - [`presented`], [`query_has_token`]: which bytes of a request are the credential;
//! - [`Formats`], [`SecretFormat`]: the credentials a service accepts, told apart by prefix, and their minting;
//! - [`Credential`], [`SecretCredential`], [`JwtShape`]: the parsed forms, borrowed from the request;
//! - [`Secret`]: text that must not be printed, copied or compared by accident.
//!
//! Every parser is total over bytes, allocates nothing, and does work bounded by [`MAX_JWT_LENGTH`] or
//! [`MAX_SECRET_LENGTH`].
//!
//! ```
//! use gatewright_core::credential::{Credential, Field, Formats, Malformed, Presented, presented};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let formats = Formats::standard();
//! let minted = formats.format("tnx").ok_or("no such brand")?.mint()?;
//!
//! let line = format!("Bearer {}", minted.secret.expose());
//! let fields = [(Field::Authorization, line.as_bytes())];
//! let Presented::Token { bytes, .. } = presented(&fields[..], false) else {
//!     return Err("a bearer token was presented".into());
//! };
//! match formats.classify(bytes)? {
//!     Credential::Secret(key) => assert_eq!(key.public_id(), minted.public_id),
//!     other => return Err(format!("not an API key: {other:?}").into()),
//! }
//!
//! // One character away from what was minted, and no store is asked.
//! let mistyped = format!("{}!", minted.secret.expose());
//! assert_eq!(formats.classify(mistyped.as_bytes()).err(), Some(Malformed::BadCharacter));
//! # Ok(())
//! # }
//! ```

mod charset;
mod checksum;
mod classify;
mod fields;
mod format;
mod imported;
mod mint;
mod registry;
mod secret;

pub use classify::{
    Credential, JwtShape, MAX_JWT_LENGTH, MAX_SECRET_LENGTH, Malformed, SecretCredential,
};
pub(crate) use classify::{Glance, begins_as_jwt};
pub use fields::{Field, Fields, Presented, Source, presented, query_has_token};
pub(crate) use fields::{candidate, is_token68, trim};
pub use format::{FormatError, IdAlphabet, SecretFormat, SecretKind};
pub use imported::ImportedAlphabet;
pub use mint::{MintError, Minted, random_id};
pub use registry::{FormatErrors, Formats, FormatsBuilder};
pub use secret::Secret;
