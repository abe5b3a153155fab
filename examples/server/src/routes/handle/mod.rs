//! The handle API, `/v2`: people by role in the handle, personal access tokens by scope where a route takes them.

mod account;
mod auth;
mod billing;
mod collaborators;
mod conversions;
mod handles;
mod links;
mod operations;
mod pages;
mod tokens;
mod visitor;
mod webhooks;

use gatewright_axum::{GuardedRouter, delete, get, post, put};
use gatewright_core::gate::Gate;
use gatewright_core::policy::Policy;

pub(super) use operations::operations;

use super::{Site, coverage};
use crate::realms::Realms;

/// Everything under `/v2`.
pub(super) fn routes(gate: &Gate, realms: &Realms) -> GuardedRouter<Site> {
    let signed_in = Policy::jwt;
    let role = |role: &str| Policy::jwt().role(role).tenant_from("handle");
    let pat = |scope: &str| Policy::pat().scope(scope).tenant_from("handle");
    let either = |scope: &str| pat(scope).or(Policy::jwt().role("operator"));
    let hooks = |scope: &str| pat(scope).feature("webhooks");

    GuardedRouter::new(gate.clone(), realms.handle.clone())
        .route("/auth/login", post(Policy::public(), auth::login))
        .route("/auth/refresh", post(Policy::public(), auth::refresh))
        .route("/auth/logout", post(Policy::public(), auth::logout))
        .route(
            "/handles",
            get(signed_in(), handles::list).post(signed_in(), handles::create),
        )
        .route(
            "/handles/{handle}",
            get(role("creator"), handles::show).patch(role("operator"), handles::change),
        )
        .route(
            "/handles/{handle}/collaborators",
            put(role("owner"), collaborators::put).delete(role("owner"), collaborators::remove),
        )
        .route(
            "/handles/{handle}/tokens",
            get(role("operator"), tokens::list).post(role("operator"), tokens::mint),
        )
        .route(
            "/handles/{handle}/tokens/{tokenId}",
            delete(role("operator"), tokens::revoke),
        )
        .route(
            "/handles/{handle}/tokens/{tokenId}/rotate",
            post(role("operator"), tokens::rotate),
        )
        .route(
            "/handles/{handle}/links/{slug}",
            get(role("creator"), links::show).put(role("creator"), links::put),
        )
        .route(
            "/handles/{handle}/pages",
            get(role("operator"), pages::list),
        )
        .route(
            "/handles/{handle}/pages/{page}",
            get(role("operator"), pages::show)
                .put(role("operator"), pages::put)
                .delete(role("operator"), pages::remove),
        )
        .route(
            "/handles/{handle}/pages/{page}/purchase-codes",
            post(role("owner"), pages::mint),
        )
        .route(
            "/public/handles/{handle}/links",
            get(either("links.read"), links::list),
        )
        .route(
            "/public/handles/{handle}/links/{slug}",
            get(either("links.read"), links::show)
                .put(either("links.write"), links::put)
                .delete(either("links.write"), links::remove),
        )
        .route(
            "/public/handles/{handle}/analytics",
            get(pat("analytics.read"), conversions::analytics),
        )
        .route(
            "/public/handles/{handle}/webhooks",
            get(hooks("webhooks.read"), webhooks::list)
                .post(hooks("webhooks.write"), webhooks::subscribe)
                .delete(hooks("webhooks.write"), webhooks::unsubscribe),
        )
        .route(
            "/account/domains",
            get(signed_in(), account::domains).post(signed_in(), account::add_domain),
        )
        // The handle stands in the query or the body, so its membership is judged by the handlers.
        .route("/billing/plan", get(signed_in(), billing::plan))
        .route(
            "/billing/checkout-session",
            post(signed_in(), billing::open),
        )
        .route(
            "/billing/checkout-session/{id}/complete",
            post(signed_in(), billing::complete),
        )
        .route(
            "/public/conversions",
            post(Policy::public(), conversions::record),
        )
        .route(
            "/public/pages/{page}",
            get(Policy::visitor(), visitor::page),
        )
        .route("/visitor/me", get(Policy::visitor(), visitor::me))
        .route(
            "/visitor/entitlements",
            post(Policy::visitor(), visitor::buy),
        )
        .route("/coverage", get(Policy::public(), coverage::coverage))
}
