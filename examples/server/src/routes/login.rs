//! Logging in with a password: one way for all families.

use std::net::IpAddr;

use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::hash::Phc;
use gatewright_core::principal::{SessionId, Subject, TenantId, UserId};
use gatewright_core::store::{Account, AccountStore, RevocationStore, TokenRef};
use gatewright_issuer::{Grant, IssuedToken};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::Site;
use crate::app::App;
use crate::web::{Failure, Shown};

/// The characters of a session id: 131 random bits.
const SESSION_LENGTH: usize = 22;

/// What somebody who logs in sends.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    email: String,
    password: String,
    /// The workspace to log in to; the first by slug unless said. Handles need none.
    pub(super) workspace: Option<String>,
    /// The org to log in to, at the gateway; whichever each request names unless said.
    pub(super) org: Option<String>,
}

/// Somebody whose password was right.
pub(super) struct LoggedIn {
    /// The account.
    pub(super) account: Account,
    /// The revocation epoch of the account, read before its password was.
    epoch: u64,
}

/// A token as it is handed out (RFC 6749 §5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenResponse {
    #[schema(value_type = String)]
    access_token: Shown,
    #[schema(value_type = String)]
    token_type: &'static str,
    expires_in: u64,
}

impl TokenResponse {
    /// What was issued.
    pub(super) fn of(issued: IssuedToken) -> Self {
        Self {
            access_token: Shown(issued.access_token),
            token_type: "bearer",
            expires_in: issued.expires_in,
        }
    }
}

/// Checks a password.
///
/// A wrong one, an unknown account and an unverified one are told apart neither by the answer nor by the work done.
/// Failures count per source address and account together, so nobody is locked out from elsewhere.
///
/// # Errors
/// `invalid_credentials`, `rate_limited` after too many failures, `temporarily_unavailable` when the store or the hashing
/// pool cannot answer.
pub(super) async fn check(
    site: &Site,
    source: Option<IpAddr>,
    credentials: Credentials,
) -> Result<LoggedIn, Failure> {
    let app = &site.app;
    let email = credentials.email.to_lowercase();
    let password = Zeroizing::new(credentials.password);
    refuse_if_blocked(site, source, &email)?;

    let found = app.store.account_by_email(&email).await?;
    let nobody = UserId::new("nobody")?;
    let id = found.as_ref().map_or(&nobody, |account| &account.id);
    // The epoch first, the password after it: if the password is changed between the two, the token that would be
    // issued for the old one is of an epoch that is over.
    let standing = app
        .store
        .standing(TokenRef::user(id.as_str(), None, None))
        .await?;
    let account = app.store.account(id).await?;
    let account = account.filter(|account| account.verified);
    let stored = account
        .as_ref()
        .and_then(|account| account.password.as_ref());
    let right = app
        .passwords
        .verify(stored, password.as_bytes())?
        .await
        .ok_or(Cause::HashWorkerLost)?;

    let Some(account) = account.filter(|_| right) else {
        let now = app.gate.clock().monotonic_nanos();
        site.logins.record_failure(source, &email, now);
        tell_failure(app, source, found.as_ref(), Cause::WrongPassword);
        return Err(Cause::WrongPassword.into());
    };
    // Again, or as many guesses as may run side by side would all be answered.
    refuse_if_blocked(site, source, &email)?;
    if let Some(stored) = &account.password
        && app.passwords.needs_rehash(stored)
    {
        renew_hash(app, account.id.clone(), stored.clone(), password);
    }
    Ok(LoggedIn {
        account,
        epoch: standing.epoch,
    })
}

impl LoggedIn {
    /// Begins a session and signs its first token.
    ///
    /// # Errors
    /// `internal_error` when nothing can be signed.
    pub(super) fn issue(
        &self,
        app: &App,
        source: Option<IpAddr>,
        client: &str,
        audience: &str,
        tenant: Option<&TenantId>,
    ) -> Result<TokenResponse, Failure> {
        let session = SessionId::new(random_id(IdAlphabet::Alphanumeric, SESSION_LENGTH)?)?;
        let user = &self.account.id;
        let mut grant = Grant::user(user, client, audience, self.epoch, session.clone());
        if let Some(tenant) = tenant {
            grant = grant.in_tenant(tenant.clone());
        }
        let now = app.gate.clock().now();
        let issued = app.tokens.issue(&grant, now)?;
        let mut event = AuditEvent::new(AuditKind::LoggedIn, now)
            .subject(Subject::User(user.clone()))
            .target(session.as_str())
            .from(source);
        if let Some(tenant) = tenant {
            event = event.tenant(tenant.clone());
        }
        app.audit.record(event);
        Ok(TokenResponse::of(issued))
    }

    /// Notes that nothing is issued, for all that the password was right, and answers the refusal.
    pub(super) fn refuse(&self, app: &App, source: Option<IpAddr>, cause: Cause) -> Failure {
        tell_failure(app, source, Some(&self.account), cause);
        cause.into()
    }
}

fn refuse_if_blocked(site: &Site, source: Option<IpAddr>, email: &str) -> Result<(), Failure> {
    let now = site.app.gate.clock().monotonic_nanos();
    match site.logins.is_blocked(source, email, now) {
        None => Ok(()),
        Some(secs) => {
            tell_failure(&site.app, source, None, Cause::FailureLimited);
            let error = AuthError::from(Cause::FailureLimited);
            Err(error.with_retry_after(secs).into())
        }
    }
}

/// The event names the account only where there is one: what was typed may be a password in the wrong field.
fn tell_failure(app: &App, source: Option<IpAddr>, account: Option<&Account>, cause: Cause) {
    let mut event = AuditEvent::new(AuditKind::LoginFailed, app.gate.clock().now())
        .from(source)
        .because(cause);
    if let Some(account) = account {
        event = event.target(account.id.as_str());
    }
    app.audit.record(event);
}

/// Hashes the password with the present settings. Nobody waits for it, and if it fails the next login tries again.
fn renew_hash(app: &App, user: UserId, old: Phc, password: Zeroizing<String>) {
    let (store, passwords) = (app.store.clone(), app.passwords.clone());
    tokio::spawn(async move {
        let Ok(hashing) = passwords.hash(password.as_bytes()) else {
            return;
        };
        if let Some(new) = hashing.await
            && let Err(error) = store.swap_password(&user, &old, new).await
        {
            tracing::warn!(%error, "a password's hash could not be renewed");
        }
    });
}
