//! A policy as it is written down.

use crate::principal::Mode;
use crate::scope::Scope;

/// What a route asks of its callers.
///
/// A policy is a list of alternatives, one for each [`Mode`] that it accepts; a caller is judged by the alternative of
/// the mode it came by. Nothing is checked here: mistakes are reported when the policy is compiled against
/// a [`Realm`](super::Realm).
#[derive(Clone, Debug)]
#[must_use = "a policy guards nothing until a route is given it"]
pub struct Policy {
    pub(super) alternatives: Vec<Alternative>,
    pub(super) anonymous: bool,
    pub(super) tenant: Option<TenantParameter>,
    pub(super) mistakes: Vec<PolicyError>,
}

/// Where a request names its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TenantParameter {
    Path(Box<str>),
    Query(Box<str>),
}

#[derive(Clone, Debug)]
pub(super) struct Alternative {
    pub(super) mode: Mode,
    pub(super) scopes: Vec<Scope>,
    pub(super) role: Option<Box<str>>,
    pub(super) feature: Option<Box<str>>,
}

impl Policy {
    /// Accepts signed access tokens.
    pub fn jwt() -> Self {
        Self::mode(Mode::Jwt)
    }

    /// Accepts personal access tokens.
    pub fn pat() -> Self {
        Self::mode(Mode::Pat)
    }

    /// Accepts API keys.
    pub fn api_key() -> Self {
        Self::mode(Mode::ApiKey)
    }

    /// Accepts tokens of the identity providers that the tenant in the request has configured, in a realm that
    /// [federates](super::RealmBuilder::federate). They carry scopes and have no role. A request that names no tenant has no
    /// such provider, so that its token is refused.
    pub fn external() -> Self {
        Self::mode(Mode::External)
    }

    /// Accepts callers without a credential, and knows them again by a cookie that it has set: visitors. In a realm that
    /// [has any](super::RealmBuilder::visitors).
    ///
    /// Who comes without the cookie, or with one that is not right or has expired, is a new visitor, whom the answer gives
    /// one. Visitors may do what they were given an [entitlement](crate::session::Visitors::entitle) for, and have no tenant
    /// and no role. A request that may change something, or that opens a WebSocket, must come from a page of ours.
    ///
    /// Together with other modes (`Policy::visitor().or(Policy::jwt())`) the cookie counts only where no other credential is
    /// presented: whoever presents one is judged by it alone.
    pub fn visitor() -> Self {
        Self::mode(Mode::Visitor)
    }

    /// Accepts one mode.
    pub fn mode(mode: Mode) -> Self {
        Self {
            alternatives: vec![Alternative {
                mode,
                scopes: Vec::new(),
                role: None,
                feature: None,
            }],
            anonymous: false,
            tenant: None,
            mistakes: Vec::new(),
        }
    }

    /// Accepts callers who present nothing, and looks at no credential.
    ///
    /// Together with other modes (`Policy::jwt().or(Policy::public())`) it makes authentication optional:
    /// nothing presented passes, something presented must be right.
    pub fn public() -> Self {
        Self {
            alternatives: Vec::new(),
            anonymous: true,
            tenant: None,
            mistakes: Vec::new(),
        }
    }

    /// Requires a scope, in every alternative declared so far. Keys and tokens must carry it; a user's JWT passes when the
    /// user's role carries it.
    pub fn scope(mut self, scope: &str) -> Self {
        match scope.parse::<Scope>() {
            Ok(scope) => self.require("scope", |alternative| {
                if !alternative.scopes.contains(&scope) {
                    alternative.scopes.push(scope.clone());
                }
            }),
            Err(_) => self
                .mistakes
                .push(PolicyError::MalformedScope(scope.into())),
        }
        self
    }

    /// Requires at least this role in the tenant, in every alternative declared so far.
    pub fn role(mut self, role: &str) -> Self {
        self.require("role", |alternative| alternative.role = Some(role.into()));
        self
    }

    /// Requires that the tenant's plan has a feature, in every alternative declared so far.
    pub fn feature(mut self, feature: &str) -> Self {
        self.require("feature", |alternative| {
            alternative.feature = Some(feature.into())
        });
        self
    }

