//! Mail addresses and names, as people type them.

use gatewright_core::error::{AuthError, ErrorCode};

/// The longest address that mail can be sent to, in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
const LONGEST_ADDRESS: usize = 254;
/// The longest part before the `@`, in bytes (RFC 5321 §4.5.3.1.1).
const LONGEST_LOCAL_PART: usize = 64;
/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

/// The address in lower case, if mail can be sent to it. Quoted local parts and addresses of machines by number are
/// refused: nobody has one, and a header of a mail must not be written with them.
pub(super) fn mail_address(text: &str) -> Result<String, AuthError> {
    let text = text.to_lowercase();
    let is_plain = |letter: char| {
        !letter.is_control() && !letter.is_whitespace() && !r#""(),:;<>@[\]"#.contains(letter)
    };
    let is_good = text.len() <= LONGEST_ADDRESS
        && text.split_once('@').is_some_and(|(local, domain)| {
            let is_dotted = |part: &str| part.split('.').all(|label| !label.is_empty());
            local.len() <= LONGEST_LOCAL_PART
                && [local, domain]
                    .iter()
                    .all(|part| is_dotted(part) && part.chars().all(is_plain))
        });
    if is_good {
        Ok(text)
    } else {
        Err(AuthError::new(ErrorCode::ValidationError)
            .with_message("The mail address is not one that mail can be sent to"))
    }
}

/// The name, if it is of one line and not too long. It may be empty.
pub(super) fn display_name(text: &str) -> Result<String, AuthError> {
    let text = text.trim();
    if text.chars().count() > LONGEST_NAME || text.chars().any(char::is_control) {
        return Err(AuthError::new(ErrorCode::ValidationError)
            .with_message("The name is too long, or has control characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_mail_cannot_be_sent_to() {
        for (typed, read) in [
            ("alice@example.com", "alice@example.com"),
            ("Alice.Smith+tag@EXAMPLE.com", "alice.smith+tag@example.com"),
            ("müller@bücher.example", "müller@bücher.example"),
            ("root@localhost", "root@localhost"),
        ] {
            assert_eq!(mail_address(typed).unwrap(), read);
        }
        let too_long = [
            format!("{}@example.com", "a".repeat(65)),
            format!("a@{}.example", "b".repeat(250)),
        ];
        let wrong = [
            "",
            "@",
            "alice",
            "alice@",
            "@example.com",
            "a@b@c",
            "a b@c",
            "a@b c",
            " a@b",
            "a@b ",
            "a@b\r\nBcc: c@d",
            "a@b\0",
            "<a@b>",
            "a@b,c",
            "a..b@c",
            ".a@b",
            "a@.b",
            "a@b.",
            "\"a\"@b",
            "a@[127.0.0.1]",
            "a@b;c",
        ];
        for wrong in wrong.into_iter().chain(too_long.iter().map(|text| &**text)) {
            let refusal = mail_address(wrong).unwrap_err();
            assert_eq!(refusal.code(), ErrorCode::ValidationError, "{wrong:?}");
        }
    }

    #[test]
    fn names_have_one_line() {
        assert_eq!(display_name(" Alice Smith ").unwrap(), "Alice Smith");
        assert_eq!(display_name("").unwrap(), "");
        assert_eq!(display_name(&"ß".repeat(100)).unwrap().chars().count(), 100);
        for wrong in [&"a".repeat(101), "a\nb", "a\u{85}b", "a\0"] {
            assert!(display_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
