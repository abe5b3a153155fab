//! The assertions pass on what the gate renders, and fail on what is wrong in it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gatewright_core::dialect::{Dialect, RenderContext, RpcId, render};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_testing::{Challenge, Refused};
use proptest::prelude::*;

const DIALECTS: [Dialect; 5] = [
    Dialect::Canonical,
    Dialect::Detail,
    Dialect::Problem,
    Dialect::OAuth,
    Dialect::JsonRpc,
];

fn rendered(error: &AuthError, dialect: Dialect) -> Refused {
    let context = RenderContext::new(dialect)
        .with_realm("api")
        .with_required(&["a", "b", "c"])
        .with_rpc_id(RpcId::Number(1));
    Refused::from(render(error, &context))
}

/// The message of the panic.
fn fails(check: impl FnOnce()) -> String {
    let outcome = catch_unwind(AssertUnwindSafe(check));
    let panic = outcome.expect_err("passes");
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| {
        let text = panic.downcast_ref::<&str>().unwrap();
        (*text).to_owned()
    })
}

fn plain(fields: &[(&str, &str)], body: &str) -> Refused {
    Refused::new(401, fields.iter().copied(), body)
}

#[test]
fn every_code_is_read_in_every_dialect() {
    for dialect in DIALECTS {
        for code in ErrorCode::ALL {
            let refused = rendered(&AuthError::new(*code), dialect);
            assert_eq!(refused.dialect(), dialect);
            refused.assert_code(*code).assert_not_stored();
            let in_query = rendered(&AuthError::from(Cause::TokenInQuery), dialect);
            in_query.assert_code(ErrorCode::InvalidRequest);
            match code.status() {
                401 => assert!(refused.challenge().param("realm").is_some()),
                429 | 503 => assert_eq!(refused.assert_retry_after(1..=1).status(), code.status()),
                _ => {}
            }
        }
    }
}

#[test]
fn another_code_fails_and_says_so() {
    let refused = rendered(&AuthError::new(ErrorCode::TokenExpired), Dialect::Canonical);
    let said = fails(|| {
        refused.assert_code(ErrorCode::TokenRevoked);
    });
    assert!(
        said.contains("token_revoked") && said.contains("token_expired"),
        "{said}"
    );
    let said = fails(|| {
        refused.assert_code(ErrorCode::NotFound);
    });
    assert!(said.contains("404") && said.contains("401"), "{said}");
}

