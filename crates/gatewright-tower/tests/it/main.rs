//! What the layers promise around any service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

mod adapter;
#[cfg(feature = "client")]
mod client_attach;
#[cfg(feature = "client")]
mod client_errors;
#[cfg(feature = "client")]
mod client_gate;
#[cfg(feature = "client")]
mod client_loopback;
#[cfg(feature = "client")]
mod client_retry;
#[cfg(feature = "client")]
mod client_tokens;
mod cors;
mod layer;
mod live;
#[cfg(feature = "mcp")]
mod mcp;
mod readiness;
mod refusal;

use gatewright_core::principal::TenantKind;
use gatewright_testing::TestAuthority;

const HANDLE: TenantKind = TenantKind::from_static("handle");

/// A gate that knows the handles `creator` and `other`, and one whose name has to be escaped in a path.
async fn authority() -> TestAuthority {
    TestAuthority::new(HANDLE, ["creator", "other", "a/b %c"]).await
}
