//! How people present themselves.

use axum::extract::State;
use gatewright_core::error::ErrorCode;
use gatewright_core::store::AccountStore;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::product::{AvatarUrl, ProfileChange};
use crate::routes::Site;
use crate::routes::caller::Member;
use crate::web::{Failure, Json, name, rfc3339, schema, settled};

/// The caller's profile.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    id: String,
    email: String,
    name: String,
    verified: bool,
    /// A picture, over https.
    #[schema(required = true)]
    avatar_url: Option<String>,
    notifications: NotificationsView,
    workspace: WorkspaceView,
    /// The user's role; `null` where a key is calling, which has scopes instead.
    #[schema(required = true)]
    role: Option<String>,
    #[schema(value_type = schema::Time)]
    created_at: String,
}

/// What the user wants to be told by mail, beside what concerns the security of their account.
#[derive(Debug, Serialize, ToSchema)]
struct NotificationsView {
    /// News of the service.
    product: bool,
    /// What happened in a week.
    weekly_digest: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct WorkspaceView {
    slug: String,
    plan: String,
}

/// What of the profile shall change; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewProfile {
    #[schema(value_type = Option<schema::Name>)]
    name: Option<String>,
    /// `null` takes the picture away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<schema::HttpsUrl>)]
    avatar_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "object")]
    notifications: Option<NewNotifications>,
}

/// What of the notifications shall change.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct NewNotifications {
    product: Option<bool>,
    weekly_digest: Option<bool>,
}

/// A member that is there, `null` included.
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// An object or `null`: an array of a struct's members, in their order, would be taken for the struct otherwise.
fn object<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NewNotifications>, D::Error> {
    let members = Option::<serde_json::Map<String, serde_json::Value>>::deserialize(deserializer)?;
    let read = members.map(|members| serde_json::from_value(serde_json::Value::Object(members)));
    read.transpose().map_err(serde::de::Error::custom)
}

/// `GET /api/v1/users/me`
pub(super) async fn show(
    State(site): State<Site>,
    member: Member,
) -> Result<axum::Json<Me>, Failure> {
    seen(&site.app, &member).await.map(axum::Json)
}

/// `PATCH /api/v1/users/me`
pub(super) async fn change(
    State(site): State<Site>,
    member: Member,
    Json(new): Json<NewProfile>,
) -> Result<axum::Json<Me>, Failure> {
    if let Some(chosen) = &new.name {
        name("name", chosen)?;
    }
    let avatar_url = match new.avatar_url {
        Some(Some(url)) => Some(Some(AvatarUrl::parse(&url).ok_or_else(|| {
            let rule = "must be an absolute URL of the scheme https, without user information";
            Failure::out_of_range("avatar_url", rule)
        })?)),
        Some(None) => Some(None),
        None => None,
    };
    let notifications = new.notifications.unwrap_or_default();
    let change = ProfileChange {
        avatar_url,
        product: notifications.product,
        weekly_digest: notifications.weekly_digest,
    };
    settled(site.app.under_way.clone(), async move {
        let (app, user) = (&site.app, &member.user);
        if let Some(chosen) = &new.name
            && !app.store.set_name(user, chosen).await?
        {
            return Err(ErrorCode::NotFound.into());
        }
        app.product.change_user_profile(user, &change).await?;
        seen(app, &member).await.map(axum::Json)
    })
    .await
}

async fn seen(app: &App, member: &Member) -> Result<Me, Failure> {
    let account = app.store.account(&member.user).await?;
    let account = account.ok_or(ErrorCode::NotFound)?;
    let profile = app.product.user_profile(&member.user).await?;
    Ok(Me {
        id: account.id.to_string(),
        email: account.email,
        name: account.name,
        verified: account.verified,
        avatar_url: profile.avatar_url.map(|url| url.as_str().to_owned()),
        notifications: NotificationsView {
            product: profile.notifications.product,
            weekly_digest: profile.notifications.weekly_digest,
        },
        workspace: WorkspaceView {
            slug: member.tenant.slug().to_owned(),
            plan: member.tenant.plan().to_owned(),
        },
        role: member.role().map(str::to_owned),
        created_at: rfc3339(account.created_at),
    })
}
