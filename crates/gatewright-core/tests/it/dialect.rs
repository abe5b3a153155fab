//! Refusals on the wire.

use std::collections::HashMap;

use gatewright_core::dialect::{
    BodyWriter, Dialect, ErrorBody, RenderContext, Rendered, RpcId, render, wants_problem,
};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use proptest::prelude::*;
use serde_json::{Value, json};

const DIALECTS: [Dialect; 5] = [
    Dialect::Canonical,
    Dialect::Detail,
    Dialect::Problem,
    Dialect::OAuth,
    Dialect::JsonRpc,
];

fn field<'a>(answer: &'a Rendered, name: &str) -> Option<&'a str> {
    let mut found = answer.fields.iter().filter(|(other, _)| *other == name);
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{name} twice");
    value
}

fn body(answer: &Rendered) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

/// A reader of one challenge, by the grammar of RFC 9110 §11.6.1 and §5.6.4: scheme, one space,
/// parameters separated by commas, each name once. Independent of the writer.
fn parse_challenge(value: &str) -> Option<(String, HashMap<String, String>)> {
    let (scheme, mut rest) = value.split_once(' ')?;
    let mut params = HashMap::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return None;
        }
        let mut text = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => text.push(chars.next()?.1),
                (_, c @ ' '..='~') => text.push(c),
                _ => return None,
            }
        };
        if params.insert(name.to_owned(), text).is_some() {
            return None;
        }
        rest = &after[end..];
        if rest.is_empty() {
            return Some((scheme.to_owned(), params));
        }
        rest = rest.strip_prefix(", ")?;
    }
}

fn challenge(answer: &Rendered) -> Option<(String, HashMap<String, String>)> {
    let value = field(answer, "www-authenticate")?;
    Some(parse_challenge(value).expect("a well-formed challenge"))
}

fn params(list: &[(&str, &str)]) -> HashMap<String, String> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §6.2, RFC 8707 §2: the IANA registry of OAuth errors.
const REGISTERED: &[&str] = &[
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "invalid_client",
    "invalid_grant",
    "unsupported_grant_type",
    "invalid_token",
    "insufficient_scope",
    "invalid_target",
];

#[test]
fn every_code_in_every_dialect() {
    for code in ErrorCode::ALL {
        for dialect in DIALECTS {
            let answer = render(&AuthError::new(*code), &RenderContext::new(dialect));
            let name = code.as_str();
            let status = code.status();
            let message = code.message();
            assert_eq!(answer.status, status);
            assert_eq!(answer.message, message);
            assert_eq!(field(&answer, "cache-control"), Some("no-store"));
            let media_type = field(&answer, "content-type").unwrap();
            let got = body(&answer);
            if dialect == Dialect::Problem {
                assert_eq!(media_type, "application/problem+json");
            } else {
                assert_eq!(media_type, "application/json");
            }
            match dialect {
                Dialect::Canonical => assert_eq!(
                    got,
                    json!({"error": {"code": name, "message": message, "statusCode": status}})
                ),
                Dialect::Detail => assert_eq!(got, json!({"detail": message, "code": name})),
                Dialect::Problem => {
                    assert_eq!(got["type"], "about:blank");
                    assert_eq!(got["status"], status);
                    assert_eq!(got["detail"], message);
                    assert_eq!(got["code"], name);
                    assert!(got["title"].as_str().is_some_and(|title| !title.is_empty()));
                }
                Dialect::OAuth => {
                    assert!(
                        REGISTERED.contains(&got["error"].as_str().unwrap()),
                        "{got}"
                    );
                    assert_eq!(got["error_description"], message);
                }
                Dialect::JsonRpc => {
                    assert_eq!(got["jsonrpc"], "2.0");
                    assert_eq!(got.get("id"), Some(&Value::Null));
                    assert!(got["error"]["code"].is_i64());
                    assert_eq!(got["error"]["message"], message);
                    assert_eq!(got["error"]["data"]["code"], name);
                }
                other => panic!("{other:?} has no row"),
            }
            let challenged = status == 401 || *code == ErrorCode::InsufficientScope;
            assert_eq!(
                challenge(&answer).is_some(),
                challenged,
                "{code} {dialect:?}"
            );
            let waits = matches!(status, 429 | 503).then_some("1");
            assert_eq!(field(&answer, "retry-after"), waits, "{code}");
        }
    }
}

