//! What the operations of the handle API take and answer.

use gatewright_core::error::ErrorCode;
use serde_json::{Value, json};

use super::{
    account, billing, collaborators, conversions, handles, links, pages, tokens, visitor, webhooks,
};
use crate::routes::credentials::{RotateBody, login_refusals};
use crate::routes::login::{Credentials, TokenResponse};
use crate::web::{Operation, Operations};

const SESSIONS: &str = "Sessions";
const HANDLES: &str = "Handles";
const TOKENS: &str = "Personal access tokens";
const LINKS: &str = "Links";
const PAGES: &str = "Pages";
const VISITORS: &str = "Visitors";
const CONVERSIONS: &str = "Conversions";
const WEBHOOKS: &str = "Webhooks";
const ACCOUNT: &str = "Account";
const BILLING: &str = "Billing";

/// Those under `/v2`.
pub(in crate::routes) fn operations(at: &mut Operations) {
    of_sessions(at);
    of_handles(at);
    of_tokens(at);
    of_links(at);
    of_pages(at);
    of_visitors(at);
    of_conversions(at);
    of_webhooks(at);
    of_accounts(at);
}

fn of_sessions(at: &mut Operations) {
    at.at(
        "POST /auth/login",
        Operation::new(SESSIONS, "Log in")
            .about(
                "The answer sets the cookie `_10x_admin_refresh`, which goes to `/v2/auth` alone and carries the session \
                 on when the access token has expired.",
            )
            .takes::<Credentials>()
            .answers::<TokenResponse>(200, "A token for the handle API")
            .refuses(&login_refusals()),
    )
    .at(
        "POST /auth/refresh",
        Operation::new(SESSIONS, "Carry a session on")
            .about(
                "Takes the cookie `_10x_admin_refresh`, once: the answer sets another. Whoever comes with one that was \
                 used before, or with two, is logged out.",
            )
            .answers::<TokenResponse>(200, "A new token for the handle API")
            .refuses(&[
                ErrorCode::RefreshTokenMissing,
                ErrorCode::InvalidRefreshToken,
                ErrorCode::ForbiddenOrigin,
            ]),
    )
    .at(
        "POST /auth/logout",
        Operation::new(SESSIONS, "Log out")
            .about("Takes the cookie `_10x_admin_refresh`. The session's access tokens end with it.")
            .answers_nothing("There is no session any longer, or there was none")
            .refuses(&[ErrorCode::ForbiddenOrigin]),
    );
}

fn of_handles(at: &mut Operations) {
    at.at(
        "GET /handles",
        Operation::new(HANDLES, "List the caller's handles")
            .lists::<handles::HandleView>("Those that the caller owns or collaborates on, by name"),
    )
    .at(
        "POST /handles",
        Operation::new(HANDLES, "Create a handle")
            .takes::<handles::NewHandle>()
            .answers::<handles::HandleView>(201, "The handle, which the caller owns")
            .refuses(&[ErrorCode::Conflict]),
    )
    .at(
        "GET /handles/{handle}",
        Operation::new(HANDLES, "Show a handle").answers::<handles::HandleView>(200, "The handle"),
    )
    .at(
        "PATCH /handles/{handle}",
        Operation::new(HANDLES, "Change a handle")
            .takes::<handles::HandleChange>()
            .answers::<handles::HandleView>(200, "The handle as it is now"),
    )
    .at(
        "PUT /handles/{handle}/collaborators",
        Operation::new(HANDLES, "Add a collaborator, or change the role of one")
            .takes::<collaborators::NewCollaborator>()
            .answers::<collaborators::Collaborator>(200, "The role is changed")
            .answers::<collaborators::Collaborator>(201, "The collaborator is added")
            .refuses(&[ErrorCode::NotFound, ErrorCode::Conflict]),
    )
    .at(
        "DELETE /handles/{handle}/collaborators",
        Operation::new(HANDLES, "Remove a collaborator")
            .takes::<collaborators::Leaving>()
            .answers_nothing("The collaborator is removed")
            .refuses(&[ErrorCode::NotFound, ErrorCode::Conflict]),
    );
}

