//! `signing-key rotate|list`: the keys that sign our tokens.

use std::fmt::Write as _;

use gatewright_core::store::{ChangeKey, KeyStore as _, StoredSigningKey};

use super::open;
use crate::config::Settings;
use crate::failure::Failure;
use crate::orgs::heard;
use crate::output;
use crate::product::Product;
use crate::start::{Foundation, existing_sealing};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a new key. Running servers publish it at once; it signs a quarter of an hour later, and the one before is kept
    /// until its last token has expired
    Rotate,
    /// List the keys: their ids and when they sign, nothing that is secret
    List,
}

pub(super) async fn run(command: Command, settings: Settings) -> Result<(), Failure> {
    let foundation = open(&settings, false).await?;
    let told = match command {
        Command::Rotate => rotate(&foundation, settings).await,
        Command::List => list(&foundation).await,
    };
    foundation.close().await;
    output::print(&told?);
    Ok(())
}

async fn rotate(foundation: &Foundation, settings: Settings) -> Result<String, Failure> {
    let sealing = existing_sealing(settings.sealing, &settings.database)?;
    let product = Product::open(foundation.store.pool().clone()).await?;
    let keys = foundation.signing(sealing).await?;
    let kid = keys.rotate(foundation.now()).await?;
    // What was changed is told only once running servers know of it.
    let known = async {
        product.signing_keys_changed().await?;
        heard(&foundation.store, &ChangeKey::Everything).await
    };
    known.await.map_err(|error| {
        Failure::new("the key is made, but servers may not know yet").because(error)
    })?;
    let stored = foundation.store.signing_keys().await?;
    let from = stored.iter().find(|key| key.kid == kid);
    let from = from.map_or_else(String::new, |key| output::time(key.active_from));
    Ok(format!("Made {kid}, which signs from {from}\n"))
}

async fn list(foundation: &Foundation) -> Result<String, Failure> {
    let now = foundation.now();
    let mut out = format!(
        "{:<43} {:<9} {:<10} {:<20} {:<20} {:<20}\n",
        "KEY", "ALGORITHM", "STATE", "PUBLISHED", "SIGNS FROM", "RETIRED AFTER"
    );
    let keys = foundation.store.signing_keys().await?;
    let signs = keys
        .iter()
        .filter(|key| key.active_from <= now && !is_over(key, now))
        .max_by_key(|key| (key.active_from, key.retire_after.unwrap_or(u64::MAX)))
        .map(|key| key.kid.clone());
    for key in &keys {
        let state = if is_over(key, now) {
            "retired"
        } else if key.active_from > now {
            "published"
        } else if signs.as_deref() == Some(&*key.kid) {
            "signs"
        } else {
            "verifies"
        };
        writeln!(
            out,
            "{:<43} {:<9} {state:<10} {:<20} {:<20} {:<20}",
            key.kid,
            key.algorithm.as_str(),
            output::time(key.published_at),
            output::time(key.active_from),
            key.retire_after
                .map_or_else(|| "-".to_owned(), output::time),
        )?;
    }
    Ok(out)
}

fn is_over(key: &StoredSigningKey, now: u64) -> bool {
    key.retire_after.is_some_and(|end| end <= now)
}
