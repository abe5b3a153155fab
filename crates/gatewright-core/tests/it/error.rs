//! Codes, causes and the error that carries them.

use std::collections::HashSet;
use std::error::Error;
use std::num::NonZeroU32;

use gatewright_core::error::{AuthError, Cause, ErrorCode, RetryRule};
use proptest::prelude::*;

use RetryRule::{AfterHeader, Backoff, Never};

/// What clients were promised; written out, since a change here breaks them.
const WIRE: &[(&str, u16, RetryRule)] = &[
    ("invalid_request", 400, Never),
    ("invalid_payload", 400, Never),
    ("validation_error", 400, Never),
    ("invalid_scope", 400, Never),
    ("invalid_grant", 400, Never),
    ("unauthorized_client", 400, Never),
    ("unsupported_grant_type", 400, Never),
    ("invalid_link", 400, Never),
    ("invalid_target", 400, Never),
    ("missing_bearer_token", 401, Never),
    ("invalid_token", 401, Never),
    ("invalid_token_format", 401, Never),
    ("token_expired", 401, Never),
    ("token_revoked", 401, Never),
    ("invalid_credentials", 401, Never),
    ("refresh_token_missing", 401, Never),
    ("invalid_refresh_token", 401, Never),
    ("invalid_client", 401, Never),
    ("insufficient_scope", 403, Never),
    ("insufficient_role", 403, Never),
    ("feature_locked", 403, Never),
    ("forbidden_origin", 403, Never),
    ("not_found", 404, Never),
    ("method_not_allowed", 405, Never),
    ("conflict", 409, Never),
    ("payload_too_large", 413, Never),
    ("unsupported_media_type", 415, Never),
    ("rate_limited", 429, AfterHeader),
    ("quota_exceeded", 429, AfterHeader),
    ("internal_error", 500, Backoff),
    ("temporarily_unavailable", 503, Backoff),
];

#[test]
fn every_code_keeps_its_name_status_and_retry_rule() {
    let actual: Vec<_> = ErrorCode::ALL
        .iter()
        .map(|code| (code.as_str(), code.status(), code.retry()))
        .collect();
    assert_eq!(actual, WIRE);
}

#[test]
fn names_read_back_and_nothing_else_does() {
    for code in ErrorCode::ALL {
        assert_eq!(code.as_str().parse(), Ok(*code));
        assert_eq!(code.to_string(), code.as_str());
    }
    for odd in ["", "Invalid_Token", "invalid_token ", "unknown"] {
        assert!(odd.parse::<ErrorCode>().is_err(), "{odd:?}");
    }
}

#[test]
fn messages_are_sentences_that_a_challenge_can_carry() {
    for code in ErrorCode::ALL {
        let message = code.message();
        assert!(!message.is_empty());
        // RFC 6750 §3: error_description.
        assert!(
            message
                .bytes()
                .all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "{code}"
        );
    }
}

#[test]
fn retry_rules_hold_for_statuses_that_peers_send() {
    let table = [
        (200, Never),
        (400, Never),
        (404, Never),
        (409, Never),
        (429, AfterHeader),
        (500, Backoff),
        (501, Never),
        (502, Backoff),
        (503, Backoff),
        (504, Backoff),
    ];
    for (status, rule) in table {
        assert_eq!(RetryRule::of_status(status), rule, "{status}");
    }
}

#[test]
fn causes_are_named_once_and_in_snake_case() {
    let names: HashSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert_eq!(names.len(), Cause::ALL.len());
    for cause in Cause::ALL {
        let snake = format!("{cause:?}")
            .chars()
            .fold(String::new(), |mut out, c| {
                if c.is_uppercase() && !out.is_empty() {
                    out.push('_');
                }
                out.push(c.to_ascii_lowercase());
                out
            });
        assert_eq!(cause.as_str(), snake);
    }
}

