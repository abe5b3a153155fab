//! What the gate must know of a request besides its credential.

use std::fmt;
use std::net::IpAddr;

/// The circumstances of a request, given by the adapter.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    pub(super) tenant: Option<&'a str>,
    pub(super) source: Source<'a>,
    pub(super) query: Option<&'a str>,
    pub(super) safe: bool,
}

impl<'a> Arrival<'a> {
    /// A request of which nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tenant: None,
            source: Source::Known(None),
            query: None,
            safe: false,
        }
    }

    /// The decoded value of the path parameter that the policy's
    /// [`tenant_parameter`](crate::policy::CompiledPolicy::tenant_parameter) names.
    #[must_use]
    pub const fn tenant(mut self, slug: Option<&'a str>) -> Self {
        self.tenant = slug;
        self
    }

    /// The address that the request came from: the socket's, or what a trusted proxy says of it.
    #[must_use]
    pub const fn source(mut self, address: Option<IpAddr>) -> Self {
        self.source = Source::Known(address);
        self
    }

    /// The same, read when it is asked for: a caller whom memory knows is answered without it, unless a limit goes by it.
    #[must_use]
    pub const fn source_from(mut self, read: &'a (dyn Fn() -> Option<IpAddr> + Sync)) -> Self {
        self.source = Source::From(read);
        self
    }

    /// The query string, so that a token in it can be refused (RFC 6750 §2.3).
    #[must_use]
    pub const fn query(mut self, query: Option<&'a str>) -> Self {
        self.query = query;
        self
    }

    /// Whether the method is one that changes nothing (RFC 9110 §9.2.1). Unless that is said, who comes by a cookie must come
    /// from a page of our own; also, whatever is said, where an `Upgrade` is asked for, as by a WebSocket.
    #[must_use]
    pub const fn safe_method(mut self, safe: bool) -> Self {
        self.safe = safe;
        self
    }
}

impl Default for Arrival<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a request came from, or who knows.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Known(Option<IpAddr>),
    From(&'a (dyn Fn() -> Option<IpAddr> + Sync)),
}

impl Source<'_> {
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => address,
            Self::From(read) => read(),
        }
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}
