//! `policy`

use std::path::Path;

use gatewright_core::gate::Coherence;
use gatewright_issuer::SealingKey;
use gatewright_sqlx::SqliteOptions;

use crate::failure::Failure;
use crate::start::Foundation;
use crate::{output, routes};

/// Prints the route table of the very router that would serve, made over a database in memory.
pub(super) async fn run() -> Result<(), Failure> {
    let foundation = Foundation::open(
        &SqliteOptions::in_memory(),
        Path::new("in memory"),
        Coherence::SingleProcess,
    )
    .await?;
    // It seals a key that is never used and gone in a moment.
    let sealing = SealingKey::new(&[0; SealingKey::LEN])?;
    let app = foundation
        .app(sealing, "http://127.0.0.1:8080", true)
        .await?;
    let (_, table) = routes::router(app)?;
    output::print(&table.to_string());
    foundation.close().await;
    Ok(())
}
