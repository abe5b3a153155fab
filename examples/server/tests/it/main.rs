//! What the program promises, seen from outside: the built binary, spoken to over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

mod call;
mod forge;
mod server;
mod shell;
mod world;

mod at_rest;
mod availability;
mod commands;
mod conversions;
mod cost;
mod crash;
mod demo;
mod documents;
mod drawn;
#[cfg(target_os = "linux")]
mod flood;
mod gateway;
mod isolation;
mod lists;
mod plans;
mod program;
mod proxies;
mod reading;
mod revocation;
mod rotation;
mod schemathesis;
mod situations;
mod whoami;
