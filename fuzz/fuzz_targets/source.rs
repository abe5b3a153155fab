//! Where a request came from, against a reader that cuts the whole field into elements first.
//!
//! The first byte picks the field, the second how many proxies are trusted; each line of the rest is one line of the field.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatewright_core::source::{ProxyField, TrustedProxies};
use libfuzzer_sys::fuzz_target;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

fuzz_target!(|data: &[u8]| {
    let [field, count, text @ ..] = data else {
        return;
    };
    // The bound on what is read is not the model's.
    if text.len() >= 4000 {
        return;
    }
    let field = match field {
        b'f' => ProxyField::Forwarded,
        _ => ProxyField::XForwardedFor,
    };
    let count = count % 4 + 1;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let proxies = TrustedProxies::new(field, count.into()).unwrap();
    let source = |lines: &[&[u8]]| proxies.source(Some(PEER), lines.iter().copied());

    let told = source(&lines);
    let expected = expected(field, count.into(), &lines).unwrap_or(PEER);
    assert_eq!(told, Some(expected));

    // Whatever the input is, behind it our proxies have the say.
    let ours: &[u8] = match field {
        ProxyField::Forwarded => b"for=\"[2001:db8::9]:80\";ext=\", \\\"\"",
        _ => b"[2001:db8::9]:80",
    };
    let ours = vec![ours; count.into()].join(&b", "[..]);
    let address: IpAddr = "2001:db8::9".parse().unwrap();
    assert_eq!(source(&[&lines[..], &[&ours]].concat()), Some(address));
    let appended = [lines.last().unwrap(), &b", "[..], &ours].concat();
    assert_eq!(source(&[&appended]), Some(address));
});

fn expected(field: ProxyField, count: usize, lines: &[&[u8]]) -> Option<IpAddr> {
    let elements: Vec<Option<Vec<u8>>> = lines
        .iter()
        .flat_map(|line| match field {
            ProxyField::Forwarded => cut(line),
            _ => line
                .split(|byte| *byte == b',')
                .map(|e| Some(e.to_vec()))
                .collect(),
        })
        .collect();
    let ours = &elements[elements.len().checked_sub(count)?..];
    let nodes: Option<Vec<Option<IpAddr>>> = ours
        .iter()
        .map(|element| {
            let element = trim(element.as_deref()?);
            match field {
                ProxyField::Forwarded => forwarded(element),
                _ => match text(element).parse::<Ipv6Addr>() {
                    Ok(bare) => Some(Some(bare.into())),
                    Err(_) => node(element),
                },
            }
        })
        .collect();
    Some(nodes?.first().copied()??.to_canonical())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("?")
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b" ").or(text.strip_prefix(b"\t")) {
        text = rest;
    }
    while let Some(rest) = text.strip_suffix(b" ").or(text.strip_suffix(b"\t")) {
        text = rest;
    }
    text
}

/// Cuts at commas outside of quotes, on the mirror image: a quote opens at its end. `None` for what a quote never leaves.
fn cut(line: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mirrored: Vec<u8> = line.iter().rev().copied().collect();
    let mut elements = vec![Vec::new()];
    let mut quoted = false;
    for (at, byte) in mirrored.iter().enumerate() {
        if *byte == b',' && !quoted {
            elements.push(Vec::new());
            continue;
        }
        if *byte == b'"' {
            let escapes = mirrored[at + 1..]
                .iter()
                .take_while(|b| **b == b'\\')
                .count();
            quoted = !quoted || escapes % 2 == 1;
        }
        elements.last_mut().unwrap().push(*byte);
    }
    let last = elements.len() - 1;
    let mut elements: Vec<_> = elements
        .into_iter()
        .enumerate()
        .map(|(at, mut element)| {
            element.reverse();
            (at < last || !quoted).then_some(element)
        })
        .collect();
    elements.reverse();
    elements
}

/// The pairs of an element, by a machine over its bytes.
fn forwarded(element: &[u8]) -> Option<Option<IpAddr>> {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut escaped = false;
    if element.is_empty() {
        return None;
    }
    let mut rest = element.iter().copied().peekable();
    loop {
        if rest.peek().is_some_and(|byte| *byte != b';') {
            let mut name = Vec::new();
            while let Some(byte) = rest.next_if(|byte| is_token(*byte)) {
                name.push(byte);
            }
            rest.next_if_eq(&b'=')?;
            let mut value = Vec::new();
            if rest.next_if_eq(&b'"').is_some() {
                loop {
                    let byte = match rest.next()? {
                        b'"' => break,
                        b'\\' => {
                            escaped |= name.eq_ignore_ascii_case(b"for");
                            rest.next()?
                        }
                        byte => byte,
                    };
                    if (byte < b' ' && byte != b'\t') || byte == 0x7f {
                        return None;
                    }
                    value.push(byte);
                }
            } else {
                while let Some(byte) = rest.next_if(|byte| is_token(*byte)) {
                    value.push(byte);
                }
                if value.is_empty() {
                    return None;
                }
            }
            if name.is_empty() {
                return None;
            }
            pairs.push((name.to_ascii_lowercase(), value));
        }
        match rest.next() {
            None => break,
            Some(b';') => {}
            Some(_) => return None,
        }
    }
    let mut named = pairs.iter().filter(|(name, _)| name == b"for");
    match (named.next(), named.next()) {
        (None, _) => Some(None),
        // Only an obfuscated name could be longer, and nobody escapes those.
        (Some((_, value)), None) if escaped && value.len() > 128 => None,
        (Some((_, value)), None) => node(value),
        _ => None,
    }
}

/// RFC 7239 §6.
fn node(node: &[u8]) -> Option<Option<IpAddr>> {
    let node = text(node);
    let (name, port) = match node.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (Some(address.parse::<Ipv6Addr>().ok()?.into()), port)
        }
        None => {
            let end = node.find(':').unwrap_or(node.len());
            let (name, port) = node.split_at(end);
            let hidden = name.eq_ignore_ascii_case("unknown") || is_obfuscated(name);
            let address = name.parse::<Ipv4Addr>().ok().map(IpAddr::from);
            if address.is_none() && !hidden {
                return None;
            }
            (address, port)
        }
    };
    let fits = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            is_obfuscated(port)
                || (1..=5).contains(&port.len()) && port.chars().all(|c| c.is_ascii_digit())
        });
    fits.then_some(name)
}

fn is_obfuscated(text: &str) -> bool {
    let rest = text.strip_prefix('_').unwrap_or_default();
    !rest.is_empty()
        && rest
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
