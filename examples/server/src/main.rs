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

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use failure::Failure;
use tokio::runtime::{Builder, Runtime};

/// After how many tasks the runtime looks for requests that have come in meanwhile. With tokio's 61, each of which answers a
/// request, a good call would wait behind as many bad ones of a flood.
const TASKS_BETWEEN_LOOKS: u32 = 8;

fn main() -> ExitCode {
    let cli = commands::Cli::parse();
    let ended = match runtime() {
        Ok(runtime) => runtime.block_on(cli.run()),
        Err(error) => Err(Failure::new("no thread can be started").because(error)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::print_aside(&format!("error: {failure}\n"));
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .event_interval(TASKS_BETWEEN_LOOKS)
        .build()
}
