//! The rules of MCP around a server that tells what reached it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::gate::{Gate, Guarded};
use gatewright_core::policy::{CompiledPolicy, Policy, Realm};
use gatewright_core::role::Roles;
use gatewright_core::scope::ScopeSet;
use gatewright_testing::TestAuthority;
use gatewright_tower::GateLayer;
use gatewright_tower::mcp::{McpLayer, ToolErrors, ToolPolicies, ToolTable, TrustedSites};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::{HANDLE, authority};

const METADATA: &str = "https://api.example/.well-known/oauth-protected-resource/mcp";

/// What reached the server: the body and the caller.
type Reached = Arc<Mutex<Vec<(Bytes, String)>>>;

/// A server with the tools `read`, `write` and `admin`, and one, `forgotten`, that nobody declared.
struct World {
    authority: TestAuthority,
    realm: Realm,
    reached: Reached,
}

struct Answer {
    status: u16,
    challenges: Vec<String>,
    cause: Option<Cause>,
    body: Value,
}

impl World {
    async fn new() -> Self {
        let authority = authority().await;
        let roles = Roles::builder()
            .role("creator", ScopeSet::parse("t.read").unwrap())
            .role("owner", ScopeSet::parse("t.read").unwrap())
            .build();
        let realm = authority
            .realm("mcp")
            .roles(roles.unwrap())
            .tenant_kind(HANDLE)
            .resource_metadata(METADATA)
            .build();
        Self {
            authority,
            realm,
            reached: Arc::default(),
        }
    }

    fn gate(&self) -> &Gate {
        self.authority.gate()
    }

    fn table(&self) -> Result<ToolTable, ToolErrors> {
        let either = |scopes: &[&str], role: &str| {
            let key = scopes
                .iter()
                .fold(Policy::api_key(), |policy, scope| policy.scope(scope));
            key.or(Policy::jwt().role(role))
        };
        ToolTable::builder(self.gate().clone(), self.realm.clone())
            .tool("read", either(&["t.read"], "creator"))
            .tool("write", either(&["t.read", "t.write", "u.write"], "owner"))
            .finish()
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        self.send_with(self.table().unwrap(), request).await
    }

    async fn send_with<P>(&self, tools: P, request: Request<Full<Bytes>>) -> Answer
    where
        P: ToolPolicies + 'static,
    {
        let sites = TrustedSites::of("https://api.example").unwrap();
        let reached = Arc::clone(&self.reached);
        let server = service_fn(move |request: Request<Full<Bytes>>| {
            let reached = Arc::clone(&reached);
            async move { Ok::<_, Infallible>(serve(request, &reached).await) }
        });
        let anybody = Policy::jwt().or(Policy::api_key());
        let anybody = self.gate().compile(&anybody, &self.realm).unwrap();
        let layer = McpLayer::new(tools, sites).max_body_bytes(4_096);
        let guarded = GateLayer::new(self.gate().clone(), anybody).layer(layer.layer(server));
        let (parts, body) = guarded.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let challenges = parts.headers.get_all("www-authenticate").iter();
        Answer {
            status: parts.status.as_u16(),
            challenges: challenges
                .map(|value| value.to_str().unwrap().to_owned())
                .collect(),
            cause: parts.extensions.get().and_then(AuthError::cause),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    fn take(&self) -> Vec<(Bytes, String)> {
        std::mem::take(&mut *self.reached.lock().unwrap())
    }
}

async fn serve(request: Request<Full<Bytes>>, reached: &Reached) -> Response<Full<Bytes>> {
    let guarded = Guarded::of(request.extensions().get()).unwrap();
    let caller = guarded.caller().unwrap().subject().to_string();
    let accept = request.headers()["accept"].to_str().unwrap().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    reached.lock().unwrap().push((body.clone(), caller));
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let result = match asked["method"].as_str() {
        // An answer of the test's own making.
        Some("tools/list") if asked["params"]["cursor"].is_string() => {
            let answer = asked["params"]["cursor"].as_str().unwrap().to_owned();
            return Response::new(Full::from(answer));
        }
        Some("tools/list") => {
            let tools = ["read", "write", "forgotten"].map(|name| json!({"name": name}));
            json!({"tools": tools, "nextCursor": "c", "big": 1_u64 << 60})
        }
        _ => json!({"accept": accept}),
    };
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": result});
    Response::builder()
        .header("content-type", "application/json")
        .header("content-length", answer.to_string().len())
        .body(Full::from(answer.to_string()))
        .unwrap()
}

fn post(key: &str, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::post("/mcp").header("x-api-key", key);
    let given = |name: &str| fields.iter().any(|(given, _)| *given == name);
    for (name, value) in [
        ("host", "api.example"),
        ("content-type", "application/json"),
    ] {
        if !given(name) {
            request = request.header(name, value);
        }
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

fn call(tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool}}).to_string()
}

fn list() -> String {
    json!({"jsonrpc": "2.0", "id": "l", "method": "tools/list", "params": {}}).to_string()
}

/// JSON-RPC 2.0 §4 and §6, MCP 2025-06-18 and later ("no batches"), RFC 8259 §4: what two readers could take for two things
/// is refused for everyone, whatever they may do.
#[tokio::test]
async fn bodies_that_cannot_be_read_one_way_only_are_400() {
    let world = World::new().await;
    let everything = world.authority.key("creator", "*").await;
    let table = [
        ("", -32700),
        ("{", -32700),
        ("nothing", -32700),
        ("\u{feff}{}", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#, -32700),
        // Repeated members: at the top, inside, through escapes, of equal value.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"read"}}"#,
            -32700,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","n\u0061me":"write"}}"#,
            -32700,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"a":[{"b":1,"b":1}]}}}"#,
            -32700,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"},"params":{"name":"write"}}"#,
            -32700,
        ),
        // Batches.
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        // Other shapes.
        ("null", -32600),
        (r#""tools/list""#, -32600),
        ("{}", -32600),
        (r#"{"id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            -32600,
        ),
        (r#"{"jsonrpc":"2.0","result":{}}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, -32600),
        // A struct may be read from an array of its members.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[null,"write",null]}"#,
            -32600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":["p"]}"#,
            -32600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}"#,
            -32600,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, -32600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["write"]}}"#,
            -32600,
        ),
    ];
    for (body, code) in table {
        let answer = world.send(post(&everything, &[], body)).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert_eq!(answer.body["error"]["code"], code, "{body}");
        assert_eq!(answer.body["id"], Value::Null, "{body}");
    }
    assert_eq!(world.take(), []);
}

