//! What the program is told: by flags, by the environment, by a file; in that order.
//!
//! A setting has one name everywhere: `public-url` is the flag `--public-url`, the variable `GATEWRIGHT_PUBLIC_URL` and
//! the key `public-url` of the file. All mistakes are collected before the program gives up, and each says where the
//! wrong value stands; a value that may be secret is never repeated.

mod login;
mod mail;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::source::{Network, ProxyField, TrustedProxies};
use gatewright_issuer::SealingKey;
use zeroize::Zeroizing;

use crate::idp_hosts::IdpHosts;

pub(crate) use login::{GOOGLE, LoginSettings};
pub(crate) use mail::{MailSettings, MailWay};

use login::{GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET_FILE, OIDC_DOMAINS, OIDC_ISSUER};
use mail::{MAIL_DIR, MAIL_FROM, SMTP_URL, SMTP_URL_FILE};

/// Every setting, by name. The sealing key itself stands in no file and no list of processes.
const SETTINGS: &[&str] = &[
    LISTEN,
    DATABASE,
    PUBLIC_URL,
    LIMITS,
    TRUSTED_PROXIES,
    PROXY_FIELD,
    PROXY_NETWORKS,
    ALLOW_IDP_HOST,
    LOG,
    SEALING_KEY,
    SEALING_KEY_FILE,
    SMTP_URL,
    SMTP_URL_FILE,
    MAIL_FROM,
    MAIL_DIR,
    GOOGLE_CLIENT_ID,
    GOOGLE_CLIENT_SECRET_FILE,
    OIDC_ISSUER,
    OIDC_DOMAINS,
];
const LISTEN: &str = "listen";
const DATABASE: &str = "database";
const PUBLIC_URL: &str = "public-url";
const LIMITS: &str = "limits";
const TRUSTED_PROXIES: &str = "trusted-proxies";
const PROXY_FIELD: &str = "proxy-field";
const PROXY_NETWORKS: &str = "proxy-networks";
const ALLOW_IDP_HOST: &str = "allow-idp-host";
const LOG: &str = "log";
const SEALING_KEY: &str = "sealing-key";
const SEALING_KEY_FILE: &str = "sealing-key-file";

/// How the flags are told apart from what they override.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct Flags {
    /// The database: sqlite:PATH, or a path [default: sqlite:./gatewright.db]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// A file with the key (32 bytes in base64) that seals the signing keys [default: beside the database]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) sealing_key_file: Option<String>,
    /// A configuration file in TOML
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<String>,
    /// The form of the log: text or json [default: text]
    #[arg(long, global = true, value_name = "FORM")]
    pub(crate) log: Option<String>,
}

/// The flags of `serve` alone.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct ServeFlags {
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// The URL that the server is reached at [default: http:// and the address it listens on]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// plan: as each tenant's plan says; off: none, for load tests [default: plan]
    #[arg(long, value_name = "WHICH")]
    pub(crate) limits: Option<String>,
    /// How many proxies stand in front and append to the field [default: 0, nothing but the socket is believed]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) trusted_proxies: Option<String>,
    /// The field that they write callers' addresses into: forwarded or x-forwarded-for
    #[arg(long, value_name = "FIELD")]
    pub(crate) proxy_field: Option<String>,
    /// Where the nearest of them calls from, such as 10.0.0.0/8,2001:db8::/32; others are not believed [default: anywhere]
    #[arg(long, value_name = "NETWORKS")]
    pub(crate) proxy_networks: Option<String>,
    /// Hosts that orgs may name as identity providers without TLS or on a private network, such as 127.0.0.1:9000; several
    /// with commas between [default: none]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) allow_idp_host: Option<String>,
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

/// Everything the program was told, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) database: PathBuf,
    pub(crate) public_url: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) proxies: Option<TrustedProxies>,
    pub(crate) idp_hosts: IdpHosts,
    pub(crate) log: LogForm,
    pub(crate) sealing: SealingSource,
    pub(crate) mail: MailSettings,
    pub(crate) login: Option<LoginSettings>,
}

/// Whether rates are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    Plan,
    Off,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogForm {
    Text,
    Json,
}

/// Where the key that seals the signing keys comes from.
#[derive(Debug)]
pub(crate) enum SealingSource {
    /// It was given.
    Key(SealingKey),
    /// It is in this file, which must exist.
    File(PathBuf),
    /// It is beside the database, and is made if it is missing.
    Beside,
}

