//! What the operations of the workspace API take and answer.

use gatewright_core::error::ErrorCode;
use serde_json::json;

use super::{account, keys, people, profile, sessions};
use crate::routes::credentials::{RotateBody, login_refusals};
use crate::routes::login::{Credentials, TokenResponse};
use crate::web::{Operation, Operations};

const PEOPLE: &str = "People";
const KEYS: &str = "API keys";
const ACCOUNTS: &str = "Accounts";

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
            .answers::<profile::Me>(200, "The profile")
            .refuses(&[ErrorCode::NotFound]),
    )
    .at(
        "PATCH /users/me",
        Operation::new(PEOPLE, "Change the caller's profile")
            .about("What is left out stays as it is.")
            .takes::<profile::NewProfile>()
            .answers::<profile::Me>(200, "The profile as it is now")
            .refuses(&[ErrorCode::NotFound]),
    )
    .at(
        "GET /users/team",
        Operation::new(PEOPLE, "List the team").lists::<people::TeamMember>("The team, by address"),
    );
    of_accounts(at);
    of_sessions(at);
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

/// How accounts begin, and how their passwords are chosen.
fn of_accounts(at: &mut Operations) {
    let accepted = "The same whether the address has an account or not";
    let public = |summary: &str| {
        let refusals = [ErrorCode::ForbiddenOrigin, ErrorCode::RateLimited];
        Operation::new(ACCOUNTS, summary).refuses(&refusals)
    };
    at.at(
        "POST /users/signup",
        public("Sign up")
            .about("Makes an account with its workspace, and mails a link that proves the address. Before that nobody can log in.")
            .takes::<account::SignUp>()
            .answers::<account::Accepted>(202, accepted),
    )
    .at(
        "POST /users/verify-email",
        public("Prove an address")
            .about("By the token that was mailed there, which is good for a day and once.")
            .takes::<account::Verification>()
            .answers_nothing("It is proven")
            .refuses(&[ErrorCode::InvalidLink]),
    )
    .at(
        "POST /users/resend-verification",
        public("Ask for another link that proves an address")
            .about("It carries the password that is given here, and none of an earlier sign-up.")
            .takes::<account::Resend>()
            .answers::<account::Accepted>(202, accepted),
    )
    .at(
        "POST /users/forgot-password",
        public("Ask for a link that sets a new password")
            .takes::<account::Forgotten>()
            .answers::<account::Accepted>(202, accepted),
    )
    .at(
        "POST /users/reset-password",
        public("Set a new password")
            .about("By the token that was mailed, which is good for an hour and once. Every session of the user ends.")
            .takes::<account::Reset>()
            .answers_nothing("It is set")
            .refuses(&[ErrorCode::InvalidLink]),
    )
    .at(
        "POST /users/change-password",
        Operation::new(ACCOUNTS, "Change the password")
            .about("Every other session of the user ends, and every access token from before is refused. A login goes on with the token that is answered; a key has no session to go on with.")
            .takes::<account::PasswordChange>()
            .answers::<TokenResponse>(200, "Another token of the same session")
            .answers_nothing("It is changed; there is no session that goes on")
            .refuses(&[
                ErrorCode::InvalidCredentials,
                ErrorCode::RateLimited,
                ErrorCode::Conflict,
                ErrorCode::NotFound,
            ]),
    );
}

fn of_sessions(at: &mut Operations) {
    let id = json!({"type": "string", "minLength": 1});
    at.at(
        "GET /users/sessions",
        Operation::new(PEOPLE, "List where the caller is logged in")
            .about("To all families of routes; of a key, to its workspace.")
            .lists::<sessions::SessionView>("The sessions, the oldest first"),
    )
    .at(
        "DELETE /users/sessions/{id}",
        Operation::new(PEOPLE, "End a session")
            .about("With its tokens, at once. Ending the one of the request is a logout.")
            .path("id", "The session", &id)
            .answers_nothing("It is over")
            .refuses(&[ErrorCode::NotFound]),
    );
}
