//! People's accounts: signing up, logging in, proving an address, choosing a new password, being invited.

mod address;
mod invite;
mod limits;
mod log_in;
mod mail;
mod password;
mod reset;
mod sign_up;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use gatewright_core::audit::{AuditEvent, AuditKind, AuditSink};
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::gate::Gate;
use gatewright_core::hash::{PasswordError, Passwords, Phc};
use gatewright_core::limit::Rate;
use gatewright_core::principal::{Subject, UserId};
use gatewright_core::session::RefreshToken;
use gatewright_core::store::{
    Account, AccountStore, BoxFuture, ChangeKey, InviteStore, MailedPurpose, MailedToken,
    MailedTokenStore, MembershipStore, PasswordChange, RevocationStore,
};
use gatewright_core::time::Timestamp;

pub use invite::AcceptedInvite;
use limits::Limits;
pub use log_in::LoggedIn;
pub use mail::{Mail, Mailer};
pub use password::{NewPassword, PasswordPolicy, WeakPassword};
pub use sign_up::SignedUp;

use crate::credential::{hash_overload, internal, store_failed};
use crate::told::TellOnDrop;

/// How long a link that proves an address is good: a day.
const VERIFY_SECS: u64 = 24 * 3_600;
/// How long a link that sets a password is good: an hour.
const RESET_SECS: u64 = 3_600;
/// The random characters of an id that is made here: 113 bits.
const ID_LENGTH: usize = 22;

/// All that [`Accounts`] keeps in a store.
pub trait PeopleStore:
    AccountStore + MailedTokenStore + InviteStore + MembershipStore + RevocationStore + 'static
{
}

impl<S> PeopleStore for S where
    S: AccountStore + MailedTokenStore + InviteStore + MembershipStore + RevocationStore + 'static
{
}

/// People's accounts: signing up, logging in, proving an address, choosing a new password, being invited. Cheap to clone.
///
/// Whoever asks learns from neither the answer nor the time whether an address has an account. What depends on that is
/// done [afterwards](Afterwards), when the answer is on its way, the look-up of the address included, and told by mail to
/// whom it concerns. Before the answer the store is asked about nobody, so that an outage is refused as one.
///
/// Every method that changes something is to be run to its end, in a task of its own: a token that was spent by a request
/// whose caller hung up is spent. Failed logins, requests and mails are counted in the memory of this process.
///
/// # Whose password
///
/// An account that nobody has verified has no password, and can do nothing but be verified. The password chosen at a
/// sign-up rides with the token that is mailed for it, and becomes the account's when that token is spent: who signs up
/// with somebody else's address, before or after them, never chose the password of the account that its holder
/// confirms. For the same reason a link that was asked for [once more](Self::resend_verification) carries only a
/// password that was given with that request, never one of a sign-up before it; that sign-up may have been anybody's.
/// And where the mail for a sign-up is left out because too many were sent of late, the links that are out carry none any
/// more. Whoever spends a token may choose the password right there, which counts before the one it carries.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use gatewright_core::audit::NoAudit;
/// use gatewright_core::error::ErrorCode;
/// use gatewright_core::gate::{Coherence, Gate};
/// use gatewright_core::hash::{Argon2Settings, Passwords, PoolConfig};
/// use gatewright_core::store::MemoryStore;
/// use gatewright_issuer::{Accounts, Mail, Mailer, PasswordPolicy, guard_tag_keys};
///
/// #[derive(Default)]
/// struct Outbox(Mutex<Vec<Mail>>);
///
/// impl Mailer for Outbox {
///     fn send(&self, mail: Mail) {
///         self.0.lock().unwrap().push(mail);
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (store, outbox) = (Arc::new(MemoryStore::new()), Arc::new(Outbox::default()));
/// let tags = guard_tag_keys(&*store).await?;
/// let gate = Gate::builder(store.clone(), Coherence::SingleProcess, tags).build()?;
/// // Cheap hashes, for examples and tests alone.
/// let passwords = Passwords::start(PoolConfig::new(Argon2Settings::insecure_for_tests()))?;
/// let audit = Arc::new(NoAudit::default());
/// let accounts = Accounts::new(gate, store, passwords, outbox.clone(), audit);
///
/// let (alice, password) = ("alice@example.com", "three brown cows");
/// let chosen = PasswordPolicy::new().accept(password.to_owned())?;
/// let afterwards = accounts.sign_up(alice, chosen, "Alice", None).await?;
/// // A service answers 202 here, and does not wait for what it spawned.
/// tokio::spawn(afterwards).await??;
///
/// // Nothing goes before the address is proven ...
/// let refusal = accounts.log_in(alice, password, None).await.unwrap_err();
/// assert_eq!(refusal.code(), ErrorCode::InvalidCredentials);
///
/// // ... by the token that was mailed there.
/// let mails = std::mem::take(&mut *outbox.0.lock().unwrap());
/// let [Mail::VerifyAddress { token, .. }] = &mails[..] else {
///     unreachable!("the address is new");
/// };
/// accounts.verify_email(token.expose(), None, None).await?;
/// let login = accounts.log_in(alice, password, None).await?;
/// assert_eq!(login.account.name, "Alice");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Accounts {
    gate: Gate,
    store: Arc<dyn PeopleStore>,
    passwords: Passwords,
    mailer: Arc<dyn Mailer>,
    audit: Arc<dyn AuditSink>,
    limits: Arc<Limits>,
}

