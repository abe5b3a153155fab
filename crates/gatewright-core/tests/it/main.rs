//! What the core promises, seen from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

mod credential;
mod credential_laws;
mod hash;
mod role_laws;
mod scope_laws;
mod scope_ui;
