//! The families of routes: who they trust, which roles they know, how their refusals look.

use std::sync::Arc;

use gatewright_core::dialect::Dialect;
use gatewright_core::jwt::{Algorithm, LiveKeys, Verifier, VerifierBuilder, VerifierError};
use gatewright_core::limit::{Quota, Rate, RateError};
use gatewright_core::policy::{Limits, Plans, Realm, TokenTrust};
use gatewright_core::principal::{Mode, Principal, TenantKind};
use gatewright_core::role::{Roles, RolesError};
use gatewright_core::scope::{CatalogError, Scope, ScopeCatalog, ScopeSet, ScopeSetError};
use gatewright_core::store::Account;
use gatewright_jwks::TenantRegistry;

/// The tenants of the workspace API.
pub(crate) static WORKSPACE: TenantKind = TenantKind::from_static("workspace");
/// The tenants of the handle API.
pub(crate) static HANDLE: TenantKind = TenantKind::from_static("handle");

/// The tenants of the gateway.
pub(crate) static ORG: TenantKind = TenantKind::from_static("org");

/// Calls tools on every connector of the org.
pub(crate) const MCP_CALL: &Scope = &Scope::from_static("mcp:call");

/// The plan that a tenant begins on.
pub(crate) const FIRST_PLAN: &str = "free";

/// See the keys of everybody in the workspace.
pub(crate) const TEAM_KEYS_READ: &Scope = &Scope::from_static("team.keys.read");
/// Revoke and rotate the keys of everybody in the workspace.
pub(crate) const TEAM_KEYS_WRITE: &Scope = &Scope::from_static("team.keys.write");

/// The protection spaces of the server.
#[derive(Debug)]
pub(crate) struct Realms {
    /// `/api/v1`: users, keys and teams of workspaces.
    pub(crate) workspace: Realm,
    /// `/v2`: handles, their links and their personal access tokens.
    pub(crate) handle: Realm,
    /// `/mcp`: the tools of workspaces, for whoever the workspace API serves.
    pub(crate) mcp: Realm,
    /// `/mcp/{org}`: the tools of an org's connectors, for its keys, its clients and whoever its own provider knows. A
    /// login is for another audience and does not go here, not even an admin's: tools are for credentials that may be
    /// handed to a machine.
    pub(crate) mcp_org: Realm,
    /// `/api`: orgs, their keys, clients and connectors.
    pub(crate) gateway: Realm,
    /// `/oauth` and `/.well-known`: the authorization server, for its clients.
    pub(crate) oauth: Realm,
    /// The root: `/whoami`, for whatever credential either family takes.
    pub(crate) root: Realm,
    /// The identity providers of orgs, whose tokens `mcp_org` and the root take.
    pub(crate) providers: Arc<TenantRegistry>,
    /// The scopes that may be granted.
    pub(crate) catalog: Arc<ScopeCatalog>,
    /// The `aud` of tokens for the workspace API.
    pub(crate) workspace_audience: Box<str>,
    /// The `aud` of tokens for the handle API.
    pub(crate) handle_audience: Box<str>,
    /// The `aud` of tokens for the gateway's API.
    pub(crate) gateway_audience: Box<str>,
}

