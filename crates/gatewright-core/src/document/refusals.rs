//! What the gate may answer instead of the service.

use crate::error::ErrorCode;
use crate::policy::{CompiledPolicy, Limits};
use crate::principal::Mode;

/// The methods that change nothing (RFC 9110 §9.2.1).
const SAFE: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// The codes that the gate can refuse a call of this route with, by rising status. `internal_error` is none of them: it
/// means a mistake of the service.
pub(super) fn of_gate(policy: &CompiledPolicy, method: &str) -> Vec<ErrorCode> {
    let realm = policy.realm();
    let limits = realm.limits();
    if policy.is_public() {
        return match limits.per_source {
            Some(_) => vec![ErrorCode::RateLimited, ErrorCode::TemporarilyUnavailable],
            None => Vec::new(),
        };
    }
    let any =
        |asked: fn(&CompiledPolicy, Mode) -> bool| policy.modes().any(|mode| asked(policy, mode));
    let foreign = realm.tenant_kind().is_some() || policy.tenant_parameter().is_some();
    // What kind a credential is counts only once it is proven, so a wrong kind is told apart from a wrong one.
    let takes_all_secrets = policy.accepts(Mode::Pat) && policy.accepts(Mode::ApiKey);
    let scoped = any(|policy, mode| policy.scopes(mode).next().is_some());
    let possible = [
        (ErrorCode::InvalidRequest, true),
        (ErrorCode::MissingBearerToken, true),
        (ErrorCode::InvalidToken, true),
        (ErrorCode::InvalidTokenFormat, !policy.accepts(Mode::Jwt)),
        (ErrorCode::TokenExpired, true),
        (ErrorCode::TokenRevoked, true),
        (
            ErrorCode::InsufficientScope,
            scoped || foreign || !takes_all_secrets,
        ),
        (
            ErrorCode::InsufficientRole,
            any(|policy, mode| policy.role(mode).is_some()),
        ),
        (
            ErrorCode::FeatureLocked,
            any(|policy, mode| policy.feature(mode).is_some()),
        ),
        (
            ErrorCode::ForbiddenOrigin,
            policy.accepts(Mode::Visitor) && !SAFE.contains(&method),
        ),
        // A token of a user may name a tenant by itself that its user has left.
        (ErrorCode::NotFound, policy.accepts(Mode::Jwt)),
        // Failures are counted whatever the realm's limits say.
        (ErrorCode::RateLimited, true),
        (
            ErrorCode::QuotaExceeded,
            limits.by_plan && realm.plans().any_quota(),
        ),
        (ErrorCode::TemporarilyUnavailable, true),
    ];
    possible
        .into_iter()
        .filter_map(|(code, is)| is.then_some(code))
        .collect()
}

/// Whether answers of this route say where the caller stands with a limit.
pub(super) fn tells_limits(policy: &CompiledPolicy) -> bool {
    let Limits {
        by_plan,
        per_credential,
        per_source,
        pat_guard,
        tenant_burst,
    } = policy.realm().limits();
    let of_callers = *by_plan
        || per_credential.is_some()
        || (policy.accepts(Mode::Pat) && (pat_guard.is_some() || tenant_burst.is_some()));
    let free = policy.admits_anonymous() || policy.accepts(Mode::Visitor);
    let proven = policy.modes().any(|mode| mode != Mode::Visitor);
    (free && per_source.is_some()) || (proven && of_callers)
}
