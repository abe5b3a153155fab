//! How to do the common things. A guide appears here when the features that its examples need are on; the examples run as
//! tests. With all features, all guides appear.

/// Links between the guides, as they stand in this documentation. The files themselves link to each other by file name; of
/// two definitions the first one counts.
macro_rules! links {
    () => {
        "\
[beside requests]: ../log_people_in/index.html#beside-requests
[bring your own identity provider]: ../bring_your_own_idp/index.html
[call a guarded API]: ../call_a_guarded_api/index.html
[choose JWT, PAT or key]: ../choose_a_credential/index.html
[design scopes]: ../design_scopes/index.html
[rotate without downtime]: ../rotate_without_downtime/index.html
[run in production]: ../run_in_production/index.html
[several processes]: ../write_a_store/index.html#several-processes-on-one-store
[test your routes]: ../test_your_routes/index.html
[the suite of a store]: ../write_a_store/index.html#prove-it
[what to test]: ../test_your_routes/index.html#what-to-test
"
    };
}

/// Put a gate in front of routes.
#[cfg(all(
    feature = "actix-web",
    feature = "axum",
    feature = "issuer",
    feature = "testing"
))]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/protect-a-service.md")]
pub mod protect_a_service {}

/// Which kind of credential for whom.
#[cfg(feature = "testing")]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/choose-a-credential.md")]
pub mod choose_a_credential {}

/// Scopes that last.
#[cfg(feature = "axum")]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/design-scopes.md")]
pub mod design_scopes {}

/// Trust the tokens of another issuer.
#[cfg(all(feature = "jwks", feature = "testing"))]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/bring-your-own-idp.md")]
pub mod bring_your_own_idp {}

/// Decide which tools of an MCP server a caller may use.
#[cfg(all(feature = "mcp", feature = "testing"))]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/serve-tools.md")]
pub mod serve_tools {}

/// Accounts, sessions that are carried on, login at a provider, and visitors.
#[cfg(all(feature = "axum", feature = "issuer", feature = "jwks"))]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/log-people-in.md")]
pub mod log_people_in {}

/// What to do beside requests, what to alert on, and what an outage does.
#[cfg(all(feature = "issuer", feature = "sqlite"))]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/run-in-production.md")]
pub mod run_in_production {}

/// Replace every long-lived secret while requests run.
#[cfg(feature = "issuer")]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/rotate-without-downtime.md")]
pub mod rotate_without_downtime {}

/// Keep records behind the traits of a gate.
#[cfg(feature = "testing")]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/write-a-store.md")]
pub mod write_a_store {}

/// Present credentials, get tokens, retry, and read refusals.
#[cfg(all(feature = "client", feature = "testing"))]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/call-a-guarded-api.md")]
pub mod call_a_guarded_api {}

/// Show who is refused, and how.
#[cfg(all(feature = "axum", feature = "testing"))]
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/test-your-routes.md")]
pub mod test_your_routes {}

/// Keep the keys that another system hashed.
#[doc = ""]
#[doc = links!()]
#[doc = include_str!("../guides/migrate-hashed-keys.md")]
pub mod migrate_hashed_keys {}
