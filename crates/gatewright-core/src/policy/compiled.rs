//! A policy with every name resolved, bound to the gate that resolved it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::declared::{Alternative, TenantParameter};
use super::grants::Requirements;
use super::query;
use super::{Grants, Policy, PolicyError, Realm};
use crate::dialect::{Rendered, RpcId};
use crate::error::{AuthError, Cause, ErrorCode};
use crate::principal::Mode;
use crate::role::RoleRank;
use crate::scope::{Scope, ScopeSet};
use crate::session::Visitors;

/// Turns policies into [`CompiledPolicy`]s for one gate.
#[derive(Clone, Debug)]
pub struct Compiler {
    gate: u64,
    requirements: Arc<Requirements>,
}

impl Compiler {
    pub(crate) fn new() -> Self {
        // Tells gates apart; a policy of another gate is refused whatever the value.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            gate: NEXT.fetch_add(1, Ordering::Relaxed),
            requirements: Arc::default(),
        }
    }

    #[inline]
    pub(crate) const fn gate(&self) -> u64 {
        self.gate
    }

    pub(crate) fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    /// Resolves the policy's roles, scopes and features in the realm.
    ///
    /// # Errors
    /// Every mistake of the policy at once.
    pub fn compile(
        &self,
        policy: &Policy,
        realm: &Realm,
    ) -> Result<Arc<CompiledPolicy>, Vec<PolicyError>> {
        self.compile_with(policy, realm, &|scope| self.requirements.number(scope))
    }

    /// The same for a policy that is made while requests run. Its scopes are not noted among those that credentials are
    /// checked against when they are loaded, or what tenants invent would be kept forever.
    pub(crate) fn compile_passing(
        &self,
        policy: &Policy,
        realm: &Realm,
    ) -> Result<Arc<CompiledPolicy>, Vec<PolicyError>> {
        self.compile_with(policy, realm, &|_| Requirements::UNKNOWN)
    }

    fn compile_with(
        &self,
        policy: &Policy,
        realm: &Realm,
        number: &dyn Fn(&Scope) -> u32,
    ) -> Result<Arc<CompiledPolicy>, Vec<PolicyError>> {
        let mut mistakes = policy.mistakes.clone();
        let mut required: Vec<Scope> = Vec::new();
        for scope in policy
            .alternatives
            .iter()
            .flat_map(|alternative| &alternative.scopes)
        {
            if !required.contains(scope) {
                required.push(scope.clone());
            }
        }
        if required.len() > 64 {
            mistakes.push(PolicyError::TooManyScopes);
        }
        let names_kind = match &policy.tenant {
            None => true,
            Some(TenantParameter::Path(_)) => realm.tenant_kind().is_some(),
            Some(TenantParameter::Query(_)) => realm.of_query().tenant_kind().is_some(),
        };
        if !names_kind {
            mistakes.push(PolicyError::NoTenantKind);
        }
        let mut modes = policy.alternatives.iter().map(|ours| ours.mode);
        if modes.any(|mode| mode == Mode::Visitor) {
            if policy.anonymous {
                mistakes.push(PolicyError::PublicVisitors);
            }
            if policy.tenant.is_some() {
                mistakes.push(PolicyError::VisitorWith("tenant"));
            }
        }
        let mut alternatives = [const { None }; Mode::ALL.len()];
        for alternative in &policy.alternatives {
            if let Some(place) = alternatives.get_mut(alternative.mode.index()) {
                let resolved = Self::resolve(alternative, realm, &required, number, &mut mistakes);
                *place = Some(resolved);
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut compiled = CompiledPolicy {
            gate: self.gate,
            realm: realm.clone(),
            alternatives,
            anonymous: policy.anonymous,
            tenant: None,
            named: None,
            required,
        };
        match &policy.tenant {
            None => {}
            Some(TenantParameter::Path(name)) => compiled.tenant = Some(name.clone()),
            Some(TenantParameter::Query(name)) => {
                let mut named = compiled.copied();
                named.tenant = Some(name.clone());
                named.realm = realm.of_query();
                compiled.named = Some(Arc::new(named));
            }
        }
        Ok(Arc::new(compiled))
    }

    fn resolve(
        alternative: &Alternative,
        realm: &Realm,
        required: &[Scope],
        number: &dyn Fn(&Scope) -> u32,
        mistakes: &mut Vec<PolicyError>,
    ) -> CompiledAlternative {
        let mode = alternative.mode;
        if mode == Mode::Jwt && realm.tokens().is_empty() {
            mistakes.push(PolicyError::NoIssuer);
        }
        if mode == Mode::External && realm.federation().is_none() {
            mistakes.push(PolicyError::NoFederation);
        }
        if mode == Mode::Visitor {
            if realm.visitors().is_none() {
                mistakes.push(PolicyError::NoVisitors);
            }
            if alternative.feature.is_some() {
                mistakes.push(PolicyError::VisitorWith("plan"));
            }
        }
        let role = alternative.role.as_deref().and_then(|name| {
            if mode != Mode::Jwt {
                mistakes.push(PolicyError::RoleWithoutMembership(mode));
            }
            let rank = realm.roles().rank(name);
            if rank.is_none() {
                mistakes.push(PolicyError::UnknownRole(name.into()));
            }
            rank.map(|rank| (rank, name.into()))
        });
        if let Some(feature) = alternative.feature.as_deref()
            && !realm.plans().any_has(feature)
        {
            mistakes.push(PolicyError::UnknownFeature(feature.into()));
        }
        let scopes = alternative
            .scopes
            .iter()
            .filter_map(|scope| {
                let index = required.iter().position(|other| other == scope)?;
                Some(RequiredScope {
                    bit: 1_u64.checked_shl(u32::try_from(index).ok()?)?,
                    number: number(scope),
                    scope: scope.clone(),
                })
            })
            .collect();
        CompiledAlternative {
            scopes,
            role,
            feature: alternative.feature.clone(),
        }
    }
}

/// A policy whose every name was found, ready to judge. Admits nobody at a gate other than its own.
#[derive(Debug)]
pub struct CompiledPolicy {
    gate: u64,
    realm: Realm,
    alternatives: [Option<CompiledAlternative>; Mode::ALL.len()],
    anonymous: bool,
    tenant: Option<Box<str>>,
    /// The same policy for requests whose query names a tenant.
    named: Option<Arc<CompiledPolicy>>,
    required: Vec<Scope>,
}

/// A tenant that a query names, and the policy that judges the request there.
#[derive(Debug)]
#[non_exhaustive]
pub struct QueryTenant<'q> {
    /// The policy, in the place of the one that was asked.
    pub policy: Arc<CompiledPolicy>,
    /// The tenant's name, decoded.
    pub name: Cow<'q, str>,
}

