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
mod mcp;
mod ops;
mod orgs;
mod output;
mod product;
mod realms;
mod routes;
mod serve;
mod start;
mod telemetry;
mod web;

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
