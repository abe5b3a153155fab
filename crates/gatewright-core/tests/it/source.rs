//! Where a request came from, by rule.

use std::net::IpAddr;

use gatewright_core::source::{Network, NetworkError, ProxiesError, ProxyField, TrustedProxies};

/// The nearest proxy.
const PEER: &str = "10.0.0.7";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What one proxy tells, where its word is the last element of the one line; `-` where it tells nothing.
fn told(field: ProxyField, line: &[u8]) -> String {
    let proxies = TrustedProxies::new(field, 1).unwrap();
    shown(proxies.source(Some(ip(PEER)), [line]))
}

fn shown(source: Option<IpAddr>) -> String {
    match source {
        Some(source) if source == ip(PEER) => "-".to_owned(),
        Some(source) => source.to_string(),
        None => "nobody".to_owned(),
    }
}

#[test]
fn forwarded_is_read_by_its_rules() {
    for (rule, line, expected) in [
        ("RFC 7239 §4: an address", "for=192.0.2.60", "192.0.2.60"),
        (
            "§4: among others",
            "for=192.0.2.60;proto=http;by=203.0.113.43",
            "192.0.2.60",
        ),
        (
            "§4: in any order",
            "proto=http;by=203.0.113.43;for=192.0.2.60",
            "192.0.2.60",
        ),
        (
            "§4: names in any case",
            "For=\"[2001:db8:cafe::17]:4711\"",
            "2001:db8:cafe::17",
        ),
        ("§4: names in any case", "FOR=192.0.2.60", "192.0.2.60"),
        (
            "§4: a list",
            "for=192.0.2.43, for=198.51.100.17",
            "198.51.100.17",
        ),
        (
            "§4: pairs may be left out",
            ";for=192.0.2.60;;proto=http;",
            "192.0.2.60",
        ),
        (
            "§4: each at most once",
            "for=192.0.2.60;for=192.0.2.60",
            "-",
        ),
        (
            "§4: each at most once, in any case",
            "for=192.0.2.60;FOR=192.0.2.61",
            "-",
        ),
        ("§4: no `for`", "by=203.0.113.43;proto=http", "-"),
        ("§4: no white space around `=`", "for =192.0.2.60", "-"),
        ("§4: no white space around `=`", "for= 192.0.2.60", "-"),
        (
            "§4: no white space around `;`",
            "for=192.0.2.60; proto=http",
            "-",
        ),
        ("§4: a value is not empty", "for=", "-"),
        ("§4: a pair has a name", "=192.0.2.60", "-"),
        ("§4: a pair has a value", "for", "-"),
        ("§4: a pair has a value", "for=192.0.2.60;secret", "-"),
        (
            "§4: other pairs are well formed",
            "for=192.0.2.60;host=a:80",
            "-",
        ),
        ("§4: `:` only in quotes", "for=192.0.2.60:80", "-"),
        ("§4: `[` only in quotes", "for=[2001:db8::1]", "-"),
        ("§6.1: IPv6 in brackets", "for=\"2001:db8::1\"", "-"),
        ("§6.1: IPv4 without", "for=\"[192.0.2.60]\"", "-"),
        ("§6.1: a quoted IPv4", "for=\"192.0.2.60\"", "192.0.2.60"),
        (
            "§6.1: with a port",
            "for=\"192.0.2.60:47011\"",
            "192.0.2.60",
        ),
        ("§6.1: IPv6", "for=\"[2001:db8::1]\"", "2001:db8::1"),
        (
            "§6: an obfuscated port",
            "for=\"[2001:db8::1]:_gazonk\"",
            "2001:db8::1",
        ),
        (
            "§6: a port has five digits",
            "for=\"192.0.2.60:123456\"",
            "-",
        ),
        ("§6: a port has a digit", "for=\"192.0.2.60:\"", "-"),
        ("§6: a port has digits alone", "for=\"192.0.2.60:+8\"", "-"),
        (
            "§6: nothing after the port",
            "for=\"[2001:db8::1]:80:80\"",
            "-",
        ),
        (
            "§6: nothing after the bracket",
            "for=\"[2001:db8::1]x\"",
            "-",
        ),
        ("§6: the bracket closes", "for=\"[2001:db8::1\"", "-"),
        ("§6: no name", "for=example.com", "-"),
        ("RFC 3986 §3.2.2: no leading zeros", "for=192.0.2.060", "-"),
        ("RFC 3986 §3.2.2: four numbers", "for=192.0.2", "-"),
        ("RFC 3986 §3.2.2: no number in hex", "for=0xc0.0.2.60", "-"),
        ("RFC 3986 §3.2.2: no zone", "for=\"[fe80::1%eth0]\"", "-"),
        (
            "RFC 4291 §2.5.5.2: mapped",
            "for=\"[::ffff:192.0.2.60]\"",
            "192.0.2.60",
        ),
        ("RFC 7239 §6.2: unknown", "for=unknown", "-"),
        ("§6.2: in any case", "for=Unknown", "-"),
        ("§6.3: obfuscated", "for=_hidden", "-"),
        ("§6.3: obfuscated", "for=\"_SEVKISEK\"", "-"),
        (
            "RFC 9110 §5.6.4: a quoted pair",
            "for=\"192.0\\.2.60\"",
            "192.0.2.60",
        ),
        (
            "§5.6.4: commas in quotes",
            "for=192.0.2.60;ext=\"a, b\"",
            "192.0.2.60",
        ),
        (
            "§5.6.4: quotes in quotes",
            "for=192.0.2.60;ext=\"a\\\", \\\\\"",
            "192.0.2.60",
        ),
        (
            "§5.6.4: an empty one",
            "for=192.0.2.60;ext=\"\"",
            "192.0.2.60",
        ),
        ("§5.6.4: the quote closes", "for=192.0.2.60;ext=\"a", "-"),
        ("§5.6.4: nothing after it", "for=\"192.0.2.60\"x", "-"),
        (
            "§5.6.4: no control characters",
            "for=192.0.2.60;ext=\"\u{7f}\"",
            "-",
        ),
        (
            "§5.6.1: white space around elements",
            "for=192.0.2.1,\t for=192.0.2.60 \t",
            "192.0.2.60",
        ),
        ("an empty element hides nothing", "for=192.0.2.60,", "-"),
        ("an empty element hides nothing", "for=192.0.2.60, ,", "-"),
        ("an empty line", "", "-"),
        ("an address without a name", "192.0.2.60", "-"),
    ] {
        assert_eq!(
            told(ProxyField::Forwarded, line.as_bytes()),
            expected,
            "{rule}: {line}"
        );
    }
    let obs_text = b"for=192.0.2.60;ext=\"\xe9\"";
    assert_eq!(told(ProxyField::Forwarded, obs_text), "192.0.2.60");
}

