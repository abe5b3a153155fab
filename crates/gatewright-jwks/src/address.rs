//! Which addresses belong to the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not public, or that are a door to something that is not.
const REFUSED_V4: &[(Ipv4Addr, u8)] = &[
    // "This network", RFC 791 §3.2: Linux connects 0.0.0.0 to the machine itself.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    // Private use, RFC 1918.
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Between a provider and its customers, RFC 6598.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback, RFC 1122 §3.2.1.3.
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, RFC 3927: the metadata services of clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // The one address of a public network that is a host's own: Azure's agent endpoint.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Protocol assignments, RFC 6890 §2.1.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation, RFC 5737.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Relays of 6to4, RFC 7526.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Benchmarks, RFC 2544.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Multicast, RFC 5771, then what is reserved, RFC 1112 §4, with the broadcast address.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The part of IPv6 that is assigned for global unicast, RFC 4291 §2.4. Everything that embeds an IPv4 address by
/// mapping (`::ffff:0:0/96`) or translation (`64:ff9b::/96`, `64:ff9b:1::/48`), loopback, unique local, link-local and
/// multicast addresses lie outside of it.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Networks within [`GLOBAL_V6`] that are not public.
const REFUSED_V6: &[(Ipv6Addr, u8)] = &[
    // Protocol assignments, RFC 2928: Teredo, benchmarks, ORCHID.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation, RFC 3849 and RFC 9637.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4, RFC 3056: any IPv4 address.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Whether a URL that a tenant gave may lead to this address.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !REFUSED_V4.iter().any(|network| holds_v4(*network, v4)),
        IpAddr::V6(v6) => {
            holds_v6(GLOBAL_V6, v6) && !REFUSED_V6.iter().any(|network| holds_v6(*network, v6))
        }
    }
}

fn holds_v4((first, prefix): (Ipv4Addr, u8), address: Ipv4Addr) -> bool {
    let beyond = 32_u32.saturating_sub(prefix.into());
    let differing = first.to_bits() ^ address.to_bits();
    differing.checked_shr(beyond).unwrap_or(0) == 0
}

fn holds_v6((first, prefix): (Ipv6Addr, u8), address: Ipv6Addr) -> bool {
    let beyond = 128_u32.saturating_sub(prefix.into());
    let differing = first.to_bits() ^ address.to_bits();
    differing.checked_shr(beyond).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first and the last address of each network, and their neighbours outside: IANA's registries of
    /// special-purpose addresses, RFC 6890.
    #[test]
    fn the_edges_of_each_network() {
        let refused = [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("168.63.129.16", "168.63.129.16"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
        ];
        for (first, last) in refused {
            let (first, last): (Ipv4Addr, Ipv4Addr) =
                (first.parse().unwrap(), last.parse().unwrap());
            assert!(!is_public(first.into()), "{first}");
            assert!(!is_public(last.into()), "{last}");
            if let Some(before) = first.to_bits().checked_sub(1) {
                let before = Ipv4Addr::from_bits(before);
                assert!(is_public(before.into()), "{before}");
            }
            if let Some(after) = last.to_bits().checked_add(1) {
                let after = Ipv4Addr::from_bits(after);
                assert!(is_public(after.into()), "{after}");
            }
        }
    }

    #[test]
    fn ipv6_by_its_networks() {
        let table = [
            ("::", false),
            ("::1", false),
            // IPv4-compatible, RFC 4291 §2.5.5.1.
            ("::7f00:1", false),
            // IPv4-mapped, of a public address too.
            ("::ffff:127.0.0.1", false),
            ("::ffff:9.9.9.9", false),
            // NAT64, RFC 6052 and RFC 8215.
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::909:909", false),
            ("64:ff9b:1::a00:1", false),
            // Discard-only, RFC 6666.
            ("100::1", false),
            ("1fff:ffff::1", false),
            // Teredo, benchmarks, ORCHIDv2.
            ("2001::1", false),
            ("2001:2::1", false),
            ("2001:20::1", false),
            ("2001:1ff:ffff::1", false),
            ("2001:200::1", true),
            ("2001:db7:ffff::1", true),
            ("2001:db8::1", false),
            ("2001:db9::1", true),
            // 6to4 of 127.0.0.1 and of a public address.
            ("2002:7f00:1::1", false),
            ("2002:909:909::1", false),
            ("2003::1", true),
            ("2606:4700::1111", true),
            ("2a00:1450:4001:81c::200e", true),
            ("3ffe:ffff::1", true),
            ("3fff::1", false),
            ("3fff:fff:ffff::1", false),
            ("3fff:1000::1", true),
            // Not assigned, and segment routing, RFC 9602.
            ("4000::1", false),
            ("5f00::1", false),
            // Unique local, with AWS's metadata service, then link-local, site-local, multicast.
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
        ];
        for (address, public) in table {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(is_public(parsed), public, "{address}");
        }
    }

    proptest! {
        /// No spelling of an IPv4 address in IPv6 gets anywhere.
        #[test]
        fn an_embedded_ipv4_address_is_never_public(v4: u32, low: u64) {
            let bits = u128::from(v4);
            let embedded = [
                bits,
                0xffff_0000_0000 | bits,
                0x0064_ff9b_u128 << 96 | bits,
                0x0064_ff9b_0001_u128 << 80 | bits,
                0x2002_u128 << 112 | bits << 80 | u128::from(low),
                0x2001_0000_u128 << 96 | bits << 64 | u128::from(low),
            ];
            for embedded in embedded {
                prop_assert!(!is_public(Ipv6Addr::from_bits(embedded).into()));
            }
        }

        /// What the standard library can tell to be special is.
        #[test]
        fn it_is_no_laxer_than_the_standard_library(v4: u32, v6: u128) {
            let v4 = Ipv4Addr::from_bits(v4);
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()
                || v4.is_documentation() || v4.is_multicast() || v4.is_unspecified();
            prop_assert!(!(special && is_public(v4.into())));
            let v6 = Ipv6Addr::from_bits(v6);
            let special = v6.is_loopback() || v6.is_multicast() || v6.is_unspecified()
                || v6.is_unique_local() || v6.is_unicast_link_local() || v6.to_ipv4().is_some();
            prop_assert!(!(special && is_public(v6.into())));
        }
    }
}
