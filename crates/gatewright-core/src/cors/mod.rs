//! Which pages of other origins may call, and read the answers: Cross-Origin Resource Sharing, as the
//! [Fetch standard](https://fetch.spec.whatwg.org/#http-cors-protocol) has it.
//!
//! It stands with the gate because a layer around it is so easily put on the wrong side: a preflight carries no credential
//! and must be answered before the gate is asked, and a refusal that lacks these fields can't be read by the page that
//! is to renew its token. Origins are listed; none is ever reflected because it asked.
//!
//! No bucket is charged for a preflight. It asks no store, is the same for every path, and costs less than the refusal by a
//! bucket would.

use std::fmt;

use crate::origin::Origin;
use crate::tchar::is_tchar;

/// What a browser is told about pages of other origins.
///
/// ```
/// use gatewright_core::cors::Cors;
///
/// let cors = Cors::origins(["https://app.example"]).credentials().build().unwrap();
/// let page = cors.cross("GET", [b"https://app.example".as_slice()], false);
/// assert_eq!(cors.fields(page).next(), Some(("access-control-allow-origin", "https://app.example")));
///
/// let foreign = cors.cross("GET", [b"https://evil.example".as_slice()], false);
/// assert!(cors.fields(foreign).all(|(name, _)| name == "vary"));
/// ```
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins<Origin>,
    credentials: bool,
    methods: Box<str>,
    headers: Box<str>,
    exposed: Box<str>,
    max_age: Box<str>,
}

#[derive(Clone, Debug)]
enum Origins<T> {
    Any,
    Listed(Vec<T>),
}

/// Collects what a [`Cors`] allows.
#[derive(Clone, Debug)]
#[must_use]
pub struct CorsBuilder {
    origins: Origins<Box<str>>,
    credentials: bool,
    methods: Vec<Box<str>>,
    headers: Vec<Box<str>>,
    exposed: Vec<Box<str>>,
    max_age_secs: u32,
}

/// A mistake in what a [`CorsBuilder`] was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorsError {
    /// An origin is a scheme, a host and perhaps a port, and nothing else (RFC 6454 §6.2).
    #[error("`{0}` is not an origin")]
    Origin(Box<str>),
    /// A method is a token (RFC 9110 §9.1).
    #[error("`{0}` is not a method")]
    Method(Box<str>),
    /// A field name is a token (RFC 9110 §5.1).
    #[error("`{0}` is not a field name")]
    Field(Box<str>),
    /// Credentials for pages of every origin: no browser allows it.
    #[error("credentials can be allowed to listed origins only")]
    CredentialsForAll,
}

/// How a request stands to the origins that are allowed; see [`Cors::cross`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    page: Page,
    preflight: bool,
}

/// Where the page is from that made the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    /// Its origin is not allowed, or it names none.
    Foreign,
    /// Every origin is allowed, and said to be also where the request names none: a cache may keep that answer for a page.
    Any,
    /// By its place in the list.
    Listed(u32),
}

impl Cors {
    /// Pages of these origins may call, such as `https://app.example`.
    pub fn origins(origins: impl IntoIterator<Item = impl Into<Box<str>>>) -> CorsBuilder {
        CorsBuilder::new(Origins::Listed(
            origins.into_iter().map(Into::into).collect(),
        ))
    }

    /// Pages of every origin may call, without cookies. Right where the credential is one that the page must hold itself.
    pub fn any_origin() -> CorsBuilder {
        CorsBuilder::new(Origins::Any)
    }

