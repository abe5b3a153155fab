//! Load on real sockets of this machine: a server on one thread, a client on another.

mod client;
mod response;
mod server;

pub use client::{CONNECTIONS, drive};
pub use server::Served;
