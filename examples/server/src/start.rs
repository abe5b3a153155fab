//! How the server's parts are put together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::audit::AuditSink;
use gatewright_core::credential::{FormatErrors, Formats, SecretFormat, SecretKind};
use gatewright_core::gate::{Coherence, Gate, GateError};
use gatewright_core::hash::{Argon2Settings, PasswordError, Passwords, PoolConfig};
use gatewright_core::jwt::Algorithm;
use gatewright_core::store::StoreError;
use gatewright_core::time::Timestamp;
use gatewright_issuer::{
    AccessTokens, Accounts, CredentialIssuer, GuardTagError, KeyLifetimes, PasswordPolicy,
    SealingKey, Sessions, SigningKeys, SigningKeysError, guard_tag_keys,
};
use gatewright_sqlx::{OpenError, SqliteOptions, SqliteStore};
use rand::TryRng as _;
use sqlx::migrate::MigrateError;
use zeroize::Zeroizing;

use crate::app::App;
use crate::audit::{self, AuditLog, AuditWriter};
use crate::config::{MailSettings, MailWay, SealingSource, sealing_key};
use crate::federation::{FederationError, OrgProviders};
use crate::idp_hosts::IdpHosts;
use crate::mail::{Composer, Delivery, Folder, Mailer, Smtp, SmtpUrl};
use crate::mcp::OrgConnectors;
use crate::orgs::{OrgListener, Orgs};
use crate::product::{Product, ProductError, VisitorKeysError};
use crate::realms::{Realms, RealmsError};
use crate::web::UnderWay;

/// How long an access token lives.
const TOKEN_SECS: u64 = 3_600;
/// For how long a new signing key is shown before it signs: longer than verifiers cache the key set.
pub(crate) const PUBLISH_LEAD_SECS: u64 = 900;
/// The brand of client secrets.
const CLIENT_SECRET: &str = "apx_secret";