fn of_tokens(at: &mut Operations) {
    let id = json!({"type": "string", "minLength": 1});
    at.at(
        "GET /handles/{handle}/tokens",
        Operation::new(TOKENS, "List tokens").lists::<tokens::TokenView>("The tokens"),
    )
    .at(
        "POST /handles/{handle}/tokens",
        Operation::new(TOKENS, "Mint a token")
            .about("The token is shown once. It lives for 90 days unless told otherwise.")
            .takes::<tokens::NewToken>()
            .answers::<tokens::MintedToken>(201, "The token")
            .refuses(&[ErrorCode::InvalidScope, ErrorCode::InsufficientScope]),
    )
    .at(
        "DELETE /handles/{handle}/tokens/{tokenId}",
        Operation::new(TOKENS, "Revoke a token")
            .about("Effective at once. Revoking it again changes nothing.")
            .path("tokenId", "The token's id", &id)
            .answers_nothing("It is revoked")
            .refuses(&[ErrorCode::NotFound]),
    )
    .at(
        "POST /handles/{handle}/tokens/{tokenId}/rotate",
        Operation::new(TOKENS, "Give a token a new secret")
            .path("tokenId", "The token's id", &id)
            .may_take(&RotateBody::described())
            .answers::<tokens::RotatedToken>(200, "The new token")
            .refuses(&[
                ErrorCode::NotFound,
                ErrorCode::InsufficientScope,
                ErrorCode::Conflict,
            ]),
    );
}

fn of_links(at: &mut Operations) {
    let slug = json!({
        "type": "string",
        "pattern": "^[A-Za-z0-9_-]{1,64}$",
        "examples": ["product"],
    });
    let one = |summary: &str| Operation::new(LINKS, summary).path("slug", "The link", &slug);
    at.at(
        "GET /public/handles/{handle}/links",
        Operation::new(LINKS, "List links").lists::<links::LinkView>("The links, by name"),
    );
    for path in [
        "/handles/{handle}/links/{slug}",
        "/public/handles/{handle}/links/{slug}",
    ] {
        at.at(
            &format!("GET {path}"),
            one("Show a link")
                .answers::<links::LinkView>(200, "The link")
                .refuses(&[ErrorCode::NotFound]),
        )
        .at(
            &format!("PUT {path}"),
            one("Create a link, or change it")
                .takes::<links::NewLink>()
                .answers::<links::LinkView>(200, "The link is changed")
                .answers::<links::LinkView>(201, "The link is created")
                .refuses(&[ErrorCode::NotFound]),
        );
    }
    at.at(
        "DELETE /public/handles/{handle}/links/{slug}",
        one("Delete a link")
            .answers_nothing("It is deleted")
            .refuses(&[ErrorCode::NotFound]),
    );
}

fn page_name() -> Value {
    json!({"type": "string", "pattern": "^[a-z0-9-]{3,40}$", "examples": ["guide"]})
}

fn of_pages(at: &mut Operations) {
    let one = |summary: &str| Operation::new(PAGES, summary).path("page", "The page", &page_name());
    let place = "/handles/{handle}/pages";
    at.at(
        &format!("GET {place}"),
        Operation::new(PAGES, "List pages").lists::<pages::PageView>("The pages, by name"),
    )
    .at(
        &format!("GET {place}/{{page}}"),
        one("Show a page")
            .answers::<pages::PageView>(200, "The page")
            .refuses(&[ErrorCode::NotFound]),
    )
    .at(
        &format!("PUT {place}/{{page}}"),
        one("Create a page, or change it")
            .about("No two handles have pages of one name, and the name of a page that was deleted is never free again.")
            .takes::<pages::NewPage>()
            .answers::<pages::PageView>(200, "The page is changed")
            .answers::<pages::PageView>(201, "The page is created")
            .refuses(&[ErrorCode::Conflict]),
    )
    .at(
        &format!("DELETE {place}/{{page}}"),
        one("Delete a page")
            .answers_nothing("It is deleted")
            .refuses(&[ErrorCode::NotFound]),
    )
    .at(
        &format!("POST {place}/{{page}}/purchase-codes"),
        one("Mint a purchase code")
            .about("The code is shown once. One visitor can buy the page with it, within 30 days unless told otherwise.")
            .may_take(&pages::NewCode::described())
            .answers::<pages::MintedCode>(201, "The code")
            .refuses(&[ErrorCode::NotFound, ErrorCode::Conflict]),
    );
}

fn of_visitors(at: &mut Operations) {
    at.at(
        "GET /public/pages/{page}",
        Operation::new(VISITORS, "Read a page")
            .about("A paid page asks for the scope `pages.read:` and its name, which a purchase code gives.")
            .path("page", "The page", &page_name())
            .answers::<visitor::PublicPage>(200, "The page")
            .refuses(&[ErrorCode::NotFound, ErrorCode::InsufficientScope]),
    )
    .at(
        "GET /visitor/me",
        Operation::new(VISITORS, "Say who the visitor is")
            .answers::<visitor::VisitorView>(200, "The visitor, and what it bought"),
    )
    .at(
        "POST /visitor/entitlements",
        Operation::new(VISITORS, "Buy a page with a purchase code")
            .takes::<visitor::Purchase>()
            .answers::<visitor::Entitlement>(200, "The visitor has the page already; the code is not spent for it")
            .answers::<visitor::Entitlement>(201, "The visitor has the page")
            .refuses(&[ErrorCode::NotFound]),
    );
}