/// RFC 9110 §15.5.14 and §15.5.16, and the order: who is not admitted has no body read.
#[tokio::test]
async fn long_encoded_and_foreign_bodies_are_refused_after_authentication() {
    let world = World::new().await;
    let key = world.authority.key("creator", "*").await;
    let long = format!("{}{}", call("read"), " ".repeat(4_096));
    assert_eq!(world.send(post(&key, &[], long.clone())).await.status, 413);
    let fits = format!("{}{}", call("read"), " ".repeat(4_096 - call("read").len()));
    assert_eq!(world.send(post(&key, &[], fits)).await.status, 200);
    for fields in [
        &[("content-type", "text/plain")][..],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[
            ("content-type", "application/json"),
            ("content-type", "text/plain"),
        ],
        &[("content-encoding", "gzip")],
    ] {
        let answer = world.send(post(&key, fields, call("read"))).await;
        assert_eq!(answer.status, 415, "{fields:?}");
    }
    let charset = [("content-type", "Application/JSON; charset=utf-8")];
    assert_eq!(
        world.send(post(&key, &charset, call("read"))).await.status,
        200
    );
    assert_eq!(world.send(post("wrong", &[], long)).await.status, 401);
    assert_eq!(world.take().len(), 2);
}

/// MCP 2026-07-28, "Standard headers": where a field and the body differ, 400 and −32020; here in every revision, and where
/// the field is there at all.
#[tokio::test]
async fn fields_that_repeat_the_body_must_agree_with_it() {
    let world = World::new().await;
    let key = world.authority.key("creator", "*").await;
    let read =
        json!({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "a:ä"}});
    let task = json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": "t"}});
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {}});
    let (read, task, answer) = (read.to_string(), task.to_string(), answer.to_string());
    let (called, listed) = (call("read"), list());
    for revision in ["2025-03-26", "2025-11-25", "2026-07-28", "2030-01-01"] {
        for (body, fields, agree) in [
            (&called, &[][..], true),
            (&called, &[("mcp-method", "tools/call")], true),
            (&called, &[("mcp-name", "read")], true),
            (
                &called,
                &[("mcp-method", "tools/call"), ("mcp-name", "read")],
                true,
            ),
            (&called, &[("mcp-name", "=?base64?cmVhZA==?=")], true),
            (&read, &[("mcp-name", "=?base64?YTrDpA==?=")], true),
            (&task, &[("mcp-name", "t")], true),
            (&listed, &[("mcp-method", "tools/list")], true),
            (&called, &[("mcp-method", "tools/list")], false),
            (&called, &[("mcp-method", "Tools/Call")], false),
            (&called, &[("mcp-method", "")], false),
            (
                &called,
                &[("mcp-method", "=?base64?dG9vbHMvY2FsbA==?=")],
                false,
            ),
            (
                &called,
                &[("mcp-method", "tools/call"), ("mcp-method", "tools/call")],
                false,
            ),
            (&called, &[("mcp-name", "write")], false),
            (
                &called,
                &[("mcp-name", "read"), ("mcp-name", "write")],
                false,
            ),
            (&called, &[("mcp-name", "=?base64?!?=")], false),
            (&read, &[("mcp-name", "a:b")], false),
            (&listed, &[("mcp-name", "read")], false),
            (&listed, &[("mcp-name", "=?base64?!?=")], false),
            (&listed, &[("mcp-name", "a"), ("mcp-name", "a")], false),
            (&answer, &[("mcp-method", "tools/list")], false),
        ] {
            let mut all = vec![("mcp-protocol-version", revision)];
            all.extend(fields);
            let got = world.send(post(&key, &all, body.clone())).await;
            let expected = if agree { 200 } else { 400 };
            assert_eq!(got.status, expected, "{revision} {fields:?}: {}", got.body);
            if !agree {
                assert_eq!(got.body["error"]["code"], -32020, "{fields:?}");
                assert_eq!(got.cause, Some(Cause::HeaderMismatch));
                assert!(!got.body["id"].is_null());
            }
        }
    }
}

