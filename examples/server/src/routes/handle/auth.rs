//! Logins to the handle API, carried on by a cookie.

use std::net::IpAddr;

use axum::extract::State;
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::cookie::{Cookie, CookieValue, SameSite};
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::principal::Subject;
use gatewright_core::store::{
    AccountStore, RevocationStore, SessionRecord, TokenRef, TokenStanding,
};
use gatewright_issuer::{CarriedSession, Grant, LoggedIn, NewSession};
use gatewright_tower::HeaderFields;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::app::App;
use crate::routes::Site;
use crate::web::{Failure, Json, SameOrigin, Shown, Source, set_cookie, settled};

/// The name that the product's documents give the cookie. It has no prefix, so a sibling host can plant one of its own: of
/// two none is read.
const COOKIE: &str = "_10x_admin_refresh";
/// Where the cookie goes, and nowhere else.
const PATH: &str = "/v2/auth";
/// The application that these sessions are opened for.
const CLIENT: &str = "handle-api";

/// What somebody who logs in sends.
#[derive(Deserialize, ToSchema)]
pub(super) struct HandleLogin {
    email: String,
    password: String,
}

/// A token as it is handed out (RFC 6749 §5.1). It reaches every handle that its user has a role in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionToken {
    #[schema(value_type = String)]
    access_token: Shown,
    #[schema(value_type = String)]
    token_type: &'static str,
    expires_in: u64,
}

/// `POST /v2/auth/login`: begins a session.
pub(super) async fn login(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    headers: HeaderMap,
    Json(body): Json<HandleLogin>,
) -> Result<Response, Failure> {
    let label = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    let label = String::from_utf8_lossy(label.unwrap_or_default()).into_owned();
    let password = Zeroizing::new(body.password);
    settled(async move {
        let app = &site.app;
        let login = app.accounts.log_in(&body.email, &password, source).await?;
        let new = NewSession::new(login.account.id.clone(), CLIENT).labelled(&label);
        let carried = app.sessions.open(new).await?;
        still_right(app, &login, &carried.session, source).await?;
        let event = AuditEvent::new(AuditKind::LoggedIn, app.gate.clock().now())
            .subject(Subject::User(login.account.id.clone()))
            .target(carried.session.id.as_str())
            .from(source);
        let answer = answer(app, &carried, login.epoch)?;
        app.audit.record(event);
        Ok(answer)
    })
    .await
}

/// `POST /v2/auth/refresh`: carries the session on.
pub(super) async fn refresh(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let carried = match presented(&headers)? {
        Presented::Nothing => return Err(Cause::RefreshMissing.into()),
        Presented::Unreadable => Err(Cause::RefreshInvalid.into()),
        Presented::One(token) => {
            settled(async move { carry_on(&site.app, &token, source).await }).await
        }
    };
    match carried {
        Err(over) if over.error().code() == ErrorCode::InvalidRefreshToken => {
            Ok((set_cookie(&cookie(None)?.clear())?, over).into_response())
        }
        carried => carried,
    }
}

/// `POST /v2/auth/logout`: ends the session, if there is one.
pub(super) async fn logout(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let Presented::One(token) = presented(&headers)? {
        // An error leaves the cookie where it is: the session may live on, and can be ended by another try.
        settled(async move { Ok(site.app.sessions.end(&token, source).await?) }).await?;
    }
    let gone = set_cookie(&cookie(None)?.clear())?;
    Ok((StatusCode::NO_CONTENT, gone).into_response())
}

/// What came under the cookie's name.
enum Presented {
    Nothing,
    /// More than one, or what can be no cookie's value.
    Unreadable,
    One(Zeroizing<Vec<u8>>),
}

fn presented(headers: &HeaderMap) -> Result<Presented, Failure> {
    Ok(match cookie(None)?.read(&HeaderFields::new(headers)) {
        CookieValue::Absent => Presented::Nothing,
        CookieValue::Value(value) => Presented::One(Zeroizing::new(value.to_vec())),
        _ => Presented::Unreadable,
    })
}

