//! The seal of visitors' cookies: what opens, and what does not.

use std::sync::Arc;

use gatewright_core::principal::VisitorId;
use gatewright_core::scope::{Scope, ScopeSet};
use gatewright_core::session::{
    SealedVisit, Visit, VisitorKey, VisitorKeyError, VisitorKeys, VisitorSeal, VisitorTerms,
    VisitorTermsError,
};
use proptest::prelude::*;

const COOKIE: &str = "__Host-visitor";

fn key(id: u32, byte: u8) -> VisitorKey {
    VisitorKey::from_bytes(id, &[byte; 32]).unwrap()
}

fn keys(current: VisitorKey, older: impl IntoIterator<Item = VisitorKey>) -> Arc<VisitorKeys> {
    Arc::new(VisitorKeys::new(current, older).unwrap())
}

fn seal() -> VisitorSeal {
    VisitorSeal::new(keys(key(7, 1), []), COOKIE, "public")
}

fn visit(scopes: &str) -> Visit {
    let visitor = VisitorId::generate(1_700_000_000).unwrap();
    Visit::new(visitor, 1_700_000_500, ScopeSet::parse(scopes).unwrap())
}

/// Made by Python 3, for the key `bytes(range(32))`, with
///
/// ```python
/// body = (b"\x01" + struct.pack(">I", 7) + (1_700_000_000).to_bytes(5, "big") + bytes(range(16))
///         + seen.to_bytes(5, "big") + scopes.encode())
/// names = b"".join(struct.pack(">I", len(n)) + n for n in (b"__Host-visitor", b"public"))
/// tag = hmac.new(bytes(range(32)), b"gatewright visitor cookie" + names + body, hashlib.sha256).digest()
/// base64.urlsafe_b64encode(body + tag).rstrip(b"=")
/// ```
#[test]
fn seals_are_as_another_implementation_makes_them() {
    let bytes: Vec<u8> = (0..32).collect();
    let keys = keys(VisitorKey::from_bytes(7, &bytes).unwrap(), []);
    let seal = VisitorSeal::new(keys, COOKIE, "public");
    let visitor: VisitorId = "AGVT8QAAAQIDBAUGBwgJCgsMDQ4P".parse().unwrap();
    for (seen_at, scopes, expected) in [
        (
            1_700_000_000,
            "",
            "AQAAAAcAZVPxAAABAgMEBQYHCAkKCwwNDg8AZVPxAAmQ5wbhJiPGOAT_GuBXj59GrB1adeekHOZuhbp7XUaJ",
        ),
        (
            1_700_086_400,
            "pages.read:launch",
            "AQAAAAcAZVPxAAABAgMEBQYHCAkKCwwNDg8AZVVCgHBhZ2VzLnJlYWQ6bGF1bmNo-0xqY4rwooR-Y-Vai9AkC9d2l7TYecAM-6PohUog7E4",
        ),
        (
            1_700_086_400,
            "pages.read:launch pages.read:press",
            "AQAAAAcAZVPxAAABAgMEBQYHCAkKCwwNDg8AZVVCgHBhZ2VzLnJlYWQ6bGF1bmNoIHBhZ2VzLnJlYWQ6cHJlc3NpXgXJtoYkWV4xRRwSk3AmcEKy1RgaBduENBpNkXX8HQ",
        ),
    ] {
        let visit = Visit::new(visitor, seen_at, ScopeSet::parse(scopes).unwrap());
        assert_eq!(seal.seal(&visit).unwrap().expose(), expected);
        let opened = seal.open(expected.as_bytes()).unwrap();
        assert_eq!(opened.visit, visit);
        assert_eq!(opened.visit.visitor.minted_at(), 1_700_000_000);
        assert!(opened.by_current_key);
    }
}

