//! The words and the decisions of Gatewright: credentials, scopes, policies, errors and the gate.

pub mod audit;
pub mod credential;
pub mod dialect;
pub mod error;
pub mod gate;
pub mod hash;
pub mod jwt;
pub mod limit;
pub mod policy;
pub mod principal;
pub mod role;
pub mod scope;
pub mod store;
pub mod time;
