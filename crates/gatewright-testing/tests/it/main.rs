//! What the tools promise to those who test with them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

mod authority;
mod broken;
mod jwks;
mod outage;
mod refused;
mod token;

use std::sync::Arc;

use gatewright_core::credential::Field;
use gatewright_core::gate::{Admitted, Arrival};
use gatewright_core::jwt::Algorithm;
use gatewright_core::policy::{CompiledPolicy, Policy};
use gatewright_core::principal::TenantKind;
use gatewright_core::role::Roles;
use gatewright_core::scope::ScopeSet;
use gatewright_testing::{FakeClock, Refused, TestAuthority, TestAuthorityBuilder};

const NOW: u64 = 1_700_000_000;
const WORKSPACE: TenantKind = TenantKind::from_static("workspace");

/// The workspaces `acme` and `globex`, and a clock that the test moves. Its keys are made quickly.
fn quick() -> (TestAuthorityBuilder, FakeClock) {
    let clock = FakeClock::at(NOW);
    let builder = TestAuthority::builder(WORKSPACE)
        .tenant("acme", "free")
        .tenant("globex", "pro")
        .algorithm(Algorithm::EdDsa)
        .clock(clock.clone());
    (builder, clock)
}

/// Keys with a scope, and members from `viewer` up, of the workspace in the path.
fn links(authority: &TestAuthority) -> Arc<CompiledPolicy> {
    let roles = Roles::builder()
        .role("viewer", ScopeSet::default())
        .role("owner", ScopeSet::parse("*").unwrap())
        .build()
        .unwrap();
    let policy = Policy::api_key()
        .scope("links.read")
        .or(Policy::jwt().role("viewer"))
        .tenant_from("workspace");
    let realm = authority.realm("links").roles(roles).build();
    authority.gate().compile(&policy, &realm).unwrap()
}

/// Any credential at all.
fn anyone(authority: &TestAuthority) -> Arc<CompiledPolicy> {
    let policy = Policy::api_key().or(Policy::pat()).or(Policy::jwt());
    let realm = authority.realm("anyone").build();
    authority.gate().compile(&policy, &realm).unwrap()
}

/// Asks at the path of `acme`.
async fn ask(
    authority: &TestAuthority,
    policy: &Arc<CompiledPolicy>,
    credential: &str,
) -> Result<Admitted, Refused> {
    let line = format!("Bearer {credential}");
    let fields = [(Field::Authorization, line.as_bytes())];
    let arrival = Arrival::new().tenant(Some("acme"));
    let admission = authority.gate().authenticate(&fields[..], policy, &arrival);
    let decision = admission.decided().await;
    decision.map_err(|refusal| policy.refusal(&refusal, false).into())
}
