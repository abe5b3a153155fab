//! Tools to test what Gatewright guards: a fake clock and the suite every store must pass.
