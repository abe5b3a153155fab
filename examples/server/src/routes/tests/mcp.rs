//! The tools, as clients of MCP and `curl` call them.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use gatewright_axum::{GuardedRouter, post};
use gatewright_core::audit::AuditKind;
use gatewright_core::error::Cause;
use gatewright_core::jwt::{Algorithm, Verifier};
use gatewright_core::policy::{Policy, Realm, TokenTrust};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tower_service::Service as _;

use super::{Server, answer, text};
use crate::mcp::{Connector, ConnectorKind, Mcp};
use crate::realms::WORKSPACE;

/// A workspace with an admin's token and keys of all and of few scopes.
struct World {
    server: Server,
    admin: String,
    key: String,
    reader: String,
}

impl World {
    async fn new() -> Self {
        let server = Server::start().await;
        let ann = server.person("ann").await;
        server.workspace("acme", &ann).await;
        let admin = server.login("workspace", "ann").await;
        let mint = async |scopes: &[&str]| {
            let body = json!({"name": "k", "scopes": scopes});
            let path = "/api/v1/users/api-keys";
            let (_, minted) = server.call("POST", path, &admin, body).await;
            text(&minted["secret"])
        };
        let (key, reader) = (mint(&["*"]).await, mint(&["keys.read"]).await);
        Self {
            server,
            admin,
            key,
            reader,
        }
    }

    /// As `curl` sends it: no field of the protocol's, and no `initialize` before.
    fn plain(&self, credential: &str, body: &Value) -> RequestBuilder {
        let request = self.server.request("POST", "/mcp").json(body);
        request.header("accept", "*/*").bearer_auth(credential)
    }

    async fn send(&self, credential: &str, method: &str, params: Value) -> (u16, Value) {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let response = self.plain(credential, &body).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        answer(response).await
    }

