//! Letters handed to an SMTP server (RFC 5321).

use std::error::Error as _;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::response::{Category, Severity};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use zeroize::Zeroizing;

use super::carrier::{Carrier, Undelivered};
use super::letter::{Coding, Letter};

/// Where the server is and who we are to it. Holds a password.
pub(crate) struct SmtpUrl(Zeroizing<String>);

impl SmtpUrl {
    /// `smtps://HOST` for TLS from the first byte (RFC 8314 §3.3), `smtp://HOST` for STARTTLS (RFC 3207), without which
    /// nothing is sent. What stays on this machine goes in the clear, and with `?tls=opportunistic` so does what no
    /// password goes along with, where the server has no STARTTLS.
    ///
    /// # Errors
    /// A sentence that says the rule, and nothing of what was given.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rule = || {
            "must be smtps:// or smtp://, then HOST, HOST:PORT or USER:PASSWORD@HOST, percent-encoded"
                .to_owned()
        };
        let text = text.trim();
        let parsed: axum::http::Uri = text.parse().map_err(|_| rule())?;
        let authority = parsed.authority().ok_or_else(rule)?;
        let (scheme, query) = (parsed.scheme_str().unwrap_or_default(), parsed.query());
        let (user, place) = match authority.as_str().rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority.as_str()),
        };
        // lettre takes no notice of a user without a password.
        let user_is_whole = user.is_none_or(|user| user.contains(':'));
        let odd_port = place.len() > authority.host().len() && authority.port_u16().is_none();
        if authority.host().is_empty() || !user_is_whole || odd_port || text.contains('#') {
            return Err(rule());
        }
        let local = is_loopback(authority.host());
        let mut url = Zeroizing::new(text.to_owned());
        match (scheme, query) {
            ("smtps", None) | ("smtp", Some("tls=required")) => {}
            ("smtp", None) if local => {}
            ("smtp", None) => url.push_str("?tls=required"),
            ("smtp", Some("tls=opportunistic")) if local || user.is_none() => {}
            ("smtp", Some("tls=opportunistic")) => {
                return Err("must not say `tls=opportunistic` where there is a password".to_owned());
            }
            ("smtp", Some(_)) => {
                return Err(
                    "may say `?tls=required` or `?tls=opportunistic`, and nothing else".to_owned(),
                );
            }
            _ => return Err(rule()),
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmtpUrl(redacted)")
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// An SMTP server, spoken to anew for each letter.
pub(crate) struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    /// The server of this URL. Nothing is sent yet.
    ///
    /// # Errors
    /// A sentence, where the system has no certificates to trust.
    pub(crate) fn new(url: &SmtpUrl) -> Result<Self, String> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url.0);
        // Its own words might repeat the URL.
        let builder = builder.map_err(|_| "the SMTP transport cannot be set up".to_owned())?;
        Ok(Self(builder.build()))
    }
}

impl Carrier for Smtp {
    const CODING: Coding = Coding::Ascii;

    async fn carry(&self, letter: &Arc<Letter>) -> Result<(), Undelivered> {
        let sent = self.0.send_raw(&letter.envelope, &letter.bytes).await;
        sent.map(drop).map_err(|error| judged(&error))
    }
}

