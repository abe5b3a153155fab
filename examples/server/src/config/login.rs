//! Settings of logging in at somebody else's.

use std::path::PathBuf;

use gatewright_issuer::EmailDomains;

use super::told::{Named, Told};

const GOOGLE_CLIENT_ID: &str = "google-client-id";
const GOOGLE_CLIENT_SECRET_FILE: &str = "google-client-secret-file";
const OIDC_ISSUER: &str = "oidc-issuer";
const OIDC_DOMAINS: &str = "oidc-domains";

/// The flags of logging in at somebody else's.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct LoginFlags {
    /// Who we are to the OpenID provider that people may log in with [default: none, nobody may]
    #[arg(long, value_name = "ID")]
    pub(crate) google_client_id: Option<String>,
    /// A file with the secret that goes with it
    #[arg(long, value_name = "FILE")]
    pub(crate) google_client_secret_file: Option<String>,
    /// The provider's issuer [default: `https://accounts.google.com`]
    #[arg(long, value_name = "URL")]
    pub(crate) oidc_issuer: Option<String>,
    /// Domains for whose addresses the provider may vouch, with commas between; * for every one [default: none]
    #[arg(long, value_name = "DOMAINS")]
    pub(crate) oidc_domains: Option<String>,
}

impl LoginFlags {
    pub(super) const fn named(&self) -> [Named<'_>; 4] {
        [
            (GOOGLE_CLIENT_ID, &self.google_client_id),
            (GOOGLE_CLIENT_SECRET_FILE, &self.google_client_secret_file),
            (OIDC_ISSUER, &self.oidc_issuer),
            (OIDC_DOMAINS, &self.oidc_domains),
        ]
    }
}

/// Who plays Google's part if nobody else is named.
pub(crate) const GOOGLE: &str = "https://accounts.google.com";

/// The OpenID provider that people may log in with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoginSettings {
    /// Its `iss`, to the letter.
    pub(crate) issuer: String,
    /// Who we are to it.
    pub(crate) client_id: String,
    /// Where our secret is.
    pub(crate) client_secret_file: PathBuf,
    /// Whose addresses it may vouch for.
    pub(crate) domains: EmailDomains,
}

/// The domains in which a provider is believed about who holds an address: none below those that are named, and every one
/// by `*` alone.
fn domains(text: &str) -> Result<EmailDomains, String> {
    let named: Vec<&str> = text.split(',').map(str::trim).collect();
    let is_odd = named.len() > 1 && named.contains(&"*");
    Some(named)
        .filter(|_| !is_odd)
        .and_then(|named| EmailDomains::parse(named).ok())
        .ok_or_else(|| "must be domains with commas between, or * for every one".to_owned())
}

impl Told {
    /// The provider, if we are somebody to one.
    pub(super) fn login(&mut self) -> Option<LoginSettings> {
        let client_id = self.parsed(GOOGLE_CLIENT_ID, |text| {
            let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            fits.then(|| text.to_owned())
                .ok_or_else(|| "must be the id of an OAuth client".to_owned())
        });
        let secret = self.parsed(GOOGLE_CLIENT_SECRET_FILE, |path| Ok(PathBuf::from(path)));
        let issuer = self.parsed(OIDC_ISSUER, issuer);
        let domains = self.parsed(OIDC_DOMAINS, domains);
        match self.values.get(GOOGLE_CLIENT_ID) {
            None => {
                for name in [GOOGLE_CLIENT_SECRET_FILE, OIDC_ISSUER, OIDC_DOMAINS] {
                    if let Some((_, origin)) = self.values.get(name) {
                        let mistake = format!("{origin}: goes only with `{GOOGLE_CLIENT_ID}`");
                        self.mistakes.push(mistake);
                    }
                }
            }
            Some((_, origin)) if secret.is_none() => {
                let mistake = format!("{origin}: needs `{GOOGLE_CLIENT_SECRET_FILE}`");
                self.mistakes.push(mistake);
            }
            Some(_) => {}
        }
        Some(LoginSettings {
            client_id: client_id?,
            client_secret_file: secret?,
            issuer: issuer.unwrap_or_else(|| GOOGLE.to_owned()),
            domains: domains.unwrap_or_default(),
        })
    }
}

/// An issuer (OpenID Connect Discovery §2), kept to the letter since its tokens must name the same. Whether one without TLS
/// may be asked is for the list of `allow-idp-host` to say.
fn issuer(text: &str) -> Result<String, String> {
    let url: Option<axum::http::Uri> = text.parse().ok();
    let fits = url.is_some_and(|url| {
        matches!(url.scheme_str(), Some("https" | "http"))
            && url.host().is_some_and(|host| !host.is_empty())
            && url.authority().is_some_and(|at| !at.as_str().contains('@'))
            && !text.contains(['?', '#'])
    });
    fits.then(|| text.to_owned())
        .ok_or_else(|| "must be https://HOST, without query or fragment".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;
    use super::*;

    const CLIENT: [(&str, &str); 2] = [(GOOGLE_CLIENT_ID, "us"), (GOOGLE_CLIENT_SECRET_FILE, "/s")];

    #[test]
    fn google_is_asked_unless_another_is_named_and_vouches_for_nobody_unless_said() {
        assert_eq!(told(&[]).unwrap().login, None);
        let login = told(&CLIENT).unwrap().login.unwrap();
        assert_eq!(login.issuer, "https://accounts.google.com");
        assert_eq!(login.client_id, "us");
        assert_eq!(login.client_secret_file, PathBuf::from("/s"));
        assert_eq!(login.domains, EmailDomains::default());
        let other = [
            (OIDC_ISSUER, "http://127.0.0.1:9000/"),
            (OIDC_DOMAINS, "Example.com, b.example"),
        ];
        let login = told(&[CLIENT, other].concat()).unwrap().login.unwrap();
        assert_eq!(login.issuer, "http://127.0.0.1:9000/");
        let named = EmailDomains::parse(["example.com", "b.example"]);
        assert_eq!(login.domains, named.unwrap());
        let every = EmailDomains::parse(["*"]);
        assert_eq!(domains("*").unwrap(), every.unwrap());
        for wrong in ["", "a.example,", "@a.example", "*.example", "a.example/b"] {
            assert!(domains(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_client_is_an_id_and_a_secret_and_the_rest_goes_with_it() {
        for (settings, mistakes) in [
            (
                &[(GOOGLE_CLIENT_ID, "us")][..],
                &["GATEWRIGHT_GOOGLE_CLIENT_ID: needs `google-client-secret-file`"][..],
            ),
            (
                &[
                    (OIDC_ISSUER, "https://idp.example"),
                    (OIDC_DOMAINS, "a.example"),
                ],
                &[
                    "GATEWRIGHT_OIDC_ISSUER: goes only with `google-client-id`",
                    "GATEWRIGHT_OIDC_DOMAINS: goes only with `google-client-id`",
                ],
            ),
            (
                &[
                    CLIENT[0],
                    CLIENT[1],
                    (OIDC_ISSUER, "idp.example"),
                    (OIDC_DOMAINS, "a.example,*"),
                ],
                &[
                    "GATEWRIGHT_OIDC_ISSUER: must be https://HOST, without query or fragment",
                    "GATEWRIGHT_OIDC_DOMAINS: must be domains with commas between, or * for every one",
                ],
            ),
        ] {
            assert_eq!(told(settings).unwrap_err().0, mistakes);
        }
    }
}
