//! Where a request came from: the socket's other end, or what proxies in front wrote down.
//!
//! Limits by source, the failure limiter and the audit log go by this address, so whoever can choose it escapes them all.
//! By default nothing but the socket is believed. Behind proxies that is the address of the nearest one, and every caller
//! would share one bucket; then a [`TrustedProxies`] says how many proxies are ours, and in which field they write.
//!
//! ```
//! use std::net::IpAddr;
//!
//! use gatewright_core::source::TrustedProxies;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let proxies = TrustedProxies::forwarded(1)?.from_peers(["10.0.0.0/8".parse()?]);
//! let (proxy, caller): (IpAddr, IpAddr) = ("10.0.0.7".parse()?, "203.0.113.9".parse()?);
//!
//! // What the caller wrote stands to the left of what our proxy added.
//! let line: &[u8] = b"for=192.0.2.1, for=203.0.113.9;proto=https";
//! assert_eq!(proxies.source(Some(proxy), [line]), Some(caller));
//!
//! // Who comes around the proxy is who they are, whatever they write.
//! let around: IpAddr = "198.51.100.5".parse()?;
//! assert_eq!(proxies.source(Some(around), [line]), Some(around));
//! # Ok(())
//! # }
//! ```
//!
//! # Counting
//!
//! Each proxy appends the address of whoever called *it*, so elements are counted from the right: with one proxy of ours the
//! rightmost is the caller; with two it is the second from the right, since the rightmost is our outer proxy as the inner one
//! sees it. Everything further left was written by somebody else, and is not even looked at:
//!
//! | proxies | what arrives | source |
//! |---|---|---|
//! | 1 | `203.0.113.9` | `203.0.113.9` |
//! | 1 | `192.0.2.1, 203.0.113.9` | `203.0.113.9` |
//! | 2 | `192.0.2.1, 203.0.113.9, 10.0.0.8` | `203.0.113.9` |
//! | 2 | `203.0.113.9` | the peer: an element is missing |
//!
//! A proxy that replaces the field instead of appending to it writes one element, and counts as the only one. If fewer
//! proxies append than are counted, callers choose their address: count those that every request passes, and no more.
//!
//! # Where nothing can be told
//!
//! Fewer elements than proxies, a malformed element at the place or to the right of it, or one that names no address
//! (`unknown`, an obfuscated identifier, RFC 7239 §6.2 and §6.3): then the answer is the peer's address. It is the only
//! one here that nobody can write into a field. Saying that no address is known would be worse: calls without
//! a credential are charged to an address only if there is one, so who provokes that case would pass uncounted. With the
//! peer's, somebody inside the network who goes around the proxy is held to their own address; and callers whose proxy
//! tells nothing share its bucket, which is too strict and soon noticed rather than too lax and never.
//!
//! No caller can provoke it through a proxy that appends well-formed elements.
//!
//! # What a proxy must do
//!
//! - Append to, or replace, the field that is configured, on every request. Exactly one field is read: a proxy that sets
//!   `X-Forwarded-For` and passes `Forwarded` through leaves the latter to the caller, so one that falls back from the one
//!   to the other could be told anything.
//! - Write nothing of its caller's bare into an element: in `for=203.0.113.9;host=a,for=192.0.2.1`, where the proxy copied a
//!   `Host` that holds a comma, the last element is the caller's. What it copies has to be a quoted string with its quotes and
//!   backslashes escaped (RFC 7239 §4).
//! - Be the only way in, or be listed by [`TrustedProxies::from_peers`]: from whoever else connects, the field is their own.

mod element;
mod network;
mod node;

pub use network::{Network, NetworkError};

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use element::FromRight;
use node::Node;

/// The field in which proxies write where a request came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyField {
    /// `Forwarded`, the standard one ([RFC 7239](https://www.rfc-editor.org/rfc/rfc7239)).
    #[default]
    Forwarded,
    /// `X-Forwarded-For`, which no standard describes: addresses, the IPv6 ones bare or in brackets, perhaps with a port.
    XForwardedFor,
}

impl ProxyField {
    /// The field's name, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::XForwardedFor => "x-forwarded-for",
        }
    }
}

impl fmt::Display for ProxyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProxyField {
    type Err = ProxiesError;