/// Why the server's parts could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The database cannot be opened or migrated.
    #[error("the database {path} cannot be used")]
    Open {
        path: String,
        #[source]
        source: OpenError,
    },
    /// The table of audit events cannot be brought up to date.
    #[error("the audit table cannot be migrated")]
    Audit(#[from] MigrateError),
    /// The service's own tables cannot be opened.
    #[error(transparent)]
    Product(#[from] ProductError),
    /// The guard-tag keys cannot be had.
    #[error(transparent)]
    GuardTag(#[from] GuardTagError),
    /// The formats of secrets contradict each other.
    #[error(transparent)]
    Formats(#[from] FormatErrors),
    /// The gate could not be built.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The pool of passwords could not be started.
    #[error("the password pool could not be started")]
    Passwords(#[from] PasswordError),
    /// The realms could not be made.
    #[error(transparent)]
    Realms(#[from] RealmsError),
    /// The keys of visitors' cookies cannot be had.
    #[error("the keys of visitors' cookies cannot be had")]
    VisitorKeys(#[from] VisitorKeysError),
    /// Identity providers of orgs cannot be trusted.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// The signing keys cannot be had.
    #[error(
        "the signing keys cannot be used; were they sealed under another key than the one given?"
    )]
    SigningKeys(#[from] SigningKeysError),
    /// The file of the sealing key cannot be read or written.
    #[error("the sealing key in {path} cannot be used: {reason}")]
    SealingKey { path: PathBuf, reason: String },
    /// The folder that mail is written into cannot be had.
    #[error("the folder {path} for mail cannot be used")]
    MailFolder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The SMTP server's URL cannot be read, or not be used.
    #[error("the SMTP server cannot be used: {0}")]
    Smtp(String),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What commands and the server share: everything that needs no signing key.
pub(crate) struct Foundation {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) gate: Gate,
    pub(crate) passwords: Passwords,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) writer: AuditWriter,
}

impl Foundation {
    /// Opens the database, brings its schema up to date, and builds the gate.
    ///
    /// # Errors
    /// [`StartError`], by variant.
    pub(crate) async fn open(
        options: &SqliteOptions,
        shown: &Path,
        coherence: Coherence,
    ) -> Result<Self, StartError> {
        let store = SqliteStore::open_with(options)
            .await
            .map_err(|source| StartError::Open {
                path: shown.display().to_string(),
                source,
            })?;
        let store = Arc::new(store);
        let (audit, writer) = audit::start(store.pool().clone()).await?;
        let tags = guard_tag_keys(&*store).await?;
        let gate = Gate::builder(Arc::clone(&store), coherence, tags)
            .formats(formats()?)
            .audit(Arc::clone(&audit) as Arc<dyn AuditSink>)
            .build()?;
        Ok(Self {
            store,
            gate,
            passwords: Passwords::start(PoolConfig::new(Argon2Settings::default()))?,
            audit,
            writer,
        })
    }

    /// Mints, rotates and revokes within what these realms know.
    pub(crate) fn issuer(&self, realms: &Realms) -> CredentialIssuer {
        CredentialIssuer::new(
            self.gate.clone(),
            Arc::<SqliteStore>::clone(&self.store),
            Arc::clone(&realms.catalog),
            Arc::clone(&self.audit) as Arc<dyn AuditSink>,
        )
    }

    /// The keys that sign. The first one is made if there is none.
    ///
    /// # Errors
    /// [`SigningKeysError`], by variant.
    pub(crate) async fn signing(
        &self,
        sealing: SealingKey,
    ) -> Result<SigningKeys, SigningKeysError> {
        SigningKeys::open(
            Arc::<SqliteStore>::clone(&self.store),
            sealing,
            Algorithm::Rs256,
            KeyLifetimes::new(PUBLISH_LEAD_SECS, TOKEN_SECS),
            self.now(),
        )
        .await
    }

    /// What every handler works with.
    ///
    /// # Errors
    /// [`StartError`], by variant.
    pub(crate) async fn app(
        &self,
        sealing: SealingKey,
        public_url: &str,
        limits: bool,
        idp_hosts: IdpHosts,
        mailer: Arc<dyn gatewright_issuer::Mailer>,
    ) -> Result<App, StartError> {
        let product = Product::open(self.store.pool().clone()).await?;
        let signing = Arc::new(self.signing(sealing).await?);
        let realms = Realms::new(
            signing.live(),
            public_url,
            limits,
            product.visitor_keys().await?,
        )?;
        let registry = Arc::clone(&realms.providers);
        let providers = Arc::new(OrgProviders::new(registry, &idp_hosts, public_url)?);
        let connectors = Arc::<OrgConnectors>::default();
        let audit = || Arc::clone(&self.audit) as Arc<dyn AuditSink>;
        let store = Arc::clone(&self.store);
        let passwords = self.passwords.clone();
        Ok(App {
            accounts: Accounts::new(self.gate.clone(), store.clone(), passwords, mailer, audit()),
            password_policy: Arc::new(password_policy()),
            sessions: Sessions::new(self.gate.clone(), store, audit()),
            under_way: UnderWay::default(),
            gate: self.gate.clone(),
            store: Arc::clone(&self.store),
            orgs: Arc::new(Orgs::new(
                product.clone(),
                [
                    providers as Arc<dyn OrgListener>,
                    Arc::clone(&connectors) as Arc<dyn OrgListener>,
                ],
            )),
            connectors,
            idp_hosts: Arc::new(idp_hosts),
            product,
            credentials: self.issuer(&realms),
            tokens: AccessTokens::new(public_url, Arc::clone(&signing), TOKEN_SECS),
            signing,
            passwords: self.passwords.clone(),
            realms: Arc::new(realms),
            audit: Arc::clone(&self.audit) as Arc<dyn AuditSink>,
            provider: None,
            proxies: None,
            public_url: public_url.into(),
        })
    }

    /// The time that expiry is judged by.
    pub(crate) fn now(&self) -> Timestamp {
        self.gate.clock().now()
    }

    /// Writes down what still waits and closes the database.
    pub(crate) async fn close(self) {
        self.writer.finish().await;
        self.store.close().await;
    }
}

/// What is allowed as a password here.
pub(crate) fn password_policy() -> PasswordPolicy {
    PasswordPolicy::new().with_words(["Gatewright"])
}

/// How mail leaves.
pub(crate) struct Post {
    pub(crate) mailer: Mailer,
    pub(crate) delivery: Delivery,
    /// Where it ends, if it goes no further than this machine.
    pub(crate) folder: Option<PathBuf>,
}

/// Begins to deliver mail. A demonstration mails nobody, whatever was configured.
///
/// # Errors
/// [`StartError::MailFolder`], [`StartError::Smtp`].
pub(crate) fn mail(
    settings: MailSettings,
    demo: bool,
    database: &Path,
    public_url: &str,
) -> Result<Post, StartError> {
    let (mailer, queue) = Mailer::new();
    let composer = Composer::new(public_url, settings.from);
    let way = if demo { MailWay::Beside } else { settings.way };
    let (delivery, folder) = match way {
        MailWay::Smtp(url) => {
            let smtp = Smtp::new(&url).map_err(StartError::Smtp)?;
            (queue.deliver(composer, smtp), None)
        }
        MailWay::SmtpFile(path) => {
            let smtp = Smtp::new(&smtp_url(&path)?).map_err(StartError::Smtp)?;
            (queue.deliver(composer, smtp), None)
        }
        MailWay::Folder(path) => (queue.deliver(composer, folder(&path)?), Some(path)),
        MailWay::Beside => {
            let path = named_after(database, ".mail");
            (queue.deliver(composer, folder(&path)?), Some(path))
        }
    };
    Ok(Post {
        mailer,
        delivery,
        folder,
    })
}

fn folder(path: &Path) -> Result<Folder, StartError> {
    Folder::open(path).map_err(|source| StartError::MailFolder {
        path: path.to_owned(),
        source,
    })
}

fn smtp_url(path: &Path) -> Result<SmtpUrl, StartError> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    text.map_err(|error| error.to_string())
        .and_then(|text| SmtpUrl::parse(&text))
        .map_err(|why| StartError::Smtp(format!("{}: {why}", path.display())))
}

/// What secrets look like here: those that everybody knows, and those of OAuth clients.
///
/// # Errors
/// [`FormatErrors`], of which there are none.
pub(crate) fn formats() -> Result<Formats, FormatErrors> {
    Formats::standard().with(SecretFormat::unnamed(SecretKind::Client, CLIENT_SECRET))
}

/// The key that seals signing keys. One beside the database is made on first use.
///
/// # Errors
/// [`StartError::SealingKey`].
pub(crate) fn sealing(source: SealingSource, database: &Path) -> Result<SealingKey, StartError> {
    let (path, make) = match source {
        SealingSource::Key(key) => return Ok(key),
        SealingSource::File(path) => (path, false),
        SealingSource::Beside => (beside(database), true),
    };
    if make && !path.exists() {
        write_new_key(&path).map_err(|error| StartError::SealingKey {
            path: path.clone(),
            reason: error.to_string(),
        })?;
    }
    read_key(path)
}

/// The same for somebody who only looks: nothing is made.
///
/// # Errors
/// [`StartError::SealingKey`].
pub(crate) fn existing_sealing(
    source: SealingSource,
    database: &Path,
) -> Result<SealingKey, StartError> {
    match source {
        SealingSource::Beside => read_key(beside(database)),
        given => sealing(given, database),
    }
}

fn beside(database: &Path) -> PathBuf {
    named_after(database, ".sealing-key")
}

fn named_after(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn read_key(path: PathBuf) -> Result<SealingKey, StartError> {
    let text = std::fs::read_to_string(&path).map(Zeroizing::new);
    text.map_err(|error| error.to_string())
        .and_then(|text| sealing_key(&text))
        .map_err(|reason| StartError::SealingKey { path, reason })
}

/// Appears whole or not at all, readable by its owner alone, and never in the place of another: of two processes that
/// start at once both then read the same key.
fn write_new_key(path: &Path) -> std::io::Result<()> {
    use std::io::Write as _;

    let mut key = Zeroizing::new([0_u8; SealingKey::LEN]);
    rand::rngs::SysRng
        .try_fill_bytes(&mut *key)
        .map_err(std::io::Error::other)?;
    let text = Zeroizing::new(STANDARD.encode(key.as_slice()));
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    writeln!(file, "{}", *text)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(failed) if failed.error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(failed.error)
        }
        // What the key seals is on the disk soon; without its name in the folder the key itself would not be.
        #[cfg(unix)]
        _ => std::fs::File::open(directory)?.sync_all(),
        #[cfg(not(unix))]
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_beside_the_database_is_made_once_and_is_the_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("a.db");
        assert!(existing_sealing(SealingSource::Beside, &database).is_err());
        sealing(SealingSource::Beside, &database).unwrap();
        let path = directory.path().join("a.db.sealing-key");
        let first = std::fs::read_to_string(&path).unwrap();
        sealing(SealingSource::Beside, &database).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_file_that_was_named_must_exist_and_hold_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let read = || sealing(SealingSource::File(path.clone()), Path::new("a.db"));
        assert!(read().is_err());
        assert!(!path.exists());
        std::fs::write(&path, "c2VjcmV0").unwrap();
        let error = read().unwrap_err().to_string();
        assert!(error.contains("32 bytes") && !error.contains("c2VjcmV0"));
        std::fs::write(&path, STANDARD.encode([1; 32])).unwrap();
        read().unwrap();
    }
}
