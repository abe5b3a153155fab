//! A proxy in front of the program.

use serde_json::json;

use crate::call::Api;
use crate::server::{Home, run};

async fn log_in(api: &Api, password: &str, caller: &str) -> u16 {
    let body = json!({"email": "ada@example.com", "password": password});
    let call = api.post("/v2/auth/login", &body);
    // What the caller wrote, and what the proxy appends.
    let call = call.header("x-forwarded-for", "192.0.2.1");
    call.header("x-forwarded-for", caller).send().await.status
}

#[tokio::test]
async fn guesses_count_by_the_forwarded_address_only_where_proxies_are_trusted() {
    let password = "correct horse battery staple";
    let proxied = ["--trusted-proxies", "1", "--proxy-field", "x-forwarded-for"];
    let elsewhere = [&proxied[..], &["--proxy-networks", "10.0.0.0/8"]].concat();
    for (settings, is_other_source) in [(&proxied[..], true), (&elsewhere, false), (&[], false)] {
        let home = Home::new();
        home.user("ada@example.com", "acme", password);
        let server = home.serve_with(settings);
        let api = Api::new(&server);
        let mut guesses = 0;
        while log_in(&api, "wrong", "203.0.113.9").await == 401 {
            guesses += 1;
            assert!(guesses < 30, "{settings:?}");
        }
        assert_eq!(log_in(&api, password, "203.0.113.9").await, 429);
        let other = log_in(&api, password, "203.0.113.10").await;
        assert_eq!(other == 200, is_other_source, "{settings:?}: {other}");
        server.stop();
    }
}

#[test]
fn half_a_setting_is_a_mistake() {
    let output = run(&["serve", "--trusted-proxies", "1"], "");
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("--trusted-proxies: needs `proxy-field`"),
        "{told}"
    );
}
