//! Pages as visitors see them, and what visitors buy.
//!
//! A visitor is known by a cookie, which also says what it has bought: the scope `pages.read:` and the page. The purchase
//! itself is kept beside, so that a cookie that was set twice at once, or holds no more, loses nothing.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gatewright_axum::Authenticated;
use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::cookie::SetCookie;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::principal::{Principal, Verified, VisitorId};
use gatewright_core::scope::Scope;
use gatewright_core::session::VisitorError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::pages::PagePath;
use crate::product::{HandlePage, PurchaseCode};
use crate::routes::Site;
use crate::routes::caller::Path;
use crate::web::{Failure, Json, Source, rfc3339, schema, set_cookie, settled};

/// A page as everybody sees it who may.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublicPage {
    page: String,
    title: String,
    body: String,
    paid: bool,
    #[schema(value_type = schema::Time)]
    updated_at: String,
}

/// A visitor.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VisitorView {
    visitor: String,
    /// The pages that were bought, by name.
    pages: Vec<String>,
    #[schema(value_type = schema::Time)]
    since: String,
    /// When the visitor is forgotten, however often it comes.
    #[schema(value_type = Option<schema::Time>, required = true)]
    expires_at: Option<String>,
}

/// What a visitor pays with.
#[derive(Deserialize, ToSchema)]
pub(super) struct Purchase {
    /// The code that the page's owner sold.
    #[schema(pattern = "^[A-Za-z0-9]{22}$", examples("0123456789abcdefABCDEF"))]
    code: String,
}

/// What a visitor has bought.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entitlement {
    page: String,
    scope: String,
}

/// `GET /v2/public/pages/{page}`
pub(super) async fn page(
    State(site): State<Site>,
    Source(source): Source,
    Authenticated(caller): Authenticated,
    Path(path): Path<PagePath>,
) -> Result<Response, Failure> {
    let app = &site.app;
    let page = app.product.page(&path.page).await?;
    let page = page.ok_or(ErrorCode::NotFound)?;
    if !page.paid {
        return Ok(axum::Json(PublicPage::from(page)).into_response());
    }
    let scope = scope_of(&page.slug)?;
    if caller.scopes().allows(&scope) {
        return Ok(axum::Json(PublicPage::from(page)).into_response());
    }
    let visitor = visitor(&caller)?;
    if !app.product.has_bought(visitor, &page.slug).await? {
        let now = app.gate.clock().now();
        // Who comes for the first time presented nothing, and is noted nowhere else either.
        if visitor.minted_at() < now {
            let denied = AuditEvent::new(AuditKind::Denied, now)
                .by(&caller)
                .from(source);
            app.audit.record(denied.because(Cause::MissingScope));
        }
        let message = format!("Token does not have the required scope: {scope}");
        return Err(AuthError::from(Cause::MissingScope)
            .with_message(message)
            .into());
    }
    // It knows again what it had lost.
    let line = entitled(&site, &caller, scope)?;
    let page = axum::Json(PublicPage::from(page));
    Ok(match line {
        Some(line) => (set_cookie(&line)?, page).into_response(),
        None => page.into_response(),
    })
}

/// `GET /v2/visitor/me`
pub(super) async fn me(
    State(site): State<Site>,
    Authenticated(caller): Authenticated,
) -> Result<axum::Json<VisitorView>, Failure> {
    let visitor = visitor(&caller)?;
    Ok(axum::Json(VisitorView {
        visitor: visitor.to_string(),
        pages: site.app.product.bought(visitor).await?,
        since: rfc3339(visitor.minted_at()),
        expires_at: caller.expires_at().map(rfc3339),
    }))
}

/// `POST /v2/visitor/entitlements`
pub(super) async fn buy(
    State(site): State<Site>,
    Authenticated(caller): Authenticated,
    Json(purchase): Json<Purchase>,
) -> Result<Response, Failure> {
    let code = Zeroizing::new(purchase.code);
    let code = PurchaseCode::read(&code)
        .ok_or_else(|| Failure::out_of_range("code", "must be 22 of A-Z, a-z and 0-9"))?;
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        let now = app.gate.clock().now();
        let redeemed = app.product.redeem(&code, visitor(&caller)?, now).await?;
        let redeemed = redeemed.ok_or_else(|| {
            Failure::because(
                ErrorCode::NotFound,
                "There is no such code, or it is no longer good",
            )
        })?;
        let scope = scope_of(&redeemed.page)?;
        let entitlement = axum::Json(Entitlement {
            page: redeemed.page,
            scope: scope.to_string(),
        });
        let status = if redeemed.now {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        Ok(match entitled(&site, &caller, scope)? {
            Some(line) => (status, set_cookie(&line)?, entitlement).into_response(),
            None => (status, entitlement).into_response(),
        })
    })
    .await
}

impl From<HandlePage> for PublicPage {
    fn from(page: HandlePage) -> Self {
        Self {
            page: page.slug,
            title: page.title,
            body: page.body,
            paid: page.paid,
            updated_at: rfc3339(page.updated_at),
        }
    }
}

fn visitor(caller: &Principal) -> Result<&VisitorId, Failure> {
    caller
        .visitor()
        .ok_or_else(|| ErrorCode::InternalError.into())
}

/// What lets a visitor read a page.
fn scope_of(page: &str) -> Result<Scope, Failure> {
    format!("pages.read:{page}")
        .parse()
        .map_err(Failure::internal)
}

/// The cookie with one more entitlement; none where it holds no more, which costs a look at what is kept.
fn entitled(
    site: &Site,
    caller: &Verified<Principal>,
    scope: Scope,
) -> Result<Option<SetCookie>, Failure> {
    let app = &site.app;
    let visitors = app.realms.handle.visitors();
    let visitors = visitors.ok_or(ErrorCode::InternalError)?;
    let now = app.gate.clock().now();
    match visitors.entitle(caller, scope, now) {
        Ok(line) => Ok(Some(line)),
        Err(VisitorError::TooMany(_) | VisitorError::Cookie(_)) => Ok(None),
        Err(error) => Err(Failure::internal(error)),
    }
}
