//! The reference server: every Gatewright capability behind one running program.

mod accounts;
mod app;
mod audit;
mod audit_trail;
mod background;
mod commands;
mod config;
mod demo;
mod failure;
mod federation;
mod idp_hosts;
mod mail;
mod mcp;
mod ops;
mod orgs;
mod output;
mod people;
mod product;
mod provider_login;
mod realms;
mod routes;
mod serve;
mod start;
mod telemetry;
mod web;

#[cfg(test)]
#[path = "../tests/it/companion.rs"]
mod companion;
#[cfg(test)]
#[path = "../tests/it/mailbox.rs"]
mod mailbox;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match commands::Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::print_aside(&format!("error: {failure}\n"));
            ExitCode::FAILURE
        }
    }
}
