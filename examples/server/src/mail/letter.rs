//! What the mails say.

use std::fmt;

use gatewright_issuer::Mail;
use lettre::address::Envelope;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Body, Mailbox};
use lettre::{Address, Message};
use zeroize::Zeroizing;

/// The most characters that a mail shows of a name which somebody chose.
const MAX_SHOWN: usize = 64;

/// No subject holds anything that somebody chose; `None` for a kind of mail that is younger than this page.
const fn subject(mail: &Mail) -> Option<&'static str> {
    Some(match mail {
        Mail::VerifyAddress { .. } => "Confirm your mail address",
        Mail::AlreadyRegistered { .. } => "You already have an account",
        Mail::ResetPassword { .. } => "Choose a new password",
        Mail::PasswordChanged { .. } => "Your password was changed",
        Mail::Invite { .. } => "You are invited to a workspace",
        _ => return None,
    })
}

/// Tokens stand in the fragment of their link: browsers send it to no server, and write it into no `Referer`
/// (RFC 9110 §10.1.3).
fn text(mail: &Mail, public_url: &str) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(match mail {
        Mail::VerifyAddress { token, .. } => format!(
            "Welcome. Open this link to confirm your mail address:\n\n\
                 {public_url}/verify-email#token={}\n\n\
                 It works once, for 24 hours. If you did not sign up, ignore this mail: nobody can use the account\n\
                 without the link.\n",
            token.expose()
        ),
        Mail::AlreadyRegistered { .. } => format!(
            "Somebody, probably you, tried to sign up at {public_url} with this mail address, which has an\n\
                 account already. Nothing was changed. If you forgot your password, ask for a new one where you sign\n\
                 in. If it was not you, there is nothing to do.\n"
        ),
        Mail::ResetPassword { token, .. } => format!(
            "Open this link to choose a new password:\n\n\
                 {public_url}/reset-password#token={}\n\n\
                 It works once, for one hour. If you did not ask for it, ignore this mail: your password stays as it\n\
                 is.\n",
            token.expose()
        ),
        Mail::PasswordChanged { .. } => format!(
            "The password of your account at {public_url} was changed just now, and its other sessions were\n\
                 ended. If it was not you, ask for a new password at once where you sign in.\n"
        ),
        Mail::Invite {
            tenant,
            by_email,
            by_name,
            role,
            token,
            ..
        } => format!(
            "{} invites you to {}, as {}. Open this link to accept:\n\n\
                 {public_url}/accept-invite#token={}\n\n\
                 It works once, for a limited time, and for this mail address alone. If you do not know the sender,\n\
                 ignore this mail.\n",
            inviter(by_name, by_email),
            shown(tenant.slug()),
            shown(role),
            token.expose()
        ),
        _ => return None,
    }))
}

/// Who invites: what they call themselves, and the address that shows who they are. Anybody may invite anybody, so a name
/// that programs for mail make a link of would be somebody else's letter under our sender.
fn inviter(name: &str, email: &str) -> String {
    let (name, email) = (shown(name), shown(email));
    if name.is_empty() || reads_as_link(&name) {
        email
    } else {
        format!("{name} ({email})")
    }
}

/// A name as it may stand in a line: nothing that begins another one or changes how the rest is read, and not too long.
fn shown(name: &str) -> String {
    let reads_otherwise = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    name.chars()
        .filter(|c| !reads_otherwise(*c))
        .take(MAX_SHOWN)
        .collect()
}

/// Whether a program for mail may take a part of it for a URL, the name of a host, or an address. `J. Doe` has none.
fn reads_as_link(name: &str) -> bool {
    let is_dot = |c: char| matches!(c, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}');
    let mut after_dot = name.split(is_dot).skip(1);
    name.contains(['/', '\\', '@', ':'])
        || after_dot.any(|rest| rest.starts_with(char::is_alphanumeric))
}

/// How a body that is not ASCII is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// In ASCII, which every server takes.
    Ascii,
    /// As it is, for whoever opens the file.
    Plain,
}

/// Makes letters of mails.
#[derive(Debug)]
pub(crate) struct Composer {
    public_url: Box<str>,
    from: Mailbox,
}