#[derive(Clone, Debug)]
pub(crate) struct CompiledAlternative {
    scopes: Vec<RequiredScope>,
    role: Option<(RoleRank, Box<str>)>,
    feature: Option<Box<str>>,
}

#[derive(Clone, Debug)]
struct RequiredScope {
    /// The scope's place in the policy's own list, as a bit.
    bit: u64,
    /// The scope's number at the gate.
    number: u32,
    scope: Scope,
}

/// Why a proven caller is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortfall {
    pub(crate) cause: Cause,
    /// The scopes to ask for, as bits of the policy's own list.
    pub(crate) missing: u64,
}

impl From<Cause> for Shortfall {
    fn from(cause: Cause) -> Self {
        Self { cause, missing: 0 }
    }
}

impl CompiledPolicy {
    /// The realm that it was compiled against.
    #[must_use]
    #[inline]
    pub const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// The path parameter that names the tenant.
    #[must_use]
    #[inline]
    pub fn tenant_parameter(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The query parameter that may name the tenant.
    #[must_use]
    pub fn tenant_query_parameter(&self) -> Option<&str> {
        self.named.as_ref()?.tenant_parameter()
    }

    /// For adapters: the tenant that the query of a request (without the `?`) names, and the policy that judges it there.
    /// `None` where it names none, or the policy asks for none: this policy judges then.
    ///
    /// # Errors
    /// `invalid_request` where the query names it twice, or with what is no UTF-8.
    pub fn of_query<'q>(
        &self,
        query: Option<&'q str>,
    ) -> Result<Option<QueryTenant<'q>>, AuthError> {
        let (Some(named), Some(query)) = (&self.named, query) else {
            return Ok(None);
        };
        let Some(parameter) = named.tenant_parameter() else {
            return Ok(None);
        };
        let value = query::only(query, parameter).map_err(|error| {
            let message = format!("The query's `{parameter}` {error}");
            AuthError::new(ErrorCode::InvalidRequest).with_message(message)
        })?;
        Ok(value.map(|name| QueryTenant {
            policy: Arc::clone(named),
            name,
        }))
    }

    /// Whether a caller who presents nothing passes.
    #[must_use]
    #[inline]
    pub const fn admits_anonymous(&self) -> bool {
        self.anonymous
    }

    /// The modes that it accepts.
    pub fn modes(&self) -> impl Iterator<Item = Mode> {
        Mode::ALL.into_iter().filter(|mode| self.accepts(*mode))
    }

    /// The scopes that callers of `mode` must have.
    pub fn scopes(&self, mode: Mode) -> impl Iterator<Item = &Scope> {
        self.alternative(mode)
            .into_iter()
            .flat_map(|alternative| alternative.scopes.iter().map(|required| &required.scope))
    }

    /// The role that callers of `mode` must have at least.
    #[must_use]
    pub fn role(&self, mode: Mode) -> Option<&str> {
        let (_, name) = self.alternative(mode)?.role.as_ref()?;
        Some(name)
    }

    /// The plan feature that tenants of callers of `mode` must have.
    #[must_use]
    pub fn feature(&self, mode: Mode) -> Option<&str> {
        self.alternative(mode)?.feature.as_deref()
    }

    /// Every scope named by any alternative. The bits of [`AuthError::missing`](crate::error::AuthError::missing) count
    /// along this list.
    #[must_use]
    pub fn required_scopes(&self) -> &[Scope] {
        &self.required
    }

    /// Whether everybody whom this policy admits may do what `scope` names: each alternative requires a scope that
    /// covers it, or a role that carries it, and nobody comes anonymously.
    #[must_use]
    pub fn guarantees(&self, scope: &Scope) -> bool {
        !self.anonymous
            && self.alternatives.iter().flatten().all(|alternative| {
                alternative
                    .scopes
                    .iter()
                    .any(|required| required.scope.covers(scope))
                    || alternative.role.as_ref().is_some_and(|(rank, _)| {
                        self.realm.roles().permissions(*rank).allows(scope)
                    })
            })
    }

    /// A refusal as it goes over the wire: in the realm's dialect, or as problem details where the caller asked for
    /// those (RFC 9457; see [`wants_problem`](crate::dialect::wants_problem)).
    #[must_use]
    pub fn refusal(&self, error: &AuthError, problem: bool) -> Rendered {
        let required: Vec<&str> = self.required.iter().map(Scope::as_str).collect();
        self.realm.render(error, problem, &required)
    }

    /// A refusal of a JSON-RPC request with this `id`, in that dialect whatever the realm's is; for requests that are judged
    /// by what their body asks for.
    #[must_use]
    pub fn rpc_refusal(&self, error: &AuthError, id: RpcId<'_>) -> Rendered {
        let required: Vec<&str> = self.required.iter().map(Scope::as_str).collect();
        self.realm.render_rpc(error, id, &required)
    }

    /// The same policy with memory of its own.
    pub(super) fn copied(&self) -> Self {
        Self {
            gate: self.gate,
            realm: self.realm.clone(),
            alternatives: self.alternatives.clone(),
            anonymous: self.anonymous,
            tenant: self.tenant.clone(),
            named: self.named.as_ref().map(|named| Arc::new(named.copied())),
            required: self.required.clone(),
        }
    }

    pub(crate) const fn gate(&self) -> u64 {
        self.gate
    }

    #[inline]
    pub(crate) fn accepts(&self, mode: Mode) -> bool {
        self.alternative(mode).is_some()
    }

    /// The visitors that it admits where no credential is presented.
    pub(crate) fn visitors(&self) -> Option<&Visitors> {
        self.realm
            .visitors()
            .filter(|_| self.accepts(Mode::Visitor))
    }

    pub(crate) fn is_public(&self) -> bool {
        self.alternatives.iter().all(Option::is_none)
    }

    /// `x-api-key` is read where PATs or keys go, unless the realm reads `Authorization` alone, and nowhere else.
    #[inline]
    pub(crate) fn reads_api_key_field(&self) -> bool {
        !self.realm.is_authorization_only()
            && (self.accepts(Mode::Pat) || self.accepts(Mode::ApiKey))
    }

    #[inline]
    pub(crate) fn alternative(&self, mode: Mode) -> Option<&CompiledAlternative> {
        self.alternatives.get(mode.index())?.as_ref()
    }

    /// The first rung of the policy: whether this kind of credential goes here at all.
    #[inline]
    pub(crate) fn judge_mode(&self, mode: Mode) -> Result<&CompiledAlternative, Shortfall> {
        self.alternative(mode).ok_or_else(|| {
            Shortfall::from(match mode {
                Mode::Jwt | Mode::External => Cause::WrongModeJwt,
                Mode::Pat | Mode::ApiKey => Cause::WrongModeSecret,
                // Has a cookie where only credentials go.
                Mode::Visitor => Cause::NothingPresented,
            })
        })
    }
}

