//! What members of bodies may be.

use std::ops::RangeInclusive;

use axum::http::Uri;
use gatewright_core::error::ErrorCode;
use gatewright_core::scope::{Scope, ScopeSet};
use serde_json::Number;

use super::Failure;

const MAX_URL_LENGTH: usize = 2_048;
const MAX_EMAIL_LENGTH: usize = 254;
/// The most scopes that a credential is given.
pub(crate) const MAX_SCOPES: usize = 64;

/// A name that people read: 1 to 100 characters, none of them a control character.
pub(crate) fn name(field: &str, value: &str) -> Result<(), Failure> {
    text(field, value, 1..=100)
}

/// Text of so many characters, none of them a control character.
pub(crate) fn text(field: &str, value: &str, length: RangeInclusive<usize>) -> Result<(), Failure> {
    if length.contains(&value.chars().count()) && !value.chars().any(char::is_control) {
        return Ok(());
    }
    let (least, most) = (length.start(), length.end());
    let rule = format!("must have {least} to {most} characters and no control characters");
    Err(Failure::out_of_range(field, &rule))
}

/// A name that stands in URLs: 3 to 40 of `a-z`, `0-9` and `-`.
pub(crate) fn slug(field: &str, value: &str) -> Result<(), Failure> {
    let fits = (3..=40).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    fits.then_some(())
        .ok_or_else(|| Failure::out_of_range(field, "must be 3 to 40 of a-z, 0-9 and -"))
}

/// A whole number of a range.
pub(crate) fn whole(
    field: &str,
    value: &Number,
    range: RangeInclusive<u64>,
) -> Result<u64, Failure> {
    value
        .as_u64()
        .or_else(|| value.as_f64().and_then(exact))
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let rule = format!("must be a whole number from {least} to {most}");
            Failure::out_of_range(field, &rule)
        })
}

/// The number, where it is whole and as exact as it was written: `30.0` is 30 (RFC 8259 §6 knows one kind of number).
fn exact(number: f64) -> Option<u64> {
    const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;
    let is_whole = number.fract() == 0.0 && (0.0..EXACT_BELOW).contains(&number);
    is_whole.then_some(number as u64)
}

/// One of the words allowed.
pub(crate) fn one_of(field: &str, value: &str, allowed: &[&str]) -> Result<(), Failure> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let rule = format!("must be one of {}", allowed.join(", "));
    Err(Failure::out_of_range(field, &rule))
}

/// A mail address, as far as its form can be judged: something, `@`, something, and no space.
pub(crate) fn email(field: &str, value: &str) -> Result<(), Failure> {
    let fits = value.len() <= MAX_EMAIL_LENGTH
        && value
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && !value.chars().any(|c| c.is_control() || c.is_whitespace());
    fits.then_some(())
        .ok_or_else(|| Failure::out_of_range(field, "must be a mail address"))
}

/// An absolute URL of one of the schemes, with a host and without user information.
pub(crate) fn url(field: &str, value: &str, schemes: &[&str]) -> Result<(), Failure> {
    let fits = value.len() <= MAX_URL_LENGTH
        && value.bytes().all(|byte| byte.is_ascii_graphic())
        && value.parse::<Uri>().is_ok_and(|uri| {
            uri.scheme_str()
                .is_some_and(|scheme| schemes.contains(&scheme))
                && uri.host().is_some_and(|host| !host.is_empty())
                && uri
                    .authority()
                    .is_some_and(|authority| !authority.as_str().contains('@'))
        });
    fits.then_some(()).ok_or_else(|| {
        let rule = format!(
            "must be an absolute URL of the scheme {}, without user information",
            schemes.join(" or ")
        );
        Failure::out_of_range(field, &rule)
    })
}

/// A domain name of at least two labels (RFC 1123 §2.1), in lower case. Addresses are none.
pub(crate) fn domain(field: &str, value: &str) -> Result<String, Failure> {
    let value = value.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let fits = value.len() <= 253
        && value.split('.').all(label)
        && value
            .rsplit_once('.')
            .is_some_and(|(_, last)| last.bytes().any(|byte| byte.is_ascii_lowercase()));
    if fits {
        Ok(value)
    } else {
        Err(Failure::out_of_range(field, "must be a domain name"))
    }
}