/// Base64 of a body that its maker sealed rightly, and no other maker would have written so.
#[test]
fn only_the_one_text_of_a_visit_opens() {
    use aws_lc_rs::hmac;
    use base64::Engine as _;
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

    let head = [&[1, 0, 0, 0, 7][..], &[9; 21], &[0, 0, 0, 0, 9]].concat();
    let mut names = b"gatewright visitor cookie".to_vec();
    for name in [COOKIE, "public"] {
        names.extend((name.len() as u32).to_be_bytes());
        names.extend(name.as_bytes());
    }
    let signed = |body: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let tag = hmac::sign(&key, &[&names, body].concat());
        [body, tag.as_ref()].concat()
    };
    let seal = seal();
    let table: &[(&str, Vec<u8>, bool)] = &[
        ("no scopes", head.clone(), true),
        ("sorted", [&head, &b"a b"[..]].concat(), true),
        ("unsorted", [&head, &b"b a"[..]].concat(), false),
        ("repeated", [&head, &b"a a"[..]].concat(), false),
        ("a space more", [&head, &b"a "[..]].concat(), false),
        ("no scope", [&head, &b"a..b"[..]].concat(), false),
        ("no text", [&head, &b"\xff"[..]].concat(), false),
        ("version 2", [&[2][..], &head[1..]].concat(), false),
        (
            "no such key",
            [&[1, 0, 0, 0, 8][..], &head[5..]].concat(),
            false,
        ),
        ("too short", head[..30].to_vec(), false),
        ("nothing", Vec::new(), false),
    ];
    for (what, body, opens) in table {
        let text = URL_SAFE_NO_PAD.encode(signed(body));
        assert_eq!(seal.open(text.as_bytes()).is_some(), *opens, "{what}");
    }
    // Two bytes more than groups of three, so that four bits of the last character are free.
    let sealed = signed(&[&head, &b"ab"[..]].concat());
    let text = URL_SAFE_NO_PAD.encode(&sealed);
    assert!(seal.open(text.as_bytes()).is_some());
    let last = text.chars().last().unwrap();
    for other in ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['-', '_'])
    {
        let other_text = format!("{}{other}", &text[..text.len() - 1]);
        assert_eq!(seal.open(other_text.as_bytes()).is_some(), other == last);
    }
    for text in [
        URL_SAFE.encode(&sealed),
        format!(" {text}"),
        format!("{text}\n"),
        format!("\"{text}\""),
    ] {
        assert!(seal.open(text.as_bytes()).is_none(), "{text}");
    }
    assert!(seal.open(&[b'A'; SealedVisit::MAX_LENGTH + 1]).is_none());
    assert!(seal.open(&[0xff; 84]).is_none());
}

#[test]
fn one_cookies_value_is_none_for_another() {
    let keys = keys(key(1, 1), []);
    let names = [
        ("visitor", "public"),
        ("visitors", "public"),
        ("visitor", "publics"),
        ("visitorp", "ublic"),
        ("public", "visitor"),
        ("", "visitorpublic"),
    ];
    let seals = names.map(|(cookie, realm)| VisitorSeal::new(Arc::clone(&keys), cookie, realm));
    let visit = visit("pages.read:launch");
    for (ours, one) in seals.iter().enumerate() {
        let value = one.seal(&visit).unwrap();
        for (theirs, other) in seals.iter().enumerate() {
            let opens = other.open(value.expose().as_bytes()).is_some();
            assert_eq!(
                opens,
                ours == theirs,
                "{:?} {:?}",
                names[ours],
                names[theirs]
            );
        }
    }
}

#[test]
fn older_keys_still_open_and_the_newest_seals() {
    let with = |keys| VisitorSeal::new(keys, COOKIE, "public");
    let first = with(keys(key(1, 1), []));
    let second = with(keys(key(2, 2), [key(1, 1)]));
    let third = with(keys(key(3, 3), [key(2, 2)]));
    // The same number, and another key.
    let forged = with(keys(key(2, 9), []));
    let visit = visit("pages.read:launch");
    let [by_first, by_second, by_forger] =
        [&first, &second, &forged].map(|seal| seal.seal(&visit).unwrap());
    let open = |seal: &VisitorSeal, value: &SealedVisit| {
        let opened = seal.open(value.expose().as_bytes());
        opened.map(|opened| {
            assert_eq!(opened.visit, visit);
            opened.by_current_key
        })
    };
    assert_eq!(open(&second, &by_first), Some(false));
    assert_eq!(open(&second, &by_second), Some(true));
    assert_eq!(open(&third, &by_second), Some(false));
    assert_eq!(open(&third, &by_first), None);
    assert_eq!(open(&first, &by_second), None);
    assert_eq!(open(&second, &by_forger), None);
}

