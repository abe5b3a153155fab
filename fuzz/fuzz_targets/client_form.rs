//! Whom the OAuth endpoints take for a client, against the form decoder of browsers and a plain reading of the rules.
//!
//! The input's lines are the content type, the query, the body and any number of `Authorization` lines. In them, the bytes 1 and 2
//! stand for the id and the secret of a client, and 3 at the beginning of an `Authorization` line for `Basic` and the base64 of the rest.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::audit::NoAudit;
use gatewright_core::credential::{Formats, SecretFormat, SecretKind};
use gatewright_core::error::ErrorCode;
use gatewright_core::principal::{TenantId, TenantKind, UserId};
use gatewright_core::scope::{ScopeCatalog, ScopeSet};
use gatewright_core::store::MemoryStore;
use gatewright_issuer::{
    Authority, ClientAuthenticator, CredentialIssuer, OAuthClients, OAuthRequest,
};
use gatewright_testing::TestAuthority;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode;
use tokio::runtime::{Builder, Runtime};

struct World {
    runtime: Runtime,
    _authority: TestAuthority,
    authenticator: ClientAuthenticator,
    id: String,
    secret: String,
    asked: AtomicU32,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (authority, client) = runtime.block_on(async {
        let secrets = SecretFormat::unnamed(SecretKind::Client, "apx_secret");
        let formats = Formats::standard().with(secrets).unwrap();
        let authority = TestAuthority::builder(TenantKind::from_static("org"))
            .tenant("acme", "free")
            .configure(|gate| gate.formats(formats))
            .build()
            .await;
        let scopes = ScopeCatalog::builder().declare("a", "A").build().unwrap();
        let (gate, store) = (authority.gate().clone(), Arc::clone(authority.store()));
        let issuer = CredentialIssuer::new(
            gate,
            Arc::<MemoryStore>::clone(&store),
            Arc::new(scopes),
            Arc::new(NoAudit::default()),
        );
        let clients = OAuthClients::new(issuer, store);
        let (acme, alice) = (
            TenantId::new("acme").unwrap(),
            UserId::new("alice").unwrap(),
        );
        let request = clients.request(acme, alice, ScopeSet::parse("a").unwrap());
        let client = clients.register(request, &Authority::operator()).await;
        (authority, client.unwrap())
    });
    World {
        runtime,
        authenticator: ClientAuthenticator::new(authority.gate().clone()),
        _authority: authority,
        id: client.id.to_string(),
        secret: client.secret.expose().to_owned(),
        asked: AtomicU32::new(0),
    }
});

fuzz_target!(|data: &[u8]| {
    let world = &*WORLD;
    let mut lines = data
        .split(|byte| *byte == b'\n')
        .map(|line| filled(line, world));
    let (content_type, query, body) = (lines.next(), lines.next(), lines.next());
    let body = body.unwrap_or_default();
    let Ok(query) = query.map(String::from_utf8).transpose() else {
        return;
    };
    let authorization: Vec<Vec<u8>> = lines
        .map(|line| match line.split_first() {
            Some((3, pair)) => format!("Basic {}", STANDARD.encode(pair)).into_bytes(),
            _ => line,
        })
        .collect();
    let lines: Vec<&[u8]> = authorization.iter().map(Vec::as_slice).collect();
    // Each from elsewhere, or the failures of before would count.
    let source = Ipv4Addr::from_bits(world.asked.fetch_add(1, Ordering::Relaxed));
    let request = OAuthRequest::post(&body)
        .content_type(content_type.as_deref())
        .query(query.as_deref())
        .authorization(&lines)
        .source(Some(IpAddr::V4(source)));
    let answer = world
        .runtime
        .block_on(world.authenticator.authenticate(&request));
    let found = match answer {
        Ok(client) => {
            assert_eq!(client.id().as_str(), world.id);
            Ok(())
        }
        Err(refusal) => Err(refusal.code()),
    };
    let content_type = content_type.unwrap_or_default();
    let query = query.unwrap_or_default();
    let expected =
        presented(&content_type, query.as_bytes(), &body, &lines).and_then(|presented| {
            let good = presented == (world.id.clone(), world.secret.clone());
            good.then_some(()).ok_or(ErrorCode::InvalidClient)
        });
    assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(data));
});

