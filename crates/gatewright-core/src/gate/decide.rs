//! The last rungs: the policy, then one charge.

use super::shared::{Request, Shared};
use super::{Admission, Admitted, Pending};
use crate::audit::{AuditEvent, AuditKind};
use crate::error::{AuthError, Cause};
use crate::limit::{
    Bucket, BucketKind, Charge, ChargeResult, Charged, LimitError, LimitRefusal, Rate, Remembered,
    SourceKey,
};
use crate::policy::{CompiledPolicy, Grants, Shortfall, Standing};
use crate::principal::{Mode, Principal, Subject, Verified};

/// What memory answers, written once, by whoever finds it.
///
/// An [`Admission`] is wide. One that goes from hand to hand is copied by vector instructions, which wait each time until the few
/// words that were just written have come through: all in all a tenth of a warm request.
pub(super) enum Answer {
    /// Nothing: memory does not know all that it takes.
    Unknown,
    /// The caller is admitted, and charged to nothing.
    Free(Verified<Principal>),
    /// Anything else.
    Other(Admission),
}

impl Shared {
    /// Judges a proven caller, and charges the call: to all its buckets if it is admitted, to the one of refusals if it is
    /// not. `remembered` is kept beside what is cached of the caller.
    pub(super) fn decide(
        &self,
        principal: &Principal,
        grants: Option<&Grants>,
        remembered: &Remembered,
        request: &Request<'_>,
    ) -> Admission {
        let judged = judge(principal, grants, request.policy, request.tenant);
        self.conclude(judged, principal, remembered, request)
    }

    /// The same on the way of a caller whom memory proves.
    #[inline]
    pub(super) fn decide_known(
        &self,
        principal: &Principal,
        grants: Option<&Grants>,
        remembered: &Remembered,
        request: &Request<'_>,
        answer: &mut Answer,
    ) {
        let judged = judge(principal, grants, request.policy, request.tenant);
        *answer = if judged.is_ok() && !request.policy.realm().limits().any() {
            Answer::Free(Verified::vouch(principal.clone()))
        } else {
            Answer::Other(self.conclude(judged, principal, remembered, request))
        };
    }

    #[inline(never)]
    fn conclude(
        &self,
        judged: Result<(), Shortfall>,
        principal: &Principal,
        remembered: &Remembered,
        request: &Request<'_>,
    ) -> Admission {
        match judged {
            Ok(()) => {
                let admitted = Verified::vouch(principal.clone());
                self.charge(principal, remembered, request, Ok(Some(admitted)))
            }
            Err(shortfall) => self.refuse(principal, shortfall, remembered, request),
        }
    }

    /// Refuses a proven caller: noted, and charged to a bucket that only refusals fill.
    #[cold]
    pub(super) fn refuse(
        &self,
        principal: &Principal,
        shortfall: Shortfall,
        remembered: &Remembered,
        request: &Request<'_>,
    ) -> Admission {
        self.audit.record(
            AuditEvent::new(AuditKind::Denied, request.now)
                .by(principal)
                .from(request.source())
                .because(shortfall.cause),
        );
        let refusal = AuthError::from(shortfall.cause).with_missing(shortfall.missing);
        self.charge(principal, remembered, request, Err(refusal))
    }

    /// A caller who presents nothing, where that is enough.
    pub(super) fn admit_anonymous(&self, request: &Request<'_>) -> Admission {
        let limits = request.policy.realm().limits();
        if let Some(rate) = limits.per_source
            && let Some(source) = request.source().map(SourceKey::new)
        {
            let parts = [source.as_bytes()];
            let charge = Charge::new(Bucket::new(BucketKind::Source, &parts), rate);
            let charged = self.limiter.charge(&[charge], None, request.moment());
            return settle(charged, Ok(None));
        }
        Admission::Ready(Ok(Admitted::free(None)))
    }

