//! A visitor's cookie opens as the format says, and only if one of our keys sealed it for this cookie of this realm.
//!
//! The first byte says what the rest is: a value as it stands, what a key of ours seals, or changes to a good value.

#![no_main]

use std::sync::{Arc, LazyLock};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::principal::VisitorId;
use gatewright_core::scope::{Scope, ScopeSet};
use gatewright_core::session::{Opened, SealedVisit, Visit, VisitorKey, VisitorKeys, VisitorSeal};
use libfuzzer_sys::fuzz_target;

const COOKIE: &str = "__Host-visitor";
const REALM: &str = "public";
/// Ours, the newest first.
const KEYS: [(u32, [u8; 32]); 2] = [(7, [1; 32]), (0x0100_0000, [2; 32])];

struct World {
    ours: VisitorSeal,
    /// Another cookie, another realm, the boundary between their names elsewhere, other keys of the same ids.
    others: [VisitorSeal; 4],
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let keys = |change: u8| {
        let [new, old] = KEYS.map(|(id, bytes)| {
            VisitorKey::from_bytes(id, &bytes.map(|byte| byte ^ change)).unwrap()
        });
        Arc::new(VisitorKeys::new(new, [old]).unwrap())
    };
    let ours = keys(0);
    let seal = |cookie: &str, realm: &str| VisitorSeal::new(Arc::clone(&ours), cookie, realm);
    World {
        ours: seal(COOKIE, REALM),
        others: [
            seal("visitor", REALM),
            seal(COOKIE, "private"),
            seal("__Host-visitorp", "ublic"),
            VisitorSeal::new(keys(0x80), COOKIE, REALM),
        ],
    }
});

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    match mode % 3 {
        0 => check(rest),
        1 => check(encoded(&KEYS[usize::from(mode / 3) % 2].1, rest).as_bytes()),
        _ => changed(rest),
    }
});

/// Opened as expected, and written again as it was.
fn check(value: &[u8]) {
    let found = WORLD.ours.open(value);
    let expected = expected(value);
    assert_eq!(found, expected);
    let Some(opened) = found else {
        return;
    };
    assert!(WORLD.others.iter().all(|other| other.open(value).is_none()));
    let again = WORLD.ours.seal(&opened.visit).unwrap();
    assert_eq!(
        again.expose().as_bytes() == value,
        opened.by_current_key,
        "one text of a visit by one key"
    );
    let opened_again = WORLD.ours.open(again.expose().as_bytes()).unwrap();
    assert_eq!(opened_again.visit, opened.visit);
    assert!(opened_again.by_current_key);
}

/// The table of the module's documentation.
fn expected(value: &[u8]) -> Option<Opened> {
    let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
    let (content, seal) = bytes.split_at(bytes.len().checked_sub(32)?);
    let id = u32::from_be_bytes(content.get(1..5)?.try_into().unwrap());
    let (_, key) = KEYS.iter().find(|(known, _)| *known == id)?;
    if value.len() > SealedVisit::MAX_LENGTH || content[0] != 1 || sealed(key, content) != seal {
        return None;
    }
    let visitor = content.get(5..26)?.try_into().unwrap();
    let mut seen_at = [0; 8];
    seen_at[3..].copy_from_slice(content.get(26..31)?);
    let text = std::str::from_utf8(&content[31..]).ok()?;
    let scopes: Vec<&str> = text.split(' ').filter(|_| !text.is_empty()).collect();
    let good = scopes.is_sorted_by(|one, next| one < next)
        && scopes.len() <= ScopeSet::MAX_PARSED
        && scopes.iter().all(|scope| scope.parse::<Scope>().is_ok());
    let entitlements = scopes
        .iter()
        .filter_map(|scope| scope.parse::<Scope>().ok());
    let visit = Visit::new(
        VisitorId::from_bytes(visitor),
        u64::from_be_bytes(seen_at),
        good.then(|| entitlements.collect())?,
    );
    let opened = WORLD.ours.seal(&visit).ok().and_then(|text| {
        // `Opened` is made by nobody else: this one is taken for its fields, which are compared below.
        WORLD.ours.open(text.expose().as_bytes())
    });
    let mut opened = opened.expect("what is good is sealed and opened");
    assert_eq!(opened.visit, visit);
    opened.by_current_key = id == KEYS[0].0;
    Some(opened)
}

/// A good value with bytes changed, put in or left out: as long as it is another one, it opens nowhere.
fn changed(edits: &[u8]) {
    let (scopes, edits) = match edits.split_first() {
        Some((first, edits)) => (usize::from(first % 4), edits),
        None => (0, edits),
    };
    let names: Vec<&str> = ["a.b", "a.c", "pages.read:launch"][..scopes.min(3)].to_vec();
    let visit = Visit::new(
        VisitorId::from_bytes([9; VisitorId::BYTES]),
        edits.len() as u64,
        ScopeSet::parse(&names.join(" ")).unwrap(),
    );
    let good = WORLD.ours.seal(&visit).unwrap();
    check(good.expose().as_bytes());
    assert_eq!(
        WORLD.ours.open(good.expose().as_bytes()).unwrap().visit,
        visit
    );
    let mut value = good.expose().as_bytes().to_vec();
    for edit in edits.chunks_exact(3) {
        let [kind, place, byte] = *edit else {
            break;
        };
        let at = usize::from(place) % (value.len() + 1);
        match kind % 4 {
            0 if at < value.len() => value[at] = byte,
            1 => value.insert(at, byte),
            2 if at < value.len() => drop(value.remove(at)),
            3 if at < value.len() => value[at] ^= 1 << (byte % 8),
            _ => {}
        }
    }
    check(&value);
    if value != good.expose().as_bytes() {
        assert!(WORLD.ours.open(&value).is_none(), "changed, and opened");
    }
}

fn encoded(key: &[u8], content: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode([content, &sealed(key, content)].concat())
}

fn sealed(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut message = b"gatewright visitor cookie".to_vec();
    for name in [COOKIE, REALM] {
        message.extend((name.len() as u32).to_be_bytes());
        message.extend(name.as_bytes());
    }
    message.extend(content);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, &message).as_ref().to_vec()
}