/// What is known of a proven caller when scopes, role and plan are judged.
pub(crate) struct Standing<'a> {
    /// What the credential itself was granted; `None` for a user's JWT, judged by its role.
    pub(crate) grants: Option<(&'a Grants, &'a ScopeSet)>,
    /// The rank of the caller's role on the realm's ladder.
    pub(crate) rank: Option<RoleRank>,
    /// The tenant's plan.
    pub(crate) plan: Option<&'a str>,
}

impl CompiledAlternative {
    /// Scope, then role, then plan.
    #[inline]
    pub(crate) fn judge(&self, standing: &Standing<'_>, realm: &Realm) -> Result<(), Shortfall> {
        let missing = self
            .scopes
            .iter()
            .filter(|required| !Self::allowed(required, standing, realm))
            .fold(0, |mask, required| mask | required.bit);
        if missing != 0 {
            return Err(Shortfall {
                cause: Cause::MissingScope,
                missing,
            });
        }
        if let Some((needed, _)) = self.role
            && standing.rank.is_none_or(|held| held < needed)
        {
            return Err(Cause::MissingRole.into());
        }
        if let Some(feature) = &self.feature
            && !standing
                .plan
                .is_some_and(|plan| realm.plans().has(plan, feature))
        {
            return Err(Cause::MissingFeature.into());
        }
        Ok(())
    }

    fn allowed(required: &RequiredScope, standing: &Standing<'_>, realm: &Realm) -> bool {
        match standing.grants {
            Some((grants, set)) => grants.allows(required.number, &required.scope, set),
            None => standing
                .rank
                .is_some_and(|rank| realm.roles().permissions(rank).allows(&required.scope)),
        }
    }
}
