//! Logging in with an account at an identity provider.

mod address;
mod outcome;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::rand::fill;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use gatewright_core::audit::{AuditEvent, AuditKind, AuditSink};
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::gate::Gate;
use gatewright_core::hash::Phc;
use gatewright_core::principal::{Subject, UserId};
use gatewright_core::store::{
    Account, AccountStore, ChangeKey, InsertOutcome, LinkedLogin, LinkedLoginStore, MailedPurpose,
    MailedTokenStore, PasswordChange, RevocationStore, SessionFilter, SessionStore, TokenRef,
};
use gatewright_core::time::Timestamp;

pub use address::{EmailDomains, InvalidDomain};
use address::{display_name, read_address};
pub use outcome::{ExternalLogin, LinkError, LinkOutcome, LinkedUser};

use crate::told::TellOnDrop;

/// The random characters of an id: 113 bits.
const ID_LENGTH: usize = 22;
/// How often somebody else may be quicker.
const ATTEMPTS: usize = 4;

/// All that [`LoginLinks`] keeps in a store.
pub trait LoginLinkStore:
    LinkedLoginStore + AccountStore + SessionStore + MailedTokenStore + RevocationStore + 'static
{
}

impl<S> LoginLinkStore for S where
    S: LinkedLoginStore
        + AccountStore
        + SessionStore
        + MailedTokenStore
        + RevocationStore
        + 'static
{
}

/// Finds the account of somebody whom a provider has proven, and links the two at the first login. Cheap to clone.
///
/// A subject that is linked is found by issuer and subject alone, whatever address it has by now. One that is not gets an
/// account by its address, and only if the provider has verified it and the operator [trusts](Self::trusting) that provider
/// for addresses of that domain:
///
/// | there is | then |
/// |---|---|
/// | a verified account | it is linked |
/// | an unverified account | it is linked and verified, and nothing counts that was set up before: its name and password go, sessions end, mailed tokens are void |
/// | no account | one is made, verified and without a password |
///
/// So nobody who signed up with a stranger's address is in that stranger's account once it is theirs, and no provider hands
/// out accounts of addresses that it is not asked about.
///
/// Logging in here opens no session: whoever does that records
/// [`AuditKind::LoggedIn`]. Run [`log_in`](Self::log_in) to its end, in a task of its own.
///
/// ```
/// use std::sync::Arc;
///
/// use gatewright_core::audit::NoAudit;
/// use gatewright_core::gate::{Coherence, Gate};
/// use gatewright_core::store::MemoryStore;
/// use gatewright_issuer::{EmailDomains, ExternalLogin, LinkError, LinkOutcome, LoginLinks, guard_tag_keys};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(MemoryStore::new());
/// let tags = guard_tag_keys(&*store).await?;
/// let gate = Gate::builder(store.clone(), Coherence::SingleProcess, tags).build()?;
/// let links = LoginLinks::new(gate, store, Arc::new(NoAudit::default()))
///     .trusting("https://idp.example", EmailDomains::parse(["acme.example"])?);
///
/// let jane = ExternalLogin::new("https://idp.example", "248289761001");
/// let known = jane.with_email("jane@acme.example", true);
/// let user = links.log_in(&known, None).await?;
/// assert_eq!(user.outcome, LinkOutcome::Created);
/// assert_eq!(links.log_in(&known, None).await?.account.id, user.account.id);
///
/// let eve = ExternalLogin::new("https://idp.example", "666");
/// let unproven = eve.with_email("jane@acme.example", false);
/// assert!(matches!(links.log_in(&unproven, None).await, Err(LinkError::UnverifiedAddress)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LoginLinks {
    gate: Gate,
    store: Arc<dyn LoginLinkStore>,
    audit: Arc<dyn AuditSink>,
    trust: Arc<HashMap<Box<str>, EmailDomains>>,
}

impl LoginLinks {
    /// Links in the store that `gate` reads. Until somebody is [trusted](Self::trusting), only what is linked is found.
    #[must_use]
    pub fn new(gate: Gate, store: Arc<dyn LoginLinkStore>, audit: Arc<dyn AuditSink>) -> Self {
        Self {
            gate,
            store,
            audit,
            trust: Arc::default(),
        }
    }

    /// Believes this issuer about who has which address of these domains: whom it names gets the account of that address.
    /// What was said of the same issuer before is replaced.
    #[must_use]
    pub fn trusting(mut self, issuer: &str, domains: EmailDomains) -> Self {
        Arc::make_mut(&mut self.trust).insert(issuer.into(), domains);
        self
    }

    /// The account of whoever logged in, linked if it was not. The login must come from a provider that proved it: see
    /// `gatewright_jwks::login`.
    ///
    /// # Errors
    /// A [`LinkError`]: [`code`](LinkError::code) says what the caller is told.
    pub async fn log_in(
        &self,
        login: &ExternalLogin,
        source: Option<IpAddr>,
    ) -> Result<LinkedUser, LinkError> {
        let outcome = self.find_or_link(login, source).await;
        if outcome.as_ref().is_err_and(LinkError::is_refusal) {
            let failed = AuditEvent::new(AuditKind::LoginFailed, self.now());
            self.audit.record(failed.from(source));
        }
        outcome
    }

