//! Gatewright beside its peers.
//!
//! - [`World`]: a gate with one credential of each kind, and tokens of each algorithm with the same claims;
//! - [`peers`]: other crates, verifying the same tokens and checking the same claims;
//! - [`ours`]: what the gate refuses;
//! - [`floor`]: what the signature alone costs;
//! - [`distribution`]: whether two things can be told apart by how long they take;
//! - [`record`]: a result that criterion does not measure;
//! - [`web`]: the same small service in each framework, bare, behind the gate and behind peers;
//! - [`load`]: requests over real sockets;
//! - [`report`]: what a run found, as tables and as a plot;
//! - `allocations`, with the feature `count-allocations`: how often the allocator is asked.
//!
//! Times are measured by `cargo bench --bench gate`, `peers`, `limits` and `adapters`, instructions by `instructions`; what
//! is counted by `cargo run --release --features count-allocations --bin counts`, what two threads cost each other by `--bin
//! contention`, and bytes by `--bin memory`.
//!
//! Everything here panics where it can't be set up or answers something else than expected: a benchmark of the wrong
//! thing is worse than none.

pub mod distribution;
mod figures;
pub mod fixture;
pub mod floor;
pub mod limits;
pub mod load;
pub mod ours;
pub mod peers;
pub mod report;
mod wait;
pub mod web;

#[cfg(feature = "count-allocations")]
pub use figures::allocations;
pub use figures::{folder, record};
pub use fixture::World;
pub use wait::{block_on, ready};
