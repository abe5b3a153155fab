//! Which MCP messages reach the server behind the layer, against a plain reading of what JSON-RPC and MCP allow.
//!
//! The input's lines are `Mcp-Method` and `Mcp-Name`, absent where they are empty, and the body. The caller may call the tool
//! `read`, and not `write`; there is no other tool.

#![no_main]

use std::convert::Infallible;
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatewright_core::gate::Guarded;
use gatewright_core::policy::{Policy, Realm};
use gatewright_core::principal::TenantKind;
use gatewright_fuzz::{Text, without_minus_zero};
use gatewright_testing::TestAuthority;
use gatewright_tower::GateLayer;
use gatewright_tower::mcp::{McpLayer, ToolTable, TrustedSites};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer as _, ServiceExt as _, service_fn};

struct World {
    runtime: Runtime,
    guarded: Guarded,
    layer: McpLayer<ToolTable>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (guarded, tools) = runtime.block_on(async {
        let authority = TestAuthority::new(TenantKind::from_static("org"), ["acme"]).await;
        let realm = Realm::builder("mcp").build();
        let tools = ToolTable::builder(authority.gate().clone(), realm.clone())
            .tool("read", Policy::api_key().scope("t.read"))
            .tool("write", Policy::api_key().scope("t.write"));
        let policy = authority
            .gate()
            .compile(&Policy::api_key(), &realm)
            .unwrap();
        let left = Arc::new(Mutex::new(None));
        let into = Arc::clone(&left);
        let server = service_fn(move |request: Request<()>| {
            let guarded = Guarded::of(request.extensions().get()).cloned();
            *into.lock().unwrap() = guarded.ok();
            async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
        });
        let key = authority.key("acme", "t.read").await;
        let request = Request::post("/mcp")
            .header("x-api-key", key)
            .body(())
            .unwrap();
        let guard = GateLayer::new(authority.gate().clone(), policy).layer(server);
        let Ok(answer) = guard.oneshot(request).await;
        assert_eq!(answer.status(), 200);
        let guarded = left.lock().unwrap().take().unwrap();
        (guarded, tools.finish().unwrap())
    });
    let sites = TrustedSites::of("https://mcp.example").unwrap();
    World {
        runtime,
        guarded,
        layer: McpLayer::new(tools, sites),
    }
});

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (method, name, body) = (next(), next(), next());
    let world = &*WORLD;
    let mut request = Request::post("/mcp")
        .header("host", "mcp.example")
        .header("content-type", "application/json")
        .extension(world.guarded.clone());
    for (field, line) in [("mcp-method", method), ("mcp-name", name)] {
        if !line.is_empty() {
            request = request.header(field, line);
        }
    }
    let Ok(request) = request.body(Full::new(Bytes::copy_from_slice(body))) else {
        return;
    };

    let reached = Arc::new(Mutex::new(None));
    let into = Arc::clone(&reached);
    let server = service_fn(move |request: Request<Full<Bytes>>| {
        let into = Arc::clone(&into);
        async move {
            let Ok(body) = request.into_body().collect().await;
            *into.lock().unwrap() = Some(body.to_bytes());
            let tools = ["write", "read", "other"].map(|name| json!({"name": name}));
            let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}});
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(answer.to_string())))
        }
    });
    let (status, answer) = world.runtime.block_on(async {
        let Ok(answer) = world.layer.layer(server).oneshot(request).await;
        let (parts, body) = answer.into_parts();
        let Ok(body) = body.collect().await;
        (parts.status.as_u16(), body.to_bytes())
    });
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let reached = reached.lock().unwrap().take();

    let expected = expected(body, method, name);
    let shown = String::from_utf8_lossy(data);
    assert_eq!(status, expected.status, "{answer} for {shown:?}");
    assert_eq!(reached.is_some(), expected.reaches, "{shown:?}");
    match reached {
        Some(reached) => {
            assert_eq!(reached, body, "the server gets what was judged");
            let shown: &[&str] = if expected.lists {
                &["read"]
            } else {
                &["write", "read", "other"]
            };
            let told: Vec<&Value> = answer["result"]["tools"]
                .as_array()
                .unwrap()
                .iter()
                .collect();
            assert_eq!(
                json!(told),
                shown
                    .iter()
                    .map(|name| json!({"name": name}))
                    .collect::<Value>()
            );
        }
        None => {
            assert!(answer["error"]["code"].is_i64());
            assert_eq!(answer["id"], expected.id, "{shown:?}");
        }
    }
});

struct Expected {
    status: u16,
    reaches: bool,
    lists: bool,
    /// What a refusal answers to.
    id: Value,
}

impl Expected {
    fn refused(status: u16, id: Value) -> Self {
        Self {
            status,
            reaches: false,
            lists: false,
            id,
        }
    }
}

fn expected(body: &[u8], method_field: &[u8], name_field: &[u8]) -> Expected {
    let Some(message) = message(body) else {
        return Expected::refused(400, Value::Null);
    };
    let id = message.get("id").cloned().unwrap_or_default();
    let method = message.get("method").and_then(Value::as_str);
    let about = match method {
        Some("tools/call" | "prompts/get") => Some("name"),
        Some("resources/read" | "resources/subscribe" | "resources/unsubscribe") => Some("uri"),
        Some("tasks/get" | "tasks/update" | "tasks/cancel") => Some("taskId"),
        _ => None,
    };
    let name = about.and_then(|about| message.get("params")?.get(about)?.as_str());
    let says = |field: &[u8], said: Option<Vec<u8>>, body: Option<&str>| {
        let same = said.is_some() && said.as_deref() == body.map(str::as_bytes);
        field.is_empty() || field.is_ascii() && same
    };
    let decoded = match name_field
        .strip_prefix(b"=?base64?")
        .and_then(|rest| rest.strip_suffix(b"?="))
    {
        Some(encoded) => STANDARD.decode(encoded).ok(),
        None => Some(name_field.to_vec()),
    };
    if !says(method_field, Some(method_field.to_vec()), method) || !says(name_field, decoded, name)
    {
        return Expected::refused(400, id);
    }
    if method == Some("tools/call") && name != Some("read") {
        // Where there is no such tool, it is an error of the protocol alone.
        let status = if name == Some("write") { 403 } else { 200 };
        return Expected::refused(status, id);
    }
    Expected {
        status: 200,
        reaches: true,
        lists: method == Some("tools/list"),
        id,
    }
}

/// A request or a notification of JSON-RPC 2.0 with members by name, or an answer.
fn message(body: &[u8]) -> Option<Value> {
    let text = Text::new(body);
    if !text.is_readable() || text.repeats {
        return None;
    }
    let message = without_minus_zero(&text.value?);
    let is = |name: &str, good: fn(&Value) -> bool| message.get(name).is_none_or(good);
    let has = |name: &str| message.get(name).is_some();
    let good = message.is_object()
        && message
            .get("jsonrpc")
            .is_some_and(|version| version == "2.0")
        && is("id", |id| id.is_string() || id.is_i64());
    let asks = has("method")
        && is("method", Value::is_string)
        && !has("result")
        && !has("error")
        && is("params", Value::is_object)
        && (message["method"] != "tools/call" || message["params"]["name"].is_string());
    let answers = !has("method") && has("result") != has("error") && has("id");
    (good && (asks || answers)).then_some(message)
}
