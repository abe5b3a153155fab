//! Settings of mail.

use std::path::PathBuf;

use lettre::Address;
use lettre::message::Mailbox;

use super::told::{Named, Told};
use crate::mail::SmtpUrl;

const SMTP_URL: &str = "smtp-url";
const SMTP_URL_FILE: &str = "smtp-url-file";
const MAIL_FROM: &str = "mail-from";
const MAIL_DIR: &str = "mail-dir";

/// The flags of mail.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct MailFlags {
    /// The SMTP server that mail goes to: smtps://USER:PASSWORD@HOST, or smtp://HOST for STARTTLS. Others on the machine can
    /// read flags; GATEWRIGHT_SMTP_URL or --smtp-url-file keep a password [default: none]
    #[arg(long, value_name = "URL")]
    pub(crate) smtp_url: Option<String>,
    /// A file with that URL
    #[arg(long, value_name = "FILE")]
    pub(crate) smtp_url_file: Option<String>,
    /// Whom mail is from, such as `Us <us@example.com>`; needed where there is an SMTP server
    #[arg(long, value_name = "MAILBOX")]
    pub(crate) mail_from: Option<String>,
    /// A folder that mail is written into, where there is no SMTP server [default: beside the database]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) mail_dir: Option<String>,
}

impl MailFlags {
    pub(super) const fn named(&self) -> [Named<'_>; 4] {
        [
            (SMTP_URL, &self.smtp_url),
            (SMTP_URL_FILE, &self.smtp_url_file),
            (MAIL_FROM, &self.mail_from),
            (MAIL_DIR, &self.mail_dir),
        ]
    }
}

/// How mail leaves.
#[derive(Debug)]
pub(crate) struct MailSettings {
    pub(crate) from: Mailbox,
    pub(crate) way: MailWay,
}

/// Where mail goes.
#[derive(Debug)]
pub(crate) enum MailWay {
    /// To this SMTP server.
    Smtp(SmtpUrl),
    /// To the SMTP server whose URL stands in this file.
    SmtpFile(PathBuf),
    /// Into this folder.
    Folder(PathBuf),
    /// Into a folder beside the database.
    Beside,
}

impl Told {
    /// At most one way, and an address of its own for what really leaves.
    pub(super) fn mail(&mut self) -> MailSettings {
        let url = self.parsed(SMTP_URL, SmtpUrl::parse);
        let file = self.parsed(SMTP_URL_FILE, |path| Ok(PathBuf::from(path)));
        let folder = self.parsed(MAIL_DIR, |path| Ok(PathBuf::from(path)));
        let from = self.parsed(MAIL_FROM, |text| {
            text.parse::<Mailbox>()
                .map_err(|_| "must be ADDRESS or NAME <ADDRESS>".to_owned())
        });
        let told: Vec<_> = [SMTP_URL, SMTP_URL_FILE, MAIL_DIR]
            .iter()
            .filter_map(|name| self.values.get(name))
            .map(|(_, origin)| origin.clone())
            .collect();
        if told.len() > 1 {
            let told = told.join(" and ");
            self.mistakes
                .push(format!("{told}: only one of them may be given"));
        }
        for name in [SMTP_URL, SMTP_URL_FILE] {
            if let Some((_, origin)) = self.values.get(name)
                && !self.values.contains_key(MAIL_FROM)
            {
                let mistake =
                    format!("{origin}: needs `{MAIL_FROM}`, the address that mail is from");
                self.mistakes.push(mistake);
            }
        }
        MailSettings {
            from: from.unwrap_or_else(nobody),
            way: match (url, file, folder) {
                (Some(url), _, _) => MailWay::Smtp(url),
                (None, Some(file), _) => MailWay::SmtpFile(file),
                (None, None, Some(folder)) => MailWay::Folder(folder),
                (None, None, None) => MailWay::Beside,
            },
        }
    }
}

/// Whom mail is from that only goes into a folder.
fn nobody() -> Mailbox {
    // Not dangerous: neither part is anybody's input.
    let address = Address::new_dangerous("no-reply", "localhost");
    Mailbox::new(Some("Gatewright".to_owned()), address)
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;
    use super::*;

    #[test]
    fn mail_goes_into_a_folder_unless_a_server_is_named() {
        let mail = |settings: &[(&str, &str)]| told(settings).map(|settings| settings.mail);
        let default = mail(&[]).unwrap();
        assert!(matches!(default.way, MailWay::Beside));
        assert_eq!(default.from.to_string(), "Gatewright <no-reply@localhost>");
        let folder = mail(&[(MAIL_DIR, "/mail"), (MAIL_FROM, "a@b.example")]).unwrap();
        assert!(matches!(folder.way, MailWay::Folder(path) if *path == *"/mail"));
        assert_eq!(folder.from.to_string(), "a@b.example");
        let from = (MAIL_FROM, "Us <us@b.example>");
        let smtp = mail(&[(SMTP_URL, "smtps://me:hunter2@b.example"), from]).unwrap();
        assert!(matches!(smtp.way, MailWay::Smtp(_)));
        assert!(!format!("{smtp:?}").contains("hunter2"));
        let file = mail(&[(SMTP_URL_FILE, "/url"), from]).unwrap();
        assert!(matches!(file.way, MailWay::SmtpFile(path) if *path == *"/url"));
    }

    #[test]
    fn mistakes_are_told_without_the_url() {
        for (settings, mistake) in [
            (
                &[(SMTP_URL, "smtps://me:hunter2@b.example")][..],
                "GATEWRIGHT_SMTP_URL: needs `mail-from`, the address that mail is from",
            ),
            (
                &[
                    (SMTP_URL_FILE, "/url"),
                    (MAIL_DIR, "/mail"),
                    (MAIL_FROM, "a@b.example"),
                ],
                "GATEWRIGHT_SMTP_URL_FILE and GATEWRIGHT_MAIL_DIR: only one of them may be given",
            ),
            (
                &[(MAIL_FROM, "a@b.example\r\nBcc: c@b.example")],
                "GATEWRIGHT_MAIL_FROM: must be ADDRESS or NAME <ADDRESS>",
            ),
            (
                &[(SMTP_URL, "me:hunter2"), (MAIL_FROM, "a@b.example")],
                "GATEWRIGHT_SMTP_URL: must be smtps:// or smtp://, then HOST, HOST:PORT or \
                 USER:PASSWORD@HOST, percent-encoded",
            ),
        ] {
            assert_eq!(told(settings).unwrap_err().0, [mistake]);
        }
    }
}