impl Accounts {
    /// Accounts in the store that `gate` reads. `passwords` is a pool of its own, so that a flood of logins doesn't keep
    /// keys from being proven.
    #[must_use]
    pub fn new(
        gate: Gate,
        store: Arc<dyn PeopleStore>,
        passwords: Passwords,
        mailer: Arc<dyn Mailer>,
        audit: Arc<dyn AuditSink>,
    ) -> Self {
        Self {
            gate,
            store,
            passwords,
            mailer,
            audit,
            limits: Arc::new(Limits::new()),
        }
    }

    /// Sends at most `mails` of one kind to one address, which nobody is told who asks for more, and takes at most
    /// `requests` from one source that has not logged in. Without this it is 3 and 60 an hour. Counts anew.
    #[must_use]
    pub fn with_limits(mut self, mails: Rate, requests: Rate) -> Self {
        self.limits = Arc::new(Limits::with(mails, requests));
        self
    }

    fn now(&self) -> Timestamp {
        self.gate.clock().now()
    }

    fn nanos(&self) -> u64 {
        self.gate.clock().monotonic_nanos()
    }

    async fn hash(&self, password: &NewPassword) -> Result<Phc, AuthError> {
        let hashing = match self.passwords.hash(password.as_bytes()) {
            Ok(hashing) => hashing,
            Err(PasswordError::QueueFull(_)) => return Err(hash_overload(Cause::HashQueueFull)),
            Err(error) => return Err(internal(error)),
        };
        let hash = hashing.await;
        hash.ok_or_else(|| hash_overload(Cause::HashWorkerLost))
    }

    async fn matches(&self, stored: Option<&Phc>, password: &str) -> Result<bool, AuthError> {
        self.passwords
            .verify(stored, password.as_bytes())
            .map_err(|_full| hash_overload(Cause::HashQueueFull))?
            .await
            .ok_or_else(|| hash_overload(Cause::HashWorkerLost))
    }

    /// Asks the store about nobody: an error where it cannot answer, before somebody is told that all is well. About the
    /// address itself it is asked [afterwards](Afterwards), since a row takes longer to read than none.
    async fn reach_store(&self) -> Result<(), AuthError> {
        let found = self.store.account(&nobody()?).await;
        found.map(drop).map_err(store_failed)
    }

    async fn find(&self, email: &str) -> Result<Option<Account>, AuthError> {
        let found = self.store.account_by_email(email).await;
        found.map_err(store_failed)
    }

