//! What the core promises, seen from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

mod cookie;
mod credential;
mod credential_imported;
mod credential_laws;
mod dialect;
mod document;
mod error;
mod federation_claims;
mod fixture;
mod fixture_idp;
mod gate_audience;
mod gate_caches;
mod gate_client;
mod gate_external;
mod gate_flight;
mod gate_migrate;
mod gate_opaque;
mod gate_policy;
mod gate_request;
mod gate_revocation;
mod gate_secret;
mod gate_token;
mod gate_upkeep;
mod gate_visitor;
mod gate_warm;
mod hash;
mod jwt_cache;
mod jwt_forge;
mod jwt_keys;
mod jwt_known;
mod jwt_laws;
mod jwt_pyjwt;
mod jwt_ring;
mod jwt_rules;
mod limit;
mod limit_governor;
mod limit_memory;
mod limit_quota;
mod limit_remembered;
mod memory_store;
mod probe;
mod role_laws;
mod scope_laws;
mod scope_ui;
mod source;
mod source_laws;
mod visitor;