/// All that is wrong with what the program was told; never empty.
#[derive(Debug)]
pub(crate) struct ConfigErrors(Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid:")?;
        for mistake in &self.0 {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Settings {
    /// Reads the environment and the file, and checks all of it.
    pub(crate) fn load(flags: &Flags, serve: &ServeFlags) -> Result<Self, ConfigErrors> {
        Self::load_from(flags, serve, |name| std::env::var(name).ok())
    }

    fn load_from(
        flags: &Flags,
        serve: &ServeFlags,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        let mut told = Told::default();
        let file = match &flags.config {
            Some(path) => Some((path.clone(), "--config")),
            None => variable("GATEWRIGHT_CONFIG").map(|path| (path, "GATEWRIGHT_CONFIG")),
        };
        if let Some((path, origin)) = file {
            told.read_file(Path::new(&path), origin);
        }
        for name in SETTINGS {
            let variable_name = variable_name(name);
            if let Some(text) = variable(&variable_name) {
                told.put(name, text, variable_name);
            }
        }
        for (name, flag) in [
            (DATABASE, &flags.database),
            (SEALING_KEY_FILE, &flags.sealing_key_file),
            (LOG, &flags.log),
            (LISTEN, &serve.listen),
            (PUBLIC_URL, &serve.public_url),
            (LIMITS, &serve.limits),
            (TRUSTED_PROXIES, &serve.trusted_proxies),
            (PROXY_FIELD, &serve.proxy_field),
            (PROXY_NETWORKS, &serve.proxy_networks),
            (ALLOW_IDP_HOST, &serve.allow_idp_host),
            (SMTP_URL, &serve.smtp_url),
            (SMTP_URL_FILE, &serve.smtp_url_file),
            (MAIL_FROM, &serve.mail_from),
            (MAIL_DIR, &serve.mail_dir),
            (GOOGLE_CLIENT_ID, &serve.google_client_id),
            (GOOGLE_CLIENT_SECRET_FILE, &serve.google_client_secret_file),
            (OIDC_ISSUER, &serve.oidc_issuer),
            (OIDC_DOMAINS, &serve.oidc_domains),
        ] {
            if let Some(text) = flag {
                told.put(name, text.clone(), format!("--{name}"));
            }
        }
        told.settings()
    }
}

/// The values as they were told, each with where it stands. A later one takes the place of an earlier one.
#[derive(Default)]
struct Told {
    values: BTreeMap<&'static str, (Zeroizing<String>, String)>,
    mistakes: Vec<String>,
}

impl Told {
    fn put(&mut self, name: &'static str, text: String, origin: String) {
        self.values.insert(name, (Zeroizing::new(text), origin));
    }

    fn read_file(&mut self, path: &Path, origin: &str) {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.mistakes
                    .push(format!("{origin}: {shown} cannot be read: {error}"));
                return;
            }
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            // The message, without the excerpt of the file that the error also has.
            Err(error) => {
                let message = error.message();
                self.mistakes
                    .push(format!("{shown} is not TOML: {message}"));
                return;
            }
        };
        for (key, value) in table {
            let known = SETTINGS
                .iter()
                .find(|name| **name == key && **name != SEALING_KEY);
            match (known, value) {
                (Some(name), toml::Value::String(text)) => {
                    self.put(name, text, format!("`{key}` in {shown}"));
                }
                (Some(_), _) => self
                    .mistakes
                    .push(format!("`{key}` in {shown}: must be a string")),
                (None, _) => self
                    .mistakes
                    .push(format!("`{key}` in {shown}: no such setting")),
            }
        }
    }

    fn settings(mut self) -> Result<Settings, ConfigErrors> {
        let listen = self.parsed(LISTEN, |text| {
            text.parse()
                .map_err(|_| "must be an address and a port, such as 127.0.0.1:8080".to_owned())
        });
        let database = self.parsed(DATABASE, database);
        let public_url = self.parsed(PUBLIC_URL, public_url);
        let limits = self.parsed(LIMITS, |text| match text {
            "plan" => Ok(Limits::Plan),
            "off" => Ok(Limits::Off),
            _ => Err("must be `plan` or `off`".to_owned()),
        });
        let proxies = self.proxies();
        let idp_hosts = self.parsed(ALLOW_IDP_HOST, IdpHosts::parse);
        let log = self.parsed(LOG, |text| match text {
            "text" => Ok(LogForm::Text),
            "json" => Ok(LogForm::Json),
            _ => Err("must be `text` or `json`".to_owned()),
        });
        let sealing = self.sealing();
        let mail = self.mail();
        let login = self.login();
        if self.mistakes.is_empty() {
            Ok(Settings {
                listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
                database: database.unwrap_or_else(|| PathBuf::from("./gatewright.db")),
                public_url,
                limits: limits.unwrap_or(Limits::Plan),
                proxies,
                idp_hosts: idp_hosts.unwrap_or_default(),
                log: log.unwrap_or(LogForm::Text),
                sealing,
                mail,
                login,
            })
        } else {
            Err(ConfigErrors(self.mistakes))
        }
    }

    /// The proxies that are believed. Whoever names their field or networks has some.
    fn proxies(&mut self) -> Option<TrustedProxies> {
        let count = self.parsed(TRUSTED_PROXIES, |text| {
            text.parse()
                .ok()
                .filter(|count| *count <= TrustedProxies::MAX)
                .ok_or_else(|| format!("must be 0 to {}", TrustedProxies::MAX))
        });
        let field = self.parsed(PROXY_FIELD, |text| {
            text.parse::<ProxyField>()
                .map_err(|_| "must be `forwarded` or `x-forwarded-for`".to_owned())
        });
        let networks = self.parsed(PROXY_NETWORKS, networks);
        if let (Some(0), _) | (None, false) = (count, self.values.contains_key(TRUSTED_PROXIES)) {
            for name in [PROXY_FIELD, PROXY_NETWORKS] {
                if let Some((_, origin)) = self.values.get(name) {
                    let mistake = format!("{origin}: goes only with `{TRUSTED_PROXIES}`");
                    self.mistakes.push(mistake);
                }
            }
            return None;
        }
        if let (Some((_, origin)), false) = (
            self.values.get(TRUSTED_PROXIES),
            self.values.contains_key(PROXY_FIELD),
        ) {
            let mistake = format!("{origin}: needs `{PROXY_FIELD}`, the field that they write");
            self.mistakes.push(mistake);
        }
        let proxies = TrustedProxies::new(field?, count?).ok()?;
        Some(match networks {
            Some(networks) => proxies.from_peers(networks),
            None => proxies,
        })
    }

    fn sealing(&mut self) -> SealingSource {
        let key = self.parsed(SEALING_KEY, sealing_key);
        let file = self.parsed(SEALING_KEY_FILE, |path| Ok(PathBuf::from(path)));
        if let (Some((_, key)), Some((_, file))) = (
            self.values.get(SEALING_KEY),
            self.values.get(SEALING_KEY_FILE),
        ) {
            self.mistakes
                .push(format!("{key} and {file}: only one of them may be given"));
        }
        match (key, file) {
            (Some(key), _) => SealingSource::Key(key),
            (None, Some(file)) => SealingSource::File(file),
            (None, None) => SealingSource::Beside,
        }
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, origin) = self.values.get(name)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(mistake) => {
                self.mistakes.push(format!("{origin}: {mistake}"));
                None
            }
        }
    }
}

