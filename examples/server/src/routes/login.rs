//! Logging in with a password: one way for all families.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::principal::{SessionId, Subject, TenantId, UserId};
use gatewright_core::store::{RevocationStore, SessionRecord, SessionStore, TokenRef};
use gatewright_issuer::{Grant, IssuedToken, LoggedIn, NewSession};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::Site;
use crate::app::App;
use crate::web::{Failure, SameOrigin, Shown, settled, source};

/// How long a session lasts that cannot be carried on: as long as its one access token.
const SESSION_SECS: u64 = 3_600;

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

/// A token as it is handed out (RFC 6749 §5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenResponse {
    #[schema(value_type = String)]
    access_token: Shown,
    #[schema(value_type = String)]
    token_type: &'static str,
    expires_in: u64,
}

impl From<IssuedToken> for TokenResponse {
    fn from(issued: IssuedToken) -> Self {
        Self {
            access_token: Shown(issued.access_token),
            token_type: "bearer",
            expires_in: issued.expires_in,
        }
    }
}

/// Somebody who comes to log in, from no foreign page.
#[derive(Clone, Debug)]
pub(super) struct Comer {
    pub(super) source: Option<IpAddr>,
    /// What they will recognise the session by: their `User-Agent`.
    label: String,
}

impl FromRequestParts<Site> for Comer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Failure> {
        SameOrigin::from_request_parts(parts, site).await?;
        let label = parts.headers.get(USER_AGENT).map(|agent| agent.as_bytes());
        Ok(Self {
            source: source(&site.app, parts),
            label: String::from_utf8_lossy(label.unwrap_or_default()).into_owned(),
        })
    }
}

impl Comer {
    /// Checks a password.
    ///
    /// # Errors
    /// `invalid_credentials`, `rate_limited` after too many failures, `temporarily_unavailable` when the store or the
    /// hashing pool cannot answer.
    pub(super) async fn check(
        &self,
        app: &App,
        credentials: Credentials,
    ) -> Result<LoggedIn, Failure> {
        let password = Zeroizing::new(credentials.password);
        let accounts = &app.accounts;
        let checked = accounts.log_in(&credentials.email, &password, self.source);
        Ok(checked.await?)
    }

    /// Notes that nothing is issued, for all that the password was right, and answers the refusal.
    pub(super) fn refuse(&self, app: &App, login: &LoggedIn, cause: Cause) -> Failure {
        app.accounts.refuse_login(login, self.source, cause).into()
    }

    /// Opens a session that lasts as long as its one token, and signs that.
    ///
    /// # Errors
    /// `invalid_credentials` where the password was changed since it was checked, `temporarily_unavailable` when the store
    /// cannot answer, `internal_error` when nothing can be signed.
    pub(super) async fn open(
        self,
        app: &App,
        login: LoggedIn,
        client: &'static str,
        audience: &str,
        tenant: Option<TenantId>,
    ) -> Result<TokenResponse, Failure> {
        let (app, audience) = (app.clone(), audience.to_owned());
        settled(app.under_way.clone(), async move {
            let mut new = self.session(&login, client);
            if let Some(tenant) = &tenant {
                new = new.in_tenant(tenant.clone());
            }
            let session = app.sessions.open_without_refresh(new, SESSION_SECS).await;
            let session = session.map_err(|error| self.not_opened(&app, &login, error))?;
            // Of the second in which the session began, or the two would end one after the other.
            let now = app.gate.clock().now().min(session.created_at);
            let grant = Grant::of_session(&session, &audience, login.epoch);
            let issued = app.tokens.issue(&grant, now)?;
            self.note(&app, &session);
            Ok(issued.into())
        })
        .await
    }

    /// The session that this login begins, for this application.
    pub(super) fn session(&self, login: &LoggedIn, client: &str) -> NewSession {
        login.session(client).labelled(&self.label)
    }

    /// Why a session was not opened. Of a password that was changed since it was checked it is noted.
    pub(super) fn not_opened(&self, app: &App, login: &LoggedIn, error: AuthError) -> Failure {
        if error.code() == ErrorCode::InvalidCredentials {
            return self.refuse(app, login, Cause::WrongPassword);
        }
        error.into()
    }

    /// Notes that a session was opened.
    pub(super) fn note(&self, app: &App, session: &SessionRecord) {
        let mut event = AuditEvent::new(AuditKind::LoggedIn, session.created_at)
            .subject(Subject::User(session.user.clone()))
            .target(session.id.as_str())
            .from(self.source);
        if let Some(tenant) = &session.tenant {
            event = event.tenant(tenant.clone());
        }
        app.audit.record(event);
    }
}

/// Another token of a session, for when the user's epoch was raised and the session stays. `None` where it is no session of
/// theirs that goes on.
///
/// # Errors
/// `temporarily_unavailable` when the store cannot answer, `internal_error` when nothing can be signed.
pub(super) async fn renewed(
    app: &App,
    user: &UserId,
    session: &SessionId,
    audience: &str,
) -> Result<Option<TokenResponse>, Failure> {
    let token = TokenRef::user(user.as_str(), None, None);
    let epoch = app.store.standing(token).await?.epoch;
    let now = app.gate.clock().now();
    let found = app.store.session(session).await?;
    let found = found.filter(|session| session.user == *user && session.is_live(now));
    let Some(session) = found else {
        return Ok(None);
    };
    let grant = Grant::of_session(&session, audience, epoch);
    Ok(Some(app.tokens.issue(&grant, now)?.into()))
}