    async fn find_or_link(
        &self,
        login: &ExternalLogin,
        source: Option<IpAddr>,
    ) -> Result<LinkedUser, LinkError> {
        // What was made of the account, lest it be forgotten when somebody else links the subject in between.
        let mut done: Option<(UserId, LinkOutcome)> = None;
        for _ in 0..ATTEMPTS {
            let (issuer, subject) = (&*login.issuer, &*login.subject);
            if let Some(link) = self.store.linked_login(issuer, subject).await? {
                let done = done.filter(|(user, _)| *user == link.user);
                let outcome = done.map_or(LinkOutcome::Known, |(_, outcome)| outcome);
                return self.enter(&link.user, outcome).await;
            }
            let email = self.believed_address(login)?;
            let (user, outcome) = match self.store.account_by_email(&email).await? {
                Some(account) if account.verified => (account.id, LinkOutcome::Linked),
                Some(account) => {
                    if !self.activate(&account, login).await? {
                        continue;
                    }
                    self.record(AuditKind::AddressVerified, &account.id, source);
                    (account.id, LinkOutcome::Activated)
                }
                None => match self.create(&email, login).await? {
                    Some(user) => {
                        self.record(AuditKind::SignedUp, &user, source);
                        (user, LinkOutcome::Created)
                    }
                    None => continue,
                },
            };
            let earlier = done.take().filter(|(earlier, _)| *earlier == user);
            let outcome = earlier.map_or(outcome, |(_, outcome)| outcome);
            let link = LinkedLogin::new(
                random_text("lnk_")?,
                user.clone(),
                issuer,
                subject,
                &email,
                self.now(),
            );
            let id = link.id.clone();
            if self.store.link_login(link).await? == InsertOutcome::Inserted {
                let linked = AuditEvent::new(AuditKind::LoginLinked, self.now())
                    .subject(Subject::User(user.clone()));
                self.audit.record(linked.target(id).from(source));
                return self.enter(&user, outcome).await;
            }
            // Somebody else has linked it, or will be found to have.
            done = Some((user, outcome)).filter(|_| outcome != LinkOutcome::Linked);
        }
        Err(LinkError::Contended)
    }

    /// The address in lower case, if it is to be believed.
    fn believed_address(&self, login: &ExternalLogin) -> Result<String, LinkError> {
        let email = login.email.as_deref().filter(|_| login.email_verified);
        let email = email.ok_or(LinkError::UnverifiedAddress)?;
        let (email, domain) = read_address(email).ok_or(LinkError::MalformedAddress)?;
        let domains = self.trust.get(&login.issuer);
        if !domains.is_some_and(|domains| domains.hold(&domain)) {
            return Err(LinkError::Untrusted);
        }
        Ok(email)
    }

    /// Lets a user in. The epoch is read first: if the account changes in between, what is issued is of an epoch that is over.
    async fn enter(&self, user: &UserId, outcome: LinkOutcome) -> Result<LinkedUser, LinkError> {
        let token = TokenRef::user(user.as_str(), None, None);
        let standing = self.store.standing(token).await?;
        let account = self.store.account(user).await?;
        let account = account.filter(|account| account.verified);
        Ok(LinkedUser {
            account: account.ok_or(LinkError::NoAccount)?,
            epoch: standing.epoch,
            outcome,
        })
    }

    /// Makes a verified account, unless somebody has made one of this address in the meantime.
    async fn create(
        &self,
        email: &str,
        login: &ExternalLogin,
    ) -> Result<Option<UserId>, LinkError> {
        let id = UserId::new(random_text("usr_")?).map_err(|_| LinkError::Random)?;
        let mut account = Account::new(id.clone(), email, self.now());
        account.name = display_name(login.name.as_deref());
        account.verified = true;
        let inserted = self.store.insert_account(account).await?;
        Ok((inserted == InsertOutcome::Inserted).then_some(id))
    }

    /// Hands an unverified account over to the holder of its address. `false` where it was verified in the meantime.
    ///
    /// Verified last: until then nobody can log in to it, so what is cleared away before was of no use to anybody, and stays
    /// away if this ends half-way.
    async fn activate(&self, account: &Account, login: &ExternalLogin) -> Result<bool, LinkError> {
        let (user, now) = (&account.id, self.now());
        let changes = self.gate.changes();
        let told = TellOnDrop::new(changes, ChangeKey::User(user.as_str().into()));
        if let Some(earlier) = &account.password {
            // There is no way to have none again, so it gets one that nobody has; unless its holder has chosen one since.
            let mut change = PasswordChange::new(user, unknown_password()?, now);
            change.expected = Some(earlier);
            let set = self.store.set_password(change).await?;
            changes.publish(set);
        }
        let ended = self
            .store
            .end_sessions(user, SessionFilter::All, now)
            .await?;
        changes.publish(ended);
        told.done();
        for purpose in [MailedPurpose::VerifyEmail, MailedPurpose::ResetPassword] {
            self.store.void_mailed_tokens(user, purpose).await?;
        }
        let name = display_name(login.name.as_deref());
        self.store.set_name(user, &name).await?;
        Ok(self.store.verify_account(user, None).await?)
    }

    fn now(&self) -> Timestamp {
        self.gate.clock().now()
    }

    fn record(&self, kind: AuditKind, user: &UserId, source: Option<IpAddr>) {
        let event = AuditEvent::new(kind, self.now()).subject(Subject::User(user.clone()));
        self.audit.record(event.target(user.as_str()).from(source));
    }
}

fn random_text(prefix: &str) -> Result<String, LinkError> {
    let random = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH);
    random
        .map(|random| format!("{prefix}{random}"))
        .map_err(|_| LinkError::Random)
}

/// The hash of no password that anybody knows: random bits where an output of argon2id would be.
fn unknown_password() -> Result<Phc, LinkError> {
    let mut random = [0; 48];
    fill(&mut random).map_err(|_| LinkError::Random)?;
    let (salt, output) = random.split_at(16);
    let [salt, output] = [salt, output].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    let text = format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${output}");
    text.parse().map_err(|_| LinkError::Random)
}

impl fmt::Debug for LoginLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginLinks")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}
