//! `visitor-key add|use`: the keys that seal the cookies of visitors.

use super::open;
use crate::config::Settings;
use crate::failure::Failure;
use crate::output;
use crate::product::Product;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a new key, which servers that start from now on know, but do not use yet
    Add,
    /// Have servers that start from now on use the youngest key. Start all of them anew after `add` and before this, or one
    /// that does not know the key takes visitors whom it has sealed for new ones. What older keys sealed still opens
    Use,
}

pub(super) async fn run(command: Command, settings: &Settings) -> Result<(), Failure> {
    let foundation = open(settings, false).await?;
    let product = Product::open(foundation.store.pool().clone()).await;
    let told = match (command, product) {
        (_, Err(error)) => Err(error.into()),
        (Command::Add, Ok(product)) => add(&product).await,
        (Command::Use, Ok(product)) => put_into_use(&product, foundation.now()).await,
    };
    foundation.close().await;
    output::print(&told?);
    Ok(())
}

async fn add(product: &Product) -> Result<String, Failure> {
    // The first one is in use already.
    product.visitor_keys().await?;
    let id = product.add_visitor_key().await?;
    Ok(format!(
        "Made key {id}; start all servers anew, then run `visitor-key use`\n"
    ))
}

async fn put_into_use(product: &Product, now: u64) -> Result<String, Failure> {
    let id = product.use_visitor_key(now).await?;
    let id = id.ok_or_else(|| Failure::new("there is no key; `visitor-key add` makes one"))?;
    Ok(format!(
        "Servers that start from now on seal with key {id}\n"
    ))
}
