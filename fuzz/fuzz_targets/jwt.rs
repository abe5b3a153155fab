//! What is accepted was signed, whole and as it stands, with a header that the rules allow.
//!
//! The first byte says what the rest is: changes to a token that was signed, a token, a header to be signed, or changes to the text
//! of claims before it is signed.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::jwt::{Algorithm, KeySet, SigningKey, Verifier, VerifyingKey};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const NOW: u64 = 1_000;
const CLAIMS: &str = r#"{"iss":"https://i.example","aud":"a","exp":2000,"iat":900,"sub":"u","client_id":"c","jti":"j"}"#;
const HEADER: &str = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;

struct World {
    pair: Ed25519KeyPair,
    /// A verifier, its keys and all tokens that they accept.
    gates: [(Verifier, KeySet, Vec<String>); 2],
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}"#);
    let public = KeySet::from_keys([VerifyingKey::from_jwk(jwk).unwrap()]).unwrap();
    let secret = SigningKey::hmac("k", &[7; 32]).unwrap();
    let shared = KeySet::from_keys([secret.verifying_key()]).unwrap();

    let rules = || Verifier::builder("https://i.example", "a").rfc9068();
    let asymmetric = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
    let other = CLAIMS.replace(r#""sub":"u""#, r#""sub":"somebody else""#);
    let ours = [CLAIMS, &other].map(|claims| signed(&pair, HEADER.as_bytes(), claims));
    let claims: [Value; 2] = [CLAIMS, &other].map(|claims| serde_json::from_str(claims).unwrap());
    let theirs = claims.map(|claims| secret.sign("at+jwt", &claims).unwrap());
    let world = World {
        pair,
        gates: [
            (
                rules().algorithms(asymmetric).build().unwrap(),
                public,
                ours.into(),
            ),
            (
                rules().algorithms([Algorithm::Hs256]).build().unwrap(),
                shared,
                theirs.into(),
            ),
        ],
    };
    for (verifier, keys, tokens) in &world.gates {
        for token in tokens {
            assert!(verifier.verify(token, keys, NOW).is_ok());
        }
    }
    world
});

fn signed(pair: &Ed25519KeyPair, header: &[u8], claims: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let world = &*WORLD;
    match mode % 4 {
        0 => only_what_was_signed(world, &changed(world, *mode, rest)),
        1 => only_what_was_signed(world, &String::from_utf8_lossy(rest)),
        2 => only_a_good_header(world, rest),
        _ => only_base64url(world, rest),
    }
});

fn only_what_was_signed(world: &World, token: &str) {
    for (verifier, keys, tokens) in &world.gates {
        if verifier.verify(token, keys, NOW).is_ok() {
            assert!(tokens.iter().any(|signed| signed == token), "{token}");
        }
    }
}

/// A token with bytes changed, put in or left out, or with a segment of another one.
fn changed(world: &World, mode: u8, edits: &[u8]) -> String {
    let all: Vec<&String> = world
        .gates
        .iter()
        .flat_map(|(_, _, tokens)| tokens)
        .collect();
    let mut token = all[usize::from(mode / 4) % all.len()].clone().into_bytes();
    for edit in edits.chunks_exact(4) {
        let [kind, high, low, byte] = *edit else {
            break;
        };
        let at = usize::from(u16::from_be_bytes([high, low])) % (token.len() + 1);
        match kind % 5 {
            0 if at < token.len() => token[at] = byte & 0x7f,
            1 => token.insert(at, byte & 0x7f),
            2 if at < token.len() => drop(token.remove(at)),
            3 if at < token.len() => token[at] ^= 1 << (byte % 7),
            _ => {
                let other = all[usize::from(byte) % all.len()];
                let place = usize::from(low) % 3;
                let text = String::from_utf8_lossy(&token).into_owned();
                let mut segments: Vec<&str> = text.split('.').collect();
                if let (Some(old), Some(new)) =
                    (segments.get_mut(place), other.split('.').nth(place))
                {
                    *old = new;
                }
                token = segments.join(".").into_bytes();
            }
        }
    }
    String::from_utf8_lossy(&token).into_owned()
}

/// A signature that holds does not excuse a text that is no encoding of claims, or one of several.
fn only_base64url(world: &World, edits: &[u8]) {
    // The subject's length moves the end of the text through a group of characters.
    let (length, edits) = edits.split_first().unwrap_or((&0, edits));
    let subject = "u".repeat(usize::from(length % 64));
    let claims = CLAIMS.replace(r#""sub":"u""#, &format!(r#""sub":"{subject}""#));
    let mut text = URL_SAFE_NO_PAD.encode(&claims).into_bytes();
    for edit in edits.chunks_exact(3) {
        let [kind, place, byte] = *edit else {
            break;
        };
        // Near the end, where bits may be left over.
        let at = text.len().saturating_sub(usize::from(place));
        match kind % 3 {
            0 if at < text.len() => text[at] = byte & 0x7f,
            1 => text.insert(at, byte & 0x7f),
            2 if at < text.len() => drop(text.remove(at)),
            _ => {}
        }
    }
    let text = String::from_utf8(text).unwrap();
    let message = format!("{}.{text}", URL_SAFE_NO_PAD.encode(HEADER));
    let signature = URL_SAFE_NO_PAD.encode(world.pair.sign(message.as_bytes()));
    let (verifier, keys, _) = &world.gates[0];
    let read = verifier.verify(&format!("{message}.{signature}"), keys, NOW);
    match URL_SAFE_NO_PAD.decode(&text) {
        Ok(bytes) if bytes == claims.as_bytes() && !subject.is_empty() => {
            assert_eq!(read.unwrap().subject(), Some(&*subject));
        }
        Ok(bytes) => {
            let theirs = serde_json::from_slice::<Value>(&bytes).ok();
            let said = theirs
                .as_ref()
                .and_then(|claims| claims.get("sub")?.as_str());
            assert!(read.is_err() || read.unwrap().subject() == said, "{text}");
        }
        Err(_) => assert!(read.is_err(), "{text}"),
    }
}

/// A signature that holds does not excuse a header.
fn only_a_good_header(world: &World, header: &[u8]) {
    let token = signed(&world.pair, header, CLAIMS);
    let (verifier, keys, _) = &world.gates[0];
    let accepted = verifier.verify(&token, keys, NOW).is_ok();
    let theirs = serde_json::from_slice::<Value>(header).ok();
    let good = theirs.is_some_and(|header| {
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let media = text("typ").map(str::to_ascii_lowercase);
        let bad = ["crit", "b64", "jwk", "jku", "x5u", "x5c"];
        matches!(text("alg"), Some("EdDSA" | "Ed25519"))
            && matches!(media.as_deref(), Some("at+jwt" | "application/at+jwt"))
            && (header.get("kid").is_none() || text("kid") == Some("k"))
            && bad.iter().all(|name| header.get(name).is_none())
    });
    // Repeated members, and what is nested deeper than we read, are good to serde_json.
    assert!(good || !accepted, "{}", String::from_utf8_lossy(header));
    if good && header.iter().filter(|byte| **byte == b'{').count() == 1 && !header.contains(&b'[') {
        let names = header.iter().filter(|byte| **byte == b':').count();
        let distinct = serde_json::from_slice::<Value>(header).unwrap();
        let reserved = header.contains(&b'$') || header.contains(&b'\\');
        let fits = token.len() <= 16 * 1024;
        if distinct.as_object().unwrap().len() == names && !reserved && fits {
            assert!(accepted, "{}", String::from_utf8_lossy(header));
        }
    }
}
