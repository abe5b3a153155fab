//! Logins to the handle API, carried on by a cookie.

use std::net::IpAddr;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use gatewright_core::cookie::{Cookie, CookieValue, SameSite};
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::store::{
    AccountStore, RevocationStore, SessionRecord, TokenRef, TokenStanding,
};
use gatewright_issuer::{CarriedSession, Grant};
use gatewright_tower::HeaderFields;
use zeroize::Zeroizing;

use crate::app::App;
use crate::routes::Site;
use crate::routes::login::{Comer, Credentials, TokenResponse};
use crate::web::{Failure, Json, SameOrigin, Source, set_cookie, settled};

/// The name that the product's documents give the cookie. It has no prefix, so a sibling host can plant one of its own: of
/// two none is read.
const COOKIE: &str = "_10x_admin_refresh";
/// Where the cookie goes, and nowhere else.
const PATH: &str = "/v2/auth";
/// As many cookies as a logout ends, which is more than any browser has of one name by accident.
const MOST_COOKIES: usize = 32;
/// The application that these sessions are opened for.
const CLIENT: &str = "handle-api";

/// `POST /v2/auth/login`: begins a session.
pub(super) async fn login(
    State(site): State<Site>,
    comer: Comer,
    Json(credentials): Json<Credentials>,
) -> Result<Response, Failure> {
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        let login = comer.check(app, credentials).await?;
        let opened = app.sessions.open(comer.session(&login, CLIENT)).await;
        let carried = opened.map_err(|error| comer.not_opened(app, &login, error))?;
        let answer = answer(app, &carried, login.epoch)?;
        comer.note(app, &carried.session);
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
            settled(site.app.under_way.clone(), async move {
                carry_on(&site.app, &token, source).await
            })
            .await
        }
    };
    match carried {
        Err(over) if over.error().code() == ErrorCode::InvalidRefreshToken => {
            Ok((set_cookie(&cookie(None)?.clear())?, over).into_response())
        }
        carried => carried,
    }
}

/// `POST /v2/auth/logout`: ends the session, if there is one. Of several cookies none is believed, but each is ended: one that
/// a sibling host planted must not keep the other alive.
pub(super) async fn logout(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (cookie, fields) = (cookie(None)?, HeaderFields::new(&headers));
    let tokens = cookie.read_all(&fields).take(MOST_COOKIES);
    let tokens: Vec<_> = tokens.map(|token| Zeroizing::new(token.to_vec())).collect();
    if !tokens.is_empty() {
        // An error leaves the cookie where it is: the session may live on, and can be ended by another try.
        settled(site.app.under_way.clone(), async move {
            for token in &tokens {
                site.app.sessions.end(token, source).await?;
            }
            Ok(())
        })
        .await?;
    }
    let gone = set_cookie(&cookie.clear())?;
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
    let token = TokenResponse::from(issued);
    Ok((set_cookie(&line)?, axum::Json(token)).into_response())
}
