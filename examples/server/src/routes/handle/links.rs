//! Links of a handle: the same for people and for automation.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::error::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::product::Link;
use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::web::{Failure, Json, Listed, Paging, rfc3339, schema, text, url};

const SCHEMES: &[&str] = &["http", "https"];
const MAX_SLUG_LENGTH: usize = 64;

/// What a link shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewLink {
    #[schema(value_type = schema::WebUrl)]
    destination_url: String,
    #[schema(max_length = 200, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$")]
    title: Option<String>,
}

/// A link.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LinkView {
    slug: String,
    destination_url: String,
    title: String,
    /// The context under which the link's conversions count for its handle.
    ctx: String,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = schema::Time)]
    updated_at: String,
}

/// The parameters of the path to one link.
#[derive(Debug, Deserialize)]
pub(super) struct LinkPath {
    slug: String,
}

impl LinkView {
    fn of(link: Link, ctx: String) -> Self {
        Self {
            slug: link.slug,
            destination_url: link.destination,
            title: link.title,
            ctx,
            created_at: rfc3339(link.created_at),
            updated_at: rfc3339(link.updated_at),
        }
    }
}

/// `GET /v2/public/handles/{handle}/links`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<LinkView>, Failure> {
    let product = &site.app.product;
    let links = product.links(member.tenant.id(), &page).await?;
    let ctx = product.ctx().seal(member.tenant.id());
    Ok(links.map(|link| LinkView::of(link, ctx.clone())).into())
}

/// `GET …/links/{slug}`
pub(super) async fn show(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<LinkPath>,
) -> Result<axum::Json<LinkView>, Failure> {
    let product = &site.app.product;
    let link = product.link(member.tenant.id(), &path.slug).await?;
    let link = link.ok_or(ErrorCode::NotFound)?;
    let ctx = product.ctx().seal(member.tenant.id());
    Ok(axum::Json(LinkView::of(link, ctx)))
}

/// `PUT …/links/{slug}`: creates the link or changes it.
pub(super) async fn put(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<LinkPath>,
    Json(new): Json<NewLink>,
) -> Result<(StatusCode, axum::Json<LinkView>), Failure> {
    link_slug(&path.slug)?;
    url("destinationUrl", &new.destination_url, SCHEMES)?;
    let title = new.title.unwrap_or_default();
    text("title", &title, 0..=200)?;
    let app = &site.app;
    let now = app.gate.clock().now();
    let (link, created) = app
        .product
        .put_link(
            member.tenant.id(),
            &path.slug,
            &new.destination_url,
            &title,
            now,
        )
        .await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let ctx = app.product.ctx().seal(member.tenant.id());
    Ok((status, axum::Json(LinkView::of(link, ctx))))
}

/// `DELETE …/links/{slug}`
pub(super) async fn remove(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<LinkPath>,
) -> Result<StatusCode, Failure> {
    let product = &site.app.product;
    if product.delete_link(member.tenant.id(), &path.slug).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ErrorCode::NotFound.into())
    }
}

fn link_slug(slug: &str) -> Result<(), Failure> {
    let fits = (1..=MAX_SLUG_LENGTH).contains(&slug.len())
        && slug
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    fits.then_some(())
        .ok_or_else(|| Failure::out_of_range("slug", "must be 1 to 64 of A-Z, a-z, 0-9, - and _"))
}
