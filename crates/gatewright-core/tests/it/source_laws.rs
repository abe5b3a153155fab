//! Where a request came from: what holds for all requests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatewright_core::source::{Network, ProxyField, TrustedProxies};
use proptest::collection::vec;
use proptest::prelude::*;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        any::<u32>().prop_map(|bits| {
            let mapped = Ipv4Addr::from_bits(bits).to_ipv6_mapped();
            IpAddr::V6(mapped)
        }),
    ]
}

fn field() -> impl Strategy<Value = ProxyField> {
    prop_oneof![Just(ProxyField::Forwarded), Just(ProxyField::XForwardedFor)]
}

/// A quoted string of any text, escaped where it must be.
fn quoted() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        3 => prop_oneof![Just(b'"'), Just(b'\\'), Just(b','), Just(b';'), Just(b'=')],
        2 => prop_oneof![Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8],
    ];
    vec(text, 0..12).prop_map(|text| {
        let mut quoted = vec![b'"'];
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                quoted.push(b'\\');
            }
            quoted.push(byte);
        }
        quoted.push(b'"');
        quoted
    })
}

/// An element that a proxy of ours might append, and the address it names.
fn element(field: ProxyField) -> impl Strategy<Value = (Vec<u8>, IpAddr)> {
    let port = proptest::option::of(any::<u16>());
    (address(), port, quoted(), any::<[bool; 2]>()).prop_map(
        move |(address, port, extension, [before, after])| {
            let node = match (address, port) {
                (IpAddr::V4(v4), None) => v4.to_string(),
                (IpAddr::V4(v4), Some(port)) => format!("{v4}:{port}"),
                (IpAddr::V6(v6), None) => format!("[{v6}]"),
                (IpAddr::V6(v6), Some(port)) => format!("[{v6}]:{port}"),
            };
            if field == ProxyField::XForwardedFor {
                return (node.into_bytes(), address.to_canonical());
            }
            let mut element = Vec::new();
            if before {
                element.extend([&b"ext="[..], &extension, b";"].concat());
            }
            element.extend(format!("for=\"{node}\"").bytes());
            if after {
                element.extend([b";ext=", &extension[..]].concat());
            }
            (element, address.to_canonical())
        },
    )
}

/// A field, and what one proxy after the other appends to it; each on a line of its own or not.
fn ours() -> impl Strategy<Value = (ProxyField, Vec<(Vec<u8>, IpAddr, bool)>)> {
    field().prop_flat_map(|field| {
        let element = (element(field), any::<bool>());
        let element = element.prop_map(|((text, address), line)| (text, address, line));
        (Just(field), vec(element, 1..5))
    })
}

/// Bytes with much in them that means something.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"\"".to_vec()),
        Just(b"\\".to_vec()),
        Just(b",".to_vec()),
        Just(b";".to_vec()),
        Just(b" ".to_vec()),
        Just(b"for=".to_vec()),
        Just(b"for=\"[::1]\"".to_vec()),
        Just(b"192.0.2.1".to_vec()),
        Just(b"unknown".to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    vec(word, 0..12).prop_map(|words| words.concat())
}

/// Puts elements after what the caller sent, as proxies do.
fn append(mut lines: Vec<Vec<u8>>, ours: &[(Vec<u8>, IpAddr, bool)]) -> Vec<Vec<u8>> {
    for (element, _, own_line) in ours {
        match lines.last_mut() {
            Some(last) if !own_line => last.extend([b", ", &element[..]].concat()),
            _ => lines.push(element.clone()),
        }
    }
    lines
}

fn source(proxies: &TrustedProxies, lines: &[Vec<u8>]) -> Option<IpAddr> {
    proxies.source(Some(PEER), lines.iter().map(Vec::as_slice))
}

proptest! {
    /// Whatever a caller writes, in however many lines, the answer is what the farthest of our proxies wrote.
    #[test]
    fn callers_have_no_say((field, ours) in ours(), theirs in vec(hostile(), 0..4)) {
        let proxies = TrustedProxies::new(field, ours.len() as u32).unwrap();
        let lines = append(theirs, &ours);
        prop_assert_eq!(source(&proxies, &lines), Some(ours[0].1), "{:?}", lines);
    }

    /// The same, where one of our proxies tells nothing that can be read: the caller gains nothing by it.
    #[test]
    fn callers_have_no_say_where_a_proxy_says_nothing(
        (field, mut ours) in ours(),
        theirs in vec(hostile(), 0..4),
        at in any::<prop::sample::Index>(),
    ) {
        let nothing: &[u8] = if field == ProxyField::Forwarded { b"for=what?" } else { b"what?" };
        let at = at.index(ours.len());
        ours[at].0 = nothing.to_vec();
        let proxies = TrustedProxies::new(field, ours.len() as u32).unwrap();
        prop_assert_eq!(source(&proxies, &append(theirs, &ours)), Some(PEER));
    }

    #[test]
    fn no_bytes_are_too_much(lines in vec(hostile(), 0..5), field in field(), count in 1..5_u32) {
        let proxies = TrustedProxies::new(field, count).unwrap();
        let told = source(&proxies, &lines);
        prop_assert_eq!(told, told.map(|address| address.to_canonical()));
        prop_assert_eq!(proxies.from_peers([]).source(Some(PEER), lines.iter().map(Vec::as_slice)), Some(PEER));
    }

    #[test]
    fn a_network_is_read_as_it_is_written(address in address(), prefix in 0..=128_u8) {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix % (width + 1);
        let first: IpAddr = match address {
            IpAddr::V4(v4) => {
                let kept = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & kept).into()
            }
            IpAddr::V6(v6) => {
                let kept = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & kept).into()
            }
        };
        let network = Network::new(first, prefix).unwrap();
        prop_assert_eq!(network.to_string().parse(), Ok(network));
        // A short prefix of a mapped address leaves an IPv6 network, which holds no IPv4 address.
        let same_kind = first.to_canonical().is_ipv4() == address.to_canonical().is_ipv4();
        prop_assert_eq!(network.contains(address), same_kind);
        if prefix > 0 && address.is_ipv4() {
            let IpAddr::V4(v4) = address else { unreachable!() };
            let other = v4.to_bits() ^ (1 << (32 - u32::from(prefix)));
            prop_assert!(!network.contains(Ipv4Addr::from_bits(other).into()));
        }
    }
}