#[test]
fn a_body_that_contradicts_itself_fails() {
    let json = [("content-type", "application/json")];
    let problem = [("content-type", "application/problem+json")];
    for (fields, body) in [
        (
            json,
            r#"{"error":{"code":"invalid_token","statusCode":403}}"#,
        ),
        (json, r#"{"error":{"statusCode":401}}"#),
        (
            json,
            r#"{"type":"about:blank","status":401,"code":"invalid_token"}"#,
        ),
        (
            problem,
            r#"{"type":"about:blank","status":403,"code":"invalid_token"}"#,
        ),
        (
            json,
            r#"{"jsonrpc":"1.0","id":null,"error":{"code":-32000,"data":{"code":"invalid_token"}}}"#,
        ),
        (
            json,
            r#"{"jsonrpc":"2.0","error":{"code":-32000,"data":{"code":"invalid_token"}}}"#,
        ),
        (
            json,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":"x","data":{"code":"invalid_token"}}}"#,
        ),
        (
            [("content-type", "text/html")],
            r#"{"detail":"","code":"invalid_token"}"#,
        ),
        (
            problem,
            r#"{"error":{"code":"invalid_token","statusCode":401}}"#,
        ),
        (
            [("content-type", "application/problem+jsonx")],
            r#"{"type":"about:blank","status":401,"code":"invalid_token"}"#,
        ),
        (json, r#"{"code":"invalid_token"}"#),
        (json, r#"["invalid_token"]"#),
        (json, "invalid_token"),
        (json, ""),
    ] {
        let refused = plain(&fields, body);
        let said = fails(|| {
            refused.assert_code(ErrorCode::InvalidToken);
        });
        assert!(said.contains("expected"), "{body}: {said}");
    }
}

/// RFC 6750 §3.1: what the challenge says goes with the code.
#[test]
fn a_challenge_that_contradicts_the_body_fails() {
    let of = |code: &str, status: u16, challenge: &str| {
        let fields = [
            ("content-type", "application/json; charset=utf-8"),
            ("www-authenticate", challenge),
        ];
        Refused::new(
            status,
            fields,
            format!(r#"{{"detail":"","code":"{code}"}}"#),
        )
    };
    let expired = |challenge| of("token_expired", 401, challenge);
    let missing = |challenge| of("missing_bearer_token", 401, challenge);
    expired(r#"Bearer realm="a", error="invalid_token""#).assert_code(ErrorCode::TokenExpired);
    missing(r#"Bearer realm="a""#).assert_code(ErrorCode::MissingBearerToken);
    missing(r#"Basic realm="a""#).assert_code(ErrorCode::MissingBearerToken);
    for challenge in [
        r#"Bearer realm="a""#,
        r#"Basic realm="a", Bearer error="insufficient_scope""#,
        "Bearer realm=a",
    ] {
        fails(|| {
            expired(challenge).assert_code(ErrorCode::TokenExpired);
        });
    }
    fails(|| {
        missing(r#"Bearer realm="a", error="invalid_token""#)
            .assert_code(ErrorCode::MissingBearerToken);
    });
}

#[test]
fn missing_scopes_are_exactly_these() {
    let error = AuthError::from(Cause::MissingScope).with_missing(0b101);
    let refused = rendered(&error, Dialect::Problem);
    refused.assert_missing_scopes(&["c", "a"]);
    for wrong in [&["a"][..], &["a", "b", "c"], &["a", "a", "c"], &[]] {
        fails(|| {
            refused.assert_missing_scopes(wrong);
        });
    }
    let other = rendered(
        &AuthError::new(ErrorCode::InsufficientRole),
        Dialect::Detail,
    );
    fails(|| {
        other.assert_missing_scopes(&[]);
    });
}

#[test]
fn challenges_are_one_well_formed_and_of_the_scheme() {
    let bearer = ("www-authenticate", r#"Bearer realm="api""#);
    let one = plain(&[("WWW-Authenticate", bearer.1)], "");
    one.assert_challenge("bearer", |challenge| {
        assert_eq!(challenge.param("realm"), Some("api"))
    });
    fails(|| {
        one.assert_challenge("Basic", |_| {});
    });
    fails(|| {
        one.assert_challenge("Bearer", |_| panic!("no"));
    });
    fails(|| {
        one.assert_no_challenge();
    });
    plain(&[], "").assert_no_challenge();
    fails(|| {
        let _ = plain(&[], "").challenge();
    });
    let two = plain(&[bearer, ("www-authenticate", r#"Basic realm="api""#)], "");
    assert_eq!(two.challenges().len(), 2);
    fails(|| {
        let _ = two.challenge();
    });
    let said = fails(|| {
        let _ = plain(&[("www-authenticate", "Bearer realm=api")], "").challenge();
    });
    assert!(said.contains("§11.5"), "{said}");
    fails(|| {
        plain(&[("www-authenticate", "Bearer")], "").assert_no_challenge();
    });
}

#[test]
fn retry_after_is_one_number_in_range() {
    let field = |value| plain(&[("retry-after", value)], "");
    field("30")
        .assert_retry_after(1..=30)
        .assert_retry_after(30..);
    for wrong in ["31", "+5", "-1", "1.5", "", "Fri, 31 Dec 1999 23:59:59 GMT"] {
        fails(|| {
            field(wrong).assert_retry_after(0..=30);
        });
    }
    fails(|| {
        plain(&[], "").assert_retry_after(..);
    });
    let twice = plain(&[("retry-after", "1"), ("retry-after", "1")], "");
    fails(|| {
        twice.assert_retry_after(..);
    });
}

#[test]
fn what_may_be_stored_fails() {
    plain(&[("Cache-Control", "private, No-Store")], "").assert_not_stored();
    for wrong in ["no-cache", "private", "x-no-store", "max-age=0"] {
        fails(|| {
            plain(&[("cache-control", wrong)], "").assert_not_stored();
        });
    }
    fails(|| {
        plain(&[], "").assert_not_stored();
    });
}

#[test]
fn a_secret_is_found_wherever_it_stands_and_is_not_repeated() {
    let secret = "s3\"cr/et";
    plain(&[("x", "other")], "nothing").assert_hides(secret);
    for refused in [
        plain(&[("x", "a s3\"cr/et b")], ""),
        plain(&[("S3\"CR/ET", "")], ""),
        plain(&[], "a s3\"cr/et b"),
        plain(&[], r#"{"error":{"message":"a s3\"cr/et b"}}"#),
        plain(&[], r#"{"error":["s3\u0022cr\/et"]}"#),
        plain(&[], r#"{"s3\u0022cr\/et":1}"#),
    ] {
        let said = fails(|| {
            refused.assert_hides(secret);
        });
        assert!(!said.contains("cr/et"), "{said}");
    }
    fails(|| {
        plain(&[], "").assert_hides("");
    });
}

#[tokio::test]
async fn it_is_read_from_a_response() {
    fn response<B>(body: B) -> http::Response<B> {
        let builder = http::Response::builder().status(403);
        builder
            .header("x-a", "1")
            .header("X-A", "2")
            .body(body)
            .unwrap()
    }
    let read = Refused::read(response(http_body_util::Full::<&[u8]>::new(b"body"))).await;
    assert_eq!(read, Refused::from(response("body")));
    assert_eq!((read.status(), read.body()), (403, &b"body"[..]));
    assert_eq!(read.field("X-a"), Some("1"));
    let parts = [("x-a", "1"), ("x-a", "2")];
    assert_eq!(read, Refused::new(403, parts, "body"));
}

/// A challenge written with its values as quoted strings, every quote and backslash escaped.
fn written(scheme: &str, params: &[(String, String)]) -> String {
    let escaped = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"");
    let params = params
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    let params: Vec<String> = params.collect();
    format!("{scheme} {}", params.join(", "))
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        all in prop::collection::vec(
            ("[A-Z][a-z0-9!#$%&'*+.^_`|~-]{0,9}x", prop::collection::btree_map("[a-z]{1,5}", "[ -~\t]{0,12}", 1..4)),
            1..4,
        ),
    ) {
        let all: Vec<(String, Vec<(String, String)>)> =
            all.into_iter().map(|(scheme, params)| (scheme, params.into_iter().collect())).collect();
        let field: Vec<String> = all.iter().map(|(scheme, params)| written(scheme, params)).collect();
        let read = Challenge::parse(&field.join(", ")).unwrap();
        let read: Vec<(String, Vec<(String, String)>)> = read
            .iter()
            .map(|challenge| {
                let params = challenge.params().map(|(name, value)| (name.to_owned(), value.to_owned()));
                (challenge.scheme().to_owned(), params.collect())
            })
            .collect();
        prop_assert_eq!(read, all);
    }

    #[test]
    fn whatever_the_core_renders_is_a_strict_challenge(realm in any::<String>(), message in any::<String>()) {
        for code in [ErrorCode::InvalidToken, ErrorCode::InsufficientScope, ErrorCode::InvalidClient] {
            let error = AuthError::new(code).with_message(message.clone()).with_missing(0b11);
            let context = RenderContext::new(Dialect::Canonical).with_realm(&realm).with_required(&["a", "b"]);
            let challenge = Refused::from(render(&error, &context)).challenge();
            prop_assert_eq!(challenge.params().next().unwrap().0, "realm");
            if realm.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                prop_assert_eq!(challenge.param("realm"), Some(&*realm));
            }
        }
    }

    #[test]
    fn no_field_makes_it_panic(field in r#"(Bearer|Basic|[a-z]{1,3}|[ \t]|[",=\\;]|realm="|scope="|\PC){0,12}"#) {
        let _ = Challenge::parse(&field);
    }
}