/// RFC 6750 §3.1, RFC 9728 §5.1, MCP authorization ("Scope challenge handling"): one challenge that names all that is missing.
#[tokio::test]
async fn a_tool_that_may_not_be_called_is_403_with_one_challenge() {
    let world = World::new().await;
    let reader = world.authority.key("creator", "t.read").await;
    assert_eq!(
        world.send(post(&reader, &[], call("read"))).await.status,
        200
    );
    assert_eq!(world.take().len(), 1);

    let refused = world.send(post(&reader, &[], call("write"))).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.cause, Some(Cause::MissingScope));
    let challenge = "Bearer realm=\"mcp\", error=\"insufficient_scope\", \
        error_description=\"Token does not have the required scopes: t.write u.write\", \
        scope=\"t.write u.write\", \
        resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/mcp\"";
    assert_eq!(refused.challenges, [challenge]);
    assert_eq!(
        refused.body,
        json!({"jsonrpc": "2.0", "id": 7, "error": {
            "code": -32000,
            "message": "Token does not have the required scopes: t.write u.write",
            "data": {"code": "insufficient_scope"},
        }})
    );
    // A notification asks for the same, and names are compared as they are.
    let silent = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"wr\u0069te"}}"#;
    let refused = world.send(post(&reader, &[], silent)).await;
    assert_eq!((refused.status, &refused.body["id"]), (403, &Value::Null));
    assert_eq!(world.take(), []);
}

#[tokio::test]
async fn a_users_token_is_judged_by_role_and_a_machines_by_scope() {
    let world = World::new().await;
    world.authority.member("usr_2", "creator", "creator").await;
    world.authority.client("app", "creator").await;
    let bearer = |token: String, tool: &str| {
        let mut request = post("", &[], call(tool));
        request.headers_mut().remove("x-api-key");
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        request
    };
    let send = async |token: String, tool: &str| world.send(bearer(token, tool)).await;
    let user = || world.authority.token("usr_2").tenant("creator").sign();
    assert_eq!(send(user(), "read").await.status, 200);
    let refused = send(user(), "write").await;
    assert_eq!(
        (refused.status, refused.cause),
        (403, Some(Cause::MissingRole))
    );
    assert_eq!(refused.body["error"]["data"]["code"], "insufficient_role");

    // What a machine may do is what its token says. These tools take users alone, but for this one.
    let machine = |scope: &str| {
        let token = world.authority.machine_token("app").tenant("creator");
        token.scope(scope).sign()
    };
    let policy = Policy::jwt().scope("mcp:call:clock");
    let tools = ToolTable::builder(world.gate().clone(), world.realm.clone());
    let tools = tools.tool("time", policy).finish().unwrap();
    for (scope, status) in [("mcp:call", 200), ("mcp:call:text", 403)] {
        let request = bearer(machine(scope), "time");
        assert_eq!(world.send_with(tools.clone(), request).await.status, status);
    }
}