/// The scopes asked for. Whether they are known, and what they imply, is for the issuer to say.
pub(crate) fn scopes(asked: &[String]) -> Result<ScopeSet, Failure> {
    if asked.is_empty() || asked.len() > MAX_SCOPES {
        let rule = format!("must name 1 to {MAX_SCOPES} scopes");
        return Err(Failure::out_of_range("scopes", &rule));
    }
    asked
        .iter()
        .map(|scope| scope.parse::<Scope>())
        .collect::<Result<_, _>>()
        .map_err(|_| ErrorCode::InvalidScope.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_3_to_40_of_lower_case_digits_and_hyphens() {
        for good in ["abc", "a-1", &"a".repeat(40)] {
            assert!(slug("handle", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            "Abc",
            "a_b",
            "a/b",
            "abc ",
            "äbc",
            &"a".repeat(41),
        ] {
            assert!(slug("handle", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_have_a_scheme_of_ours_a_host_and_no_user() {
        let schemes = &["http", "https"];
        for good in [
            "https://example.com/product",
            "http://example.com",
            "HTTPS://EXAMPLE.com/?a=b#c",
            "https://[::1]:8443/",
        ] {
            assert!(url("destinationUrl", good, schemes).is_ok(), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "/product",
            "//example.com",
            "javascript:alert(1)",
            "ftp://example.com",
            "https://",
            "https:///path",
            "https://user@example.com",
            "https://exa mple.com",
            "https://example.com/\r\nx",
            "https://example.com/ä",
        ] {
            assert!(url("destinationUrl", bad, schemes).is_err(), "{bad}");
        }
        assert!(url("url", "http://example.com", &["https"]).is_err());
    }

    #[test]
    fn domains_have_two_labels_and_are_no_addresses() {
        assert_eq!(
            domain("domain", "Go.Example.COM").unwrap(),
            "go.example.com"
        );
        assert!(domain("domain", "xn--mnchen-3ya.de").is_ok());
        for bad in [
            "",
            "localhost",
            "127.0.0.1",
            "a..b",
            ".a.b",
            "a.b.",
            "-a.b",
            "a-.b",
            "a_b.c",
            "ä.de",
            "https://a.b",
            "a.b/c",
            "a b.c",
        ] {
            assert!(domain("domain", bad).is_err(), "{bad}");
        }
        assert!(domain("domain", &format!("{}.com", "a".repeat(64))).is_err());
    }

    #[test]
    fn mail_addresses_have_two_sides() {
        assert!(email("email", "you@acme.com").is_ok());
        for bad in [
            "",
            "you",
            "@acme.com",
            "you@",
            "you @acme.com",
            "you@acme.com\n",
        ] {
            assert!(email("email", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_out_of_range_or_not_whole_are_named() {
        let number = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        for good in ["30", "30.0", "3e1"] {
            assert_eq!(whole("n", &number(good), 1..=365).unwrap(), 30, "{good}");
        }
        for bad in ["0", "366", "-1", "-1.0", "1.5", "1e3", "1e300", "-0.5"] {
            let failure = whole("n", &number(bad), 1..=365).unwrap_err();
            assert_eq!(failure.code(), ErrorCode::ValidationError, "{bad}");
        }
    }

    #[test]
    fn scopes_are_1_to_64_well_formed_ones() {
        let asked = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            scopes(&list)
                .map(|set| set.to_string())
                .map_err(|failure| failure.code())
        };
        assert_eq!(asked(&["links.write"]).unwrap(), "links.write");
        assert_eq!(asked(&["*"]).unwrap(), "*");
        assert_eq!(asked(&["a b"]), Err(ErrorCode::InvalidScope));
        assert_eq!(asked(&[]), Err(ErrorCode::ValidationError));
        assert_eq!(asked(&["a"; 65]), Err(ErrorCode::ValidationError));
    }
}
