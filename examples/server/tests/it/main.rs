//! What the program promises, seen from outside: the built binary, spoken to over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

mod call;
mod companion;
mod forge;
mod gateway;
mod libraries;
mod mailbox;
mod node;
mod provider;
mod server;
mod shell;
mod world;

mod at_rest;
mod availability;
mod commands;
mod conversions;
mod cookies;
mod cost;
mod crash;
mod demo;
mod documents;
mod drawn;
#[cfg(target_os = "linux")]
mod flood;
mod gateway_clients;
mod gateway_conformance;
mod gateway_documents;
mod gateway_provider;
mod gateway_proxy;
mod gateway_sso;
mod gateway_tokens;
mod google;
mod isolation;
mod lists;
mod orgs;
mod people;
mod plans;
mod program;
mod proxies;
mod reading;
mod revocation;
mod rotation;
mod schemathesis;
mod situations;
mod whoami;
