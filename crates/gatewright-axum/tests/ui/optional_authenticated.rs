//! `Option<Authenticated>` would let a bad credential look like none.

use axum::extract::FromRequestParts;
use gatewright_axum::Authenticated;

fn extractor<T: FromRequestParts<()>>() {}

fn main() {
    extractor::<Authenticated>();
    extractor::<Option<Authenticated>>();
}
