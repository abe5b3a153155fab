//! What the operations of the workspace API take and answer.

use gatewright_core::error::ErrorCode;
use serde_json::json;

use super::{account, grants, invites, keys, profile, sessions, team};
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
        Operation::new(PEOPLE, "List the team").lists::<team::TeamMember>("The team, by address"),
    );
    of_accounts(at);
    of_sessions(at);
    of_teams(at);
    of_logins_elsewhere(at);
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

/// Who else is in the workspace.
fn of_teams(at: &mut Operations) {
    let theirs = [ErrorCode::InsufficientRole, ErrorCode::NotFound];
    let user = json!({"type": "string", "minLength": 1});
    let one = |summary: &str| {
        Operation::new(PEOPLE, summary)
            .path("user", "The user's id", &user)
            .refuses(&theirs)
    };
    at.at(
        "GET /users/invites",
        Operation::new(PEOPLE, "List open invitations")
            .about("Those that have expired are among them for a while.")
            .lists::<invites::InviteView>("The invitations, the oldest first"),
    )
    .at(
        "POST /users/invites",
        Operation::new(PEOPLE, "Invite somebody")
            .about(
                "The token is mailed, and good for seven days. An earlier invitation of the address is void. Nobody \
                 offers a role above their own.",
            )
            .takes::<invites::NewInvite>()
            .answers::<invites::InviteView>(201, "The invitation")
            .refuses(&[
                ErrorCode::InsufficientRole,
                ErrorCode::InsufficientScope,
                ErrorCode::RateLimited,
            ]),
    )
    .at(
        "DELETE /users/invites/{id}",
        Operation::new(PEOPLE, "Withdraw an invitation")
            .path("id", "The invitation's id", &user)
            .answers_nothing("It is worth nothing any more")
            .refuses(&theirs),
    )
    .at(
        "POST /users/invites/accept",
        Operation::new(PEOPLE, "Accept an invitation")
            .about(
                "Who has the token has shown that the address is theirs. Where it has no account, one is made of the name \
                 and the password. Log in afterwards.",
            )
            .takes::<invites::Acceptance>()
            .answers::<invites::InviteAccepted>(200, "The workspace")
            .refuses(&[ErrorCode::InvalidLink, ErrorCode::ForbiddenOrigin]),
    )
    .at(
        "PATCH /users/team/{user}",
        one("Change a member's role")
            .about("Effective at once.")
            .takes::<team::NewRole>()
            .answers::<team::TeamMember>(200, "The member")
            .refuses(&[ErrorCode::Conflict]),
    )
    .at(
        "DELETE /users/team/{user}",
        one("Remove a member")
            .about(
                "Their sessions of the workspace end. The API keys that they minted go on working until they are revoked; \
                 the answer has all of them that do.",
            )
            .answers::<team::Removed>(200, "What they leave behind")
            .refuses(&[ErrorCode::Conflict]),
    )
    .at(
        "GET /users/team/{user}/api-keys",
        Operation::new(KEYS, "List the API keys that somebody minted")
            .path("user", "The user's id", &user)
            .lists::<keys::KeyView>("The keys, also of who is no member any more")
            .refuses(&[ErrorCode::NotFound]),
    )
    .at(
        "DELETE /users/team/{user}/api-keys",
        one("Revoke all API keys that somebody minted")
            .about("Effective at once, also after they have left.")
            .answers::<team::RevokedKeys>(200, "They are revoked"),
    );
}

/// Accounts elsewhere.
fn of_logins_elsewhere(at: &mut Operations) {
    let text = json!({"type": "string"});
    let workspace = json!({"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"});
    at.at(
        "GET /users/google/authorize",
        Operation::new(PEOPLE, "Log in with Google")
            .about(
                "Sends the browser to the provider, with a cookie that the way back asks for. A service without a provider \
                 answers 404.",
            )
            .may_query(
                "workspace",
                "The workspace to log in to; the first by slug unless said",
                &workspace,
            )
            .answers_empty(302, "To the provider")
            .refuses(&[ErrorCode::NotFound, ErrorCode::ValidationError]),
    )
    .at(
        "GET /users/google/callback",
        Operation::new(PEOPLE, "Come back from Google")
            .about(
                "The provider sends the browser here. The answer is that of a login by password; no token is ever in a URL.",
            )
            .may_query("code", "The provider's authorization code", &text)
            .may_query("state", "What the login was begun with", &text)
            .may_query("iss", "The provider (RFC 9207)", &text)
            .may_query("error", "Why the provider refused", &text)
            .answers::<TokenResponse>(200, "A token for the workspace API")
            .refuses(&[ErrorCode::InvalidCredentials, ErrorCode::NotFound]),
    )
    .at(
        "GET /users/oauth-grants",
        Operation::new(PEOPLE, "List the caller's accounts elsewhere")
            .lists::<grants::GrantView>("Those that they may log in with, the oldest first"),
    )
    .at(
        "DELETE /users/oauth-grants/{id}",
        Operation::new(PEOPLE, "Log in with an account elsewhere no more")
            .path("id", "The id of the link", &json!({"type": "string", "minLength": 1}))
            .answers_nothing("It is no way in any more")
            .refuses(&[ErrorCode::NotFound, ErrorCode::Conflict]),
    );
}
