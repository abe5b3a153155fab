//! The gateway's clients as their users have them: both SDKs in TypeScript, and the inspector.

use serde_json::Value;

use crate::gateway::Gateway;
use crate::node::{finish, installed, node, script, told};

/// The SDK of this generation, given nothing but the address and the client's credentials.
fn walk(gateway: &Gateway, generation: &str, secret: &str, tool: &str) -> Value {
    let mut command = script("mcp-client.mjs");
    command
        .args([generation, &gateway.url(), &gateway.server.base])
        .args([gateway.demo("client_id"), "", tool])
        .env("CLIENT_SECRET", secret);
    let output = finish(command, "");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output)))
}

#[tokio::test]
async fn the_sdks_find_their_way_from_a_401_to_a_called_tool() {
    let gateway = Gateway::start();
    let tool = gateway.simple_tool().await;
    let listed = gateway.tools().await;
    let names: Vec<&Value> = listed.iter().map(|tool| &tool["name"]).collect();
    let metadata = "/.well-known/oauth-protected-resource";
    for (generation, revision) in [("1", "2025-11-25"), ("2", "2026-07-28")] {
        let seen = walk(&gateway, generation, gateway.demo("client_secret"), &tool);
        assert_eq!(seen["error"], Value::Null, "{generation}: {seen:#}");
        assert_eq!(seen["revision"], revision, "{generation}");
        let tools: Vec<&Value> = seen["tools"].as_array().unwrap().iter().collect();
        assert_eq!(tools, names, "{generation}");
        let content = seen["result"]["content"].as_array().unwrap();
        assert!(!content.is_empty(), "{generation}: {seen:#}");
        assert_ne!(seen["result"]["isError"], true, "{generation}: {seen:#}");

        // RFC 9728 §5, RFC 8414 §3, RFC 6749 §4.4, and the same request once more.
        let requests = seen["requests"].as_array().unwrap();
        let walked = [
            (gateway.url(), 401, None),
            (
                format!("{}{metadata}{}", gateway.server.base, gateway.path()),
                200,
                None,
            ),
            (
                format!(
                    "{}/.well-known/oauth-authorization-server",
                    gateway.server.base
                ),
                200,
                None,
            ),
            (
                format!("{}/oauth/token", gateway.server.base),
                200,
                Some("Basic"),
            ),
            (gateway.url(), 200, Some("Bearer")),
        ];
        for ((url, status, scheme), request) in walked.iter().zip(requests) {
            assert_eq!(request["url"], **url, "{generation}: {seen:#}");
            assert_eq!(request["status"], *status, "{generation}: {seen:#}");
            assert_eq!(
                request["scheme"].as_str(),
                *scheme,
                "{generation}: {seen:#}"
            );
        }
        let challenge = requests[0]["challenge"].as_str().unwrap();
        assert!(challenge.contains(&walked[1].0), "{challenge}");
    }
    // A client that is none gets nowhere.
    let wrong = "apx_secret_000000000000000000000000";
    for generation in ["1", "2"] {
        let seen = walk(&gateway, generation, wrong, &tool);
        assert_ne!(seen["error"], Value::Null, "{generation}: {seen:#}");
        assert_eq!(seen["tools"], Value::Null, "{generation}");
    }
}

/// The inspector's command line, with this header. What it printed, where it succeeded.
fn inspect(gateway: &Gateway, header: &str, call: &[&str]) -> Result<Value, String> {
    let program = installed("@modelcontextprotocol/inspector-cli/build/index.js");
    let mut command = node(&program);
    command
        .args([&gateway.url(), "--transport", "http", "--header", header])
        .args(call)
        // It looks for its own description from there.
        .current_dir(program.parent().unwrap());
    let output = finish(command, "");
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output))))
    } else {
        Err(told(&output))
    }
}

#[tokio::test]
async fn the_inspector_lists_and_calls_with_either_credential() {
    let gateway = Gateway::start();
    let tool = gateway.simple_tool().await;
    let token = gateway.token().await;
    for header in [
        format!("X-API-Key: {}", gateway.demo("org_key")),
        format!("Authorization: Bearer {token}"),
    ] {
        let listed = inspect(&gateway, &header, &["--method", "tools/list"]).unwrap();
        assert_eq!(listed["tools"].as_array(), Some(&gateway.tools().await));
        let call = ["--method", "tools/call", "--tool-name", &tool];
        let called = inspect(&gateway, &header, &call).unwrap();
        assert!(!called["content"].as_array().unwrap().is_empty());
    }
    let refused = inspect(&gateway, "X-Nothing: here", &["--method", "tools/list"]);
    assert!(refused.is_err(), "it needs no credential");
}
