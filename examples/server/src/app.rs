//! What every handler works with.

use std::sync::Arc;

use gatewright_core::audit::AuditSink;
use gatewright_core::gate::Gate;
use gatewright_core::hash::Passwords;
use gatewright_core::source::TrustedProxies;
use gatewright_issuer::{
    AccessTokens, Accounts, CredentialIssuer, OAuthClients, PasswordPolicy, Sessions, SigningKeys,
};
use gatewright_sqlx::SqliteStore;

use crate::idp_hosts::IdpHosts;
use crate::mcp::OrgConnectors;
use crate::orgs::Orgs;
use crate::product::Product;
use crate::provider_login::ProviderLogin;
use crate::realms::Realms;
use crate::web::UnderWay;

/// The reference server's parts, made once at start. Cheap to clone: all clones share them.
#[derive(Clone)]
pub(crate) struct App {
    /// Decides who may call what.
    pub(crate) gate: Gate,
    /// Accounts, tenants, memberships, credentials, revocations, keys.
    pub(crate) store: Arc<SqliteStore>,
    /// Links, webhooks, domains, conversions, checkout sessions: in the same database.
    pub(crate) product: Product,
    /// Mints, rotates and revokes keys and personal access tokens.
    pub(crate) credentials: CredentialIssuer,
    /// Signs access tokens.
    pub(crate) tokens: AccessTokens,
    /// The keys that sign.
    pub(crate) signing: Arc<SigningKeys>,
    /// People's accounts, whose passwords are checked in a pool of their own.
    pub(crate) accounts: Accounts,
    /// What is allowed as a password.
    pub(crate) password_policy: Arc<PasswordPolicy>,
    /// People's logins, carried on by refresh tokens.
    pub(crate) sessions: Sessions,
    /// Checks passwords, in a pool of its own.
    pub(crate) passwords: Passwords,
    /// What goes on behind answers that were given, and changes whose callers may hang up.
    pub(crate) under_way: UnderWay,
    /// The families of routes.
    pub(crate) realms: Arc<Realms>,
    /// Tells what orgs have configured to those who hold it in memory.
    pub(crate) orgs: Arc<Orgs>,
    /// The connectors of orgs.
    pub(crate) connectors: Arc<OrgConnectors>,
    /// Which hosts may stand for an identity provider that others may not.
    pub(crate) idp_hosts: Arc<IdpHosts>,
    /// The way in by somebody else's login, where the operator has configured one.
    pub(crate) provider: Option<Arc<ProviderLogin>>,
    /// Where what happened is written down.
    pub(crate) audit: Arc<dyn AuditSink>,
    /// Who is believed about where requests came from; nobody but the socket if `None`.
    pub(crate) proxies: Option<TrustedProxies>,
    /// The absolute URL that the server is reached at, without a slash at the end. Every absolute URL in an answer begins
    /// with it, never with what a request says.
    pub(crate) public_url: Arc<str>,
}

impl App {
    /// Registers and revokes the OAuth clients of orgs.
    pub(crate) fn clients(&self) -> OAuthClients {
        let store = Arc::<SqliteStore>::clone(&self.store);
        OAuthClients::new(self.credentials.clone(), store)
    }
}
