//! Cookies: how one of ours is set, cleared and read, and which requests that carry one are ours.
//!
//! - [`Cookie`], [`CookieBuilder`]: a cookie's name and attributes, judged by
//!   [RFC 6265bis](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis) when it is built;
//! - [`SetCookie`]: the line that sets or clears it;
//! - [`CookieValue`]: what a request has under its name;
//! - [`TrustedOrigins`]: whose pages may make a request that a cookie stands for.
//!
//! ```
//! use gatewright_core::cookie::{Cookie, CookieValue, SameSite, TrustedOrigins};
//! use gatewright_core::credential::Field;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let session = Cookie::host("session", SameSite::Lax)
//!     .max_age_secs(3600)
//!     .build()
//!     .map_err(|mistakes| format!("{mistakes:?}"))?;
//! assert_eq!(
//!     session.set("opaque")?.expose(),
//!     "__Host-session=opaque; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600",
//! );
//!
//! // A request of our own page that brings it back, and one that a foreign page made.
//! let cookie = (Field::Cookie, &b"theme=dark; __Host-session=opaque"[..]);
//! let ours = [cookie, (Field::Origin, b"https://api.example")];
//! let forged = [cookie, (Field::Origin, b"https://evil.example")];
//! let trusted = TrustedOrigins::of("https://api.example/v2")?;
//! assert!(trusted.check(&ours[..]).is_ok());
//! assert_eq!(session.read(&ours[..]), CookieValue::Value(b"opaque"));
//! assert!(trusted.check(&forged[..]).is_err());
//! # Ok(())
//! # }
//! ```

mod builder;
mod line;
mod read;
mod trusted;

pub use builder::{CookieBuilder, CookieError, MAX_AGE_SECS, SameSite};
pub use line::{SetCookie, SetCookieError};
pub use read::{CookieValue, MAX_COOKIE_LENGTH};
pub use trusted::TrustedOrigins;

use crate::credential::Fields;

/// A cookie of ours: its name and the attributes that it is set with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    name: Box<str>,
    /// All but the lifetime, each after a semicolon and a space.
    attributes: Box<str>,
    max_age_secs: Option<u64>,
}

impl Cookie {
    /// A cookie called `__Host-` and this name: browsers keep it only from this very host, over TLS and for all of its paths,
    /// so that no other host of the domain can plant one. To be preferred wherever the name is free.
    ///
    /// Every cookie says which requests of other sites carry it, since what browsers do without differs between them.
    pub fn host(name: &str, same_site: SameSite) -> CookieBuilder {
        CookieBuilder::new(format!("__Host-{name}"), same_site)
    }

    /// A cookie of exactly this name, for where others have fixed it. Without one of the prefixes `__Host-` and `__Secure-`, a
    /// sibling host or who is on the wire can plant a cookie of the same name.
    pub fn named(name: &str, same_site: SameSite) -> CookieBuilder {
        CookieBuilder::new(name.to_owned(), same_site)
    }

    /// The name, its prefix included.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line that sets the cookie to `value`.
    ///
    /// # Errors
    /// [`SetCookieError::Character`] for what RFC 6265bis §4.1.1 has no place for, quotation marks included, since readers differ about them;
    /// [`SetCookieError::TooLong`] where the line would be longer than [`MAX_COOKIE_LENGTH`].
    pub fn set(&self, value: &str) -> Result<SetCookie, SetCookieError> {
        line::set(self, value)
    }

    /// The line that makes a browser forget the cookie: the same attributes, and a lifetime of no time
    /// (RFC 6265bis §4.1.2, §5.6.2).
    #[must_use]
    pub fn clear(&self) -> SetCookie {
        line::clear(self)
    }

    /// What a request has under this name, in all of its `Cookie` lines.
    pub fn read<'a, F: Fields + ?Sized>(&self, fields: &'a F) -> CookieValue<'a> {
        read::read(fields, &self.name)
    }

    /// Every value that a request has under this name and that a cookie can have, where [`read`](Self::read) may find a
    /// [`Duplicate`](CookieValue::Duplicate): for a logout, which ends whatever they stand for. To act for whom one of them
    /// names is another matter.
    pub fn read_all<'a, F: Fields + ?Sized>(
        &'a self,
        fields: &'a F,
    ) -> impl Iterator<Item = &'a [u8]> {
        read::read_all(fields, &self.name)
    }
}