/// Why the realms could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RealmsError {
    /// The public URL makes no issuer or audience.
    #[error("access tokens cannot be verified with this public URL")]
    Verifier(#[from] VerifierError),
    /// A ladder of roles is wrong.
    #[error("the roles are no ladder: {0:?}")]
    Roles(RolesError),
    /// A role's permissions are no scopes.
    #[error("a role's permissions are malformed")]
    Permissions(#[from] ScopeSetError),
    /// The scopes that may be granted contradict each other.
    #[error("the catalog of scopes is wrong: {0:?}")]
    Catalog(CatalogError),
    /// A rate is impossible.
    #[error("a rate is impossible: {0}")]
    Rate(#[from] RateError),
}

impl Realms {
    /// The realms of a server that is reached at `public_url` and signs with `keys`. Without `limits` nothing is ever
    /// refused for being too much, which is for load tests alone.
    ///
    /// # Errors
    /// [`RealmsError`], by variant.
    pub(crate) fn new(
        keys: &Arc<LiveKeys>,
        public_url: &str,
        limits: bool,
    ) -> Result<Self, RealmsError> {
        let workspace_audience = format!("{public_url}/api/v1");
        let handle_audience = format!("{public_url}/v2");
        let gateway_audience = format!("{public_url}/api");
        let providers = Arc::<TenantRegistry>::default();
        let ours = |verifier: VerifierBuilder| {
            verifier
                .algorithms([Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa])
                .rfc9068()
                .private_claims()
        };
        let verifier = |audience: &str| ours(Verifier::builder(public_url, audience));
        let of_orgs = Verifier::builder_of_tenants(public_url, format!("{public_url}/mcp/"));
        let trust = |verifier: VerifierBuilder| -> Result<TokenTrust, VerifierError> {
            Ok(TokenTrust::new(verifier.build()?, Arc::clone(keys)))
        };
        let holder = Limits::none()
            .per_credential(Rate::per_minute(1_000)?)
            .per_source(Rate::per_minute(1_000)?);
        let handle_limits = holder
            .clone()
            .by_plan()
            .pat_guard(Rate::per_minute(120)?)
            .tenant_burst(Rate::new(30, 1, 30)?);
        let unless_off = |chosen: Limits| if limits { chosen } else { Limits::none() };

        Ok(Self {
            workspace: Realm::builder("workspace")
                .dialect(Dialect::Detail)
                .authorization_only()
                .roles(workspace_roles()?)
                .tenant_kind(WORKSPACE.clone())
                .trust(trust(verifier(&workspace_audience))?)
                .limits(unless_off(holder.clone()))
                .build(),
            handle: Realm::builder("handle")
                .dialect(Dialect::Canonical)
                .roles(handle_roles()?)
                .tenant_kind(HANDLE.clone())
                .trust(trust(verifier(&handle_audience))?)
                .plans(plans()?)
                .limits(unless_off(handle_limits))
                .build(),
            mcp: Realm::builder("mcp")
                .dialect(Dialect::JsonRpc)
                .authorization_only()
                .roles(workspace_roles()?)
                .tenant_kind(WORKSPACE.clone())
                .trust(trust(
                    verifier(&workspace_audience).audience(format!("{public_url}/mcp")),
                )?)
                .resource_metadata(&format!(
                    "{public_url}/.well-known/oauth-protected-resource/mcp"
                ))
                .limits(unless_off(holder.clone()))
                .build(),
            mcp_org: Realm::builder("mcp")
                .dialect(Dialect::JsonRpc)
                .roles(org_roles()?)
                .tenant_kind(ORG.clone())
                .trust(trust(ours(of_orgs))?)
                .federate(Arc::<TenantRegistry>::clone(&providers))
                .plans(org_plans()?)
                .resource_metadata_of_tenants(&format!(
                    "{public_url}/.well-known/oauth-protected-resource/mcp/"
                ))
                .limits(unless_off(holder.clone().by_plan()))
                .build(),
            // Whoever logged in to all their handles may go to their orgs with it: such a token is bound to no tenant.
            gateway: Realm::builder("gateway")
                .dialect(Dialect::Canonical)
                .roles(org_roles()?)
                .tenant_kind(ORG.clone())
                .trust(trust(
                    verifier(&gateway_audience).audience(&*handle_audience),
                )?)
                .limits(unless_off(holder.clone()))
                .build(),
            oauth: Realm::builder("oauth")
                .dialect(Dialect::OAuth)
                .limits(unless_off(holder.clone()))
                .build(),
            root: Realm::builder("gatewright")
                .query_tenant_kind(ORG.clone())
                .federate(Arc::<TenantRegistry>::clone(&providers))
                .trust(trust(
                    verifier(&workspace_audience)
                        .audience(&*handle_audience)
                        .audience(&*gateway_audience)
                        .audience_of_tenant(format!("{public_url}/mcp/")),
                )?)
                .limits(unless_off(holder))
                .build(),
            providers,
            catalog: Arc::new(catalog().map_err(RealmsError::Catalog)?),
            workspace_audience: workspace_audience.into(),
            handle_audience: handle_audience.into(),
            gateway_audience: gateway_audience.into(),
        })
    }
}

/// Whether the caller may do what `scope` names: a user by role, a key by its scopes.
pub(crate) fn permits(principal: &Principal, realm: &Realm, scope: &Scope) -> bool {
    if principal.mode() != Mode::Jwt {
        return principal.scopes().allows(scope);
    }
    principal
        .role()
        .and_then(|role| realm.roles().rank(role.as_str()))
        .is_some_and(|rank| realm.roles().permissions(rank).allows(scope))
}

fn workspace_roles() -> Result<Roles, RealmsError> {
    Roles::builder()
        .role(
            "member",
            ScopeSet::parse(
                "users.read users.write sessions.read sessions.write keys.read keys.write",
            )?,
        )
        .role("manager", ScopeSet::parse("team.read team.keys.read")?)
        // Also what later versions will name: an admin's keys need no new minting then.
        .role("admin", ScopeSet::from(Scope::ALL))
        .role(Account::PLATFORM_ADMIN, ScopeSet::new())
        .build()
        .map_err(RealmsError::Roles)
}

fn handle_roles() -> Result<Roles, RealmsError> {
    Roles::builder()
        .role(
            "creator",
            ScopeSet::parse("links.read links.write analytics.read")?,
        )
        .role(
            "operator",
            ScopeSet::parse("links.* analytics.* webhooks.*")?,
        )
        .role("owner", ScopeSet::new())
        .role(Account::PLATFORM_ADMIN, ScopeSet::from(Scope::ALL))
        .build()
        .map_err(RealmsError::Roles)
}

fn org_roles() -> Result<Roles, RealmsError> {
    Roles::builder()
        .role("member", ScopeSet::new())
        .role("admin", ScopeSet::from(MCP_CALL.clone()))
        .role(Account::PLATFORM_ADMIN, ScopeSet::new())
        .build()
        .map_err(RealmsError::Roles)
}

fn plans() -> Result<Plans, RealmsError> {
    Ok(Plans::builder()
        .plan(FIRST_PLAN, [], Some(Rate::per_minute(60)?))
        .plan("pro", ["webhooks"], Some(Rate::per_minute(300)?))
        .plan("business", ["webhooks"], Some(Rate::per_minute(1_000)?))
        .build())
}

/// What orgs pay for: calls of tools a minute, and a month.
fn org_plans() -> Result<Plans, RealmsError> {
    Ok(Plans::builder()
        .plan(FIRST_PLAN, [], Some(Rate::per_minute(60)?))
        .quota(FIRST_PLAN, Quota::per_month(10_000)?)
        .plan("pro", [], Some(Rate::per_minute(300)?))
        .quota("pro", Quota::per_month(100_000)?)
        .plan("business", [], Some(Rate::per_minute(1_000)?))
        .quota("business", Quota::per_month(1_000_000)?)
        .build())
}

fn catalog() -> Result<ScopeCatalog, CatalogError> {
    ScopeCatalog::builder()
        .declare("users.read", "See your profile")
        .declare("users.write", "Change your profile and your password")
        .declare("sessions.read", "See where you are logged in")
        .declare("sessions.write", "End your login sessions")
        .declare("keys.read", "See your own API keys")
        .declare("keys.write", "Mint, rotate and revoke your own API keys")
        .declare("team.read", "See who is in the workspace")
        .declare(
            "team.write",
            "Invite people, change their roles and remove them",
        )
        .declare("team.keys.read", "See every API key of the workspace")
        .declare(
            "team.keys.write",
            "Rotate and revoke every API key of the workspace",
        )
        .declare("links.read", "See links")
        .declare("links.write", "Create, change and delete links")
        .declare("analytics.read", "See counts of conversions")
        .declare("webhooks.read", "See webhook subscriptions")
        .declare("webhooks.write", "Create and delete webhook subscriptions")
        .declare("mcp:call", "Call tools on every connector of the org")
        .implies("users.write", "users.read")
        .implies("sessions.write", "sessions.read")
        .implies("keys.write", "keys.read")
        .implies("team.write", "team.read")
        .implies("team.keys.write", "team.keys.read")
        .implies("links.write", "links.read")
        .implies("webhooks.write", "webhooks.read")
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_carries_what_the_one_below_does_and_plans_unlock_webhooks() {
        let realms = Realms::new(&Arc::default(), "https://api.test", true).unwrap();
        for realm in [&realms.workspace, &realms.handle, &realms.gateway] {
            let sets: Vec<_> = realm.roles().iter().map(|(_, _, set)| set).collect();
            assert!(sets.windows(2).all(|pair| pair[0].is_subset_of(pair[1])));
        }
        let plans = realms.handle.plans();
        assert!(!plans.has("free", "webhooks"));
        assert!(plans.has("pro", "webhooks") && plans.has("business", "webhooks"));
        let rates = ["free", "pro", "business"].map(|plan| plans.rate(plan).unwrap().limit());
        assert_eq!(rates, [60, 300, 1_000]);
    }

    #[test]
    fn roles_carry_only_scopes_that_may_be_granted() {
        let realms = Realms::new(&Arc::default(), "https://api.test", false).unwrap();
        for realm in [&realms.workspace, &realms.handle, &realms.gateway] {
            for (_, role, set) in realm.roles().iter() {
                assert!(realms.catalog.check(set).is_ok(), "{role}");
            }
        }
    }
}