fn cookie(max_age_secs: Option<u64>) -> Result<Cookie, Failure> {
    let mut builder = Cookie::named(COOKIE, SameSite::Lax).path(PATH);
    if let Some(secs) = max_age_secs {
        builder = builder.max_age_secs(secs);
    }
    builder
        .build()
        .map_err(|_mistakes| ErrorCode::InternalError.into())
}

/// Ends a session that was opened for a password which was changed meanwhile: the change ended those that it knew of. What
/// is changed from here on ends this one too.
async fn still_right(
    app: &App,
    login: &LoggedIn,
    session: &SessionRecord,
    source: Option<IpAddr>,
) -> Result<(), Failure> {
    let standing = standing(app, session).await;
    if matches!(&standing, Ok(now) if now.epoch == login.epoch && !now.session_ended) {
        return Ok(());
    }
    app.sessions
        .end_one(&session.user, &session.id, source)
        .await?;
    // Whoever cannot be told whether it is right is not told that it is wrong.
    standing?;
    Err(app
        .accounts
        .refuse_login(login, source, Cause::WrongPassword)
        .into())
}

async fn carry_on(app: &App, token: &[u8], source: Option<IpAddr>) -> Result<Response, Failure> {
    let carried = app.sessions.refresh(token, source).await?;
    let session = &carried.session;
    // The epoch before the account: what ends tokens between the two ends the one that is issued here.
    let standing = standing(app, session).await?;
    let account = app.store.account(&session.user).await?;
    let goes_on = !standing.session_ended
        && &*session.client == CLIENT
        && account.is_some_and(|account| account.verified);
    if !goes_on {
        app.sessions
            .end_one(&session.user, &session.id, source)
            .await?;
        return Err(Cause::RefreshInvalid.into());
    }
    answer(app, &carried, standing.epoch)
}

async fn standing(app: &App, session: &SessionRecord) -> Result<TokenStanding, Failure> {
    let (user, id) = (session.user.as_str(), session.id.as_str());
    let token = TokenRef::user(user, Some(id), None);
    Ok(app.store.standing(token).await?)
}

/// An access token, which ends with its session, and the cookie.
fn answer(app: &App, carried: &CarriedSession, epoch: u64) -> Result<Response, Failure> {
    let now = app.gate.clock().now();
    let grant = Grant::of_session(&carried.session, &app.realms.handle_audience, epoch);
    let issued = app.tokens.issue(&grant, now)?;
    let lasts = carried.expires_at().saturating_sub(now).max(1);
    let line = cookie(Some(lasts))?
        .set(carried.refresh.expose())
        .map_err(Failure::internal)?;
    let token = SessionToken {
        access_token: Shown(issued.access_token),
        token_type: "bearer",
        expires_in: issued.expires_in,
    };
    Ok((set_cookie(&line)?, axum::Json(token)).into_response())
}

#[cfg(test)]
mod tests {
    use gatewright_core::store::PageRequest;

    use super::*;
    use crate::routes::tests::{PASSWORD, Server};

    #[tokio::test]
    async fn a_password_that_was_changed_since_it_was_checked_opens_no_session() {
        let server = Server::start().await;
        let user = server.person("ada").await;
        let app = &server.app;
        let login = app.accounts.log_in("ada@acme.test", PASSWORD, None).await;
        let login = login.unwrap();
        let hash = app.passwords.hash(PASSWORD.as_bytes()).unwrap().await;
        let now = app.gate.clock().now();
        let set = app
            .store
            .set_password(&user, None, hash.unwrap(), None, now);
        app.gate.changes().publish(set.await.unwrap());
        let opened = app
            .sessions
            .open(NewSession::new(user.clone(), CLIENT))
            .await;
        let refused = still_right(app, &login, &opened.unwrap().session, None).await;
        assert_eq!(refused.unwrap_err().code(), ErrorCode::InvalidCredentials);
        let page = PageRequest::new(None, 10).unwrap();
        assert!(
            app.sessions
                .list(&user, &page)
                .await
                .unwrap()
                .items
                .is_empty()
        );

        let login = app.accounts.log_in("ada@acme.test", PASSWORD, None).await;
        let opened = app.sessions.open(NewSession::new(user, CLIENT)).await;
        let passes = still_right(app, &login.unwrap(), &opened.unwrap().session, None).await;
        assert!(passes.is_ok());
    }
}