    /// Also accepts what `other` accepts.
    pub fn or(mut self, other: Self) -> Self {
        for alternative in other.alternatives {
            if self
                .alternatives
                .iter()
                .any(|ours| ours.mode == alternative.mode)
            {
                self.mistakes
                    .push(PolicyError::DuplicateMode(alternative.mode));
            } else {
                self.alternatives.push(alternative);
            }
        }
        self.anonymous |= other.anonymous;
        self.mistakes.extend(other.mistakes);
        match (&self.tenant, other.tenant) {
            (Some(ours), Some(theirs)) if *ours != theirs => {
                self.mistakes.push(PolicyError::TwoTenants)
            }
            (None, Some(theirs)) => self.tenant = Some(theirs),
            _ => {}
        }
        self
    }

    /// The path parameter that names the tenant; every caller must belong to that tenant.
    pub fn tenant_from(self, parameter: &str) -> Self {
        self.tenant_at(TenantParameter::Path(parameter.into()))
    }

    /// The query parameter that may name the tenant. Where a request has it, its caller must belong to that tenant; where
    /// it has not, the caller is in the tenant that the credential itself names, if it names one. A query that has it
    /// twice is refused as `invalid_request`.
    pub fn tenant_from_query(self, parameter: &str) -> Self {
        self.tenant_at(TenantParameter::Query(parameter.into()))
    }

    fn tenant_at(mut self, place: TenantParameter) -> Self {
        match &self.tenant {
            Some(ours) if *ours != place => self.mistakes.push(PolicyError::TwoTenants),
            _ => self.tenant = Some(place),
        }
        self
    }

    fn require(&mut self, what: &'static str, mut change: impl FnMut(&mut Alternative)) {
        if self.alternatives.is_empty() {
            self.mistakes.push(PolicyError::PublicWith(what));
        }
        for alternative in &mut self.alternatives {
            change(alternative);
        }
    }
}

/// A mistake in a policy: the program's, found before the first request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The text is not a scope.
    #[error("`{0}` is not a scope")]
    MalformedScope(Box<str>),
    /// The realm's ladder has no such role.
    #[error("the realm knows no role `{0}`")]
    UnknownRole(Box<str>),
    /// No plan of the realm has the feature.
    #[error("no plan of the realm has the feature `{0}`")]
    UnknownFeature(Box<str>),
    /// A mode stands twice in one policy.
    #[error("the mode {0} stands in two alternatives of one policy")]
    DuplicateMode(Mode),
    /// JWTs are accepted, but the realm trusts no issuer.
    #[error("JWTs are accepted, but the realm trusts no issuer")]
    NoIssuer,
    /// Tokens of tenants' own providers are accepted, but the realm does not federate.
    #[error("tokens of tenants' own providers are accepted, but the realm does not federate")]
    NoFederation,
    /// Visitors are accepted, but the realm has none.
    #[error("visitors are accepted, but the realm has no cookie for them")]
    NoVisitors,
    /// Something is required of visitors that they never have.
    #[error("a visitor has no {0} to require")]
    VisitorWith(&'static str),
    /// A policy admits whoever presents nothing as nobody, and as a visitor.
    #[error("a policy for visitors admits everybody as one, so it cannot be public too")]
    PublicVisitors,
    /// A tenant is named, but the realm says no kind of tenant.
    #[error("a tenant is required, but the realm has no kind of tenant")]
    NoTenantKind,
    /// Two different parameters name the tenant.
    #[error("two parameters are said to name the tenant")]
    TwoTenants,
    /// A public policy requires something.
    #[error("a public policy cannot require a {0}")]
    PublicWith(&'static str),
    /// A role is required of a mode that has none.
    #[error("{0} carries scopes and has no role to require")]
    RoleWithoutMembership(Mode),
    /// More than 64 different scopes in one policy.
    #[error("a policy names at most 64 scopes")]
    TooManyScopes,
    /// The path has no parameter of the tenant's name.
    #[error("the path has no parameter `{0}` for the tenant")]
    TenantParameterAbsent(Box<str>),
    /// The path has the tenant's parameter more than once.
    #[error("the path has the tenant's parameter `{0}` more than once")]
    TenantParameterTwice(Box<str>),
    /// The framework cannot serve the path, or not beside another one.
    #[error("the path cannot be served: {0}")]
    InvalidPath(Box<str>),
    /// A policy was to be replaced on a route that there is not.
    #[error("there is no such route")]
    UnknownRoute,
    /// The method already has a policy on this path.
    #[error("the method has a policy on this path already")]
    DuplicateRoute,
}