    #[inline(never)]
    fn charge(
        &self,
        principal: &Principal,
        remembered: &Remembered,
        request: &Request<'_>,
        decision: Result<Option<Verified<Principal>>, AuthError>,
    ) -> Admission {
        let admitted = decision.is_ok();
        let realm = request.policy.realm();
        let limits = realm.limits();
        if !limits.any() {
            return Admission::Ready(after(Ok(None), decision));
        }
        let credential = principal.credential().as_str().as_bytes();
        // A JWT is one of as many as its subject asks for.
        let (subject, holder) = match (principal.mode(), principal.subject()) {
            (Mode::Jwt, Subject::User(user)) => ("user", user.as_str().as_bytes()),
            (Mode::Jwt, Subject::Client(client)) => ("client", client.as_str().as_bytes()),
            (mode, _) => (mode.as_str(), credential),
        };
        let tenant = principal.tenant();
        let tenant_id = tenant.map_or(&b""[..], |tenant| tenant.id().as_str().as_bytes());
        let is_pat = principal.mode() == Mode::Pat;
        // The one limit here that goes by the address, which is read for it alone.
        let pat_guard = limits.pat_guard.filter(|_| is_pat && admitted);
        let source = pat_guard.and_then(|_| request.source().map(SourceKey::new));
        let source = source.as_ref().map_or(&b""[..], SourceKey::as_bytes);

        let of_ours: [&[u8]; 2] = [subject.as_bytes(), holder];
        let of_theirs: [&[u8]; 4];
        let by_holder: &[&[u8]] = match principal.subject() {
            Subject::External(name) => {
                let (tenant, subject) = (name.tenant().as_str(), name.subject().as_str());
                of_theirs = ["external", tenant, name.issuer(), subject].map(str::as_bytes);
                &of_theirs
            }
            _ => &of_ours,
        };
        let by_tenant: [&[u8]; 1] = [tenant_id];
        let by_pat: [&[u8]; 3] = [tenant_id, credential, source];
        let bucket = |kind, parts| move |rate| Charge::new(Bucket::new(kind, parts), rate);
        let (rate, quota) = tenant
            .filter(|_| limits.by_plan && admitted)
            .map_or((None, None), |tenant| realm.plans().terms(tenant.plan()));

        let candidates = [
            if admitted {
                let per_credential = limits.per_credential;
                per_credential.map(bucket(BucketKind::Credential, by_holder))
            } else {
                limits.denials().map(bucket(BucketKind::Denied, by_holder))
            },
            pat_guard.map(bucket(BucketKind::Pat, &by_pat)),
            limits
                .tenant_burst
                .filter(|_| is_pat && admitted)
                .map(bucket(BucketKind::Burst, &by_tenant)),
            rate.map(bucket(BucketKind::Plan, &by_tenant)),
            quota.map(|quota| Charge::monthly(&by_tenant, quota)),
        ];
        // At most five charges, gathered at the front of an array: nothing is allocated.
        let unused = Charge::new(Bucket::new(BucketKind::Credential, &[]), Rate::TEN_A_MINUTE);
        let mut charges = [unused; 5];
        let mut count = 0;
        for (place, charge) in charges.iter_mut().zip(candidates.into_iter().flatten()) {
            *place = charge;
            count += 1;
        }
        let charges = charges.get(..count).unwrap_or(&[]);
        if charges.is_empty() {
            return settle(Charged::Ready(Ok(None)), decision);
        }
        let charged = self
            .limiter
            .charge(charges, Some(remembered), request.moment());
        settle(charged, decision)
    }
}

/// Mode, tenant, scope, role, plan: the first that falls short is the answer.
#[inline]
pub(super) fn judge(
    principal: &Principal,
    grants: Option<&Grants>,
    policy: &CompiledPolicy,
    asked: Option<&str>,
) -> Result<(), Shortfall> {
    let alternative = policy.judge_mode(principal.mode())?;
    let realm = policy.realm();
    let tenant = principal.tenant();
    if let (Some(tenant), Some(kind)) = (tenant, realm.tenant_kind())
        && tenant.kind() != kind
    {
        return Err(Cause::ForeignTenant.into());
    }
    if policy.tenant_parameter().is_some()
        && tenant.is_none_or(|tenant| Some(tenant.slug()) != asked)
    {
        return Err(Cause::ForeignTenant.into());
    }
    alternative.judge(
        &Standing {
            grants: grants.map(|grants| (grants, principal.scopes())),
            rank: principal
                .role()
                .and_then(|role| realm.roles().rank(role.as_str())),
            plan: tenant.map(crate::principal::Tenant::plan),
        },
        realm,
    )
}

/// The decision, unless the charge was refused. A refusal by the policy stays one while the credential may be charged for it.
pub(super) fn settle(
    charged: Charged,
    decision: Result<Option<Verified<Principal>>, AuthError>,
) -> Admission {
    match charged {
        Charged::Ready(result) => Admission::Ready(after(result, decision)),
        Charged::Pending(result) => {
            Admission::Pending(Pending(Box::pin(
                async move { after(result.await, decision) },
            )))
        }
    }
}

fn after(
    charged: ChargeResult,
    decision: Result<Option<Verified<Principal>>, AuthError>,
) -> Result<Admitted, AuthError> {
    match charged {
        Ok(limits) => decision.map(|principal| Admitted {
            limits,
            ..Admitted::free(principal)
        }),
        Err(LimitError::Refused(refusal)) => Err(limited(&refusal)),
        Err(_) => Err(AuthError::from(Cause::LimiterUnavailable)),
    }
}

fn limited(refusal: &LimitRefusal) -> AuthError {
    let state = refusal.state();
    let cause = match state.kind() {
        BucketKind::Quota => Cause::QuotaExceeded,
        _ => Cause::RateLimited,
    };
    AuthError::from(cause)
        .with_retry_after(refusal.retry_after_secs())
        .with_field("ratelimit-policy", state.policy_field())
        .with_field("ratelimit", state.field())
}