/// MCP, "Tools", error handling: an unknown tool is an error of the protocol. One that nobody declared is unknown, also where
/// the server behind the layer has it.
#[tokio::test]
async fn a_tool_without_a_policy_is_none() {
    let world = World::new().await;
    let everything = world.authority.key("creator", "*").await;
    for tool in ["forgotten", "nothing", "", "read "] {
        let answer = world.send(post(&everything, &[], call(tool))).await;
        let expected = json!({"jsonrpc": "2.0", "id": 7, "error": {
            "code": -32602, "message": "Unknown tool",
        }});
        assert_eq!((answer.status, answer.body), (200, expected), "{tool}");
    }
    assert_eq!(world.take(), []);
}

/// MCP 2026-07-28, "Caching": a list that depends on the caller is private. Revisions that know no hints get none.
#[tokio::test]
async fn lists_show_what_may_be_called() {
    let world = World::new().await;
    let reader = world.authority.key("creator", "t.read").await;
    let writer = world.authority.key("creator", "*").await;
    let stranger = world.authority.key("creator", "other").await;
    for (key, tools) in [
        (&reader, &["read"][..]),
        (&writer, &["read", "write"]),
        (&stranger, &[]),
    ] {
        let answer = world.send(post(key, &[], list())).await;
        let shown: Vec<_> = tools.iter().map(|name| json!({"name": name})).collect();
        let result = json!({"tools": shown, "nextCursor": "c", "big": 1_u64 << 60});
        let expected = json!({"jsonrpc": "2.0", "id": "l", "result": result});
        assert_eq!((answer.status, answer.body), (200, expected));

        let newest = [("mcp-protocol-version", "2026-07-28")];
        let answer = world.send(post(key, &newest, list())).await;
        assert_eq!(answer.body["result"]["cacheScope"], "private");
    }
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}});
    let answer = world.send(post(&reader, &[], body.to_string())).await;
    assert_eq!(answer.body["result"]["cacheScope"], "private");
}

#[tokio::test]
async fn a_list_that_cannot_be_cut_is_not_shown() {
    let world = World::new().await;
    let key = world.authority.key("creator", "t.read").await;
    let answered = async |with: &str| {
        let params = json!({"cursor": with});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params});
        world.send(post(&key, &[], body.to_string())).await
    };
    let list = r#"{"tools":[{"name":"write"}]}"#;
    for hidden in [
        format!("data: {list}\n\n"),
        format!(r#"[{{"jsonrpc":"2.0","id":1,"result":{list}}}]"#),
        format!(r#"{{"result":[{list}]}}"#),
        r#"{"result":{"tools":"write"}}"#.to_owned(),
        format!(r#"{{"error":{{}},"result":[{list}]}}"#),
        list.to_owned(),
        r#""write""#.to_owned(),
    ] {
        let answer = answered(&hidden).await;
        assert_eq!(answer.status, 500, "{hidden}");
        assert!(!answer.body.to_string().contains("write"), "{hidden}");
    }
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"bad cursor"}}"#;
    let answer = answered(error).await;
    let expected = serde_json::from_str(error).unwrap();
    assert_eq!((answer.status, answer.body), (200, expected));
}