/// What an error means for the letter. What a server replied is left out: it likes to repeat addresses.
fn judged(error: &Error) -> Undelivered {
    if let Some(code) = error.status() {
        let final_word = code.severity == Severity::PermanentNegativeCompletion
            && code.category == Category::MailSystem;
        let code = u16::from(code);
        // Other 5yz are about us or the whole server, such as a password that is wrong: the operator can mend it.
        return if final_word {
            Undelivered::Refused(code)
        } else {
            Undelivered::NotNow(format!("the SMTP server answers {code}"))
        };
    }
    if error.is_response() || error.is_client() {
        return Undelivered::NotNow("the SMTP server does not speak as it should".to_owned());
    }
    let mut told = if error.is_tls() {
        "no TLS with the SMTP server".to_owned()
    } else {
        "the SMTP server cannot be reached".to_owned()
    };
    let mut source = error.source();
    while let Some(error) = source {
        told.push_str(": ");
        told.push_str(&error.to_string());
        source = error.source();
    }
    Undelivered::NotNow(told)
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::{TOKEN, composer, verify};
    use super::*;
    use crate::mailbox::SmtpServer;

    fn letter() -> Arc<Letter> {
        let mail = verify("you@example.org");
        Arc::new(composer().compose(&mail, Smtp::CODING).unwrap())
    }

    fn smtp(url: &str) -> Smtp {
        Smtp::new(&SmtpUrl::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn mail_leaves_the_machine_under_tls() {
        for (given, used) in [
            (
                "smtps://me:p%40ss@mail.example",
                "smtps://me:p%40ss@mail.example",
            ),
            ("smtp://mail.example", "smtp://mail.example?tls=required"),
            (
                "smtp://me:x@mail.example:25/us.example",
                "smtp://me:x@mail.example:25/us.example?tls=required",
            ),
            (
                "smtp://mail.example?tls=required",
                "smtp://mail.example?tls=required",
            ),
            (
                "smtp://mail.example?tls=opportunistic",
                "smtp://mail.example?tls=opportunistic",
            ),
            (" smtp://127.0.0.1:1025\n", "smtp://127.0.0.1:1025"),
            ("smtp://me:x@localhost", "smtp://me:x@localhost"),
            ("smtp://[::1]:1025", "smtp://[::1]:1025"),
            ("smtp://[::1]?tls=required", "smtp://[::1]?tls=required"),
        ] {
            let url = SmtpUrl::parse(given).unwrap();
            assert_eq!(*url.0, used);
            assert_eq!(format!("{url:?}"), "SmtpUrl(redacted)");
            assert!(Smtp::new(&url).is_ok(), "{given}");
        }
    }

    #[test]
    fn no_mistake_repeats_what_was_given() {
        for wrong in [
            "",
            "hunter2",
            "smtp://",
            "http://me:hunter2@mail.example",
            "smtps://hunter2@mail.example",
            "smtps://me:hunter2@",
            "smtps://me:hunter2@mail.example:99999",
            "smtps://me:hun#ter2@mail.example",
            "smtps://me:hunter2@mail.example?tls=opportunistic",
            "smtp://me:hunter2@mail.example?tls=opportunistic",
            "smtp://me:hunter2@127.0.0.1.example?tls=none",
            "smtp://me:hunter2@mail.example?tls=required&tls=opportunistic",
        ] {
            let mistake = SmtpUrl::parse(wrong).unwrap_err();
            assert!(
                !mistake.contains("hunter2") && !mistake.contains(".example"),
                "{mistake}"
            );
        }
    }

    #[tokio::test]
    async fn a_letter_arrives_as_it_was_written() {
        let mut server = SmtpServer::start();
        smtp(&server.url()).carry(&letter()).await.unwrap();
        let mail = server.mail_to("you@example.org").await;
        assert_eq!(mail.from, "no-reply@example.com");
        assert_eq!(mail.subject, "Confirm your mail address");
        assert_eq!(mail.token(), TOKEN);
    }

    /// RFC 5321 §4.2.1. The words of a reply repeat the address, and are in no error.
    #[tokio::test]
    async fn a_reply_says_whether_to_try_again() {
        let mut server = SmtpServer::start();
        let smtp = smtp(&server.url());
        for (reply, expected) in [
            (
                "550 5.1.1 <you@example.org> is unknown",
                Undelivered::Refused(550),
            ),
            (
                "451 4.7.1 <you@example.org> is greylisted",
                Undelivered::NotNow("the SMTP server answers 451".to_owned()),
            ),
            (
                "530 5.7.0 log in, <you@example.org>",
                Undelivered::NotNow("the SMTP server answers 530".to_owned()),
            ),
        ] {
            server.reply(Some(reply));
            assert_eq!(smtp.carry(&letter()).await, Err(expected));
        }
        server.reply(None);
        smtp.carry(&letter()).await.unwrap();
        assert_eq!(server.mails().len(), 1);
    }

    /// RFC 3207 §4.1: one that has no STARTTLS gets nothing.
    #[tokio::test]
    async fn without_starttls_nothing_is_sent_where_it_is_required() {
        let mut server = SmtpServer::start();
        let url = format!("{}?tls=required", server.url());
        let refused = smtp(&url).carry(&letter()).await;
        assert!(
            matches!(refused, Err(Undelivered::NotNow(_))),
            "{refused:?}"
        );
        assert!(server.mails().is_empty());
    }
}
