//! What stays with an admitted request.

use std::sync::Arc;

use super::Admitted;
use super::decide::judge;
use crate::error::{AuthError, Cause};
use crate::limit::LimitState;
use crate::policy::{CompiledPolicy, Grants};
use crate::principal::{Mode, Principal, Tenant, Verified};
use crate::scope::Scope;

/// What a guard leaves in the extensions of a request that it admitted.
///
/// It is the only thing left there: who asks for the principal learns in the same step whether there was a gate at all.
#[derive(Clone, Debug)]
pub struct Guarded {
    policy: Arc<CompiledPolicy>,
    principal: Option<Verified<Principal>>,
    limits: Option<LimitState>,
}

impl Guarded {
    /// For a request that this policy admitted.
    #[must_use]
    #[inline]
    pub fn new(policy: Arc<CompiledPolicy>, admitted: Admitted) -> Self {
        Self {
            policy,
            principal: admitted.principal,
            limits: admitted.limits,
        }
    }

    /// What the guard of a request left, given what is found in its extensions: `Guarded::of(request.extensions().get())`.
    ///
    /// # Errors
    /// `internal_error` with [`Cause::GateMissing`]: the request passed no guard, a mistake of the program.
    #[inline]
    pub fn of(found: Option<&Self>) -> Result<&Self, AuthError> {
        found.ok_or_else(|| Cause::GateMissing.into())
    }

    /// The policy that the request was admitted by.
    #[must_use]
    #[inline]
    pub const fn policy(&self) -> &Arc<CompiledPolicy> {
        &self.policy
    }

    /// The caller; `None` where the policy admits callers who present nothing and this one did.
    #[must_use]
    #[inline]
    pub const fn principal(&self) -> Option<&Verified<Principal>> {
        self.principal.as_ref()
    }

    /// The caller, for a handler that can't do without.
    ///
    /// # Errors
    /// `missing_bearer_token` where this one presented nothing, and `internal_error` with [`Cause::PolicyMissing`] where the
    /// policy is public alone, so that there never is a caller.
    #[inline]
    pub fn caller(&self) -> Result<&Verified<Principal>, AuthError> {
        self.principal().ok_or_else(|| {
            let never = self.policy.modes().next().is_none();
            let cause = if never {
                Cause::PolicyMissing
            } else {
                Cause::NothingPresented
            };
            cause.into()
        })
    }

    /// The caller, for a handler that counts on the policy to make sure of a scope.
    ///
    /// # Errors
    /// `internal_error` with [`Cause::PolicyMissing`] where the policy doesn't make sure of it, whatever scopes the caller
    /// has; the error's source names the scope.
    pub fn caller_with(&self, scope: &Scope) -> Result<&Verified<Principal>, AuthError> {
        if !self.policy.guarantees(scope) {
            let missing = format!(
                "the handler asserts the scope `{scope}`, which its policy does not require"
            );
            return Err(AuthError::from(Cause::PolicyMissing).with_source(missing));
        }
        self.caller()
    }

    /// Judges the caller once more, by what a part of the request asks for that was not known when it was admitted, such as
    /// the tool that a body names. Nothing is charged, and no tenant is compared: the request's own policy saw to both.
    ///
    /// # Errors
    /// What the caller falls short of: `insufficient_scope` with all missing scopes, `insufficient_role`, `feature_locked`,
    /// `invalid_token_format` for a mode that `policy` doesn't accept, and `missing_bearer_token` where nobody is calling.
    /// `internal_error` for a policy of another gate, and for one that names a tenant.
    pub fn judge(&self, policy: &CompiledPolicy) -> Result<(), AuthError> {
        if policy.gate() != self.policy.gate() {
            return Err(Cause::ForeignPolicy.into());
        }
        let named = policy
            .tenant_parameter()
            .or(policy.tenant_query_parameter());
        if named.is_some() {
            return Err(Cause::PolicyMissing.into());
        }
        let Some(principal) = self.principal() else {
            return match policy.admits_anonymous() {
                true => Ok(()),
                false => Err(Cause::NothingPresented.into()),
            };
        };
        if policy.is_public() {
            return Ok(());
        }
        // What the set answers is not at hand any more; the set itself is.
        let unknown = Grants::default();
        let by_role = principal.mode() == Mode::Jwt && principal.user().is_some();
        judge(principal, (!by_role).then_some(&unknown), policy, None).map_err(|shortfall| {
            let mut refusal = AuthError::from(shortfall.cause).with_missing(shortfall.missing);
            let tenant = principal.tenant().map(Tenant::slug);
            policy.realm().about(&mut refusal, tenant);
            refusal
        })
    }

    /// The tightest rate limit that the request was charged to.
    #[must_use]
    pub const fn limits(&self) -> Option<&LimitState> {
        self.limits.as_ref()
    }
}