/// MCP, "Transports", security warning: `Origin` must be validated; a browser's DNS rebinding shows in `Host` as well.
#[tokio::test]
async fn foreign_hosts_and_origins_are_403() {
    let world = World::new().await;
    let key = world.authority.key("creator", "*").await;
    for (fields, status) in [
        (&[][..], 200),
        (&[("origin", "https://api.example")], 200),
        (&[("origin", "https://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("host", "evil.example")], 403),
        (
            &[("host", "evil.example"), ("origin", "https://api.example")],
            403,
        ),
    ] {
        let answer = world.send(post(&key, fields, call("read"))).await;
        assert_eq!(answer.status, status, "{fields:?}");
        if status == 403 {
            assert_eq!(answer.cause, Some(Cause::ForeignOrigin));
            assert_eq!(answer.challenges, Vec::<String>::new());
        }
    }
}

/// MCP, "Streamable HTTP": a server without streams and sessions answers 405 (RFC 9110 §15.5.6).
#[tokio::test]
async fn there_is_no_stream_to_open_and_no_session_to_end() {
    let world = World::new().await;
    let key = world.authority.key("creator", "*").await;
    for method in [Method::GET, Method::DELETE, Method::PUT, Method::HEAD] {
        let mut request = post(&key, &[], list());
        *request.method_mut() = method.clone();
        assert_eq!(world.send(request).await.status, 405, "{method}");
    }
    assert_eq!(world.take(), []);
}

#[tokio::test]
async fn whoever_takes_json_reaches_servers_that_insist_on_both_types() {
    let world = World::new().await;
    let key = world.authority.key("creator", "*").await;
    let both = "application/json, text/event-stream";
    for accept in ["*/*", "application/json", both] {
        let answer = world
            .send(post(&key, &[("accept", accept)], call("read")))
            .await;
        assert_eq!(answer.body["result"]["accept"], both, "{accept}");
    }
    let answer = world.send(post(&key, &[], call("read"))).await;
    assert_eq!(answer.body["result"]["accept"], both);
    let (_, caller) = world.take().pop().unwrap();
    assert_eq!(caller, "user:usr_1");
}

/// Behind no gate nobody is known, so nobody passes.
#[tokio::test]
async fn without_a_gate_it_answers_500() {
    let world = World::new().await;
    let server = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let sites = TrustedSites::of("https://api.example").unwrap();
    let service = McpLayer::new(world.table().unwrap(), sites).layer(server);
    let answer = service.oneshot(post("k", &[], call("read"))).await.unwrap();
    assert_eq!(answer.status(), 500);
    let cause = answer.extensions().get().and_then(AuthError::cause);
    assert_eq!(cause, Some(Cause::GateMissing));
}

/// Tools of connectors, which come and go while requests run.
struct Connectors(Gate, Realm);

impl ToolPolicies for Connectors {
    fn policy(&self, tool: &str, guarded: &Guarded) -> Option<Arc<CompiledPolicy>> {
        let tenant = guarded.principal()?.tenant()?.slug();
        let connector = tool.strip_prefix(tenant)?.strip_prefix('_')?;
        let policy = Policy::api_key().scope(&format!("mcp:call:{connector}"));
        self.0.compile_passing(&policy, &self.1).ok()
    }
}

#[tokio::test]
async fn a_colon_narrows_what_a_credential_may_call() {
    let world = World::new().await;
    for (scopes, tool, status) in [
        ("mcp:call", "creator_conn1", 200),
        ("mcp:call:conn1", "creator_conn1", 200),
        ("mcp:call:conn2", "creator_conn1", 403),
        ("mcp", "creator_conn1", 200),
        ("other", "creator_conn1", 403),
    ] {
        let key = world.authority.key("creator", scopes).await;
        let tools = Connectors(world.gate().clone(), world.realm.clone());
        let answer = world.send_with(tools, post(&key, &[], call(tool))).await;
        assert_eq!(answer.status, status, "{scopes}");
        if status == 403 {
            assert!(answer.challenges[0].contains(r#", scope="mcp:call:conn1", "#));
        }
    }
    // Another tenant's tool is none.
    let key = world.authority.key("creator", "mcp:call").await;
    let tools = Connectors(world.gate().clone(), world.realm.clone());
    let answer = world
        .send_with(tools, post(&key, &[], call("other_conn1")))
        .await;
    assert_eq!(answer.body["error"]["message"], "Unknown tool");
}

/// A policy of another gate, and one that names a tenant, admit nobody.
#[tokio::test]
async fn a_tools_policy_that_cannot_be_judged_is_500() {
    struct One(Arc<CompiledPolicy>);
    impl ToolPolicies for One {
        fn policy(&self, _: &str, _: &Guarded) -> Option<Arc<CompiledPolicy>> {
            Some(Arc::clone(&self.0))
        }
    }
    let (world, other) = (World::new().await, authority().await);
    let key = world.authority.key("creator", "*").await;
    let policy = Policy::api_key();
    let foreign = other.gate().compile(&policy, &world.realm).unwrap();
    let compiled = |policy| world.gate().compile(&policy, &world.realm).unwrap();
    let by_path = compiled(policy.clone().tenant_from("handle"));
    let by_query = compiled(policy.tenant_from_query("handle"));
    for (policy, cause) in [
        (foreign, Cause::ForeignPolicy),
        (by_path, Cause::PolicyMissing),
        (by_query, Cause::PolicyMissing),
    ] {
        let answer = world
            .send_with(One(policy), post(&key, &[], call("read")))
            .await;
        assert_eq!((answer.status, answer.cause), (500, Some(cause)));
    }
}

#[tokio::test]
async fn every_mistake_of_a_table_is_told_at_once() {
    let world = World::new().await;
    let mistakes = ToolTable::builder(world.gate().clone(), world.realm.clone())
        .tool("a", Policy::api_key().scope("not a scope"))
        .tool("b", Policy::jwt().role("king"))
        .tool("c", Policy::api_key())
        .tool("c", Policy::api_key())
        .finish()
        .unwrap_err();
    let told = mistakes.to_string();
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "tool a: `not a scope` is not a scope",
            "tool b: the realm knows no role `king`",
            "tool c: it is declared twice",
        ]
    );
}

/// JSON as somebody who wants to be misread would write it.
fn hostile() -> impl Strategy<Value = String> {
    let name = || {
        prop::sample::select(vec![
            "method",
            "m\\u0065thod",
            "params",
            "name",
            "n\\u0061me",
            "id",
            "jsonrpc",
            "_meta",
            "x",
        ])
    };
    let leaf = prop::sample::select(vec![
        "\"tools/call\"",
        "\"tools\\/call\"",
        "\"tools/list\"",
        "\"tools\\u002fcall\"",
        "\"read\"",
        "\"write\"",
        "\"2.0\"",
        "\"r\\u0065ad\"",
        "\"\\ud800\"",
        "1",
        "1e2",
        "null",
        "[]",
        "{}",
        "-0",
        "1e999",
    ])
    .prop_map(str::to_owned);
    let json = leaf.prop_recursive(3, 24, 5, move |inner| {
        let members = prop::collection::vec((name(), inner.clone()), 0..5).prop_map(|members| {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("\"{name}\":{value}"))
                .collect();
            format!("{{{}}}", members.join(","))
        });
        let items =
            prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![3 => members, 1 => items]
    });
    // Half of them are near to a call.
    let near = (json.clone(), json.clone(), any::<bool>()).prop_map(|(name, more, after)| {
        let params = if after { format!("\"name\":\"read\",\"arguments\":{name}") } else { format!("\"arguments\":{name},\"name\":\"write\"") };
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{{params}}},\"x\":{more}}}")
    });
    prop_oneof![json, near]
}

