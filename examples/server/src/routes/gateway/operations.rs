//! What the operations of the gateway's API take and answer.

use gatewright_core::error::ErrorCode;
use serde_json::json;

use super::{audit, clients, connectors, keys, orgs, sso};
use crate::routes::credentials::login_refusals;
use crate::routes::login::{Credentials, TokenResponse};
use crate::web::{Operation, Operations};

const ORGS: &str = "Orgs";
const KEYS: &str = "Org keys";
const CLIENTS: &str = "OAuth clients";
const SSO: &str = "Single sign-on";
const CONNECTORS: &str = "Connectors";
const AUDIT: &str = "Audit";

/// Those under `/api`.
pub(in crate::routes) fn operations(at: &mut Operations) {
    of_orgs(at);
    of_keys(at);
    of_clients(at);
    of_sso(at);
    of_connectors(at);
    let mut list = of_org(AUDIT, "List what happened").lists::<audit::EventView>("Newest first");
    for (name, about, schema) in audit::parameters() {
        list = list.may_query(name, about, &schema);
    }
    at.at("GET /audit", list);
}

fn of_orgs(at: &mut Operations) {
    at.at(
        "POST /auth/login",
        Operation::new(ORGS, "Log in to the gateway")
            .takes::<Credentials>()
            .answers::<TokenResponse>(200, "A token for the gateway's API")
            .refuses(&login_refusals())
            .refuses(&[ErrorCode::NotFound]),
    )
    .at(
        "GET /orgs",
        Operation::new(ORGS, "List the caller's orgs")
            .about("Those that the user belongs to, by name; of a key or a login for one org, that one.")
            .lists::<orgs::OrgView>("The orgs"),
    )
    .at(
        "POST /orgs",
        Operation::new(ORGS, "Create an org")
            .takes::<orgs::NewOrg>()
            .answers::<orgs::OrgView>(201, "The org, whose admin the caller is")
            .refuses(&[ErrorCode::Conflict]),
    );
}

fn of_keys(at: &mut Operations) {
    let prefix = json!({"type": "string", "minLength": 1});
    at.at(
        "GET /api-keys",
        of_org(KEYS, "List the org's keys").lists::<keys::OrgKeyView>("The keys"),
    )
    .at(
        "POST /api-keys",
        of_org(KEYS, "Mint a key of the org")
            .about("The secret is shown once, and the key never expires.")
            .takes::<keys::NewOrgKey>()
            .answers::<keys::MintedOrgKey>(201, "The key with its secret")
            .refuses(keys::REFUSALS),
    )
    .at(
        "DELETE /api-keys/{prefix}",
        of_org(KEYS, "Revoke a key of the org")
            .about("Effective at once. Revoking it again changes nothing.")
            .path("prefix", "The public part of the key", &prefix)
            .answers_nothing("It is revoked")
            .refuses(&[ErrorCode::NotFound]),
    );
}

fn of_clients(at: &mut Operations) {
    let id = json!({"type": "string", "minLength": 1});
    at.at(
        "GET /oauth-clients",
        of_org(CLIENTS, "List the org's OAuth clients")
            .lists::<clients::OauthClientView>("The clients"),
    )
    .at(
        "POST /oauth-clients",
        of_org(CLIENTS, "Register an OAuth client")
            .about("The secret is shown once.")
            .takes::<clients::NewOauthClient>()
            .answers::<clients::RegisteredClient>(201, "The client with its secret")
            .refuses(&[ErrorCode::InvalidScope]),
    )
    .at(
        "DELETE /oauth-clients/{clientId}",
        of_org(CLIENTS, "Delete an OAuth client")
            .about("Its tokens end with it, at once. Deleting it again changes nothing.")
            .path("clientId", "The client", &id)
            .answers_nothing("It is deleted")
            .refuses(&[ErrorCode::NotFound]),
    );
}

fn of_sso(at: &mut Operations) {
    at.at(
        "GET /sso",
        of_org(SSO, "Show the org's identity provider")
            .answers::<sso::SsoView>(200, "What is configured")
            .refuses(&[ErrorCode::NotFound]),
    )
    .at(
        "PUT /sso",
        of_org(SSO, "Configure the org's identity provider")
            .about("In the place of whatever was configured. Effective at once.")
            .takes::<sso::NewSso>()
            .answers::<sso::SsoView>(200, "What is configured now")
            .refuses(&[ErrorCode::InvalidScope]),
    )
    .at(
        "DELETE /sso",
        of_org(SSO, "Trust no identity provider")
            .about("Effective at once.")
            .answers_nothing("Nothing is configured")
            .refuses(&[ErrorCode::NotFound]),
    );
}

fn of_connectors(at: &mut Operations) {
    let id = json!({"type": "string", "minLength": 1});
    at.at(
        "GET /connectors",
        of_org(CONNECTORS, "List the org's connectors")
            .lists::<connectors::ConnectorView>("The connectors"),
    )
    .at(
        "POST /connectors",
        of_org(CONNECTORS, "Plug in a connector")
            .takes::<connectors::NewConnector>()
            .answers::<connectors::ConnectorView>(201, "The connector")
            .refuses(&[ErrorCode::Conflict]),
    )
    .at(
        "DELETE /connectors/{id}",
        of_org(CONNECTORS, "Take a connector away")
            .path("id", "The connector", &id)
            .answers_nothing("It is gone")
            .refuses(&[ErrorCode::NotFound]),
    );
}

/// An operation on the org that the query names.
fn of_org(tag: &str, summary: &str) -> Operation {
    let slug = json!({"type": "string", "pattern": "^[a-z0-9-]{3,40}$", "examples": ["acme-corp"]});
    let about = "The org, by its slug. A key names its own; a token may be for one.";
    Operation::new(tag, summary).may_query("org", about, &slug)
}
