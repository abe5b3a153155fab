//! The life of login sessions: opened, carried on, listed, ended.

mod carried;
mod refresh;
mod sealed_child;
mod terms;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use gatewright_core::audit::{AuditEvent, AuditKind, AuditSink};
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::gate::Gate;
use gatewright_core::principal::{SessionId, Subject, TenantId, UserId};
use gatewright_core::session::RefreshToken;
use gatewright_core::store::{
    ChangeKey, OpenOutcome, Page, PageRequest, SessionFilter, SessionRecord, SessionStore,
};
use gatewright_core::time::{Moment, Timestamp};

pub use carried::{CarriedSession, NewSession};
pub use terms::{SessionTerms, SessionTermsBuilder, SessionTermsError};

use crate::credential::{internal, store_failed};
use crate::told::TellOnDrop;

/// The characters of a session's id: 131 random bits (ASVS 7.2.3).
const ID_LENGTH: usize = 22;
/// How often an id or a token that is taken is replaced by another. One that is free and random never needs it.
const MAX_ID_TRIES: u32 = 3;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Opens login sessions, carries them on by refresh tokens, and ends them.
///
/// [`refresh`](Self::refresh) says what a refresh token is good for. Whatever ends a session here before its time also ends
/// its access tokens, from the next request on at the gate that it was made with.
///
/// The time is the gate's, but it never goes back: from when this is made, it counts on by the monotonic clock where the
/// date falls behind that.
#[derive(Clone)]
pub struct Sessions {
    gate: Gate,
    store: Arc<dyn SessionStore>,
    audit: Arc<dyn AuditSink>,
    terms: SessionTerms,
    origin: Moment,
}

impl Sessions {
    /// Sessions with the default [terms](SessionTerms). `store` is the store that the gate reads.
    #[must_use]
    pub fn new(gate: Gate, store: Arc<dyn SessionStore>, audit: Arc<dyn AuditSink>) -> Self {
        let origin = gate.clock().moment();
        Self {
            gate,
            store,
            audit,
            terms: SessionTerms::default(),
            origin,
        }
    }

    /// Opens and carries on sessions for as long as these terms say.
    #[must_use]
    pub const fn with_terms(mut self, terms: SessionTerms) -> Self {
        self.terms = terms;
        self
    }

    /// The terms.
    #[must_use]
    pub const fn terms(&self) -> &SessionTerms {
        &self.terms
    }

    /// Opens a session that can be carried on. Only for a user who has proven just now who they are: every login gets a new
    /// session with a new id (ASVS 7.2.4). Telling the audit of the login is for the caller, who knows how it was proven.
    ///
    /// # Errors
    /// `invalid_credentials` where the user's epoch is no longer [the login's](NewSession::of_epoch): the password was changed
    /// in the meantime, say. `temporarily_unavailable` when the store cannot answer, `internal_error` when the system gives no
    /// random bytes.
    pub async fn open(&self, new: NewSession) -> Result<CarriedSession, AuthError> {
        let refresh = RefreshToken::generate().map_err(internal)?;
        let lifetime = self.terms.absolute_secs();
        let idle = self.terms.idle_secs();
        let session = self.opened(new, Some(&refresh), lifetime, idle).await?;
        Ok(CarriedSession { session, refresh })
    }

