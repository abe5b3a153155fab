//! The name of one machine, as proxies write it (RFC 7239 §6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Whom an element names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A machine with this address.
    Address(IpAddr),
    /// A machine whose address is not known or not told (RFC 7239 §6.2, §6.3).
    Nobody,
}

impl Node {
    /// `node = nodename [ ":" node-port ]`, RFC 7239 §6.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (name, port) = if let Some(bracketed) = text.strip_prefix(b"[") {
            let end = bracketed.iter().position(|byte| *byte == b']')?;
            let (address, after) = bracketed.split_at_checked(end)?;
            let address = address_of::<Ipv6Addr>(address)?;
            (Self::Address(address), after.strip_prefix(b"]")?)
        } else {
            let end = text.iter().position(|byte| *byte == b':');
            let (name, port) = text.split_at_checked(end.unwrap_or(text.len()))?;
            (Self::unbracketed(name)?, port)
        };
        match port {
            [] => Some(name),
            [b':', port @ ..] if is_port(port) => Some(name),
            _ => None,
        }
    }

    /// The same, where an IPv6 address may also stand without brackets, and then without a port.
    pub(super) fn parse_bare(text: &[u8]) -> Option<Self> {
        let bare = address_of::<Ipv6Addr>(text).map(Self::Address);
        bare.or_else(|| Self::parse(text))
    }

    fn unbracketed(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"unknown") || is_obfuscated(name) {
            return Some(Self::Nobody);
        }
        address_of::<Ipv4Addr>(name).map(Self::Address)
    }
}

/// The standard library reads the forms of RFC 3986 §3.2.2 and no others: no leading zeros, no zone.
fn address_of<T: FromStr + Into<IpAddr>>(text: &[u8]) -> Option<IpAddr> {
    let address: T = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.into())
}

/// `port = 1*5DIGIT`, or an obfuscated one (RFC 7239 §6).
fn is_port(port: &[u8]) -> bool {
    let digits = (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    digits || is_obfuscated(port)
}

/// `"_" 1*( ALPHA / DIGIT / "." / "_" / "-" )`, RFC 7239 §6.3.
fn is_obfuscated(name: &[u8]) -> bool {
    match name {
        [b'_', rest @ ..] => {
            !rest.is_empty()
                && rest
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
        }
        _ => false,
    }
}
