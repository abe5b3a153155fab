//! What the crates do together.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

mod config;
mod same_bytes;