    async fn tools(&self, credential: &str) -> Vec<String> {
        let (status, listed) = self.send(credential, "tools/list", json!({})).await;
        assert_eq!(status, 200, "{listed}");
        let tools = listed["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| text(&tool["name"])).collect()
    }

    /// What the tool answered, and whether it says that it failed.
    async fn tool(&self, credential: &str, name: &str, arguments: Value) -> (bool, Value) {
        let params = json!({"name": name, "arguments": arguments});
        let (status, answer) = self.send(credential, "tools/call", params).await;
        assert_eq!(status, 200, "{answer}");
        let result = &answer["result"];
        let content = text(&result["content"][0]["text"]);
        let structured = result["structuredContent"].clone();
        assert_eq!(serde_json::from_str::<Value>(&content).unwrap(), structured);
        (result["isError"].as_bool().unwrap(), structured)
    }
}

#[tokio::test]
async fn lists_are_cut_to_what_the_credential_may_call() {
    let world = World::new().await;
    let all = ["whoami", "list_api_keys", "mint_api_key", "revoke_api_key"];
    assert_eq!(world.tools(&world.admin).await, all);
    assert_eq!(world.tools(&world.key).await, all);
    assert_eq!(world.tools(&world.reader).await, all[..2]);
}

#[tokio::test]
async fn a_key_is_minted_listed_used_and_revoked() {
    let world = World::new().await;
    let asked = json!({"name": "by a model", "scopes": ["keys.read"]});
    let (failed, minted) = world.tool(&world.key, "mint_api_key", asked).await;
    assert!(!failed, "{minted}");
    assert_eq!(minted["scopes"], json!(["keys.read"]));
    let (secret, prefix) = (text(&minted["secret"]), text(&minted["prefix"]));

    let (_, who) = world.tool(&secret, "whoami", json!({})).await;
    let (status, over_http) = world.server.get("/whoami", &secret).await;
    assert_eq!((status, &who), (200, &over_http));

    let (_, page) = world
        .tool(&world.key, "list_api_keys", json!({"limit": 1}))
        .await;
    let next = json!({"cursor": page["next_cursor"], "limit": 100});
    let (_, rest) = world.tool(&world.key, "list_api_keys", next).await;
    let items = [&page, &rest].map(|page| page["items"].as_array().unwrap().clone());
    let items = items.concat();
    assert_eq!(items.len(), 3);
    assert!(items.iter().any(|item| item["prefix"] == prefix));
    assert!(items.iter().all(|item| item.get("secret").is_none()));

    for _ in 0..2 {
        let asked = json!({"prefix": prefix});
        let revoked = world.tool(&world.key, "revoke_api_key", asked).await;
        assert_eq!(revoked, (false, json!({"prefix": prefix, "revoked": true})));
    }
    let (status, refused) = world.send(&secret, "tools/list", json!({})).await;
    assert_eq!(status, 401);
    assert_eq!(refused["error"]["data"]["code"], "token_revoked");
}

/// A tool is judged again by what it does: nobody mints more than they may, and another workspace's key is not there.
#[tokio::test]
async fn a_tool_fails_as_the_route_would() {
    let world = World::new().await;
    let eve = world.server.person("eve").await;
    world.server.workspace("evil", &eve).await;
    let foreign = world.server.login("workspace", "eve").await;
    let own = json!({"name": "m", "scopes": ["keys.read"]});
    let (_, own) = world.tool(&world.admin, "mint_api_key", own).await;
    let writer = json!({"name": "w", "scopes": ["keys.write"]});
    let (_, writer) = world.tool(&world.admin, "mint_api_key", writer).await;
    let writer = text(&writer["secret"]);
    for (credential, tool, arguments, code) in [
        (
            &foreign,
            "revoke_api_key",
            json!({"prefix": own["prefix"]}),
            "not_found",
        ),
        (
            &writer,
            "mint_api_key",
            json!({"name": "x", "scopes": ["team.read"]}),
            "insufficient_scope",
        ),
        (
            &world.admin,
            "mint_api_key",
            json!({"name": "x", "scopes": ["no such"]}),
            "invalid_scope",
        ),
        (
            &world.admin,
            "mint_api_key",
            json!({"name": ""}),
            "validation_error",
        ),
        (
            &world.admin,
            "mint_api_key",
            json!({"name": "x", "owner": "usr_eve"}),
            "validation_error",
        ),
        (&world.admin, "mint_api_key", json!({}), "validation_error"),
        (
            &world.admin,
            "list_api_keys",
            json!({"limit": 101}),
            "validation_error",
        ),
        (
            &world.admin,
            "whoami",
            json!({"who": "eve"}),
            "validation_error",
        ),
    ] {
        let (failed, told) = world.tool(credential, tool, arguments.clone()).await;
        assert!(failed, "{tool} {arguments}");
        assert_eq!(told["code"], code, "{tool} {arguments}");
    }
}

/// MCP authorization, RFC 9728 §5.1, RFC 6750 §3.
#[tokio::test]
async fn challenges_say_where_to_begin_and_what_is_missing() {
    let world = World::new().await;
    let metadata = format!(
        "resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"",
        world.server.app.public_url
    );
    let call = json!({
        "jsonrpc": "2.0", "id": "a", "method": "tools/call",
        "params": {"name": "mint_api_key", "arguments": {"name": "x"}},
    });
    let nobody = world.server.request("POST", "/mcp").json(&call);
    let nobody = nobody.send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    assert_eq!(
        nobody.headers()["www-authenticate"],
        format!("Bearer realm=\"mcp\", {metadata}")
    );
    let (_, body) = answer(nobody).await;
    assert_eq!(body["jsonrpc"], "2.0");

    world.server.audit.take();
    let poor = world.plain(&world.reader, &call).send().await.unwrap();
    assert_eq!(poor.status(), 403);
    let challenges: Vec<_> = poor.headers().get_all("www-authenticate").iter().collect();
    let expected = format!(
        "Bearer realm=\"mcp\", error=\"insufficient_scope\", \
         error_description=\"Token does not have the required scope: keys.write\", \
         scope=\"keys.write\", {metadata}"
    );
    assert_eq!(challenges, [expected.as_str()]);
    let (_, body) = answer(poor).await;
    assert_eq!(body["id"], "a");
    let denied = world.server.audit.take();
    assert_eq!(denied.len(), 1);
    assert_eq!(denied[0].kind, AuditKind::Denied);
    assert_eq!(denied[0].cause, Some(Cause::MissingScope));
}

#[tokio::test]
async fn personal_access_tokens_and_tokens_of_handles_do_not_go_here() {
    let world = World::new().await;
    let ann = gatewright_core::principal::UserId::new("usr_ann").unwrap();
    world.server.handle("studio", "free", &ann).await;
    let token = world.server.login("handle", "ann").await;
    let (status, refused) = world.send(&token, "tools/list", json!({})).await;
    assert_eq!(
        (status, &refused["error"]["data"]["code"]),
        (401, &"invalid_token".into())
    );
    let body = json!({"name": "p", "scopes": ["links.read"], "expiresInDays": 1});
    let path = "/v2/handles/studio/tokens";
    let (_, pat) = world.server.call("POST", path, &token, body).await;
    let (status, refused) = world
        .send(&text(&pat["token"]), "tools/list", json!({}))
        .await;
    assert_eq!(
        (status, &refused["error"]["data"]["code"]),
        (403, &"insufficient_scope".into())
    );
}

/// MCP 2025-11-25: the handshake and its notification; what it negotiates is relied on by nothing afterwards.
#[tokio::test]
async fn revision_2025_11_25_begins_with_a_handshake() {
    let world = World::new().await;
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
    });
    let (status, hello) = world.send(&world.key, "initialize", hello).await;
    assert_eq!(
        (status, &hello["result"]["protocolVersion"]),
        (200, &"2025-11-25".into())
    );
    assert!(hello["result"]["capabilities"]["tools"].is_object());

    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let noted = world.plain(&world.key, &note);
    let noted = noted.header("mcp-protocol-version", "2025-11-25");
    let (status, nothing) = answer(noted.send().await.unwrap()).await;
    assert_eq!((status, nothing), (202, Value::Null));

    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let listed = world.plain(&world.reader, &list);
    let listed = listed.header("mcp-protocol-version", "2025-11-25");
    let (status, listed) = answer(listed.send().await.unwrap()).await;
    assert_eq!(
        (status, listed["result"]["tools"].as_array().unwrap().len()),
        (200, 2)
    );
    assert!(listed["result"].get("cacheScope").is_none());
}

