//! Every `curl` that the gateway's document shows, with the host and the placeholders replaced and nothing else.

use crate::gateway::Gateway;
use crate::provider::Provider;
use crate::shell::{Ran, curl};

const AUDIENCE: &str = "apexmcp";

/// Runs a block of the document as it is.
fn run(gateway: &Gateway, block: &str, placeholders: &[(&str, &str)]) -> Ran {
    let mut line = block.replace("https://gateway.apexmcp.ai", &gateway.server.base);
    for (placeholder, value) in placeholders {
        assert!(line.contains(placeholder), "{placeholder} is not there");
        line = line.replace(placeholder, value);
    }
    curl(&line, &[], gateway.directory.path())
}

#[track_caller]
fn lists_tools(ran: &Ran) {
    assert_eq!(ran.status, 200, "{ran:?}");
    let answer = ran.json();
    assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
    assert_eq!(answer["id"], 1, "{answer}");
    assert!(
        !answer["result"]["tools"].as_array().unwrap().is_empty(),
        "{answer}"
    );
}

#[tokio::test]
async fn method_1_a_static_key() {
    let gateway = Gateway::start();
    assert_eq!(gateway.demo("org"), "acme-corp");
    let key = gateway.demo("org_key");
    assert_eq!(key.len(), "apx_live_sk_".len() + 32);
    let listed = run(
        &gateway,
        r#"curl -X POST https://gateway.apexmcp.ai/mcp/acme-corp \
  -H "Content-Type: application/json" \
  -H "X-API-Key: apx_live_sk_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}'"#,
        &[("apx_live_sk_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", key)],
    );
    lists_tools(&listed);
}

#[tokio::test]
async fn method_2_client_credentials() {
    let gateway = Gateway::start();
    let granted = run(
        &gateway,
        r#"curl -X POST https://gateway.apexmcp.ai/oauth/token \
  -H "Content-Type: application/x-www-form-urlencoded" \
  -d "grant_type=client_credentials" \
  -d "client_id=apx_client_xxxxxxxx" \
  -d "client_secret=apx_secret_xxxxxxxxxxxxxxxxxxxxxxxx" \
  -d "scope=mcp:call""#,
        &[
            ("apx_client_xxxxxxxx", gateway.demo("client_id")),
            (
                "apx_secret_xxxxxxxxxxxxxxxxxxxxxxxx",
                gateway.demo("client_secret"),
            ),
        ],
    );
    assert_eq!(granted.status, 200, "{granted:?}");
    let granted = granted.json();
    assert_eq!(granted["token_type"], "Bearer");
    assert_eq!(granted["expires_in"], 3600);
    assert_eq!(granted["scope"], "mcp:call");
    assert_eq!(granted.as_object().unwrap().len(), 4);
    let token = granted["access_token"].as_str().unwrap();
    assert!(token.starts_with("eyJ"), "{token}");
    let listed = run(
        &gateway,
        r#"curl -X POST https://gateway.apexmcp.ai/mcp/acme-corp \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9..." \
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}'"#,
        &[("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9...", token)],
    );
    lists_tools(&listed);
}

#[tokio::test]
async fn method_3_the_customers_own_identity_provider() {
    let provider = Provider::start(AUDIENCE);
    let gateway = Gateway::beside(&provider);
    gateway.trust(&provider, AUDIENCE).await;
    let token = provider.token("machine").await;
    let listed = run(
        &gateway,
        r#"curl -X POST https://gateway.apexmcp.ai/mcp/acme-corp \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer <your-idp-jwt>" \
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}'"#,
        &[("<your-idp-jwt>", &token)],
    );
    lists_tools(&listed);
}