/// Keeps the names that it was asked for.
struct Asked(Arc<Mutex<Vec<String>>>, Arc<CompiledPolicy>);

impl ToolPolicies for Asked {
    fn policy(&self, tool: &str, _: &Guarded) -> Option<Arc<CompiledPolicy>> {
        self.0.lock().unwrap().push(tool.to_owned());
        Some(Arc::clone(&self.1))
    }
}

/// What is judged is what runs: of a body that goes on, every reader of the forwarded bytes finds the tool that the
/// policy was asked about, and none where it was not asked.
#[test]
fn what_was_judged_is_what_is_read() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let world = runtime.block_on(World::new());
    let key = runtime.block_on(world.authority.key("creator", "*"));
    let policy = world.gate().compile(&Policy::api_key(), &world.realm);
    let policy = policy.unwrap();
    let admitted = Mutex::new(0);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(1_000));
    let law = |body: String| {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let tools = Asked(Arc::clone(&asked), Arc::clone(&policy));
        let request = post(&key, &[], body.clone());
        let answer = runtime.block_on(world.send_with(tools, request));
        let reached = world.take();
        prop_assert_eq!(reached.len(), usize::from(answer.status == 200));
        let Some((forwarded, _)) = reached.first() else {
            return Ok(());
        };
        prop_assert_eq!(&forwarded[..], body.as_bytes());
        let value: Value = serde_json::from_slice(forwarded).unwrap();
        let is_call = value["method"] == "tools/call";
        let name = value["params"]["name"].as_str().filter(|_| is_call);
        let asked = asked.lock().unwrap();
        let asked: Vec<_> = asked.iter().map(String::as_str).collect();
        prop_assert_eq!(asked, Vec::from_iter(name));
        prop_assert!(!is_call || name.is_some());
        *admitted.lock().unwrap() += 1;
        Ok(())
    };
    runner.run(&hostile(), law).unwrap();
    let admitted = admitted.into_inner().unwrap();
    assert!(admitted > 50, "{admitted} of 1,000 were worth the test");
}
