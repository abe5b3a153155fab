//! Logging in with Google, or with whichever OpenID provider the operator has put in its place.

use std::net::IpAddr;

use axum::extract::{RawQuery, State};
use axum::http::header::{LOCATION, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::cookie::CookieValue;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::principal::{Subject, UserId};
use gatewright_core::store::{Membership, MembershipStore, PageRequest, TenantRef};
use gatewright_issuer::{ExternalLogin, Grant, LinkedUser};
use gatewright_jwks::login::{FinishedLogin, LocalPath, LoginError};
use gatewright_tower::HeaderFields;
use serde::Deserialize;

use super::login::CLIENT;
use crate::app::App;
use crate::people::found_workspace;
use crate::realms::WORKSPACE;
use crate::routes::Site;
use crate::routes::login::TokenResponse;
use crate::web::{Failure, Query, Source, set_cookie, settled};

/// How long the session lasts: as long as its one access token.
const SESSION_SECS: u64 = 3_600;
/// The longest slug of a workspace.
const MAX_SLUG: usize = 64;

/// Where somebody wants to go.
#[derive(Debug, Deserialize)]
pub(super) struct Wish {
    workspace: Option<String>,
}

/// What a browser brought back from the provider.
struct Return {
    query: String,
    cookie: String,
    /// What it calls itself.
    browser: String,
    source: Option<IpAddr>,
}

/// `GET /api/v1/users/google/authorize`
pub(super) async fn authorize(
    State(site): State<Site>,
    Query(wish): Query<Wish>,
) -> Result<Response, Failure> {
    let app = &site.app;
    let provider = app.provider.as_ref().ok_or(ErrorCode::NotFound)?;
    let workspace = wish.workspace.map(|slug| place(&slug)).transpose()?;
    let now = app.gate.clock().now();
    let start = provider.oidc.begin(now, workspace).await;
    let start = start.map_err(AuthError::from)?;
    let location = HeaderValue::try_from(start.authorization_url).map_err(Failure::internal)?;
    let cookie = provider.cookie.set(start.cookie.expose());
    let cookie = set_cookie(&cookie.map_err(Failure::internal)?)?;
    Ok((StatusCode::FOUND, cookie, [(LOCATION, location)]).into_response())
}

/// `GET /api/v1/users/google/callback`: the answer is that of a login by password. However it ends, the cookie is used up.
pub(super) async fn callback(
    State(site): State<Site>,
    Source(source): Source,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let provider = site.app.provider.clone().ok_or(ErrorCode::NotFound)?;
    let cookie = match provider.cookie.read(&HeaderFields::new(&headers)) {
        CookieValue::Value(value) => String::from_utf8_lossy(value).into_owned(),
        _ => String::new(),
    };
    let browser = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    let returned = Return {
        query: query.unwrap_or_default(),
        cookie,
        browser: String::from_utf8_lossy(browser.unwrap_or_default()).into_owned(),
        source,
    };
    // The code is good for one time: whatever it leads to is done, even if nobody waits for it any more.
    let token = settled(site.app.under_way.clone(), async move {
        log_in(&site.app, &returned).await
    })
    .await;
    let gone = set_cookie(&provider.cookie.clear())?;
    Ok((gone, token.map(axum::Json)).into_response())
}

async fn log_in(app: &App, returned: &Return) -> Result<TokenResponse, Failure> {
    let provider = app.provider.as_ref().ok_or(ErrorCode::NotFound)?;
    let source = returned.source;
    let (query, cookie) = (&returned.query, &returned.cookie);
    let now = app.gate.clock().now();
    let finished = provider.oidc.finish(query, cookie, now).await;
    let FinishedLogin {
        claims, return_to, ..
    } = finished.map_err(|error| refused(app, source, error))?;
    let mut login = ExternalLogin::new(claims.issuer, claims.subject);
    login.email = claims.email;
    login.email_verified = claims.email_verified;
    login.name = claims.name;
    let linked = provider.links.log_in(&login, source).await;
    let linked = linked.map_err(AuthError::from)?;
    let workspace = return_to.as_ref().map(slug);
    let membership = workspace_of(app, &linked, workspace, source).await?;
    open(app, &linked, &membership, returned).await
}

/// The workspace that was asked for, or the first by slug. Who belongs to none gets one, as at a sign-up.
async fn workspace_of(
    app: &App,
    linked: &LinkedUser,
    asked: Option<&str>,
    source: Option<IpAddr>,
) -> Result<Membership, Failure> {
    let account = &linked.account;
    let first = match first(app, &account.id).await? {
        Some(first) => Some(first),
        None => {
            let (local_part, _) = account.email.split_once('@').unwrap_or_default();
            found_workspace(app, &account.id, local_part)
                .await
                .map_err(|failure| Failure::internal(std::io::Error::other(failure.to_string())))?;
            first(app, &account.id).await?
        }
    };
    let membership = match asked {
        Some(slug) => {
            let tenant = TenantRef::Slug(&WORKSPACE, slug);
            app.store.membership(&account.id, tenant).await?
        }
        None => first,
    };
    membership.ok_or_else(|| {
        let cause = Cause::NoMembership;
        let failed = failed(app, source).because(cause);
        app.audit.record(failed.target(account.id.as_str()));
        cause.into()
    })
}

async fn first(app: &App, user: &UserId) -> Result<Option<Membership>, Failure> {
    let page = PageRequest::first();
    let places = app.store.memberships(user, &WORKSPACE, &page).await?;
    Ok(places.items.into_iter().next())
}

/// Opens a session of the workspace and signs its token.
async fn open(
    app: &App,
    linked: &LinkedUser,
    membership: &Membership,
    returned: &Return,
) -> Result<TokenResponse, Failure> {
    let (user, tenant) = (&linked.account.id, membership.tenant.id());
    let new = linked
        .session(CLIENT)
        .in_tenant(tenant.clone())
        .labelled(&returned.browser);
    let opened = app.sessions.open_without_refresh(new, SESSION_SECS).await;
    let session = opened.inspect_err(|error| {
        if error.code() == ErrorCode::InvalidCredentials {
            let failed = failed(app, returned.source);
            app.audit.record(failed.target(user.as_str()));
        }
    })?;
    let audience = &app.realms.workspace_audience;
    // Of the epoch before the account was read, as the session: if it changes, the token is good for nothing.
    let grant = Grant::of_session(&session, audience, linked.epoch);
    let now = app.gate.clock().now();
    let issued = app.tokens.issue(&grant, now)?;
    let event = AuditEvent::new(AuditKind::LoggedIn, now)
        .subject(Subject::User(user.clone()))
        .tenant(tenant.clone())
        .target(session.id.as_str())
        .from(returned.source);
    app.audit.record(event);
    Ok(issued.into())
}

/// What the caller is told of a login that the provider did not confirm. One that was refused is noted.
fn refused(app: &App, source: Option<IpAddr>, error: LoginError) -> Failure {
    if error.code() == ErrorCode::InvalidCredentials {
        app.audit.record(failed(app, source));
    }
    AuthError::from(error).into()
}

fn failed(app: &App, source: Option<IpAddr>) -> AuditEvent {
    AuditEvent::new(AuditKind::LoginFailed, app.gate.clock().now()).from(source)
}

/// The workspace to go to, as the cookie holds it.
fn place(slug: &str) -> Result<LocalPath, Failure> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=MAX_SLUG).contains(&slug.len())
        && slug
            .bytes()
            .all(|byte| plain(byte) || matches!(byte, b'-' | b'_'));
    fits.then(|| LocalPath::parse(&format!("/{slug}")))
        .flatten()
        .ok_or_else(|| Failure::out_of_range("workspace", "must be 1 to 64 of a-z, 0-9, - and _"))
}

/// The workspace that the cookie held.
fn slug(path: &LocalPath) -> &str {
    path.as_str().trim_start_matches('/')
}