    /// Reads a field's name, in any case.
    fn from_str(name: &str) -> Result<Self, ProxiesError> {
        [Self::Forwarded, Self::XForwardedFor]
            .into_iter()
            .find(|field| field.as_str().eq_ignore_ascii_case(name))
            .ok_or(ProxiesError::Field)
    }
}

/// Why proxies can't be trusted in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxiesError {
    /// The number of proxies is none, or more than [`TrustedProxies::MAX`].
    #[error("the number of trusted proxies must be 1 to {}", TrustedProxies::MAX)]
    Count,
    /// No proxy writes addresses into a field of this name, that we could read.
    #[error("the field of proxies must be `forwarded` or `x-forwarded-for`")]
    Field,
}

/// How many proxies in front are ours, and where they write whom they were called by. See the [module](self) for what that
/// means and what it asks of them.
///
/// Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    field: ProxyField,
    count: u8,
    /// Those that are believed; `None` where everybody is who connects.
    peers: Option<Arc<[Network]>>,
}

impl TrustedProxies {
    /// The most proxies that are counted.
    pub const MAX: u32 = 16;

    /// So many proxies, each of which appends to this field.
    ///
    /// # Errors
    ///
    /// [`ProxiesError::Count`].
    pub fn new(field: ProxyField, count: u32) -> Result<Self, ProxiesError> {
        let count = u8::try_from(count)
            .ok()
            .filter(|count| (1..=Self::MAX).contains(&u32::from(*count)))
            .ok_or(ProxiesError::Count)?;
        Ok(Self {
            field,
            count,
            peers: None,
        })
    }

    /// So many proxies, each of which appends to `Forwarded`.
    ///
    /// # Errors
    ///
    /// [`ProxiesError::Count`].
    pub fn forwarded(count: u32) -> Result<Self, ProxiesError> {
        Self::new(ProxyField::Forwarded, count)
    }

    /// So many proxies, each of which appends to `X-Forwarded-For`.
    ///
    /// # Errors
    ///
    /// [`ProxiesError::Count`].
    pub fn x_forwarded_for(count: u32) -> Result<Self, ProxiesError> {
        Self::new(ProxyField::XForwardedFor, count)
    }

    /// Believes the field only where the peer is in one of these networks: those of the nearest proxy. Everybody else is who
    /// they are. With none at all, the field is never believed.
    #[must_use]
    pub fn from_peers(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.peers = Some(networks.into_iter().collect());
        self
    }

    /// The field to be handed to [`source`](Self::source).
    #[must_use]
    pub const fn field(&self) -> ProxyField {
        self.field
    }

    /// Where a request came from. `peer` is the socket's other end, where it is an address; `lines` are the values of the
    /// request's lines of [`field`](Self::field), in order, and of no other field.
    ///
    /// IPv4-mapped addresses (RFC 4291 §2.5.5.2) are told as IPv4. Total over bytes; allocates nothing; of the lines no more
    /// is read than the elements of our proxies, 4 KiB at most, however much stands before them.
    ///
    /// Each line is a list of whole elements (RFC 9110 §5.3), so that no quote in one line reaches into another. An empty
    /// element is not skipped, against the leniency of RFC 9110 §5.6.1.2: what a proxy left empty must not move what
    /// its caller wrote to its place.
    #[must_use]
    pub fn source<'a, I>(&self, peer: Option<IpAddr>, lines: I) -> Option<IpAddr>
    where
        I: IntoIterator<Item = &'a [u8]>,
        I::IntoIter: DoubleEndedIterator,
    {
        let peer = peer.map(|peer| peer.to_canonical());
        if !self.believes(peer) {
            return peer;
        }
        self.written(lines.into_iter()).or(peer)
    }

    /// Who calls over no address at all, such as a Unix socket, is in no network.
    fn believes(&self, peer: Option<IpAddr>) -> bool {
        self.peers.as_ref().is_none_or(|networks| {
            peer.is_some_and(|peer| networks.iter().any(|network| network.contains(peer)))
        })
    }

    fn written<'a>(&self, lines: impl DoubleEndedIterator<Item = &'a [u8]>) -> Option<IpAddr> {
        let mut elements = FromRight::new(self.field, lines);
        for _ in 1..self.count {
            elements.next_node()?;
        }
        match elements.next_node()? {
            Node::Address(address) => Some(address.to_canonical()),
            Node::Nobody => None,
        }
    }
}
