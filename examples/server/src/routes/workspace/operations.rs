//! What the operations of the workspace API take and answer.

use gatewright_core::error::ErrorCode;
use serde_json::json;

use super::{keys, people};
use crate::routes::credentials::{RotateBody, login_refusals};
use crate::routes::login::{Credentials, TokenResponse};
use crate::web::{Operation, Operations};

const PEOPLE: &str = "People";
const KEYS: &str = "API keys";

/// Those under `/api/v1`.
pub(in crate::routes) fn operations(at: &mut Operations) {
    at.at(
        "POST /users/login",
        Operation::new(PEOPLE, "Log in to a workspace")
            .takes::<Credentials>()
            .answers::<TokenResponse>(200, "A token for the workspace API")
            .refuses(&login_refusals())
            .refuses(&[ErrorCode::NotFound, ErrorCode::InsufficientRole]),
    )
    .at(
        "GET /users/me",
        Operation::new(PEOPLE, "Show the caller's profile")
            .answers::<people::Me>(200, "The profile")
            .refuses(&[ErrorCode::NotFound]),
    )
    .at(
        "GET /users/team",
        Operation::new(PEOPLE, "List the team").lists::<people::TeamMember>("The team, by address"),
    );
    for path in ["/users/api-keys", "/admin/api-keys"] {
        at.at(
            &format!("GET {path}"),
            Operation::new(KEYS, "List API keys").lists::<keys::KeyView>("The keys"),
        )
        .at(
            &format!("POST {path}"),
            Operation::new(KEYS, "Mint an API key")
                .about("The secret is shown once. Without scopes the key may do all that its minter may.")
                .takes::<keys::NewKey>()
                .answers::<keys::MintedKey>(201, "The key with its secret")
                .refuses(&[ErrorCode::InvalidScope, ErrorCode::InsufficientScope]),
        );
    }
    let prefix = json!({"type": "string", "minLength": 1});
    let one = |summary: &str| {
        Operation::new(KEYS, summary)
            .path("prefix", "The public part of the key", &prefix)
            .refuses(&[ErrorCode::NotFound])
    };
    let theirs = [ErrorCode::InsufficientRole, ErrorCode::InsufficientScope];
    at.at(
        "GET /users/api-keys/{prefix}",
        one("Show an API key").answers::<keys::KeyView>(200, "The key"),
    )
    .at(
        "DELETE /users/api-keys/{prefix}",
        one("Revoke an API key")
            .about("Effective at once. Revoking it again changes nothing.")
            .answers_nothing("It is revoked")
            .refuses(&theirs),
    )
    .at(
        "POST /users/api-keys/{prefix}/rotate",
        one("Give an API key a new secret")
            .may_take(&RotateBody::described())
            .answers::<keys::RotatedKey>(200, "The new secret")
            .refuses(&theirs)
            .refuses(&[ErrorCode::Conflict]),
    );
}