/// MCP 2026-07-28: every request says its revision, the fields repeat the method and the name, and lists say who may keep them.
#[tokio::test]
async fn revision_2026_07_28_has_no_handshake() {
    let world = World::new().await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let send = async |method: &str, mut params: Value, fields: &[(&str, &str)]| {
        params["_meta"] = meta.clone();
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = world.plain(&world.reader, &body);
        request = request.header("mcp-protocol-version", "2026-07-28");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        answer(request.send().await.unwrap()).await
    };
    let (status, discovered) = send(
        "server/discover",
        json!({}),
        &[("mcp-method", "server/discover")],
    )
    .await;
    assert_eq!(status, 200, "{discovered}");
    let spoken = &discovered["result"]["supportedVersions"];
    assert_eq!(spoken, &json!(["2025-11-25", "2026-07-28"]), "{discovered}");

    let (status, listed) = send("tools/list", json!({}), &[("mcp-method", "tools/list")]).await;
    assert_eq!(status, 200, "{listed}");
    let result = &listed["result"];
    assert_eq!(result["tools"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&result["cacheScope"], &result["ttlMs"]),
        (&"private".into(), &0.into())
    );

    let named = [("mcp-method", "tools/call"), ("mcp-name", "whoami")];
    let (status, who) = send("tools/call", json!({"name": "whoami"}), &named).await;
    assert_eq!(
        (status, &who["result"]["structuredContent"]["kind"]),
        (200, &"api_key".into())
    );

    for fields in [
        &[][..],
        &[("mcp-method", "tools/list"), ("mcp-name", "whoami")],
        &[("mcp-method", "tools/call"), ("mcp-name", "list_api_keys")],
        &[("mcp-method", "tools/call")],
    ] {
        let (status, refused) = send("tools/call", json!({"name": "whoami"}), fields).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (400, &(-32020).into()),
            "{fields:?}"
        );
    }
    let (status, refused) =
        send("nothing/here", json!({}), &[("mcp-method", "nothing/here")]).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &(-32601).into()));
}

#[tokio::test]
async fn what_cannot_be_read_one_way_only_and_foreign_pages_are_refused() {
    let world = World::new().await;
    let raw = |body: String| {
        let request = world.server.request("POST", "/mcp").body(body);
        let request = request.header("content-type", "application/json");
        request.bearer_auth(&world.key)
    };
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}"#;
    let twice = call.replace(r#""name":"#, r#""n\u0061me":"revoke_api_key","name":"#);
    for (request, status) in [
        (raw(call.to_owned()), 200),
        (
            raw(call.to_owned()).header("origin", &*world.server.app.public_url),
            200,
        ),
        (raw(format!("[{call}]")), 400),
        (raw(twice), 400),
        (raw("{".to_owned()), 400),
        (raw(format!("{call}{}", " ".repeat(1 << 20))), 413),
        (
            raw(call.to_owned()).header("origin", "https://evil.example"),
            403,
        ),
        (raw(call.to_owned()).header("host", "evil.example"), 403),
        (raw(call.to_owned()).header("mcp-method", "tools/list"), 400),
    ] {
        let (got, body) = answer(request.send().await.unwrap()).await;
        assert_eq!(got, status, "{body}");
        assert_eq!(body["jsonrpc"], "2.0");
    }
    for method in ["GET", "DELETE"] {
        let request = world.server.request(method, "/mcp").bearer_auth(&world.key);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "POST");
    }
}

#[tokio::test]
async fn an_unknown_tool_is_an_error_of_the_protocol() {
    let world = World::new().await;
    let params = json!({"name": "drop_tables", "arguments": {}});
    let (status, answer) = world.send(&world.key, "tools/call", params).await;
    assert_eq!((status, &answer["error"]["code"]), (200, &(-32602).into()));
}

