//! The workspace API, `/api/v1`: a login's token passes by role, a key by scope.

mod account;
mod google;
mod grants;
mod invites;
pub(crate) mod keys;
mod login;
mod operations;
mod profile;
mod sessions;
mod team;

use gatewright_axum::{GuardedRouter, delete, get, patch, post};
use gatewright_core::gate::Gate;
use gatewright_core::policy::Policy;

pub(super) use operations::operations;

use super::Site;
use crate::realms::Realms;

/// Everything under `/api/v1`.
pub(super) fn routes(gate: &Gate, realms: &Realms) -> GuardedRouter<Site> {
    let either =
        |role: &str, scope: &str| Policy::jwt().role(role).or(Policy::api_key().scope(scope));
    GuardedRouter::new(gate.clone(), realms.workspace.clone())
        .route("/users/login", post(Policy::public(), login::login))
        .route("/users/signup", post(Policy::public(), account::sign_up))
        .route(
            "/users/verify-email",
            post(Policy::public(), account::verify_email),
        )
        .route(
            "/users/resend-verification",
            post(Policy::public(), account::resend_verification),
        )
        .route(
            "/users/forgot-password",
            post(Policy::public(), account::forgot_password),
        )
        .route(
            "/users/reset-password",
            post(Policy::public(), account::reset_password),
        )
        .route(
            "/users/change-password",
            post(either("member", "users.write"), account::change_password),
        )
        .route(
            "/users/me",
            get(either("member", "users.read"), profile::show)
                .patch(either("member", "users.write"), profile::change),
        )
        .route(
            "/users/sessions",
            get(either("member", "sessions.read"), sessions::list),
        )
        .route(
            "/users/sessions/{id}",
            delete(either("member", "sessions.write"), sessions::end),
        )
        .route(
            "/users/team",
            get(either("manager", "team.read"), team::list),
        )
        .route(
            "/users/team/{user}",
            patch(either("admin", "team.write"), team::change)
                .delete(either("admin", "team.write"), team::remove),
        )
        .route(
            "/users/team/{user}/api-keys",
            get(either("manager", "team.keys.read"), team::keys)
                .delete(either("admin", "team.keys.write"), team::revoke_keys),
        )
        .route(
            "/users/invites",
            get(either("admin", "team.write"), invites::list)
                .post(either("admin", "team.write"), invites::invite),
        )
        .route(
            "/users/invites/{id}",
            delete(either("admin", "team.write"), invites::withdraw),
        )
        .route(
            "/users/invites/accept",
            post(Policy::public(), invites::accept),
        )
        .route(
            "/users/google/authorize",
            get(Policy::public(), google::authorize),
        )
        .route(
            "/users/google/callback",
            get(Policy::public(), google::callback),
        )
        .route(
            "/users/oauth-grants",
            get(either("member", "users.read"), grants::list),
        )
        .route(
            "/users/oauth-grants/{id}",
            delete(either("member", "users.write"), grants::unlink),
        )
        .route(
            "/users/api-keys",
            get(either("member", "keys.read"), keys::list)
                .post(either("member", "keys.write"), keys::mint),
        )
        .route(
            "/users/api-keys/{prefix}",
            get(either("member", "keys.read"), keys::show)
                .delete(either("member", "keys.write"), keys::revoke),
        )
        .route(
            "/users/api-keys/{prefix}/rotate",
            post(either("member", "keys.write"), keys::rotate),
        )
        .route(
            "/admin/api-keys",
            get(either("admin", "team.keys.read"), keys::list)
                .post(either("admin", "team.keys.write"), keys::mint),
        )
}
