//! How an account begins, and how its password is chosen. Nobody learns here whether an address has an account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gatewright_core::error::AuthError;
use gatewright_core::principal::UserId;
use gatewright_issuer::{NewPassword, SignedUp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::app::App;
use crate::people::found_workspace;
use crate::routes::Site;
use crate::routes::caller::Member;
use crate::routes::login;
use crate::web::{Failure, Json, SameOrigin, Source, name, schema, settled};

/// What somebody who signs up sends.
#[derive(Deserialize, ToSchema)]
pub(super) struct SignUp {
    #[schema(value_type = schema::AccountAddress)]
    email: String,
    #[schema(value_type = schema::ChosenPassword)]
    password: String,
    #[schema(value_type = Option<schema::Name>)]
    name: Option<String>,
    /// What the workspace shall be called; after the address unless said. Its slug is as near to that as can be.
    #[schema(value_type = Option<schema::Name>)]
    workspace: Option<String>,
}

/// An address that shall be proven.
#[derive(Deserialize, ToSchema)]
pub(super) struct Verification {
    #[schema(value_type = schema::MailedToken)]
    token: String,
    /// In the place of the one that was chosen when the mail was asked for.
    #[schema(value_type = Option<schema::ChosenPassword>)]
    password: Option<String>,
}

/// An address that another mail is asked for.
#[derive(Deserialize, ToSchema)]
pub(super) struct Resend {
    #[schema(value_type = schema::AccountAddress)]
    email: String,
    /// The password to begin with; chosen where the link is followed unless said.
    #[schema(value_type = Option<schema::ChosenPassword>)]
    password: Option<String>,
}

/// An address whose password is forgotten.
#[derive(Deserialize, ToSchema)]
pub(super) struct Forgotten {
    #[schema(value_type = schema::AccountAddress)]
    email: String,
}

/// Another password, by mail.
#[derive(Deserialize, ToSchema)]
pub(super) struct Reset {
    #[schema(value_type = schema::MailedToken)]
    token: String,
    #[schema(value_type = schema::ChosenPassword)]
    password: String,
}

/// Another password, by the present one.
#[derive(Deserialize, ToSchema)]
pub(super) struct PasswordChange {
    current_password: String,
    #[schema(value_type = schema::ChosenPassword)]
    new_password: String,
}

/// The one answer to whoever gives an address.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    #[schema(value_type = String)]
    message: &'static str,
}

const ACCEPTED: (StatusCode, axum::Json<Accepted>) = (
    StatusCode::ACCEPTED,
    axum::Json(Accepted {
        message: "Whatever there is to tell the address is mailed there",
    }),
);

type Answer = (StatusCode, axum::Json<Accepted>);

/// `POST /api/v1/users/signup`
pub(super) async fn sign_up(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    Json(new): Json<SignUp>,
) -> Result<Answer, Failure> {
    let app = site.app.clone();
    let password = chosen(&app, new.password)?;
    for (field, value) in [("name", &new.name), ("workspace", &new.workspace)] {
        if let Some(value) = value {
            name(field, value)?;
        }
    }
    let called = new.name.unwrap_or_default();
    let signed_up = app.accounts.sign_up(&new.email, password, &called, source);
    let afterwards = signed_up.await?;
    site.app.under_way.later("a sign-up", async move {
        if let SignedUp::New(account) = afterwards.await? {
            let wished = new.workspace.unwrap_or(account.email);
            found(&app, &account.id, &wished).await;
        }
        Ok(())
    });
    Ok(ACCEPTED)
}

/// `POST /api/v1/users/verify-email`
pub(super) async fn verify_email(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    Json(wish): Json<Verification>,
) -> Result<StatusCode, Failure> {
    let token = Zeroizing::new(wish.token);
    let password = wish.password.map(|password| chosen(&site.app, password));
    let password = password.transpose()?;
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        let verified = app.accounts.verify_email(&token, password, source);
        let account = verified.await?;
        // It is there since the sign-up, unless that broke off in between.
        found(app, &account.id, &account.email).await;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// `POST /api/v1/users/resend-verification`
pub(super) async fn resend_verification(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    Json(wish): Json<Resend>,
) -> Result<Answer, Failure> {
    let password = wish.password.map(|password| chosen(&site.app, password));
    let password = password.transpose()?;
    let accounts = &site.app.accounts;
    let resent = accounts.resend_verification(&wish.email, password, source);
    let resent = resent.await?;
    site.app.under_way.later("a verification mail", resent);
    Ok(ACCEPTED)
}

/// `POST /api/v1/users/forgot-password`
pub(super) async fn forgot_password(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    Json(wish): Json<Forgotten>,
) -> Result<Answer, Failure> {
    let asked = site.app.accounts.forgot_password(&wish.email, source);
    let asked = asked.await?;
    site.app.under_way.later("a password mail", asked);
    Ok(ACCEPTED)
}

/// `POST /api/v1/users/reset-password`
pub(super) async fn reset_password(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    Json(wish): Json<Reset>,
) -> Result<StatusCode, Failure> {
    let token = Zeroizing::new(wish.token);
    let password = chosen(&site.app, wish.password)?;
    settled(site.app.under_way.clone(), async move {
        let accounts = &site.app.accounts;
        accounts.reset_password(&token, password, source).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// `POST /api/v1/users/change-password`: the session of the request stays and goes on with another token, since those from
/// before are worth nothing any more. A key has no session, so that it ends them all and is answered none.
pub(super) async fn change_password(
    State(site): State<Site>,
    member: Member,
    Source(source): Source,
    Json(change): Json<PasswordChange>,
) -> Result<Response, Failure> {
    let current = Zeroizing::new(change.current_password);
    let new = chosen(&site.app, change.new_password)?;
    settled(site.app.under_way.clone(), async move {
        let (app, user) = (&site.app, &member.user);
        let session = member.principal.session();
        let accounts = &app.accounts;
        accounts
            .change_password(user, &current, new, session, source)
            .await?;
        let Some(session) = session else {
            return Ok(StatusCode::NO_CONTENT.into_response());
        };
        let audience = &app.realms.workspace_audience;
        Ok(match login::renewed(app, user, session, audience).await {
            Ok(Some(token)) => axum::Json(token).into_response(),
            // The password is changed for all that: the caller logs in with it.
            Ok(None) => StatusCode::NO_CONTENT.into_response(),
            Err(failure) => {
                tracing::warn!(error = ?failure.error(), "no token after a change of password");
                StatusCode::NO_CONTENT.into_response()
            }
        })
    })
    .await
}

/// The password, if it is allowed.
fn chosen(app: &App, password: String) -> Result<NewPassword, Failure> {
    let accepted = app.password_policy.accept(password);
    Ok(accepted.map_err(AuthError::from)?)
}

async fn found(app: &App, user: &UserId, wished: &str) {
    let wished = wished.split('@').next().unwrap_or(wished);
    if let Err(failure) = found_workspace(app, user, wished).await {
        tracing::error!(%user, %failure, "a new user has no workspace");
    }
}
