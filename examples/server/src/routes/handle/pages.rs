//! Pages of a handle, and the codes that are sold for them: the side of those who run the handle.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::audit::AuditKind;
use gatewright_core::error::ErrorCode;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Number, Value, json};
use utoipa::ToSchema;

use crate::product::{HandlePage, PageContent, PurchaseCode, PutPage};
use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::routes::credentials::expiry;
use crate::web::{
    Failure, Json, Listed, OptionalJson, Paging, rfc3339, schema, settled, slug, text,
};

/// The longest body of a page, in characters.
const MAX_BODY: usize = 20_000;
/// The life of a purchase code, in days: at most, and when nothing is said.
const MAX_DAYS: u64 = 365;
const DEFAULT_DAYS: u64 = 30;

/// What a page shall say.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewPage {
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    title: String,
    #[schema(
        max_length = 20000,
        pattern = r"^[^\u0000-\u0008\u000B-\u001F\u007F-\u009F]*$"
    )]
    body: String,
    /// Whether visitors must have bought it; not unless said.
    paid: Option<bool>,
}

/// A page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageView {
    page: String,
    title: String,
    body: String,
    paid: bool,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = schema::Time)]
    updated_at: String,
}

/// How long a purchase code shall be good.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewCode {
    expires_in_days: Option<Number>,
}

impl NewCode {
    /// Its schema.
    pub(super) fn described() -> Value {
        json!({
            "type": "object",
            "properties": {"expiresInDays": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": MAX_DAYS,
                "description": "After how many days the code is no longer good; 30 unless said.",
            }},
        })
    }
}

/// A purchase code when it was minted: the one time that it is shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MintedCode {
    #[serde(serialize_with = "exposed")]
    #[schema(value_type = String)]
    code: PurchaseCode,
    page: String,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = schema::Time)]
    expires_at: String,
}

fn exposed<S: Serializer>(code: &PurchaseCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.expose())
}

/// The parameters of the path to one page.
#[derive(Debug, Deserialize)]
pub(super) struct PagePath {
    pub(super) page: String,
}

impl From<HandlePage> for PageView {
    fn from(page: HandlePage) -> Self {
        Self {
            page: page.slug,
            title: page.title,
            body: page.body,
            paid: page.paid,
            created_at: rfc3339(page.created_at),
            updated_at: rfc3339(page.updated_at),
        }
    }
}

/// `GET /v2/handles/{handle}/pages`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<PageView>, Failure> {
    let pages = site.app.product.pages(member.tenant.id(), &page).await?;
    Ok(pages.map(PageView::from).into())
}

/// `GET /v2/handles/{handle}/pages/{page}`
pub(super) async fn show(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<PagePath>,
) -> Result<axum::Json<PageView>, Failure> {
    own(&site, &member, &path.page)
        .await
        .map(|page| axum::Json(page.into()))
}

/// `PUT …/pages/{page}`: creates the page or changes it.
pub(super) async fn put(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<PagePath>,
    Json(new): Json<NewPage>,
) -> Result<(StatusCode, axum::Json<PageView>), Failure> {
    slug("page", &path.page)?;
    text("title", &new.title, 1..=200)?;
    body("body", &new.body)?;
    let app = &site.app;
    let content = PageContent {
        title: &new.title,
        body: &new.body,
        paid: new.paid.unwrap_or_default(),
    };
    let (tenant, now) = (member.tenant.id(), app.gate.clock().now());
    match app
        .product
        .put_page(tenant, &path.page, content, now)
        .await?
    {
        PutPage::Created(page) => Ok((StatusCode::CREATED, axum::Json(page.into()))),
        PutPage::Changed(page) => Ok((StatusCode::OK, axum::Json(page.into()))),
        PutPage::Taken => Err(Failure::because(
            ErrorCode::Conflict,
            "The name is taken, or was once",
        )),
    }
}

/// `DELETE …/pages/{page}`: its name stays taken.
pub(super) async fn remove(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<PagePath>,
) -> Result<StatusCode, Failure> {
    let (tenant, now) = (member.tenant.id(), site.app.gate.clock().now());
    if site
        .app
        .product
        .delete_page(tenant, &path.page, now)
        .await?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ErrorCode::NotFound.into())
    }
}

/// `POST …/pages/{page}/purchase-codes`
pub(super) async fn mint(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<PagePath>,
    OptionalJson(new): OptionalJson<NewCode>,
) -> Result<(StatusCode, axum::Json<MintedCode>), Failure> {
    let now = site.app.gate.clock().now();
    let days = new.expires_in_days.unwrap_or_else(|| DEFAULT_DAYS.into());
    let expires_at = expiry("expiresInDays", &days, MAX_DAYS, now)?;
    let page = own(&site, &member, &path.page).await?;
    let code = PurchaseCode::generate()?;
    settled(site.app.under_way.clone(), async move {
        let (app, tenant) = (&site.app, member.tenant.id());
        let by = &member.user;
        let minted = app
            .product
            .insert_purchase_code(tenant, &page.slug, &code, by, now, expires_at)
            .await?;
        if !minted {
            return Err(Failure::because(ErrorCode::Conflict, "The page is free"));
        }
        let event = member.did(app, AuditKind::Minted).target(&*page.slug);
        app.audit.record(event);
        let minted = MintedCode {
            code,
            page: page.slug,
            created_at: rfc3339(now),
            expires_at: rfc3339(expires_at),
        };
        Ok((StatusCode::CREATED, axum::Json(minted)))
    })
    .await
}

/// The handle's own page of this name.
async fn own(site: &Site, member: &Member, slug: &str) -> Result<HandlePage, Failure> {
    let page = site.app.product.page(slug).await?;
    page.filter(|page| page.tenant == *member.tenant.id())
        .ok_or_else(|| ErrorCode::NotFound.into())
}

/// Text of several lines.
fn body(field: &str, value: &str) -> Result<(), Failure> {
    let is_foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if value.chars().count() <= MAX_BODY && !value.chars().any(is_foreign) {
        return Ok(());
    }
    let rule = format!(
        "must have at most {MAX_BODY} characters, and of control characters only tabs and line feeds"
    );
    Err(Failure::out_of_range(field, &rule))
}