#[test]
fn oauth_codes() {
    let table = [
        (ErrorCode::InvalidClient, "invalid_client"),
        (ErrorCode::MissingBearerToken, "invalid_client"),
        (ErrorCode::InvalidPayload, "invalid_request"),
        (ErrorCode::InvalidScope, "invalid_scope"),
        (ErrorCode::InvalidTarget, "invalid_target"),
        (ErrorCode::UnsupportedGrantType, "unsupported_grant_type"),
        (ErrorCode::RateLimited, "temporarily_unavailable"),
        (ErrorCode::InternalError, "server_error"),
    ];
    for (code, registered) in table {
        let answer = render(&code.into(), &RenderContext::new(Dialect::OAuth));
        assert_eq!(body(&answer)["error"], registered);
    }
}

#[test]
fn problem_titles_are_the_phrases_of_their_status() {
    for (code, title) in [
        (ErrorCode::InvalidToken, "Unauthorized"),
        (ErrorCode::InsufficientRole, "Forbidden"),
        (ErrorCode::PayloadTooLarge, "Content Too Large"),
        (ErrorCode::RateLimited, "Too Many Requests"),
        (ErrorCode::InternalError, "Internal Server Error"),
        (ErrorCode::TemporarilyUnavailable, "Service Unavailable"),
    ] {
        let answer = render(&code.into(), &RenderContext::new(Dialect::Problem));
        assert_eq!(body(&answer)["title"], title);
    }
}

#[test]
fn json_rpc_numbers_and_ids() {
    let context = RenderContext::new(Dialect::JsonRpc);
    for (cause, number) in [
        (Cause::HeaderMismatch, -32020),
        (Cause::TokenInQuery, -32600),
        (Cause::GateMissing, -32603),
        (Cause::MissingScope, -32000),
        (Cause::NothingPresented, -32000),
    ] {
        let answer = render(&cause.into(), &context);
        assert_eq!(body(&answer)["error"]["code"], number, "{cause:?}");
    }
    let error = AuthError::from(Cause::MissingScope);
    for (id, shown) in [
        (RpcId::Null, json!(null)),
        (RpcId::Number(-7), json!(-7)),
        (RpcId::Text("a\"b"), json!("a\"b")),
    ] {
        let answer = render(&error, &context.with_rpc_id(id));
        assert_eq!(body(&answer)["id"], shown);
    }
}

#[test]
fn all_missing_scopes_are_named_at_once() {
    let context =
        RenderContext::new(Dialect::Canonical).with_required(&["analytics.*", "links.read"]);
    let table = [
        (0b00, "Token does not have the required scope", None),
        (
            0b01,
            "Token does not have the required scope: analytics.*",
            Some("analytics.*"),
        ),
        (
            0b11,
            "Token does not have the required scopes: analytics.* links.read",
            Some("analytics.* links.read"),
        ),
        // Bits past the list name nothing.
        (1 << 63, "Token does not have the required scope", None),
    ];
    for (mask, message, scope) in table {
        let error = AuthError::from(Cause::MissingScope).with_missing(mask);
        let answer = render(&error, &context);
        assert_eq!(body(&answer)["error"]["message"], message);
        let (_, params) = challenge(&answer).unwrap();
        assert_eq!(params["error"], "insufficient_scope");
        assert_eq!(params["error_description"], message);
        assert_eq!(params.get("scope").map(String::as_str), scope);
    }
}

#[test]
fn challenges() {
    let url = "https://api.example/.well-known/oauth-protected-resource";
    let bearer = "Bearer";
    type Row<'a> = (AuthError, &'a str, &'a [(&'a str, &'a str)]);
    let table: &[Row<'_>] = &[
        // RFC 6750 §3.1: nothing presented, so no error code.
        (
            Cause::NothingPresented.into(),
            bearer,
            &[("resource_metadata", url)],
        ),
        (
            Cause::ForeignScheme.into(),
            bearer,
            &[("resource_metadata", url)],
        ),
        // A login and a refresh present no bearer token.
        (
            Cause::WrongPassword.into(),
            bearer,
            &[("resource_metadata", url)],
        ),
        (
            Cause::RefreshMissing.into(),
            bearer,
            &[("resource_metadata", url)],
        ),
        (
            Cause::RefreshReused.into(),
            bearer,
            &[("resource_metadata", url)],
        ),
        (
            Cause::UnknownCredential.into(),
            bearer,
            &[
                ("error", "invalid_token"),
                ("error_description", "The credential is not valid"),
                ("resource_metadata", url),
            ],
        ),
        // The product's codes stay in the body.
        (
            Cause::Revoked.into(),
            bearer,
            &[
                ("error", "invalid_token"),
                ("error_description", "The credential has been revoked"),
                ("resource_metadata", url),
            ],
        ),
        (
            Cause::TokenInQuery.into(),
            bearer,
            &[
                ("error", "invalid_request"),
                ("error_description", "The request is malformed"),
                ("resource_metadata", url),
            ],
        ),
        // RFC 7617 §2.
        (ErrorCode::InvalidClient.into(), "Basic", &[]),
    ];
    let context = RenderContext::new(Dialect::Canonical)
        .with_realm("api")
        .with_resource_metadata(url);
    for (error, scheme, expected) in table {
        let mut expected = params(expected);
        expected.insert("realm".to_owned(), "api".to_owned());
        let answer = render(error, &context);
        assert_eq!(
            challenge(&answer),
            Some(((*scheme).to_owned(), expected)),
            "{error:?}"
        );
    }
    // At the token endpoint whoever presents nothing is asked for the client's credentials.
    let context = RenderContext::new(Dialect::OAuth).with_realm("api");
    let answer = render(&Cause::NothingPresented.into(), &context);
    assert_eq!(
        field(&answer, "www-authenticate"),
        Some("Basic realm=\"api\"")
    );
}