/// The caller must not learn which step of the proof failed.
#[test]
fn a_secret_that_proves_nothing_always_reads_the_same() {
    let causes = [
        Cause::MalformedField,
        Cause::MalformedCredential,
        Cause::BadChecksum,
        Cause::UnknownFormat,
        Cause::UnknownCredential,
        Cause::TagMismatch,
        Cause::WrongSecret,
        Cause::RememberedWrongSecret,
    ];
    for cause in causes {
        let error = AuthError::from(cause);
        assert_eq!(error.code(), ErrorCode::InvalidToken, "{cause:?}");
        assert_eq!(error.to_string(), ErrorCode::InvalidToken.message());
    }
}

#[test]
fn causes_that_rules_dispute() {
    let table = [
        (Cause::NothingPresented, "missing_bearer_token"),
        (Cause::ForeignScheme, "missing_bearer_token"),
        (Cause::TokenInQuery, "invalid_request"),
        (Cause::AmbiguousField, "invalid_request"),
        (Cause::WrongPassword, "invalid_credentials"),
        (Cause::NotYetValid, "invalid_token"),
        (Cause::JwtNotYetValid, "invalid_token"),
        (Cause::JwtNotAllowed, "invalid_token"),
        (Cause::TokenInactive, "invalid_token"),
        (Cause::KeysUnavailable, "temporarily_unavailable"),
        (Cause::IntrospectionUnavailable, "temporarily_unavailable"),
        (Cause::Expired, "token_expired"),
        (Cause::JwtExpired, "token_expired"),
        (Cause::EpochRevoked, "token_revoked"),
        (Cause::WrongModeJwt, "invalid_token_format"),
        (Cause::WrongModeSecret, "insufficient_scope"),
        (Cause::ForeignTenant, "insufficient_scope"),
        (Cause::NoMembership, "not_found"),
        (Cause::FailureLimited, "rate_limited"),
        (Cause::StoreUnavailable, "temporarily_unavailable"),
        (Cause::HashQueueFull, "temporarily_unavailable"),
        (Cause::ForeignPolicy, "internal_error"),
        (Cause::GateMissing, "internal_error"),
        (Cause::PolicyMissing, "internal_error"),
    ];
    for (cause, code) in table {
        assert_eq!(cause.code().as_str(), code, "{cause:?}");
    }
}

#[test]
fn an_error_keeps_what_was_attached_and_a_clone_shares_it() {
    let error = AuthError::new(ErrorCode::TemporarilyUnavailable)
        .with_cause(Cause::StoreUnavailable)
        .with_retry_after(7)
        .with_missing(0b101)
        .with_message("Try later")
        .with_source("connection refused")
        .with_field("allow", "GET");
    let copy = error.clone();
    let changed = copy.clone().with_message("Later still");

    assert_eq!(copy.cause(), Some(Cause::StoreUnavailable));
    assert_eq!(copy.retry_after(), NonZeroU32::new(7));
    assert_eq!(copy.missing(), 0b101);
    assert_eq!(copy.to_string(), "Try later");
    assert_eq!(copy.source().unwrap().to_string(), "connection refused");
    assert_eq!(copy.fields().collect::<Vec<_>>(), [("allow", "GET")]);

    assert_eq!(error.message(), "Try later");
    assert_eq!(changed.message(), "Later still");
    assert_eq!(changed.source().unwrap().to_string(), "connection refused");
    assert_eq!(changed.with_retry_after(0).retry_after(), None);
}

proptest! {
    #[test]
    fn without_a_message_of_its_own_an_error_says_what_its_code_says(
        index in 0..Cause::ALL.len(), mask: u64, seconds: u32,
    ) {
        let cause = Cause::ALL[index];
        let error = AuthError::from(cause).with_missing(mask).with_retry_after(seconds);
        prop_assert_eq!(error.message(), cause.code().message());
        prop_assert_eq!(error.own_message(), None);
        prop_assert!(error.source().is_none());
        prop_assert_eq!(error.retry_after().map_or(0, NonZeroU32::get), seconds);
    }
}
