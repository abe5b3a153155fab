//! What metrics tell. No label names a host, a tenant or a key.

use crate::http::FetchError;

/// How a fetch of a key set ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FetchOutcome {
    Changed,
    Unchanged,
    Failed(FetchError),
}

/// How an introspection ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IntrospectionOutcome {
    Active,
    Inactive,
    /// Too many were under way.
    Busy,
    Failed(FetchError),
}

pub(crate) fn fetched(outcome: FetchOutcome) {
    let outcome = match outcome {
        FetchOutcome::Changed => "changed",
        FetchOutcome::Unchanged => "unchanged",
        FetchOutcome::Failed(error) => error.label(),
    };
    metrics::counter!("gatewright_jwks_fetches_total", "outcome" => outcome).increment(1);
}

/// All sets together hold so many keys more or fewer.
pub(crate) fn keys_changed(before: usize, after: usize) {
    // A set holds at most 100.
    let [before, after] = [before, after].map(|n| f64::from(u32::try_from(n).unwrap_or(u32::MAX)));
    metrics::gauge!("gatewright_jwks_keys").increment(after - before);
}

pub(crate) fn introspected(outcome: IntrospectionOutcome) {
    let outcome = match outcome {
        IntrospectionOutcome::Active => "active",
        IntrospectionOutcome::Inactive => "inactive",
        IntrospectionOutcome::Busy => "busy",
        IntrospectionOutcome::Failed(error) => error.label(),
    };
    metrics::counter!("gatewright_introspections_total", "outcome" => outcome).increment(1);
}