fn filled(line: &[u8], world: &World) -> Vec<u8> {
    let mut filled = Vec::new();
    for byte in line {
        match byte {
            1 => filled.extend(world.id.as_bytes()),
            2 => filled.extend(world.secret.as_bytes()),
            byte => filled.push(*byte),
        }
    }
    filled
}

/// The id and the secret that RFC 6749 §2.3.1 finds in a request.
fn presented(
    content_type: &[u8],
    query: &[u8],
    body: &[u8],
    lines: &[&[u8]],
) -> Result<(String, String), ErrorCode> {
    let secrets = [
        "client_id",
        "client_secret",
        "client_assertion",
        "grant_type",
        "token",
        "access_token",
    ];
    let in_query = pairs(query)
        .into_iter()
        .filter_map(|(name, _)| decoded(name))
        .any(|name| secrets.contains(&name.as_str()));
    let essence = content_type.split(|byte| *byte == b';').next().unwrap();
    let is_form = essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/x-www-form-urlencoded");
    if in_query || !is_form {
        return Err(ErrorCode::InvalidRequest);
    }
    if body.len() > OAuthRequest::MAX_BODY {
        return Err(ErrorCode::PayloadTooLarge);
    }
    let form: Option<Vec<(String, String)>> = pairs(body)
        .into_iter()
        .map(|(name, value)| Some((decoded(name)?, decoded(value)?)))
        .collect();
    let form = form.ok_or(ErrorCode::InvalidRequest)?;
    // What is well formed, browsers and servers decode alike.
    let theirs: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    assert_eq!(form, theirs);
    let count = |name: &str| form.iter().filter(|(other, _)| other == name).count();
    let repeats = form
        .iter()
        .any(|(name, _)| name != "resource" && count(name) > 1);
    if repeats || form.len() > 64 {
        return Err(ErrorCode::InvalidRequest);
    }
    let get = |wanted: &str| {
        let found = form.iter().find(|(name, _)| name == wanted);
        found
            .map(|(_, value)| value.clone())
            .filter(|v| !v.is_empty())
    };
    let (id, secret, assertion) = (
        get("client_id"),
        get("client_secret"),
        get("client_assertion"),
    );
    let in_body = usize::from(secret.is_some()) + usize::from(assertion.is_some());
    if lines.len() + in_body > 1 {
        return Err(ErrorCode::InvalidRequest);
    }
    let [line] = lines else {
        return id.zip(secret).ok_or(ErrorCode::InvalidClient);
    };
    let basic = basic(line).ok_or(ErrorCode::InvalidClient)?;
    if id.is_some_and(|id| id != basic.0) {
        return Err(ErrorCode::InvalidRequest);
    }
    Ok(basic)
}

fn basic(line: &[u8]) -> Option<(String, String)> {
    // The bound on what is read is not RFC 7617's.
    let line = std::str::from_utf8(line)
        .ok()
        .filter(|line| line.len() <= 4096)?;
    let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
    let (scheme, rest) = line.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case("basic ") {
        return None;
    }
    let pair = STANDARD
        .decode(rest.trim_start_matches(|c: char| c.is_ascii_whitespace()))
        .ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some((decoded(&pair[..colon])?, decoded(&pair[colon + 1..])?))
}

fn pairs(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    let pairs = text.split(|byte| *byte == b'&');
    pairs
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            (parts.next().unwrap(), parts.next().unwrap_or_default())
        })
        .collect()
}

/// Strictly: a broken escape or what is no UTF-8 is nothing.
fn decoded(text: &[u8]) -> Option<String> {
    let escapes = text.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    for (at, _) in escapes {
        let digits = text.get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let text = percent_decode(&spaced).decode_utf8().ok()?;
    Some(text.into_owned())
}
