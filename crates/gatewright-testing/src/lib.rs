//! Tools to test what Gatewright guards.
//!
//! - [`TestAuthority`]: a gate that is ready to be asked, and credentials that it knows;
//! - [`FakeClock`]: a clock that stands still until it is moved;
//! - [`store_suite!`]: the tests that every store must pass, one suite for many backends;
//! - [`store`]: what the suite asks of a store.
//!
//! ```
//! use gatewright_core::time::Clock;
//! use gatewright_testing::FakeClock;
//!
//! let clock = FakeClock::at(1_700_000_000);
//! let seen_by_the_gate = clock.clone();
//!
//! clock.advance(60);
//! assert_eq!(seen_by_the_gate.now(), 1_700_000_060);
//! ```
//!
//! A backend passes the suite in one line of its integration tests:
//!
//! ```
//! mod memory_store {
//!     gatewright_testing::store_suite!(gatewright_core::store::MemoryStore::new());
//! }
//! ```

mod authority;
mod clock;
pub mod store;

pub use authority::TestAuthority;
pub use clock::FakeClock;
