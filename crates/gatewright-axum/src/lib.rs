//! Gatewright for axum: extractors, refusals and a router that knows its policies.