    /// Keeps a new token, with a password that becomes the account's with it, and answers its text.
    async fn new_token(
        &self,
        user: &UserId,
        purpose: MailedPurpose,
        password: Option<Phc>,
    ) -> Result<RefreshToken, AuthError> {
        let token = RefreshToken::generate().map_err(internal)?;
        let life = match purpose {
            MailedPurpose::VerifyEmail => VERIFY_SECS,
            _ => RESET_SECS,
        };
        let expires_at = self.now().saturating_add(life);
        let mut row = MailedToken::new(token.digest(), purpose, user.clone(), expires_at);
        row.password = password;
        let kept = self.store.put_mailed_token(row).await;
        kept.map_err(store_failed)?;
        Ok(token)
    }

    /// Takes the token out of the store: of many who come with it at once, one goes on.
    async fn spend(&self, token: &str, purpose: MailedPurpose) -> Result<MailedToken, AuthError> {
        let digest = read_token(token)?.digest();
        let spent = self.store.spend_mailed_token(&digest, purpose, self.now());
        spent
            .await
            .map_err(store_failed)?
            .ok_or_else(|| Cause::MailedTokenInvalid.into())
    }

    /// Marks the address of an account as proven. `false` where it was already; then nothing changed.
    async fn activate(&self, account: &Account, password: Option<Phc>) -> Result<bool, AuthError> {
        let user = &account.id;
        if let (Some(earlier), Some(chosen)) = (&account.password, &password) {
            // It came from elsewhere, before anybody had proven the address: an import perhaps, but perhaps not. Where
            // another stands by now, somebody else was quicker, and this is a proven account's.
            let mut change = PasswordChange::new(user, chosen.clone(), self.now());
            change.expected = Some(earlier);
            self.set_password(change).await?;
        }
        let verified = self.store.verify_account(user, password).await;
        if !verified.map_err(store_failed)? {
            return Ok(false);
        }
        // What is left does nothing to a verified account, so it may stay when the store cannot answer.
        let purpose = MailedPurpose::VerifyEmail;
        let _ = self.store.void_mailed_tokens(user, purpose).await;
        Ok(true)
    }

    /// As the store does it, and the caches know of it whatever becomes of the answer.
    async fn set_password(&self, change: PasswordChange<'_>) -> Result<bool, AuthError> {
        let told = self.tell_if_dropped(change.user);
        let set = self.store.set_password(change);
        let is_set = self
            .gate
            .changes()
            .publish(set.await.map_err(store_failed)?);
        told.done();
        Ok(is_set)
    }

    /// Has the caches forget the user when the store's answer is an error, or is not waited for.
    fn tell_if_dropped(&self, user: &UserId) -> TellOnDrop<'_> {
        TellOnDrop::new(self.gate.changes(), ChangeKey::User(user.as_str().into()))
    }

    /// Something that a user did to their own account.
    fn record(&self, kind: AuditKind, user: &UserId, source: Option<IpAddr>) {
        let event = AuditEvent::new(kind, self.now())
            .subject(Subject::User(user.clone()))
            .target(user.as_str())
            .from(source);
        self.audit.record(event);
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

/// What remains to be done when a request is answered, and must not be waited for: how long it takes tells whether there
/// is such an account.
///
/// Spawn it and answer. An error is for the log, where it must not be missed: the store went out of reach between the
/// answer and this, so nothing is mailed to somebody who was told that it is. The request may be made again.
#[must_use = "nothing is stored or mailed unless this is spawned"]
pub struct Afterwards<T = ()>(BoxFuture<'static, Result<T, AuthError>>);

impl<T> Afterwards<T> {
    fn new(rest: impl Future<Output = Result<T, AuthError>> + Send + 'static) -> Self {
        Self(Box::pin(rest))
    }
}

impl<T> Future for Afterwards<T> {
    type Output = Result<T, AuthError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for Afterwards<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Afterwards").finish_non_exhaustive()
    }
}

fn read_token(token: &str) -> Result<RefreshToken, AuthError> {
    RefreshToken::read(token.as_bytes()).ok_or_else(|| Cause::MailedTokenInvalid.into())
}

/// Who is asked about where there is nobody to ask about.
fn nobody() -> Result<UserId, AuthError> {
    UserId::new("nobody").map_err(internal)
}

fn new_user_id() -> Result<UserId, AuthError> {
    let random = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH).map_err(internal)?;
    UserId::new(format!("usr_{random}")).map_err(internal)
}
