//! What the adapter promises, seen from a client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

mod answer;
mod extract;
mod finish;
mod middleware;
mod refusal;
mod router;
mod tenant;
mod ui;
mod wire;

use gatewright_core::principal::TenantKind;
use gatewright_testing::TestAuthority;

const HANDLE: TenantKind = TenantKind::from_static("handle");

/// A gate that knows the handles `creator` and `other`, and one whose name has to be escaped in a path.
async fn authority() -> TestAuthority {
    TestAuthority::new(HANDLE, ["creator", "other", "a/b %c"]).await
}
