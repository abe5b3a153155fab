//! What the issuer promises, seen through the gate that judges what it makes.

#![allow(clippy::unwrap_used, reason = "also in the functions that tests share")]

mod access_token;
mod concurrency;
mod escalation;
mod guard_tag;
mod lifecycle;
mod signing;
mod world;