    /// Opens a session that cannot be carried on: it ends with its access token, after `lifetime_secs`, and no later than
    /// the terms say.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_without_refresh(
        &self,
        new: NewSession,
        lifetime_secs: u64,
    ) -> Result<SessionRecord, AuthError> {
        let lifetime = lifetime_secs.min(self.terms.absolute_secs());
        self.opened(new, None, lifetime, lifetime).await
    }

    async fn opened(
        &self,
        new: NewSession,
        refresh: Option<&RefreshToken>,
        lifetime: u64,
        idle: u64,
    ) -> Result<SessionRecord, AuthError> {
        let now = self.now();
        for _ in 0..MAX_ID_TRIES {
            let id = random_id(IdAlphabet::Alphanumeric, ID_LENGTH).map_err(internal)?;
            let id = SessionId::new(id).map_err(internal)?;
            let mut session = SessionRecord::new(
                id,
                new.user.clone(),
                new.client.clone(),
                now,
                now.saturating_add(lifetime),
            );
            session.tenant.clone_from(&new.tenant);
            session.label.clone_from(&new.label);
            session.idle_expires_at = now.saturating_add(idle).min(session.expires_at);
            let first = refresh.map(RefreshToken::digest);
            let opened = self.store.open_session(session.clone(), first, new.epoch);
            match opened.await.map_err(store_failed)? {
                OpenOutcome::Opened => return Ok(session),
                OpenOutcome::EpochOver => {
                    return Err(AuthError::new(ErrorCode::InvalidCredentials));
                }
                _ => {}
            }
        }
        Err(AuthError::new(ErrorCode::InternalError))
    }

    /// The user's live sessions, the oldest first.
    ///
    /// # Errors
    /// `temporarily_unavailable` when the store cannot answer.
    pub async fn list(
        &self,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<SessionRecord>, AuthError> {
        let listed = self.store.live_sessions(user, self.now(), page).await;
        listed.map_err(store_failed)
    }

    /// Ends the session that a refresh token belongs to, as at a logout; an older token of its line will do. Answers
    /// whether there was one to end: an unknown token, and a session that is over, are no error (RFC 7009 §2.2).
    ///
    /// Run it to its end, as [`CredentialIssuer::revoke`](crate::CredentialIssuer::revoke); that holds for all that end
    /// sessions.
    ///
    /// # Errors
    /// `temporarily_unavailable` when the store cannot answer: the session may live on.
    pub async fn end(&self, presented: &[u8], source: Option<IpAddr>) -> Result<bool, AuthError> {
        let Some(token) = RefreshToken::read(presented) else {
            return Ok(false);
        };
        let found = self.store.find_refresh(&token.digest()).await;
        match found.map_err(store_failed)? {
            Some(known) => {
                self.end_one(&known.session.user, &known.session.id, source)
                    .await
            }
            None => Ok(false),
        }
    }

    /// Ends one session of the user. Answers whether it was theirs and went on until now.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub async fn end_one(
        &self,
        user: &UserId,
        session: &SessionId,
        source: Option<IpAddr>,
    ) -> Result<bool, AuthError> {
        let ended = self.ended(user, SessionFilter::One(session), source).await;
        ended.map(|ended| !ended.is_empty())
    }

    /// Ends the user's sessions but this one. Answers which.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub async fn end_others(
        &self,
        user: &UserId,
        but: &SessionId,
        source: Option<IpAddr>,
    ) -> Result<Vec<SessionId>, AuthError> {
        self.ended(user, SessionFilter::Except(but), source).await
    }

    /// Ends all sessions of the user. Answers which.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub async fn end_all(
        &self,
        user: &UserId,
        source: Option<IpAddr>,
    ) -> Result<Vec<SessionId>, AuthError> {
        self.ended(user, SessionFilter::All, source).await
    }

    /// Ends the sessions that the user opened for this tenant, as when they leave it. Answers which.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub async fn end_in_tenant(
        &self,
        user: &UserId,
        tenant: &TenantId,
        source: Option<IpAddr>,
    ) -> Result<Vec<SessionId>, AuthError> {
        self.ended(user, SessionFilter::InTenant(tenant), source)
            .await
    }

    /// Deletes what nobody needs any longer: children whose parent's grace is over, and sessions that have been over for
    /// `keep_secs`. To be run now and then. Answers how many sessions.
    ///
    /// # Errors
    /// `temporarily_unavailable` when the store cannot answer.
    pub async fn forget(&self, keep_secs: u64) -> Result<u64, AuthError> {
        let forgotten = self.store.forget_sessions(self.now(), keep_secs).await;
        forgotten.map_err(store_failed)
    }

    /// Ends sessions, and tells the caches and the audit of it.
    async fn ended(
        &self,
        user: &UserId,
        which: SessionFilter<'_>,
        source: Option<IpAddr>,
    ) -> Result<Vec<SessionId>, AuthError> {
        let now = self.now();
        let ended = self.end_quietly(user, which, now).await?;
        for session in &ended {
            let mut event = event(AuditKind::SessionEnded, now, user, session).from(source);
            if let SessionFilter::InTenant(tenant) = which {
                event = event.tenant(tenant.clone());
            }
            self.audit.record(event);
        }
        Ok(ended)
    }

    /// Ends sessions, and tells the caches of it.
    async fn end_quietly(
        &self,
        user: &UserId,
        which: SessionFilter<'_>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, AuthError> {
        let changes = self.gate.changes();
        // Which sessions an answer that was lost would have named is unknown; all of them are the user's.
        let told = TellOnDrop::new(changes, ChangeKey::User(user.as_str().into()));
        let ended = self.store.end_sessions(user, which, now).await;
        let ended = changes.publish(ended.map_err(store_failed)?);
        told.done();
        Ok(ended)
    }

    /// The gate's time, or later: a date that is set back prolongs nothing.
    fn now(&self) -> Timestamp {
        let moment = self.gate.clock().moment();
        let since = moment.nanos.saturating_sub(self.origin.nanos) / NANOS_PER_SECOND;
        moment.unix.max(self.origin.unix.saturating_add(since))
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

/// What happened to a session of this user.
fn event(kind: AuditKind, at: Timestamp, user: &UserId, session: &SessionId) -> AuditEvent {
    AuditEvent::new(kind, at)
        .subject(Subject::User(user.clone()))
        .target(session.as_str())
}
