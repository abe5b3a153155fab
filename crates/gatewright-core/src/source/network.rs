//! Networks, as operators write them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, or one address alone.
///
/// An IPv4-mapped network (`::ffff:10.0.0.0/104`) is its IPv4 network, as addresses are. No other IPv6 network holds
/// an IPv4 address: for all addresses there are, list `0.0.0.0/0` and `::/0`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// All bits beyond the prefix are zero.
    first: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// What stands before the slash, or alone, is no address.
    #[error("a network begins with an IPv4 or IPv6 address")]
    Address,
    /// What stands after the slash is no number of bits that such an address has.
    #[error("the length of a network is 0 to 32, or to 128 for IPv6, without leading zeros")]
    Length,
    /// The address is one within the network, not the first of it: either it or the length is mistaken.
    #[error("the address of a network has no bits set beyond its length")]
    HostBits,
}

impl Network {
    /// The addresses that share the first `prefix` bits with `first`.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Length`] and [`NetworkError::HostBits`].
    pub fn new(first: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let width = if first.is_ipv4() { 32 } else { 128 };
        if prefix > width {
            return Err(NetworkError::Length);
        }
        let (canonical, prefix) = match (first.to_canonical(), prefix.checked_sub(96)) {
            (v4 @ IpAddr::V4(_), Some(prefix)) if first.is_ipv6() => (v4, prefix),
            // Shorter than the part that makes it a mapped one.
            (IpAddr::V4(_), None) if first.is_ipv6() => return Err(NetworkError::HostBits),
            (address, _) => (address, prefix),
        };
        if bits(canonical) & !mask(prefix) != 0 {
            return Err(NetworkError::HostBits);
        }
        Ok(Self {
            first: canonical,
            prefix,
        })
    }

    /// Whether an address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && bits(address) & mask(self.prefix) == bits(self.first)
    }
}

/// The bits of an address, at the left.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Ones for as many bits.
fn mask(prefix: u8) -> u128 {
    let beyond = 128_u32.saturating_sub(u32::from(prefix));
    u128::MAX.checked_shl(beyond).unwrap_or(0)
}

impl From<IpAddr> for Network {
    /// The address alone.
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        let prefix = if first.is_ipv4() { 32 } else { 128 };
        Self { first, prefix }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let Some(prefix) = prefix else {
            return Ok(address.into());
        };
        let number: u8 = prefix.parse().map_err(|_| NetworkError::Length)?;
        // `parse` would also take a sign, and zeros in front.
        if prefix != number.to_string() {
            return Err(NetworkError::Length);
        }
        Self::new(address, number)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