#[test]
fn a_challenge_without_realm_still_has_a_parameter() {
    let answer = render(
        &Cause::NothingPresented.into(),
        &RenderContext::new(Dialect::Canonical),
    );
    assert_eq!(
        field(&answer, "www-authenticate"),
        Some("Bearer realm=\"\"")
    );
}

#[test]
fn what_missed_at_401_is_asked_for() {
    let context = RenderContext::new(Dialect::Canonical).with_required(&["mcp:call"]);
    let error = AuthError::from(Cause::NothingPresented).with_missing(1);
    let (_, params) = challenge(&render(&error, &context)).unwrap();
    assert_eq!(params.get("scope").map(String::as_str), Some("mcp:call"));
    assert_eq!(params.get("error"), None);
}

#[test]
fn the_retry_hint_is_shown_where_it_means_something() {
    for (code, shown) in [
        (ErrorCode::RateLimited, Some("42")),
        (ErrorCode::QuotaExceeded, Some("42")),
        (ErrorCode::TemporarilyUnavailable, Some("42")),
        (ErrorCode::InvalidToken, None),
        (ErrorCode::InternalError, None),
    ] {
        let error = AuthError::new(code).with_retry_after(42);
        let answer = render(&error, &RenderContext::new(Dialect::Detail));
        assert_eq!(field(&answer, "retry-after"), shown, "{code}");
    }
}

#[test]
fn fields_of_an_error_are_added_unless_they_could_do_harm() {
    let error = AuthError::new(ErrorCode::MethodNotAllowed)
        .with_field("allow", "GET, HEAD")
        .with_field("allow", "POST")
        .with_field("content-type", "text/html")
        .with_field("www-authenticate", "Negotiate")
        .with_field("x-a", "b\r\nset-cookie: c")
        .with_field("x b", "c")
        .with_field("X-C", "d");
    let answer = render(&error, &RenderContext::new(Dialect::Canonical));
    let names: Vec<_> = answer.fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["content-type", "cache-control", "allow"]);
    assert_eq!(field(&answer, "allow"), Some("GET, HEAD"));
    assert_eq!(field(&answer, "content-type"), Some("application/json"));
}

/// RFC 9110 §12.5.1 and §12.4.2.
/// A body of no type would have browsers guess one from bytes that a caller may have had a say in.
#[test]
fn an_own_body_has_a_media_type() {
    for (content_type, taken) in [
        ("text/plain", true),
        ("application/vnd.api+json; charset=utf-8", true),
        ("text/plain ;q=1", true),
        ("", false),
        (" text/plain", false),
        ("text", false),
        ("text/", false),
        ("/plain", false),
        ("te xt/plain", false),
        ("text/plain\r\nset-cookie: a=b", false),
        ("text/plain; name=\u{eb}", false),
    ] {
        let writer = BodyWriter::new(move |_| Some(ErrorBody::new(content_type, "own")));
        let context = RenderContext::new(Dialect::Detail).with_body_writer(&writer);
        let answer = render(&Cause::NothingPresented.into(), &context);
        assert_eq!(answer.body == b"own", taken, "{content_type:?}");
        let said = if taken {
            content_type
        } else {
            "application/json"
        };
        assert_eq!(field(&answer, "content-type"), Some(said));
    }
}