fn of_conversions(at: &mut Operations) {
    at.at(
        "POST /public/conversions",
        Operation::new(CONVERSIONS, "Report a conversion")
            .about("The same idempotency key counts once.")
            .takes::<conversions::Report>()
            .answers::<conversions::Receipt>(200, "It was reported before")
            .answers::<conversions::Receipt>(201, "It is recorded")
            .refuses(&[ErrorCode::Conflict]),
    )
    .at(
        "GET /public/handles/{handle}/analytics",
        Operation::new(CONVERSIONS, "Count conversions")
            .answers::<conversions::Analytics>(200, "The counts"),
    )
    .at(
        "GET /coverage",
        Operation::new("Documents", "Show which credential goes where")
            .answers_schema(
                200,
                "The endpoint coverage map",
                "application/json",
                &coverage(),
            )
            .answers_schema(200, "", "text/html", &json!({"type": "string"}))
            .without_store(),
    );
}

fn coverage() -> Value {
    json!({
        "type": "object",
        "required": ["routes"],
        "properties": {"routes": {"type": "array", "items": {
            "type": "object",
            "required": ["path", "method", "realm", "public", "modes"],
            "properties": {
                "path": {"type": "string"},
                "method": {"type": "string"},
                "realm": {"type": "string"},
                "public": {"type": "boolean"},
                "tenant": {"type": "string"},
                "modes": {"type": "array", "items": {
                    "type": "object",
                    "required": ["mode"],
                    "properties": {
                        "mode": {"type": "string", "enum": ["JWT", "PAT", "API_KEY", "EXTERNAL", "VISITOR_COOKIE"]},
                        "scopes": {"type": "array", "items": {"type": "string"}},
                        "role": {"type": "string"},
                        "feature": {"type": "string"},
                    },
                }},
            },
        }}},
        "additionalProperties": false,
    })
}

fn of_webhooks(at: &mut Operations) {
    let place = "/public/handles/{handle}/webhooks";
    at.at(
        &format!("GET {place}"),
        Operation::new(WEBHOOKS, "List subscriptions")
            .lists::<webhooks::WebhookView>("The subscriptions"),
    )
    .at(
        &format!("POST {place}"),
        Operation::new(WEBHOOKS, "Subscribe")
            .takes::<webhooks::NewWebhook>()
            .answers::<webhooks::WebhookView>(201, "The subscription")
            .refuses(&[ErrorCode::Conflict]),
    )
    .at(
        &format!("DELETE {place}"),
        Operation::new(WEBHOOKS, "End a subscription")
            .query("id", "The subscription", &json!({"type": "string"}))
            .answers_nothing("It has ended")
            .refuses(&[ErrorCode::NotFound]),
    );
}

fn of_accounts(at: &mut Operations) {
    let owned = [ErrorCode::NotFound, ErrorCode::InsufficientRole];
    at.at(
        "GET /account/domains",
        Operation::new(ACCOUNT, "List domains").lists::<account::DomainView>("The domains"),
    )
    .at(
        "POST /account/domains",
        Operation::new(ACCOUNT, "Add a domain")
            .takes::<account::NewDomain>()
            .answers::<account::DomainView>(201, "The domain")
            .refuses(&[ErrorCode::Conflict]),
    )
    .at(
        "GET /billing/plan",
        Operation::new(BILLING, "Show the plan of a handle")
            .query("handle", "The handle", &json!({"type": "string"}))
            .answers::<billing::PlanView>(200, "The plan")
            .refuses(&owned),
    )
    .at(
        "POST /billing/checkout-session",
        Operation::new(BILLING, "Open a checkout session")
            .takes::<billing::NewCheckout>()
            .answers::<billing::CheckoutView>(201, "The session")
            .refuses(&owned),
    )
    .at(
        "POST /billing/checkout-session/{id}/complete",
        Operation::new(BILLING, "Complete a checkout session")
            .path(
                "id",
                "The session",
                &json!({"type": "string", "minLength": 1}),
            )
            .answers::<billing::CheckoutView>(200, "The handle has the plan")
            .refuses(&owned)
            .refuses(&[ErrorCode::Conflict]),
    );
}
