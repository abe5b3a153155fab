//! What the relational stores promise, against SQLite in a file.

#![allow(clippy::unwrap_used, reason = "also in the functions that tests share")]

mod busy;
mod corrupt;
mod feed;
mod fixture;
mod lists;
mod migrations;
mod sessions;
mod suite;