    /// How a request stands to what is allowed. `origins` are the values of its `Origin` lines, and `asks` says whether it has
    /// an `Access-Control-Request-Method`.
    pub fn cross<'a>(
        &self,
        method: &str,
        origins: impl IntoIterator<Item = &'a [u8]>,
        asks: bool,
    ) -> Crossing {
        let mut origins = origins.into_iter();
        let (first, second) = (origins.next(), origins.next());
        let page = match (&self.origins, first, second) {
            (Origins::Any, ..) => Page::Any,
            (Origins::Listed(listed), Some(origin), None) => listed
                .iter()
                .position(|known| known.is(origin))
                .and_then(|place| u32::try_from(place).ok())
                .map_or(Page::Foreign, Page::Listed),
            // A browser sends one.
            (Origins::Listed(_), ..) => Page::Foreign,
        };
        Crossing {
            page,
            preflight: method == "OPTIONS" && asks && first.is_some(),
        }
    }

    /// The fields of an answer, refusals included. `vary` is to be added to what the answer varies by already; the others
    /// are for answers that have none of their name.
    pub fn fields(&self, crossing: Crossing) -> impl Iterator<Item = (&'static str, &str)> {
        let allowed = match (crossing.page, &self.origins) {
            (Page::Any, _) => Some("*"),
            (Page::Listed(place), Origins::Listed(listed)) => {
                listed.get(place as usize).map(Origin::as_str)
            }
            _ => None,
        };
        let preflight = crossing.preflight;
        let told = [
            (
                true,
                "access-control-allow-origin",
                allowed.unwrap_or_default(),
            ),
            (self.credentials, "access-control-allow-credentials", "true"),
            (preflight, "access-control-allow-methods", &self.methods),
            (preflight, "access-control-allow-headers", &self.headers),
            (preflight, "access-control-max-age", &self.max_age),
            (!preflight, "access-control-expose-headers", &self.exposed),
        ];
        let told = told
            .into_iter()
            .filter(move |(applies, ..)| allowed.is_some() && *applies)
            .map(|(_, name, value)| (name, value));
        // Also where no page asked: a cache must not hand this answer to one that does.
        let varies = matches!(self.origins, Origins::Listed(_));
        told.chain(varies.then_some(("vary", "origin")))
    }
}

impl Crossing {
    /// Whether the request is a preflight. It is to be answered with status 204 and the [`fields`](Cors::fields), before
    /// any gate: a browser sends no credential with it.
    #[must_use]
    pub const fn is_preflight(self) -> bool {
        self.preflight
    }
}

impl CorsBuilder {
    fn new(origins: Origins<Box<str>>) -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        Self {
            origins,
            credentials: false,
            methods: list(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            headers: list(&["authorization", "content-type", "x-api-key"]),
            exposed: list(&[
                "www-authenticate",
                "retry-after",
                "ratelimit-policy",
                "ratelimit",
            ]),
            max_age_secs: 600,
        }
    }

    /// Lets pages send cookies along.
    pub fn credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// The methods that pages may use; `GET`, `HEAD`, `POST`, `PUT`, `PATCH` and `DELETE` if not said.
    pub fn methods(mut self, methods: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.methods = methods.into_iter().map(Into::into).collect();
        self
    }

    /// Lets pages send this field beside `authorization`, `content-type` and `x-api-key`.
    pub fn header(mut self, name: impl Into<Box<str>>) -> Self {
        self.headers.push(name.into());
        self
    }

    /// Lets pages read this field beside `www-authenticate`, `retry-after` and those of rate limits.
    pub fn expose(mut self, name: impl Into<Box<str>>) -> Self {
        self.exposed.push(name.into());
        self
    }

    /// For how many seconds a browser may remember the answer to a preflight; 600 if not said.
    pub fn max_age_secs(mut self, secs: u32) -> Self {
        self.max_age_secs = secs;
        self
    }

    /// The rules.
    ///
    /// # Errors
    /// Every [`CorsError`] at once.
    pub fn build(self) -> Result<Cors, Vec<CorsError>> {
        let mut mistakes = Vec::new();
        let origins = match &self.origins {
            Origins::Any => {
                if self.credentials {
                    mistakes.push(CorsError::CredentialsForAll);
                }
                Origins::Any
            }
            Origins::Listed(texts) => {
                let mut origins = Vec::with_capacity(texts.len());
                for text in texts {
                    match Origin::parse(text) {
                        Ok(origin) => origins.push(origin),
                        Err(_) => mistakes.push(CorsError::Origin(text.clone())),
                    }
                }
                Origins::Listed(origins)
            }
        };
        let not_tokens = |names: &[Box<str>], error: fn(Box<str>) -> CorsError| {
            let wrong = names.iter().filter(|name| !is_token(name));
            wrong.map(|name| error(name.clone())).collect::<Vec<_>>()
        };
        mistakes.extend(not_tokens(&self.methods, CorsError::Method));
        mistakes.extend(not_tokens(&self.headers, CorsError::Field));
        mistakes.extend(not_tokens(&self.exposed, CorsError::Field));
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Cors {
            origins,
            credentials: self.credentials,
            methods: self.methods.join(", ").into(),
            headers: self.headers.join(", ").into(),
            exposed: self.exposed.join(", ").into(),
            max_age: self.max_age_secs.to_string().into(),
        })
    }
}