/// A mail as it goes over the wire (RFC 5322), and the addresses it goes between.
pub(crate) struct Letter {
    pub(super) envelope: Envelope,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// Why there is no letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Uncomposable {
    /// The recipient is not one mail address.
    #[error("the recipient is no mail address")]
    Recipient,
    /// The parts do not make a message.
    #[error("the parts make no message")]
    Message,
}

impl Composer {
    /// Letters from this mailbox, whose links begin with this URL.
    pub(crate) fn new(public_url: &str, from: Mailbox) -> Self {
        Self {
            public_url: public_url.into(),
            from,
        }
    }

    /// # Errors
    /// [`Uncomposable`], by variant.
    pub(super) fn compose(&self, mail: &Mail, coding: Coding) -> Result<Letter, Uncomposable> {
        let to: Address = mail.to().parse().map_err(|_| Uncomposable::Recipient)?;
        let unknown = Uncomposable::Message;
        let subject = subject(mail).ok_or(unknown)?;
        let text = text(mail, &self.public_url)
            .ok_or(unknown)?
            .replace('\n', "\r\n");
        // The lines are short enough for every server (RFC 5321 §4.5.3.1.6), and a link stays on one: lettre would fold
        // it, which is right but not to be read in a file.
        let body = match coding {
            _ if text.is_ascii() => {
                Body::dangerous_pre_encoded(text.into_bytes(), ContentTransferEncoding::SevenBit)
            }
            Coding::Plain => {
                Body::dangerous_pre_encoded(text.into_bytes(), ContentTransferEncoding::EightBit)
            }
            Coding::Ascii => {
                Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable)
                    .map_err(|_| Uncomposable::Message)?
            }
        };
        let id = uuid::Uuid::now_v7();
        let message = Message::builder()
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|_| Uncomposable::Message)?;
        Ok(Letter {
            envelope: message.envelope().clone(),
            bytes: Zeroizing::new(message.formatted()),
        })
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(redacted)")
    }
}