#[test]
fn accept() {
    let table: &[(&[&str], bool)] = &[
        (&[], false),
        (&["*/*"], false),
        (&["application/*"], false),
        (&["application/json"], false),
        (&["application/problem+json"], true),
        (&["Application/Problem+JSON"], true),
        (&["text/html, application/problem+json;q=0.5"], true),
        (&["text/html", " application/problem+json "], true),
        (&["application/problem+json;charset=utf-8;q=0.001"], true),
        (&["application/problem+json ; Q=1.000"], true),
        (&["application/problem+json;q=0"], false),
        (&["application/problem+json;q=0.000"], false),
        (&["application/problem+json;q=0.0001"], false),
        (&["application/problem+json;q=2"], false),
        (&["application/problem+json;q="], false),
        (&["application/problem+json;q=-1"], false),
        (&["application/problem+jsonx"], false),
        // Inside a quoted string nothing separates.
        (&["text/a;b=\",application/problem+json,\""], false),
        (&["text/a;b=\"\\\",application/problem+json"], false),
        (&["application/problem+json;a=\";q=0\""], true),
    ];
    for (values, wanted) in table {
        let values = values.iter().map(|value| value.as_bytes());
        assert_eq!(
            wants_problem(values.clone()),
            *wanted,
            "{:?}",
            values.collect::<Vec<_>>()
        );
    }
}

#[test]
fn accept_is_read_up_to_a_limit() {
    let long = [b','; 5000];
    let asked: &[u8] = b"application/problem+json";
    assert!(wants_problem([&long[..4000], asked].into_iter()));
    assert!(!wants_problem([&long[..4090], asked].into_iter()));
    assert!(!wants_problem([&long[..], asked].into_iter()));
}

/// Text with the characters that end quoted strings, lines or parameters in most places.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,6}",
        "\\PC{0,4}",
        Just("\r\n".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\", error=\"x".to_owned()),
        Just("\0\u{7f}\u{85}\u{2028}é".to_owned()),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_escapes_from_its_place(
        code in 0..ErrorCode::ALL.len(),
        cause in proptest::option::of(0..Cause::ALL.len()),
        dialect in 0..DIALECTS.len(),
        message in proptest::option::of(hostile()),
        realm in hostile(),
        url in hostile(),
        scopes in proptest::collection::vec(hostile(), 0..4),
        extra in hostile(),
        mask: u64,
        id in hostile(),
    ) {
        let mut error = AuthError::new(ErrorCode::ALL[code])
            .with_missing(mask)
            .with_field("x-extra", extra);
        if let Some(cause) = cause {
            error = error.with_cause(Cause::ALL[cause]);
        }
        if let Some(message) = message.clone() {
            error = error.with_message(message);
        }
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let context = RenderContext::new(DIALECTS[dialect])
            .with_realm(&realm)
            .with_resource_metadata(&url)
            .with_required(&scopes)
            .with_rpc_id(RpcId::Text(&id));
        let answer = render(&error, &context);

        for (name, value) in &answer.fields {
            prop_assert!(field(&answer, name).is_some());
            prop_assert!(value.bytes().all(|b| matches!(b, b' '..=b'~')), "{name}: {value:?}");
        }
        let shown = body(&answer);
        if DIALECTS[dialect] == Dialect::Detail && let Some(message) = &message {
            prop_assert_eq!(shown["detail"].as_str(), Some(message.as_str()));
        }
        if DIALECTS[dialect] == Dialect::JsonRpc {
            prop_assert_eq!(shown["id"].as_str(), Some(id.as_str()));
        }
        let Some((scheme, params)) = challenge(&answer) else { return Ok(()) };
        prop_assert!(scheme == "Bearer" || scheme == "Basic");
        prop_assert_eq!(params["realm"].chars().count(), realm.chars().count());
        if realm.bytes().all(|b| matches!(b, b' '..=b'~')) {
            prop_assert_eq!(&params["realm"], &realm);
        }
        for name in params.keys() {
            let known = ["realm", "error", "error_description", "scope", "resource_metadata"];
            prop_assert!(known.contains(&name.as_str()), "{name}");
        }
        if let Some(text) = params.get("error_description") {
            prop_assert!(text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
        }
        if let Some(text) = params.get("scope") {
            for name in text.split(' ') {
                let at = scopes.iter().position(|scope| *scope == name);
                prop_assert!(at.is_some(), "{name:?} was not required");
            }
        }
        if let Some(text) = params.get("resource_metadata") {
            prop_assert_eq!(text, &url);
        }
    }

    #[test]
    fn accept_is_total(values in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let asked: &[u8] = b"application/problem+json";
        let _ = wants_problem(values.iter().map(Vec::as_slice));
        let before = values.iter().map(Vec::len).sum::<usize>() + asked.len();
        prop_assert!(before > 4096 || wants_problem(values.iter().map(Vec::as_slice).chain([asked])));
    }
}