fn variable_name(setting: &str) -> String {
    format!(
        "GATEWRIGHT_{}",
        setting.to_ascii_uppercase().replace('-', "_")
    )
}

fn database(text: &str) -> Result<PathBuf, String> {
    let path = match text.split_once(':') {
        // A path of one letter and a colon is a drive.
        Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
        Some(("postgres" | "postgresql", _)) => {
            return Err("Postgres is not in this build; use sqlite:PATH".to_owned());
        }
        Some((scheme, _)) if scheme.len() > 1 && !scheme.contains(['/', '.']) => {
            return Err("no such kind of database; use sqlite:PATH".to_owned());
        }
        _ => text,
    };
    match path {
        "" => Err("names no file; use sqlite:PATH".to_owned()),
        ":memory:" => Err("a server needs a database in a file; use sqlite:PATH".to_owned()),
        path => Ok(PathBuf::from(path)),
    }
}

/// Networks with commas between them; at least one, since with none no proxy would be believed.
fn networks(text: &str) -> Result<Vec<Network>, String> {
    let parsed = text.split(',').map(|network| network.trim().parse());
    parsed
        .collect::<Result<_, _>>()
        .map_err(|error| format!("must be networks such as 10.0.0.0/8,2001:db8::/32: {error}"))
}

/// The URL without a slash at the end. It begins every absolute URL in an answer and is the `iss` of our tokens, so it
/// holds nothing but scheme, authority and perhaps a path.
fn public_url(text: &str) -> Result<String, String> {
    let rule = || "must be https://HOST or http://HOST, without query or fragment".to_owned();
    let url: axum::http::Uri = text.parse().map_err(|_| rule())?;
    let authority = url.authority().ok_or_else(rule)?;
    let known = matches!(url.scheme_str(), Some("http" | "https"));
    // What stands after the host and is no port of 16 bits would only be found by whoever follows the URL.
    let host = authority.host();
    let odd_port = authority.as_str().len() > host.len() && authority.port_u16().is_none();
    if !known
        || host.is_empty()
        || odd_port
        || authority.as_str().contains('@')
        || text.contains(['?', '#'])
    {
        return Err(rule());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A sealing key from the base64 of its 32 bytes.
pub(crate) fn sealing_key(text: &str) -> Result<SealingKey, String> {
    let rule = || "must be 32 bytes in base64".to_owned();
    let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| rule())?);
    SealingKey::new(&bytes).map_err(|_| rule())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn load(
        serve: &ServeFlags,
        flags: &Flags,
        environment: &[(&str, &str)],
    ) -> Result<Settings, ConfigErrors> {
        Settings::load_from(flags, serve, |name| {
            environment
                .iter()
                .find_map(|(key, value)| (*key == name).then(|| (*value).to_owned()))
        })
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn with_file(file: &tempfile::NamedTempFile) -> Flags {
        Flags {
            config: Some(file.path().to_str().unwrap().to_owned()),
            ..Flags::default()
        }
    }

    /// What becomes of these settings, given as variables.
    pub(super) fn told(settings: &[(&str, &str)]) -> Result<Settings, ConfigErrors> {
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| (variable_name(name), *value))
            .collect();
        let environment: Vec<_> = settings
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        load(&ServeFlags::default(), &Flags::default(), &environment)
    }

    #[test]
    fn has_a_default_for_everything() {
        let settings = load(&ServeFlags::default(), &Flags::default(), &[]).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.database, Path::new("./gatewright.db"));
        assert_eq!(settings.public_url, None);
        assert_eq!(settings.limits, Limits::Plan);
        assert_eq!(settings.proxies, None);
        assert_eq!(settings.idp_hosts, IdpHosts::default());
        assert_eq!(settings.log, LogForm::Text);
        assert!(matches!(settings.sealing, SealingSource::Beside));
    }

    #[test]
    fn a_flag_beats_the_environment_and_that_the_file() {
        let file = file("listen = '127.0.0.1:1'\nlimits = 'off'\nlog = 'json'\n");
        let serve = ServeFlags {
            listen: Some("127.0.0.1:3".to_owned()),
            ..ServeFlags::default()
        };
        let environment = [
            ("GATEWRIGHT_LISTEN", "127.0.0.1:2"),
            ("GATEWRIGHT_LIMITS", "plan"),
        ];
        let settings = load(&serve, &with_file(&file), &environment).unwrap();
        assert_eq!(settings.listen.port(), 3);
        assert_eq!(settings.limits, Limits::Plan);
        assert_eq!(settings.log, LogForm::Json);
    }

    #[test]
    fn the_environment_can_name_the_file() {
        let file = file("public-url = 'https://api.example/'");
        let path = file.path().to_str().unwrap();
        let environment = [("GATEWRIGHT_CONFIG", path)];
        let settings = load(&ServeFlags::default(), &Flags::default(), &environment).unwrap();
        assert_eq!(settings.public_url.as_deref(), Some("https://api.example"));
    }

    #[test]
    fn tells_every_mistake_and_where_it_stands() {
        let file = file("listen = 8080\nlisen = 'x'\nsealing-key = 'x'\nlimits = 'some'\n");
        let flags = Flags {
            database: Some("postgres://db".to_owned()),
            ..with_file(&file)
        };
        let environment = [
            ("GATEWRIGHT_PUBLIC_URL", "ftp://x"),
            ("GATEWRIGHT_ALLOW_IDP_HOST", "localhost"),
            ("GATEWRIGHT_SEALING_KEY", "c2VjcmV0"),
            ("GATEWRIGHT_SEALING_KEY_FILE", "/x"),
        ];
        let told = load(&ServeFlags::default(), &flags, &environment)
            .unwrap_err()
            .to_string();
        for expected in [
            "`listen` in ",
            "must be a string",
            "`lisen` in ",
            "no such setting",
            "`sealing-key` in ",
            "`limits` in ",
            "must be `plan` or `off`",
            "--database: Postgres is not in this build",
            "GATEWRIGHT_PUBLIC_URL: must be https://HOST",
            "GATEWRIGHT_ALLOW_IDP_HOST: must be HOST:PORT",
            "GATEWRIGHT_SEALING_KEY: must be 32 bytes in base64",
            "only one of them may be given",
        ] {
            assert!(told.contains(expected), "{expected:?} is missing in {told}");
        }
        assert!(!told.contains("c2VjcmV0"), "a secret is repeated");
    }

    #[test]
    fn proxies_are_a_number_and_a_field_and_perhaps_networks() {
        let told = |settings: &[(&str, &str)]| {
            told(settings)
                .map(|settings| settings.proxies)
                .map_err(|ConfigErrors(mistakes)| mistakes.join("\n"))
        };
        let one = TrustedProxies::forwarded(1).unwrap();
        let forwarded = [("trusted-proxies", "1"), ("proxy-field", "Forwarded")];
        assert_eq!(told(&forwarded), Ok(Some(one.clone())));
        let networks = one.from_peers(["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap()));
        let listed = ("proxy-networks", "10.0.0.0/8, ::1");
        assert_eq!(
            told(&[&forwarded[..], &[listed]].concat()),
            Ok(Some(networks))
        );
        assert_eq!(told(&[("trusted-proxies", "0")]), Ok(None));
        for (settings, mistake) in [
            (
                &[("trusted-proxies", "1")][..],
                "GATEWRIGHT_TRUSTED_PROXIES: needs `proxy-field`, the field that they write",
            ),
            (
                &[("trusted-proxies", "-1"), ("proxy-field", "via")],
                "GATEWRIGHT_TRUSTED_PROXIES: must be 0 to 16\n\
                 GATEWRIGHT_PROXY_FIELD: must be `forwarded` or `x-forwarded-for`",
            ),
            (
                &[("trusted-proxies", "17")],
                "GATEWRIGHT_TRUSTED_PROXIES: must be 0 to 16\n\
                 GATEWRIGHT_TRUSTED_PROXIES: needs `proxy-field`, the field that they write",
            ),
            (
                &[("proxy-field", "forwarded"), listed],
                "GATEWRIGHT_PROXY_FIELD: goes only with `trusted-proxies`\n\
                 GATEWRIGHT_PROXY_NETWORKS: goes only with `trusted-proxies`",
            ),
            (
                &[("trusted-proxies", "0"), ("proxy-field", "forwarded")],
                "GATEWRIGHT_PROXY_FIELD: goes only with `trusted-proxies`",
            ),
            (
                &[forwarded[0], forwarded[1], ("proxy-networks", "")],
                "GATEWRIGHT_PROXY_NETWORKS: must be networks such as 10.0.0.0/8,2001:db8::/32: \
                 a network begins with an IPv4 or IPv6 address",
            ),
            (
                &[forwarded[0], forwarded[1], ("proxy-networks", "10.0.0.1/8")],
                "GATEWRIGHT_PROXY_NETWORKS: must be networks such as 10.0.0.0/8,2001:db8::/32: \
                 the address of a network has no bits set beyond its length",
            ),
        ] {
            assert_eq!(told(settings), Err(mistake.to_owned()));
        }
    }

    #[test]
    fn databases_and_urls() {
        assert_eq!(database("sqlite:a.db").unwrap(), Path::new("a.db"));
        assert_eq!(database("sqlite:///a.db").unwrap(), Path::new("/a.db"));
        assert_eq!(database("/tmp/a.db").unwrap(), Path::new("/tmp/a.db"));
        for wrong in [
            "",
            "sqlite:",
            "mysql://x",
            "sqlite::memory:",
            "postgresql://x",
        ] {
            assert!(database(wrong).is_err(), "{wrong}");
        }
        for wrong in [
            "",
            "example.com",
            "https://",
            "https://a@b",
            "https://a?b",
            "https://a#b",
            "https://:80",
            "https://a:99999",
            "https://a:",
        ] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            public_url("http://[::1]:80/a/").unwrap(),
            "http://[::1]:80/a"
        );
    }
}
