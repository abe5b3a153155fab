//! `migrate`

use super::open;
use crate::config::Settings;
use crate::failure::Failure;
use crate::output;
use crate::product::Product;

pub(super) async fn run(settings: &Settings) -> Result<(), Failure> {
    let foundation = open(settings, true).await?;
    Product::open(foundation.store.pool().clone()).await?;
    foundation.close().await;
    output::print(&format!(
        "The schema of {} is up to date\n",
        settings.database.display()
    ));
    Ok(())
}