/// `Auto-Submitted: auto-generated`: nobody answers that they are on holiday (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl AutoSubmitted {
    const VALUE: &str = "auto-generated";
}

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(value: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        if value == Self::VALUE {
            Ok(Self)
        } else {
            Err("not auto-generated".into())
        }
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), Self::VALUE.to_owned())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use gatewright_core::principal::{Tenant, TenantId, TenantKind};
    use gatewright_core::session::RefreshToken;

    use super::*;

    pub(in super::super) fn composer() -> Composer {
        let from = "Gatewright <no-reply@example.com>".parse().unwrap();
        Composer::new("https://api.example", from)
    }

    pub(in super::super) const TOKEN: &str = "t0kent0kent0kent0kent0kent0kent0kent0kent00";

    fn token() -> RefreshToken {
        RefreshToken::read(TOKEN.as_bytes()).unwrap()
    }

    pub(in super::super) fn verify(to: &str) -> Mail {
        Mail::VerifyAddress {
            to: to.to_owned(),
            token: token(),
        }
    }

    fn invite(tenant: &str, by: &str) -> Mail {
        Mail::Invite {
            to: "you@example.org".to_owned(),
            tenant: Tenant::new(
                TenantId::new("ten_1").unwrap(),
                TenantKind::from_static("workspace"),
                tenant,
                "free",
            ),
            by_email: "me@example.org".to_owned(),
            by_name: by.to_owned(),
            role: "member".into(),
            token: token(),
        }
    }

    fn composed(mail: &Mail) -> String {
        let letter = composer().compose(mail, Coding::Plain).unwrap();
        String::from_utf8(letter.bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_letter_has_the_fields_of_rfc_5322_and_says_that_a_machine_wrote_it() {
        let text = composed(&verify("you@example.org"));
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        for field in [
            "From: Gatewright <no-reply@example.com>",
            "To: you@example.org",
            "Subject: Confirm your mail address",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(head.lines().any(|line| line == field), "{field}: {head}");
        }
        assert!(head.contains("\r\nDate: ") && head.contains("@example.com>\r\n"));
    }

    #[test]
    fn every_token_stands_in_a_fragment_on_one_line_and_nowhere_else() {
        let to = || "you@example.org".to_owned();
        let mails = [
            (verify(&to()), "verify-email"),
            (
                Mail::ResetPassword {
                    to: to(),
                    token: token(),
                },
                "reset-password",
            ),
            (invite("acme", "me@example.org"), "accept-invite"),
        ];
        for (mail, page) in mails {
            let link = format!("https://api.example/{page}#token={TOKEN}");
            for coding in [Coding::Ascii, Coding::Plain] {
                let letter = composer().compose(&mail, coding).unwrap();
                let text = String::from_utf8(letter.bytes.to_vec()).unwrap();
                assert!(text.lines().any(|line| line == link), "{text}");
                assert_eq!(text.matches(TOKEN).count(), 1);
            }
            assert!(!format!("{mail:?}").contains(TOKEN));
        }
        for mail in [
            Mail::AlreadyRegistered { to: to() },
            Mail::PasswordChanged { to: to() },
        ] {
            assert!(!composed(&mail).contains('#'), "{mail:?}");
        }
    }

    #[test]
    fn a_recipient_is_one_address_and_brings_no_field_along() {
        for to in [
            "",
            "you",
            "you@example.org\r\nBcc: them@example.org",
            "you@example.org\nBcc: them@example.org",
            "you\r\nBcc: them@example.org",
            "\"you\r\nBcc: x\"@example.org",
            "\"you\\\r\nBcc: x\"@example.org",
            "you@example.org, them@example.org",
            "You <you@example.org>",
            "you@example.org> ORCPT=x",
            "you@exa\0mple.org",
        ] {
            let composed = composer().compose(&verify(to), Coding::Plain);
            assert_eq!(composed.unwrap_err(), Uncomposable::Recipient, "{to:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whoever_is_written_to_there_is_one_recipient_and_the_fields_are_ours(to in "([a-z.]{1,8}|\"[a-z.\\\\ \r\n\t:<>,;]{0,12}\"|[a-z.\r\n]{1,6})@([a-z]{1,8}\\.example|[a-z.\r\n ]{1,6})") {
            let Ok(letter) = composer().compose(&verify(&to), Coding::Plain) else { return Ok(()) };
            let text = String::from_utf8(letter.bytes.to_vec()).unwrap();
            let (head, _) = text.split_once("\r\n\r\n").unwrap();
            // A line that begins with white space goes on with the field before it (RFC 5322 §2.2.3).
            let names: Vec<_> = head
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            proptest::prop_assert_eq!(
                names,
                ["Message-ID", "From", "To", "Subject", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding", "Date"]
            );
            proptest::prop_assert!(!head.replace("\r\n", "").contains(['\r', '\n']));
            proptest::prop_assert_eq!(letter.envelope.to().len(), 1);
        }
    }

    #[test]
    fn a_name_that_somebody_chose_adds_no_line_and_hides_nothing() {
        let long = "x".repeat(1_000);
        let evil = format!("acme\r\n\r\nhttps://evil.example/\u{202e}{long}");
        let plain = composed(&invite("acme", "me@example.org"));
        let text = composed(&invite(&evil, &format!("me\n{evil}")));
        assert_eq!(text.lines().count(), plain.lines().count(), "{text}");
        assert!(!text.contains('\u{202e}') && !text.contains(&long[..MAX_SHOWN]));
    }

    #[test]
    fn an_inviters_name_is_no_link() {
        for name in ["Jane Doe", "J. Doe", "Jane Doe Jr.", "\u{674e} \u{96f7}"] {
            let text = composed(&invite("acme", name));
            let whole = format!("{name} (me@example.org) invites you");
            assert!(text.contains(&whole), "{text}");
        }
        for name in [
            "Your account is locked: https://evil.example",
            "Log in at evil.example",
            "www.evil.example/login",
            "evil\u{3002}example",
            "evil\u{200b}.example",
            "help@evil.example",
            "mailto:help",
            "\\\\evil",
        ] {
            let text = composed(&invite("acme", name));
            let body = text.split_once("\r\n\r\n").unwrap().1;
            assert!(body.starts_with("me@example.org invites you"), "{text}");
        }
    }

    #[test]
    fn what_is_not_ascii_is_written_for_whoever_reads_it() {
        let mail = invite("Grüße", "me@example.org");
        assert!(composed(&mail).contains("to Grüße, as member"));
        let letter = composer().compose(&mail, Coding::Ascii).unwrap();
        assert!(letter.bytes.is_ascii());
    }
}
