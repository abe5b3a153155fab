//! Which source addresses count as one.

use std::net::IpAddr;

/// A source address as limiters count it: an IPv4 address, or the /64 of an IPv6 address, which is
/// what one customer holds. An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is its IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceKey {
    octets: [u8; 8],
    len: u8,
}

impl SourceKey {
    /// The key of this address.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        let mut octets = [0; 8];
        let len = match address.to_canonical() {
            IpAddr::V4(v4) => {
                octets[..4].copy_from_slice(&v4.octets());
                4
            }
            IpAddr::V6(v6) => {
                octets.copy_from_slice(&v6.octets()[..8]);
                8
            }
        };
        Self { octets, len }
    }

    /// Four bytes for IPv4, eight for IPv6: a part of a [`Bucket`](super::Bucket).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }
}

impl From<IpAddr> for SourceKey {
    fn from(address: IpAddr) -> Self {
        Self::new(address)
    }
}
