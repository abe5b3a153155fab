//! `policy` and `openapi`: what the policies say, without a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use gatewright_core::document;
use gatewright_core::gate::Coherence;
use gatewright_core::policy::RouteTable;
use gatewright_issuer::SealingKey;
use gatewright_sqlx::SqliteOptions;

use crate::app::App;
use crate::failure::Failure;
use crate::idp_hosts::IdpHosts;
use crate::mail::Mailer;
use crate::start::Foundation;
use crate::{output, routes};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Fail unless every route is as this file says, and list those that are not
    #[arg(long, value_name = "FILE", conflicts_with = "write")]
    check: Option<PathBuf>,
    /// Write the routes to this file, for reviews and for --check
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Prints the route table, writes it down, or holds it against what was written down.
pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let (foundation, _, table) = routed(None).await?;
    foundation.close().await;
    if let Some(file) = options.write {
        return std::fs::write(&file, document::snapshot(&table)).map_err(|error| {
            Failure::new(format!("cannot write {}", file.display())).because(error)
        });
    }
    let Some(file) = options.check else {
        output::print(&table.to_string());
        return Ok(());
    };
    let known = std::fs::read_to_string(&file).map_err(|error| {
        let file = file.display();
        Failure::new(format!(
            "cannot read {file}, which `policy --write {file}` makes"
        ))
        .because(error)
    })?;
    let differences = document::drift(&known, &table);
    if differences.is_empty() {
        return Ok(());
    }
    for difference in &differences {
        output::print(&format!("{difference}\n"));
    }
    let (count, file) = (differences.len(), file.display());
    Err(Failure::new(format!(
        "differences from {file}: {count}; if they are meant, run `policy --write {file}`"
    )))
}

/// Prints the OpenAPI document of a server that is reached at `public_url`.
pub(super) async fn openapi(public_url: Option<String>) -> Result<(), Failure> {
    let (foundation, app, table) = routed(public_url).await?;
    foundation.close().await;
    let document = routes::openapi_document(&table, &app)
        .map_err(|mistakes| Failure::new(format!("the document is wrong:\n{mistakes}")))?;
    output::print(&format!("{document:#}\n"));
    Ok(())
}

/// The table of the very router that would serve, made over a database in memory.
async fn routed(public_url: Option<String>) -> Result<(Foundation, App, RouteTable), Failure> {
    let foundation = Foundation::open(
        &SqliteOptions::in_memory(),
        Path::new("in memory"),
        Coherence::SingleProcess,
    )
    .await?;
    // It seals a key that is never used and gone in a moment.
    let sealing = SealingKey::new(&[0; SealingKey::LEN])?;
    let url = public_url.as_deref().unwrap_or("http://127.0.0.1:8080");
    let app = foundation
        .app(
            sealing,
            url,
            true,
            IdpHosts::default(),
            // Nobody is served, so nothing is mailed.
            Arc::new(Mailer::new().0),
        )
        .await?;
    let (_, table) = routes::router(app.clone())?;
    Ok((foundation, app, table))
}
