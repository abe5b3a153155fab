//! What the relational stores promise, against SQLite in a file.

// clippy.toml allows these in test functions; their helpers are tests as well.
#![allow(clippy::unwrap_used)]

mod busy;
mod corrupt;
mod feed;
mod fixture;
mod lists;
mod migrations;
mod suite;