impl fmt::Display for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origins {
            Origins::Any => f.write_str("*"),
            Origins::Listed(origins) => {
                let texts: Vec<&str> = origins.iter().map(Origin::as_str).collect();
                f.write_str(&texts.join(" "))
            }
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &[u8] = b"https://app.example";

    fn cors() -> Cors {
        Cors::origins(["https://app.example", "http://localhost:5173"])
            .header("idempotency-key")
            .expose("x-request-id")
            .build()
            .unwrap()
    }

    fn told(cors: &Cors, crossing: Crossing) -> Vec<(&'static str, &str)> {
        cors.fields(crossing).collect()
    }

    #[test]
    fn a_listed_page_may_read_answers_and_a_foreign_one_may_not() {
        let cors = cors();
        let fields = told(&cors, cors.cross("GET", [APP], false));
        assert_eq!(
            fields,
            [
                ("access-control-allow-origin", "https://app.example"),
                (
                    "access-control-expose-headers",
                    "www-authenticate, retry-after, ratelimit-policy, ratelimit, x-request-id"
                ),
                ("vary", "origin"),
            ]
        );
        for foreign in [
            &b"https://app.example.evil.test"[..],
            b"http://app.example",
            b"https://app.example:443",
            b"HTTPS://APP.EXAMPLE",
            b"null",
            b"*",
            b"",
        ] {
            let fields = told(&cors, cors.cross("GET", [foreign], false));
            assert_eq!(fields, [("vary", "origin")], "{foreign:?}");
        }
        let twice = cors.cross("GET", [APP, APP], false);
        assert_eq!(told(&cors, twice), [("vary", "origin")]);
    }

    #[test]
    fn a_preflight_has_an_origin_and_asks_for_a_method() {
        let cors = cors();
        assert!(cors.cross("OPTIONS", [APP], true).is_preflight());
        assert!(
            cors.cross("OPTIONS", [b"https://evil.test".as_slice()], true)
                .is_preflight()
        );
        assert!(!cors.cross("OPTIONS", [APP], false).is_preflight());
        assert!(!cors.cross("OPTIONS", [], true).is_preflight());
        assert!(!cors.cross("GET", [APP], true).is_preflight());

        let fields = told(&cors, cors.cross("OPTIONS", [APP], true));
        assert_eq!(
            fields[1..],
            [
                (
                    "access-control-allow-methods",
                    "GET, HEAD, POST, PUT, PATCH, DELETE"
                ),
                (
                    "access-control-allow-headers",
                    "authorization, content-type, x-api-key, idempotency-key"
                ),
                ("access-control-max-age", "600"),
                ("vary", "origin"),
            ]
        );
    }

    #[test]
    fn every_origin_may_call_but_never_with_cookies() {
        let cors = Cors::any_origin().build().unwrap();
        let fields = told(&cors, cors.cross("GET", [APP], false));
        assert_eq!(fields[0], ("access-control-allow-origin", "*"));
        assert!(fields.iter().all(|(name, _)| *name != "vary"));
        // Without `vary`, what a cache keeps of one request it gives to all.
        for others in [&[][..], &[APP, APP]] {
            let crossing = cors.cross("GET", others.iter().copied(), false);
            assert_eq!(told(&cors, crossing), fields);
        }
        assert!(!cors.cross("OPTIONS", [], true).is_preflight());
        assert_eq!(
            Cors::any_origin().credentials().build().unwrap_err(),
            [CorsError::CredentialsForAll]
        );
    }

    #[test]
    fn origins_are_told_as_browsers_write_them() {
        let cors = Cors::origins(["HTTPS://App.Example:443", "http://[0::1]:8080"]).build();
        assert_eq!(
            cors.unwrap().to_string(),
            "https://app.example http://[::1]:8080"
        );
    }

    #[test]
    fn every_mistake_is_told() {
        let mistakes = Cors::origins(["https://app.example/", "*", "null", "https://ok.example"])
            .methods(["GET", "P UT"])
            .header("x y")
            .expose("a\r\nb")
            .build()
            .unwrap_err();
        assert_eq!(
            mistakes,
            [
                CorsError::Origin("https://app.example/".into()),
                CorsError::Origin("*".into()),
                CorsError::Origin("null".into()),
                CorsError::Method("P UT".into()),
                CorsError::Field("x y".into()),
                CorsError::Field("a\r\nb".into()),
            ]
        );
    }
}