#[test]
fn x_forwarded_for_is_a_list_of_addresses() {
    for (line, expected) in [
        ("192.0.2.60", "192.0.2.60"),
        ("192.0.2.1,192.0.2.60", "192.0.2.60"),
        ("192.0.2.1 , \t192.0.2.60 ", "192.0.2.60"),
        ("192.0.2.60:47011", "192.0.2.60"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.60", "192.0.2.60"),
        ("\"192.0.2.60\"", "-"),
        ("for=192.0.2.60", "-"),
        ("unknown", "-"),
        ("_hidden", "-"),
        ("unix:", "-"),
        ("192.0.2.60,", "-"),
        ("192.0.2.60;", "-"),
        ("192.0.2.60 192.0.2.61", "-"),
        ("", "-"),
    ] {
        let source = told(ProxyField::XForwardedFor, line.as_bytes());
        assert_eq!(source, expected, "{line}");
    }
}

#[test]
fn elements_are_counted_from_the_right_over_all_lines() {
    let read = |count, lines: &[&str]| {
        let proxies = TrustedProxies::x_forwarded_for(count).unwrap();
        shown(proxies.source(Some(ip(PEER)), lines.iter().map(|line| line.as_bytes())))
    };
    let lines = ["192.0.2.1, 192.0.2.2", "192.0.2.3", "192.0.2.4,192.0.2.5"];
    let all = [
        "192.0.2.5",
        "192.0.2.4",
        "192.0.2.3",
        "192.0.2.2",
        "192.0.2.1",
    ];
    for (count, expected) in (1..).zip(all) {
        assert_eq!(read(count, &lines), expected);
    }
    assert_eq!(read(6, &lines), "-", "fewer than there should be");
    assert_eq!(read(1, &[]), "-", "no line");
    assert_eq!(
        read(2, &["192.0.2.1", ""]),
        "-",
        "an empty line is an element"
    );
    assert_eq!(
        read(2, &["192.0.2.1, unknown"]),
        "192.0.2.1",
        "ours may hide"
    );
    assert_eq!(read(2, &["192.0.2.1, what"]), "-", "ours are well formed");
    assert_eq!(
        read(2, &["unknown, 192.0.2.1"]),
        "-",
        "no step to the right"
    );

    let proxies = TrustedProxies::forwarded(2).unwrap();
    let read = |line: &str| shown(proxies.source(Some(ip(PEER)), [line.as_bytes()]));
    assert_eq!(read("for=192.0.2.1, by=_edge;proto=https"), "192.0.2.1");
    assert_eq!(read("for=192.0.2.1, for=_edge"), "192.0.2.1");
    assert_eq!(read("for=192.0.2.1, for=edge"), "-");
}

/// Whatever a caller puts before what our proxy appends, the answer is our proxy's.
#[test]
fn what_a_caller_writes_changes_nothing() {
    let attempts = [
        "for=192.0.2.1",
        "for=192.0.2.1, for=192.0.2.2",
        "for=\"",
        "for=\"\\",
        "for=\"192.0.2.1, for=192.0.2.2",
        "\\\\\\",
        "for=192.0.2.1;ext=\"a, b",
        "\"\"\"",
        ",,,,",
        "",
        "for=unknown",
        "\u{0}",
    ];
    for attempt in attempts {
        for ours in [
            "for=203.0.113.9",
            "for=\"[2001:db8::9]:4711\";ext=\"a, \\\"b\"",
        ] {
            let proxies = TrustedProxies::forwarded(1).unwrap();
            let alone = proxies.source(Some(ip(PEER)), [ours.as_bytes()]);
            assert_ne!(alone, Some(ip(PEER)));
            let joined = format!("{attempt}, {ours}");
            for lines in [vec![&*joined], vec![attempt, ours], vec![attempt, &*joined]] {
                let lines = lines.into_iter().map(str::as_bytes);
                assert_eq!(proxies.source(Some(ip(PEER)), lines), alone, "{attempt}");
            }
        }
    }
}

#[test]
fn only_listed_peers_are_believed() {
    let line: &[u8] = b"203.0.113.9";
    let proxies = TrustedProxies::x_forwarded_for(1)
        .unwrap()
        .from_peers(["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap()));
    for (peer, expected) in [
        ("10.0.0.1", "203.0.113.9"),
        ("10.255.255.255", "203.0.113.9"),
        ("::ffff:10.1.2.3", "203.0.113.9"),
        ("11.0.0.1", "11.0.0.1"),
        ("::ffff:11.0.0.1", "11.0.0.1"),
        ("2001:db8:1:2::3", "203.0.113.9"),
        ("2001:db8:2::3", "2001:db8:2::3"),
    ] {
        assert_eq!(
            proxies.source(Some(ip(peer)), [line]),
            Some(ip(expected)),
            "{peer}"
        );
    }
    assert_eq!(
        proxies.source(None, [line]),
        None,
        "a peer without an address is not listed"
    );
    let anybody = TrustedProxies::x_forwarded_for(1).unwrap();
    assert_eq!(anybody.source(None, [line]), Some(ip("203.0.113.9")));
    assert_eq!(anybody.source(None, []), None);
    let nobody = anybody.from_peers([]);
    assert_eq!(nobody.source(Some(ip(PEER)), [line]), Some(ip(PEER)));
}

#[test]
fn proxies_are_one_to_sixteen_and_write_into_one_of_two_fields() {
    for (count, fits) in [(0, false), (1, true), (16, true), (17, false), (257, false)] {
        assert_eq!(TrustedProxies::forwarded(count).is_ok(), fits, "{count}");
    }
    assert_eq!(TrustedProxies::forwarded(0), Err(ProxiesError::Count));
    for field in [ProxyField::Forwarded, ProxyField::XForwardedFor] {
        assert_eq!(field.to_string().to_uppercase().parse(), Ok(field));
    }
    assert_eq!("x-real-ip".parse::<ProxyField>(), Err(ProxiesError::Field));
}

#[test]
fn networks() {
    for (text, expected) in [
        ("10.0.0.0/8", Ok("10.0.0.0/8")),
        ("192.0.2.1", Ok("192.0.2.1/32")),
        ("192.0.2.1/32", Ok("192.0.2.1/32")),
        ("0.0.0.0/0", Ok("0.0.0.0/0")),
        ("::/0", Ok("::/0")),
        ("2001:db8::/32", Ok("2001:db8::/32")),
        ("::1", Ok("::1/128")),
        ("::ffff:10.0.0.0/104", Ok("10.0.0.0/8")),
        ("::ffff:0:0/96", Ok("0.0.0.0/0")),
        ("::ffff:192.0.2.1", Ok("192.0.2.1/32")),
        ("::ffff:0:0/95", Err(NetworkError::HostBits)),
        ("::ffff:10.0.0.1/104", Err(NetworkError::HostBits)),
        ("10.0.0.1/8", Err(NetworkError::HostBits)),
        ("2001:db8::1/32", Err(NetworkError::HostBits)),
        ("10.0.0.0/33", Err(NetworkError::Length)),
        ("::/129", Err(NetworkError::Length)),
        ("10.0.0.0/08", Err(NetworkError::Length)),
        ("10.0.0.0/+8", Err(NetworkError::Length)),
        ("10.0.0.0/", Err(NetworkError::Length)),
        ("10.0.0.0/8/8", Err(NetworkError::Length)),
        ("10.0.0.0/255.0.0.0", Err(NetworkError::Length)),
        ("10/8", Err(NetworkError::Address)),
        ("10.0.0.00/8", Err(NetworkError::Address)),
        (" 10.0.0.0/8", Err(NetworkError::Address)),
        ("[::1]", Err(NetworkError::Address)),
        ("localhost", Err(NetworkError::Address)),
        ("", Err(NetworkError::Address)),
    ] {
        let read = text.parse::<Network>().map(|network| network.to_string());
        assert_eq!(read, expected.map(str::to_owned), "{text}");
    }
    let (all4, all6): (Network, Network) = ("0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap());
    assert!(all4.contains(ip("::ffff:192.0.2.1")) && !all4.contains(ip("::1")));
    assert!(all6.contains(ip("::1")) && !all6.contains(ip("192.0.2.1")));
}

/// Only what stands within the bound is looked at, and what is cut by it is not believed.
#[test]
fn no_more_than_four_kibibytes_are_read() {
    let with = |before: usize| {
        let line = format!("for=192.0.2.60;ext=\"{}\"", "a".repeat(before));
        (line.len(), told(ProxyField::Forwarded, line.as_bytes()))
    };
    assert_eq!(with(4096 - 21), (4096, "192.0.2.60".to_owned()));
    assert_eq!(with(4096 - 20), (4097, "-".to_owned()));
    // What would be well formed where it is cut is not believed either.
    let line = format!("{}=b;for=192.0.2.60", "a".repeat(4096));
    assert_eq!(told(ProxyField::Forwarded, line.as_bytes()), "-");
    let line = format!("{}, 192.0.2.60", "x".repeat(1_000_000));
    let source = told(ProxyField::XForwardedFor, line.as_bytes());
    assert_eq!(source, "192.0.2.60", "what stands before is not looked at");

    // Over all lines.
    let proxies = TrustedProxies::forwarded(2).unwrap();
    let hop = format!("for=_edge;ext=\"{}\"", "a".repeat(4096 - 30));
    let source = |first: &str| {
        let lines = [first.as_bytes(), hop.as_bytes()];
        shown(proxies.source(Some(ip(PEER)), lines))
    };
    assert_eq!(hop.len() + 1 + "for=192.0.2.6".len(), 4096);
    assert_eq!(source("for=192.0.2.6"), "192.0.2.6");
    assert_eq!(source("for=192.0.2.60"), "-");
}

#[test]
fn nothing_is_allocated() {
    let proxies = TrustedProxies::forwarded(2)
        .unwrap()
        .from_peers([ip(PEER).into()]);
    let lines: [&[u8]; 2] = [
        b"for=\"",
        b"for=\"[2001:db8::1]:80\";proto=https, for=\"10.0\\.0.1\"",
    ];
    let peer = Some(ip(PEER));
    let counted = allocation_counter::measure(|| {
        assert_eq!(proxies.source(peer, lines), Some(ip("2001:db8::1")));
    });
    assert_eq!(counted.count_total, 0);
}