#[test]
fn keys_are_long_and_have_numbers_of_their_own() {
    assert!(matches!(
        VisitorKey::from_bytes(1, &[1; 31]),
        Err(VisitorKeyError::TooShort(1))
    ));
    assert!(VisitorKey::from_bytes(1, &[1; 100]).is_ok());
    for older in [vec![key(1, 2)], vec![key(2, 2), key(2, 3)]] {
        assert!(matches!(
            VisitorKeys::new(key(1, 1), older),
            Err(VisitorKeyError::DuplicateId(_))
        ));
    }
    let [one, other] = [1, 2].map(|id| VisitorKey::generate(id).unwrap());
    assert_ne!(one.expose(), other.expose());
    assert_eq!(one.expose().len(), VisitorKey::MIN_BYTES);
    assert!(!format!("{:?}", key(1, 77)).contains("77"));
    let value = seal().seal(&visit("")).unwrap();
    assert!(!format!("{value:?}").contains(value.expose()));
}

#[test]
fn a_cookie_holds_so_many_entitlements_and_no_more() {
    let scope = |n: usize, length: usize| format!("p{n:0>width$}", width = length - 1);
    // With the spaces, ten of 250 and one of 115 are 2,625 bytes.
    let mut scopes: Vec<String> = (0..10).map(|n| scope(n, 250)).collect();
    scopes.push(scope(10, 115));
    let most = visit(&scopes.join(" "));
    assert_eq!(most.entitlements.to_string().len(), 2_625);
    let value = seal().seal(&most).unwrap();
    assert_eq!(value.expose().len(), SealedVisit::MAX_LENGTH);
    assert_eq!(seal().open(value.expose().as_bytes()).unwrap().visit, most);

    scopes[10].push('0');
    let error = seal().seal(&visit(&scopes.join(" "))).unwrap_err();
    assert!(error.to_string().contains("2625"), "{error}");
}

/// RFC 6265bis §5.5: 400 days at most.
#[test]
fn terms_are_bounded() {
    const DAYS_400: u64 = 34_560_000;
    for (idle, absolute, expected) in [
        (1, 1, None),
        (DAYS_400, DAYS_400, None),
        (0, 1, Some(VisitorTermsError::NoTime)),
        (0, 0, Some(VisitorTermsError::NoTime)),
        (1, 0, Some(VisitorTermsError::IdleBeyondAbsolute)),
        (11, 10, Some(VisitorTermsError::IdleBeyondAbsolute)),
        (1, DAYS_400 + 1, Some(VisitorTermsError::TooLong)),
        (u64::MAX, u64::MAX, Some(VisitorTermsError::TooLong)),
    ] {
        assert_eq!(VisitorTerms::new(idle, absolute).err(), expected);
    }
}

fn scope() -> impl Strategy<Value = Scope> {
    "[a-z_-]{1,12}([.:][A-Za-z0-9]{1,8}){0,3}([.:]\\*)?|\\*".prop_map(|text| text.parse().unwrap())
}

prop_compose! {
    fn visits()(
        visitor: [u8; 21],
        seen_at in 0..1_u64 << 40,
        scopes in prop::collection::vec(scope(), 0..12),
    ) -> Visit {
        Visit::new(VisitorId::from_bytes(visitor), seen_at, scopes.into_iter().collect())
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens(visit in visits()) {
        let value = seal().seal(&visit).unwrap();
        prop_assert!(value.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        prop_assert_eq!(seal().open(value.expose().as_bytes()).unwrap().visit, visit);
    }

    #[test]
    fn what_was_changed_anywhere_does_not(visit in visits(), at: prop::sample::Index, byte: u8) {
        let value = seal().seal(&visit).unwrap();
        let mut text = value.expose().as_bytes().to_vec();
        let place = at.index(text.len());
        prop_assume!(text[place] != byte);
        text[place] = byte;
        prop_assert_eq!(seal().open(&text), None);
        text[place] = value.expose().as_bytes()[place];
        prop_assert_eq!(seal().open(&text[..place]), None);
        text.push(byte);
        prop_assert_eq!(seal().open(&text), None);
    }

    #[test]
    fn anything_else_is_read_without_harm(
        text in prop_oneof![
            any::<Vec<u8>>(),
            // As long as one without scopes, of the version and the key that there are.
            "AQAAAAc[A-D][A-Za-z0-9_-]{76}".prop_map(String::into_bytes),
        ],
    ) {
        prop_assert_eq!(seal().open(&text), None);
    }
}
