//! What the program is told: by flags, by the environment, by a file; in that order.
//!
//! A setting has one name everywhere: `public-url` is the flag `--public-url`, the variable `GATEWRIGHT_PUBLIC_URL` and
//! the key `public-url` of the file. All mistakes are collected before the program gives up, and each says where the
//! wrong value stands; a value that may be secret is never repeated.

mod flags;
mod login;
mod mail;
mod proxies;
mod told;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::source::TrustedProxies;
use gatewright_issuer::SealingKey;
use zeroize::Zeroizing;

use crate::idp_hosts::IdpHosts;

pub(crate) use flags::{Flags, ServeFlags};
pub(crate) use login::{GOOGLE, LoginSettings};
pub(crate) use mail::{MailSettings, MailWay};

use told::Told;

const LISTEN: &str = "listen";
const DATABASE: &str = "database";
const PUBLIC_URL: &str = "public-url";
const LIMITS: &str = "limits";
const ALLOW_IDP_HOST: &str = "allow-idp-host";
const LOG: &str = "log";
/// It stands in no file and no list of processes, so that it has no flag.
const SEALING_KEY: &str = "sealing-key";
const SEALING_KEY_FILE: &str = "sealing-key-file";

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
        let flagged: Vec<_> = flags.named().into_iter().chain(serve.named()).collect();
        let names: Vec<_> = flagged.iter().map(|(name, _)| *name).collect();
        let mut told = Told::default();
        let file = match &flags.config {
            Some(path) => Some((path.clone(), "--config")),
            None => variable("GATEWRIGHT_CONFIG").map(|path| (path, "GATEWRIGHT_CONFIG")),
        };
        if let Some((path, origin)) = file {
            told.read_file(Path::new(&path), origin, &names);
        }
        for name in names.into_iter().chain([SEALING_KEY]) {
            let variable_name = variable_name(name);
            if let Some(text) = variable(&variable_name) {
                told.put(name, text, variable_name);
            }
        }
        for (name, flag) in flagged {
            if let Some(text) = flag {
                told.put(name, text.clone(), format!("--{name}"));
            }
        }
        told.settings()
    }
}

impl Told {
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

    use clap::{Args as _, FromArgMatches as _};

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

    /// One that is not would be taken and forgotten, or be taken for another.
    #[test]
    fn every_flag_is_the_setting_of_its_name() {
        let command = clap::Command::new("flags").no_binary_name(true);
        let command = ServeFlags::augment_args(Flags::augment_args(command));
        let flags = command.get_arguments().filter_map(clap::Arg::get_long);
        let flags: Vec<_> = flags.map(str::to_owned).collect();
        let said = flags.iter().map(|flag| format!("--{flag}={flag}"));
        let said = command.try_get_matches_from(said).unwrap();
        let serve = ServeFlags::from_arg_matches(&said).unwrap();
        let global = Flags::from_arg_matches(&said).unwrap();
        let named: Vec<_> = global.named().into_iter().chain(serve.named()).collect();
        for (name, said) in &named {
            assert_eq!(said.as_deref(), Some(*name));
        }
        // `config` alone is none: it says where the others stand.
        assert_eq!(global.config.as_deref(), Some("config"));
        assert_eq!(named.len() + 1, flags.len(), "{flags:?}");
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