/// `mcp:call` is every connector, `mcp:call:<id>` is one: in lists, in calls and in challenges.
#[tokio::test]
async fn tools_of_connectors_go_by_scope() {
    let world = World::new().await;
    let app = world.server.app.clone();
    // Keys in `x-api-key`, and tokens of the server's own issuer.
    let url = &app.public_url;
    let verifier = Verifier::builder(&**url, format!("{url}/mcp/acme"));
    let verifier = verifier.algorithms([Algorithm::EdDsa]).rfc9068().build();
    let trust = TokenTrust::new(verifier.unwrap(), Arc::clone(app.signing.live()));
    let realm = Realm::builder("orgs").tenant_kind(WORKSPACE.clone());
    let realm = realm.trust(trust).build();
    let (mcp, gate, routes) = (Mcp::new(&app).unwrap(), app.gate.clone(), realm.clone());
    let mcp = Arc::new(mcp);
    let handler = move |request: Request| {
        let (app, mcp, realm) = (app.clone(), mcp.clone(), realm.clone());
        async move {
            let connector = |id: &str, kind| Connector {
                id: id.into(),
                kind,
            };
            let connectors = vec![
                connector("conn_1", ConnectorKind::Text),
                connector("conn__2", ConnectorKind::Clock),
            ];
            mcp.connectors(&app, &realm, connectors.into(), request)
                .await
        }
    };
    let policy = Policy::api_key().tenant_from("org");
    let (router, _) = GuardedRouter::new(gate, routes)
        .route("/mcp/{org}", post(policy, handler))
        .finish()
        .unwrap();
    let send = async |key: &str, method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = Request::post("/mcp/acme")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("x-api-key", key)
            .body(Body::from(body.to_string()));
        let response = router.clone().call(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        (parts.status.as_u16(), parts.headers, body)
    };
    let mint = async |scope: &str| {
        let body = json!({"name": "k", "scopes": [scope]});
        let path = "/api/v1/users/api-keys";
        let (status, minted) = world.server.call("POST", path, &world.admin, body).await;
        assert_eq!(status, 201, "{minted}");
        text(&minted["secret"])
    };
    let first = ["conn_1__echo", "conn_1__word_count"];
    let second = ["conn__2__time_now", "conn__2__seconds_between"];
    for (scope, tools) in [
        ("mcp:call", [first, second].concat()),
        ("mcp:call:conn_1", first.to_vec()),
        ("mcp:call:conn__2", second.to_vec()),
        ("mcp:call:conn_3", vec![]),
        ("keys.read", vec![]),
    ] {
        let key = mint(scope).await;
        let (status, _, listed) = send(&key, "tools/list", json!({})).await;
        let shown = listed["result"]["tools"].as_array().unwrap().iter();
        let shown: Vec<_> = shown.map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!((status, shown), (200, tools.clone()), "{scope}");

        let arguments = json!({"text": "one two\nthree"});
        let params = json!({"name": "conn_1__word_count", "arguments": arguments});
        let (status, headers, called) = send(&key, "tools/call", params).await;
        if tools.contains(&"conn_1__word_count") {
            let counted = json!({"words": 3, "lines": 2, "characters": 13});
            assert_eq!(
                (status, &called["result"]["structuredContent"]),
                (200, &counted)
            );
        } else {
            assert_eq!(status, 403, "{scope}");
            let challenge = headers["www-authenticate"].to_str().unwrap();
            assert!(
                challenge.contains("scope=\"mcp:call:conn_1\""),
                "{challenge}"
            );
        }
    }
    let key = mint("mcp:call").await;
    for (tool, arguments, answered) in [
        ("conn_1__echo", json!({"text": "hi"}), json!({"text": "hi"})),
        (
            "conn__2__seconds_between",
            json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00+00:30"}),
            json!({"seconds": 1_800}),
        ),
        (
            "conn__2__seconds_between",
            json!({"from": "yesterday", "to": "2026-01-01T00:00:00Z"}),
            json!({"code": "validation_error", "message": "`from` must be a time as RFC 3339 writes it"}),
        ),
    ] {
        let params = json!({"name": tool, "arguments": arguments});
        let (_, _, called) = send(&key, "tools/call", params).await;
        assert_eq!(called["result"]["structuredContent"], answered, "{called}");
    }
    for unknown in ["conn_3__echo", "echo", "conn_1__time_now", "conn_1__"] {
        let (_, _, called) = send(&key, "tools/call", json!({"name": unknown})).await;
        assert_eq!(called["error"]["message"], "Unknown tool", "{unknown}");
    }
}
