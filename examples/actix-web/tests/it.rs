//! The quickstart as its reader runs it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "also in the functions that tests share"
)]

#[path = "../../over_http.rs"]
mod over_http;
#[path = "../../running.rs"]
mod running;

#[tokio::test]
async fn it_guards_its_routes() {
    over_http::assert_guards(env!("CARGO_BIN_EXE_quickstart-actix-web")).await;
}

#[test]
fn it_is_short() {
    running::assert_short(include_str!("../src/main.rs"));
}
