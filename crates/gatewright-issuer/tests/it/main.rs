//! What the issuer promises, seen through the gate that judges what it makes.

#![allow(clippy::unwrap_used, reason = "also in the functions that tests share")]

mod access_token;
mod accounts;
mod concurrency;
mod escalation;
mod guard_tag;
mod lifecycle;
mod linking;
mod logins;
mod metadata;
mod oauth_authentication;
mod oauth_clients;
mod oauth_revocation;
mod oauth_token;
mod provider;
mod session;
mod session_model;
mod session_race;
mod session_rules;
mod signing;
mod world;
