use std::sync::Arc;

use gatewright_core::audit::{AuditEvent, AuditKind, AuditSink as _};
use gatewright_core::credential::SecretKind;
use gatewright_core::error::Cause;
use gatewright_core::principal::{Subject, TenantId, UserId};
use gatewright_core::store::{CredentialStore as _, MembershipStore as _, RemoveOutcome};
use serde_json::{Value, json};

use super::{PASSWORD, Server, refused, text};
use crate::audit;
use crate::background::{Coherent, Pulse};

const KEYS: &str = "/api/api-keys?org=acme-corp";
const CLIENTS: &str = "/api/oauth-clients?org=acme-corp";
const SSO: &str = "/api/sso?org=acme-corp";
const CONNECTORS: &str = "/api/connectors?org=acme-corp";
const AUDIT: &str = "/api/audit?org=acme-corp";

/// A server with the org `acme-corp`, and its admin's token.
async fn world() -> (Server, TenantId, String) {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let org = server.org("acme-corp", &ada).await;
    // Its table; what happens is kept elsewhere in these tests.
    let pool = server.app.store.pool().clone();
    audit::start(pool).await.unwrap();
    let jwt = server.login("gateway", "ada").await;
    (server, org, jwt)
}

async fn made(server: &Server, path: &str, bearer: &str, body: Value) -> Value {
    let (status, made) = server.call("POST", path, bearer, body).await;
    assert_eq!(status, 201, "{path}: {made}");
    made
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Every operation on an org, with a body that is right.
fn operations(org: &str) -> Vec<(&'static str, String, Value)> {
    let at = |path: &str| format!("/api/{path}?org={org}");
    let named = || json!({"name": "n"});
    let sso = json!({"issuer": "https://idp.example.com", "audience": "apexmcp"});
    vec![
        ("GET", at("api-keys"), Value::Null),
        ("GET", at("oauth-clients"), Value::Null),
        ("GET", at("connectors"), Value::Null),
        ("GET", at("audit"), Value::Null),
        ("PUT", at("sso"), sso),
        ("GET", at("sso"), Value::Null),
        ("DELETE", at("sso"), Value::Null),
        ("POST", at("api-keys"), named()),
        ("DELETE", at("api-keys/nosuchid"), Value::Null),
        ("POST", at("oauth-clients"), named()),
        ("DELETE", at("oauth-clients/apx_client_no"), Value::Null),
        ("POST", at("connectors"), named()),
        ("DELETE", at("connectors/conn_no"), Value::Null),
    ]
}

#[tokio::test]
async fn whoever_creates_an_org_is_its_admin_and_its_name_is_never_anothers() {
    let server = Server::start().await;
    for name in ["ada", "bob"] {
        server.person(name).await;
    }
    let [ada, bob] = ["ada", "bob"].map(|name| server.login("gateway", name));
    let (ada, bob) = (ada.await, bob.await);
    let org = made(&server, "/api/orgs", &ada, json!({"slug": "acme-corp"})).await;
    assert_eq!(
        (&org["slug"], &org["role"], &org["plan"]),
        (&"acme-corp".into(), &"admin".into(), &"free".into())
    );
    for jwt in [&ada, &bob] {
        let body = json!({"slug": "acme-corp"});
        let again = server.call("POST", "/api/orgs", jwt, body).await;
        assert_eq!(refused(again), code(409, "conflict"));
    }
    for (body, refusal) in [
        (json!({"slug": "A"}), "validation_error"),
        (json!({}), "invalid_payload"),
    ] {
        let answer = server.call("POST", "/api/orgs", &ada, body).await;
        assert_eq!(refused(answer), code(400, refusal));
    }
    made(&server, "/api/orgs", &ada, json!({"slug": "beta-corp"})).await;
    let (_, first) = server.get("/api/orgs?limit=1", &ada).await;
    assert_eq!(first["items"], json!([org]));
    let next = format!("/api/orgs?cursor={}", text(&first["next_cursor"]));
    let (_, rest) = server.get(&next, &ada).await;
    assert_eq!(rest["items"][0]["slug"], "beta-corp");
    let (_, none) = server.get("/api/orgs", &bob).await;
    assert_eq!(none["items"], json!([]));

    // A key sees its own org and no other, and makes none.
    let key = made(&server, KEYS, &ada, json!({"name": "k"})).await;
    let key = text(&key["secret"]);
    let (_, own) = server.get("/api/orgs", &key).await;
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
    assert_eq!(own["items"][0]["id"], org["id"]);
    assert!(own["items"][0]["role"].is_null() && own["next_cursor"].is_null());
    let refusal = server
        .call("POST", "/api/orgs", &key, json!({"slug": "gamma"}))
        .await;
    assert_eq!(refused(refusal), code(403, "insufficient_scope"));

    // So does a login for one org.
    let body = json!({"email": "ada@acme.test", "password": PASSWORD, "org": "acme-corp"});
    let (_, token) = server.call("POST", "/api/auth/login", "", body).await;
    let (_, own) = server.get("/api/orgs", &text(&token["access_token"])).await;
    assert_eq!(own, json!({"items": [org], "next_cursor": null}));

    // The last admin stays.
    let (acme, user) = (
        TenantId::new(text(&org["id"])).unwrap(),
        UserId::new("usr_ada").unwrap(),
    );
    let store = &server.app.store;
    let removed = store.remove_member(&acme, &user, "admin").await.unwrap();
    let removed = server.app.gate.changes().publish(removed);
    assert_eq!(removed, RemoveOutcome::LastOfRole);
}

#[tokio::test]
async fn a_login_is_for_one_org_or_for_whichever_is_named() {
    let (server, _, open) = world().await;
    server.org("zoo", &server.person("zoe").await).await;
    let login = |org: &str| json!({"email": "ada@acme.test", "password": PASSWORD, "org": org});
    let body = login("acme-corp");
    let (_, token) = server.call("POST", "/api/auth/login", "", body).await;
    let bound = text(&token["access_token"]);
    for org in ["zoo", "nowhere"] {
        let refusal = server.call("POST", "/api/auth/login", "", login(org)).await;
        assert_eq!(refused(refusal), code(404, "not_found"), "{org}");
    }
    let wrong = json!({"email": "ada@acme.test", "password": "wrong"});
    let refusal = server.call("POST", "/api/auth/login", "", wrong).await;
    assert_eq!(refused(refusal), code(401, "invalid_credentials"));

    let handle = server.login("handle", "ada").await;
    for (bearer, query, expected) in [
        (&bound, "", 200),
        (&bound, "?org=acme-corp", 200),
        (&bound, "?org=zoo", 404),
        (&open, "?org=acme-corp", 200),
        (&open, "?org=zoo", 404),
        (&handle, "?org=acme-corp", 200),
        (&handle, "?org=zoo", 404),
        // No org is named, so nobody has a role.
        (&open, "", 403),
        (&handle, "", 403),
        (&open, "?org=acme-corp&org=acme-corp", 400),
        (&bound, "?org=acme-corp&org=zoo", 400),
    ] {
        let (status, body) = server.get(&format!("/api/connectors{query}"), bearer).await;
        assert_eq!(status, expected, "{query}: {body}");
    }
    // One that is bound to a workspace is not for here, nor one of the gateway for there.
    server
        .workspace("work", &UserId::new("usr_ada").unwrap())
        .await;
    let workspace = server.login("workspace", "ada").await;
    let refusal = server.get(CONNECTORS, &workspace).await;
    assert_eq!(refused(refusal), code(401, "invalid_token"));
    for path in ["/v2/handles", "/api/v1/users/me"] {
        let refusal = server.get(path, &open).await;
        assert_eq!(refused(refusal), code(401, "invalid_token"), "{path}");
    }
    assert_eq!(server.get("/whoami", &bound).await.0, 200);
}

#[tokio::test]
async fn an_org_is_its_admins_alone() {
    let (server, org, admin) = world().await;
    let zoe = server.person("zoe").await;
    server.org("zoo", &zoe).await;
    let member = server.person("max").await;
    server.join(&org, &member, "member").await;
    let [stranger, member] = ["zoe", "max"].map(|name| server.login("gateway", name));
    let (stranger, member) = (stranger.await, member.await);
    let theirs = made(
        &server,
        "/api/api-keys?org=zoo",
        &stranger,
        json!({"name": "z"}),
    )
    .await;
    let own = made(&server, KEYS, &admin, json!({"name": "own"})).await;
    let (own, theirs) = (text(&own["secret"]), text(&theirs["secret"]));
    let tnx = server.workspace("work", &zoe).await;
    assert_eq!(tnx.as_str(), "ten_work");
    let work = server.login("workspace", "zoe").await;
    let tnx = made(
        &server,
        "/api/v1/users/api-keys",
        &work,
        json!({"name": "w"}),
    )
    .await;
    let tnx = text(&tnx["secret"]);

    for (method, path, body) in operations("acme-corp") {
        let call = async |bearer: &str| {
            let answer = server.call(method, &path, bearer, body.clone()).await;
            refused(answer)
        };
        let at = format!("{method} {path}");
        assert_eq!(call(&stranger).await, code(404, "not_found"), "{at}");
        assert_eq!(call(&member).await, code(403, "insufficient_role"), "{at}");
        assert_eq!(call(&theirs).await, code(403, "insufficient_scope"), "{at}");
        assert_eq!(call(&tnx).await, code(403, "insufficient_scope"), "{at}");
        assert_eq!(call("").await.0, 401, "{at}");
        let of_key = call(&own).await;
        if method == "GET" && !path.contains("/sso") {
            assert_eq!(of_key.0, 200, "{at}");
        } else if method == "GET" {
            // Nothing is configured at this moment, or nothing any more.
            assert_eq!(of_key, code(404, "not_found"), "{at}");
        } else {
            assert_eq!(of_key, code(403, "insufficient_scope"), "{at}");
        }
    }
    // Of an org that is not there, the same is told as of another's.
    for (method, path, body) in operations("nowhere") {
        let at = format!("{method} {path}");
        let refusal = server.call(method, &path, &admin, body.clone()).await;
        assert_eq!(refused(refusal), code(404, "not_found"), "{at}");
        let refusal = server.call(method, &path, &own, body).await;
        assert_eq!(refused(refusal), code(403, "insufficient_scope"), "{at}");
    }
    // What the admin of one org may name is nothing in another.
    let (_, keys) = server.get("/api/api-keys?org=zoo", &stranger).await;
    let prefix = text(&keys["items"][0]["prefix"]);
    let one = format!("/api/api-keys/{prefix}?org=acme-corp");
    let refusal = server.call("DELETE", &one, &admin, Value::Null).await;
    assert_eq!(refused(refusal), code(404, "not_found"));
    assert_eq!(server.get("/api/connectors", &theirs).await.0, 200);
}

#[tokio::test]
async fn keys_are_shown_once_and_may_be_bound_to_connectors() {
    let (server, _, admin) = world().await;
    let connector = made(&server, CONNECTORS, &admin, json!({"name": "CRM"})).await;
    let connector = text(&connector["id"]);
    let key = made(&server, KEYS, &admin, json!({"name": "agent"})).await;
    assert_eq!(key["scopes"], json!(["mcp:call"]));
    let secret = text(&key["secret"]);
    let rest = secret.strip_prefix("apx_live_sk_").unwrap();
    assert!(rest.len() == 32 && rest.starts_with(&text(&key["prefix"])));

    let by_id = json!({"name": "bound", "connectors": [connector]});
    let bound = made(&server, KEYS, &admin, by_id).await;
    let scope = format!("mcp:call:{connector}");
    assert_eq!(bound["scopes"], json!([scope]));
    let by_scope = json!({"name": "bound", "scopes": [scope]});
    let same = made(&server, KEYS, &admin, by_scope).await;
    assert_eq!(same["scopes"], bound["scopes"]);

    // As X-API-Key, too. One that is bound calls its connectors and does not look around.
    let request = server.request("GET", KEYS).header("x-api-key", &secret);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let refusal = server.get(KEYS, &text(&bound["secret"])).await;
    assert_eq!(refused(refusal), code(403, "insufficient_scope"));

    let (_, list) = server.get(KEYS, &secret).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    assert_eq!(list["items"][0]["createdBy"], "usr_ada");
    for minted in [&key, &bound] {
        assert!(!list.to_string().contains(&text(&minted["secret"])[20..]));
    }

    for (body, refusal) in [
        (json!({"name": "n", "scopes": ["*"]}), "invalid_scope"),
        (json!({"name": "n", "scopes": ["mcp:*"]}), "invalid_scope"),
        (
            json!({"name": "n", "scopes": ["links.read"]}),
            "invalid_scope",
        ),
        (
            json!({"name": "n", "scopes": ["mcp:call:conn_0123456789abcdef"]}),
            "invalid_scope",
        ),
        (json!({"name": "n", "connectors": []}), "validation_error"),
        (json!({"name": ""}), "validation_error"),
        (json!({"scopes": ["mcp:call"]}), "invalid_payload"),
    ] {
        let answer = server.call("POST", KEYS, &admin, body.clone()).await;
        assert_eq!(refused(answer), code(400, refusal), "{body}");
    }

    for id in ["conn_0123456789abcdef", "*", "a b", ""] {
        let body = json!({"name": "n", "connectors": [id]});
        let answer = server.call("POST", KEYS, &admin, body).await;
        assert_eq!(refused(answer), code(404, "not_found"), "{id}");
    }
    let both = json!({"name": "n", "scopes": ["mcp:call"], "connectors": [connector]});
    let both = made(&server, KEYS, &admin, both).await;
    assert_eq!(both["scopes"], json!(["mcp:call", scope]));

    let one = format!("/api/api-keys/{}?org=acme-corp", text(&key["prefix"]));
    for _ in 0..2 {
        let gone = server.call("DELETE", &one, &admin, Value::Null).await;
        assert_eq!(gone.0, 204);
        let refusal = server.get(KEYS, &secret).await;
        assert_eq!(refused(refusal), code(401, "token_revoked"));
    }
}

#[tokio::test]
async fn clients_are_registered_with_their_scopes_and_end_at_once() {
    let (server, org, admin) = world().await;
    let connector = made(&server, CONNECTORS, &admin, json!({"name": "CRM"})).await;
    let scope = format!("mcp:call:{}", text(&connector["id"]));
    let client = made(&server, CLIENTS, &admin, json!({"name": "etl"})).await;
    assert_eq!(client["scopes"], json!(["mcp:call"]));
    let (id, secret) = (text(&client["clientId"]), text(&client["clientSecret"]));
    assert!(id.starts_with("apx_client_"), "{id}");
    let random = secret.strip_prefix("apx_secret_").unwrap();
    assert_eq!(random.len(), 24);
    let narrow = json!({"name": "narrow", "scopes": [scope]});
    let narrow = made(&server, CLIENTS, &admin, narrow).await;
    assert_eq!(narrow["scopes"], json!([scope]));

    let (_, list) = server.get(CLIENTS, &admin).await;
    assert_eq!(list["items"][0]["clientId"], *id);
    assert!(!list.to_string().contains(random));
    // The secret alone opens nothing here.
    let refusal = server.get(CLIENTS, &secret).await;
    assert_eq!(refused(refusal), code(401, "invalid_token"));

    let record = || server.app.store.find(SecretKind::Client, &id);
    let stored = record().await.unwrap().unwrap();
    assert_eq!(stored.tenant.id(), &org);
    assert!(stored.secrets[0].hash.as_str().starts_with("$argon2id$"));
    let one = format!("/api/oauth-clients/{id}?org=acme-corp");
    for _ in 0..2 {
        let gone = server.call("DELETE", &one, &admin, Value::Null).await;
        assert_eq!(gone.0, 204);
    }
    assert!(record().await.unwrap().unwrap().revoked_at.is_some());
    for scopes in [json!(["links.read"]), json!(["*"])] {
        let body = json!({"name": "n", "scopes": scopes});
        let answer = server.call("POST", CLIENTS, &admin, body).await;
        assert_eq!(refused(answer), code(400, "invalid_scope"), "{scopes}");
    }
}

#[tokio::test]
async fn connectors_come_and_go_and_their_ids_are_never_used_twice() {
    let (server, _, admin) = world().await;
    let first = made(&server, CONNECTORS, &admin, json!({"name": "CRM"})).await;
    assert_eq!(first["type"], "built-in");
    assert!(text(&first["id"]).starts_with("conn_"));
    let body = json!({"name": "CRM", "type": "built-in"});
    let again = server.call("POST", CONNECTORS, &admin, body.clone()).await;
    assert_eq!(refused(again), code(409, "conflict"));
    for (body, refusal) in [
        (json!({"name": "x", "type": "http"}), "validation_error"),
        (json!({"name": ""}), "validation_error"),
        (json!({}), "invalid_payload"),
    ] {
        let answer = server.call("POST", CONNECTORS, &admin, body).await;
        assert_eq!(refused(answer), code(400, refusal));
    }
    let one = format!("/api/connectors/{}?org=acme-corp", text(&first["id"]));
    assert_eq!(
        server.call("DELETE", &one, &admin, Value::Null).await.0,
        204
    );
    let gone = server.call("DELETE", &one, &admin, Value::Null).await;
    assert_eq!(refused(gone), code(404, "not_found"));
    // No more is looked up than a key can be bound to.
    let many = json!({"name": "n", "connectors": vec!["conn_none"; 65]});
    let answer = server.call("POST", KEYS, &admin, many).await;
    assert_eq!(refused(answer), code(400, "validation_error"));
    // Nothing can be bound to what is gone, and the next one of the name is another.
    let bound = json!({"name": "n", "connectors": [first["id"]]});
    let answer = server.call("POST", KEYS, &admin, bound).await;
    assert_eq!(refused(answer), code(404, "not_found"));
    let second = made(&server, CONNECTORS, &admin, body).await;
    assert_ne!(first["id"], second["id"]);
    let clock = json!({"name": "Clock", "type": "clock"});
    let clock = made(&server, CONNECTORS, &admin, clock).await;
    assert_eq!(clock["type"], "clock");
    let (_, list) = server.get(CONNECTORS, &admin).await;
    assert_eq!(list["items"], json!([second, clock]));
}

/// Every server holds the connectors of all orgs in memory.
#[tokio::test]
async fn an_org_has_so_many_connectors_and_no_more() {
    let (server, _, admin) = world().await;
    let last = made(&server, CONNECTORS, &admin, json!({"name": "CRM"})).await;
    let fill = "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 256) \
        INSERT INTO connectors (id, tenant, name, type, created_at) \
        SELECT 'conn_' || i, 'ten_acme-corp', i, 'clock', 1 FROM n";
    let pool = server.app.store.pool();
    sqlx::query(fill).execute(pool).await.unwrap();
    let add = async || {
        let body = json!({"name": "one more"});
        server.call("POST", CONNECTORS, &admin, body).await
    };
    assert_eq!(refused(add().await), code(409, "conflict"));
    let one = format!("/api/connectors/{}?org=acme-corp", text(&last["id"]));
    let gone = server.call("DELETE", &one, &admin, Value::Null).await;
    assert_eq!((gone.0, add().await.0), (204, 201));
}

#[tokio::test]
async fn an_identity_provider_is_configured_whole() {
    let (server, _, admin) = world().await;
    let put = async |body: Value| server.call("PUT", SSO, &admin, body).await;
    assert_eq!(
        refused(server.get(SSO, &admin).await),
        code(404, "not_found")
    );
    let least = json!({"issuer": "https://acme.okta.com/oauth2/default", "audience": "apexmcp"});
    let (status, view) = put(least.clone()).await;
    assert_eq!(status, 200, "{view}");
    for (member, value) in [
        ("jwksUri", Value::Null),
        ("algorithms", json!(["RS256"])),
        ("typ", Value::Null),
        ("allowedClients", json!([])),
        ("maxAgeSeconds", Value::Null),
        ("requiredClaims", json!({})),
        ("requiredGroups", json!([])),
        ("groupsClaim", json!("groups")),
        ("scopeClaims", json!(["scope", "scp"])),
        ("defaultScope", json!("mcp:call")),
    ] {
        assert_eq!(view[member], value, "{member}");
    }
    assert_eq!(server.get(SSO, &admin).await, (200, view));

    let connector = made(&server, CONNECTORS, &admin, json!({"name": "CRM"})).await;
    let scope = format!("mcp:call:{}", text(&connector["id"]));
    let most = json!({
        "issuer": "http://127.0.0.1:9000",
        "jwksUri": "http://127.0.0.1:9000/jwks?v=1",
        "audience": "apexmcp",
        "algorithms": ["RS256", "ES256"],
        "typ": "at+jwt",
        "allowedClients": ["etl"],
        "maxAgeSeconds": 600,
        "requiredClaims": {"hd": "acme.com"},
        "requiredGroups": ["mcp"],
        "groupsClaim": "roles",
        "scopeClaims": ["realm_access.roles"],
        "defaultScope": scope,
    });
    let (status, view) = put(most.clone()).await;
    assert_eq!(status, 200, "{view}");
    for (member, value) in most.as_object().unwrap() {
        assert_eq!(&view[member], value, "{member}");
    }
    let (_, view) = put(least.clone()).await;
    assert_eq!(
        view["defaultScope"], "mcp:call",
        "nothing of before is left"
    );
    // A key may look, and no more.
    let key = made(&server, KEYS, &admin, json!({"name": "k"})).await;
    let key = text(&key["secret"]);
    assert_eq!(server.get("/api/sso", &key).await, (200, view));

    let own = server.app.public_url.to_uppercase();
    for (member, value) in [
        ("issuer", json!(own)),
        ("issuer", json!("http://idp.example.com")),
        ("issuer", json!("http://127.0.0.1:9001")),
        ("issuer", json!("https://idp.example.com/?a=b")),
        ("issuer", json!("https://accounts.google.com")),
        ("issuer", json!("https://sts.windows.net/common/")),
        ("jwksUri", json!("http://idp.example.com/jwks")),
        ("jwksUri", json!("https://u:p@idp.example.com/jwks")),
        ("audience", json!("")),
        ("algorithms", json!(["HS256"])),
        ("algorithms", json!(["none"])),
        ("algorithms", json!([])),
        ("typ", json!("")),
        ("allowedClients", json!([""])),
        ("allowedClients", json!(vec!["a"; 65])),
        ("maxAgeSeconds", json!(0)),
        ("maxAgeSeconds", json!(86_401)),
        ("requiredClaims", json!({"": "a"})),
        ("requiredGroups", json!(["a\nb"])),
        ("scopeClaims", json!([])),
    ] {
        let mut body = least.clone();
        body[member] = value.clone();
        let (status, refusal) = put(body).await;
        let answer = refused((status, refusal.clone()));
        assert_eq!(answer, code(400, "validation_error"), "{member}: {value}");
        let message = text(&refusal["error"]["message"]);
        assert!(message.contains(member), "{message}");
    }
    for scope in ["*", "links.read", "mcp:call:conn_0123456789abcdef"] {
        let mut body = least.clone();
        body["defaultScope"] = scope.into();
        assert_eq!(refused(put(body).await), code(400, "invalid_scope"));
    }
    // One that serves everybody needs more than an audience.
    let google = json!({
        "issuer": "https://accounts.google.com",
        "audience": "a",
        "requiredClaims": {"hd": "acme.com"},
        "defaultScope": "",
    });
    let (status, view) = put(google).await;
    assert_eq!((status, &view["defaultScope"]), (200, &json!("")));

    server.audit.take();
    let delete = || server.call("DELETE", SSO, &admin, Value::Null);
    assert_eq!(delete().await.0, 204);
    assert_eq!(refused(delete().await), code(404, "not_found"));
    let events = server.audit.take();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, AuditKind::SsoChanged);
    let target = events[0].target.as_deref();
    assert_eq!(target, Some("https://accounts.google.com"));
}

/// The numbers of the events that a query finds, page by page.
async fn numbers(server: &Server, query: &str, bearer: &str) -> Vec<i64> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{AUDIT}&limit=3{query}&cursor={cursor}");
        let (status, page) = server.get(&path, bearer).await;
        assert_eq!(status, 200, "{page}");
        for event in page["items"].as_array().unwrap() {
            found.push(event["id"].as_i64().unwrap());
        }
        match &page["next_cursor"] {
            Value::String(next) => cursor.clone_from(next),
            _ => return found,
        }
    }
}

#[tokio::test]
async fn the_audit_is_filtered_and_complete_while_rows_are_written() {
    let (server, org, admin) = world().await;
    server.org("zoo", &server.person("zoe").await).await;
    let (log, writer) = audit::start(server.app.store.pool().clone()).await.unwrap();
    let event = |at: u64, kind, user: &str, target: &str| {
        AuditEvent::new(kind, at)
            .tenant(org.clone())
            .subject(Subject::User(UserId::new(user).unwrap()))
            .target(target)
    };
    for at in 1..=10 {
        let at = 1_700_000_000 + at;
        log.record(match at % 3 {
            0 => event(at, AuditKind::Minted, "usr_ada", "key"),
            1 => event(at, AuditKind::Denied, "usr_bob", "other").because(Cause::MissingRole),
            _ => event(at, AuditKind::Revoked, "usr_ada", "key"),
        });
        let elsewhere = TenantId::new("ten_zoo").unwrap();
        log.record(AuditEvent::new(AuditKind::Minted, at).tenant(elsewhere));
        log.record(AuditEvent::new(AuditKind::LoginFailed, at));
    }
    writer.finish().await;

    let all = numbers(&server, "", &admin).await;
    assert_eq!(all.len(), 10);
    assert!(all.windows(2).all(|pair| pair[0] > pair[1]), "newest first");
    let (_, page) = server.get(&format!("{AUDIT}&limit=1"), &admin).await;
    let newest = &page["items"][0];
    assert_eq!(newest["at"], "2023-11-14T22:13:30Z");
    assert_eq!(newest.as_object().unwrap().len(), 10);
    for (query, count) in [
        ("&actor=user:usr_ada", 7),
        ("&actor=user:usr_bob", 3),
        ("&actor=usr_ada", 0),
        ("&action=minted", 4),
        ("&action=login_failed", 0),
        ("&outcome=failure", 3),
        ("&outcome=success", 7),
        ("&target=key", 7),
        ("&target=key&action=revoked", 3),
        ("&from=2023-11-14T22:13:25Z", 6),
        ("&to=2023-11-14T22:13:25Z", 4),
        (
            "&from=2023-11-14T22:13:22Z&to=2023-11-14T22:13:24Z&outcome=success",
            1,
        ),
        ("&from=2023-11-14T23:13:25%2B01:00", 6),
    ] {
        let found = numbers(&server, query, &admin).await;
        assert_eq!(found.len(), count, "{query}");
    }
    for query in [
        "&action=everything",
        "&outcome=maybe",
        "&from=yesterday",
        "&to=1700000000",
        "&actor=",
        "&action=minted&action=denied",
        "&cursor=%21",
    ] {
        let refusal = server.get(&format!("{AUDIT}{query}"), &admin).await;
        assert_eq!(refused(refusal), code(400, "validation_error"), "{query}");
    }

    // While others are written, what was there is listed once each.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for round in 0.. {
        let (log, writer) = audit::start(server.app.store.pool().clone()).await.unwrap();
        log.record(event(
            1_700_000_000 + round,
            AuditKind::Minted,
            "usr_ada",
            "key",
        ));
        writer.finish().await;
        let path = format!("{AUDIT}&limit=3&cursor={cursor}");
        let (_, page) = server.get(&path, &admin).await;
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|event| event["id"].as_i64().unwrap()));
        match &page["next_cursor"] {
            Value::String(next) => cursor.clone_from(next),
            _ => break,
        }
    }
    let there: Vec<i64> = seen.iter().copied().filter(|id| all.contains(id)).collect();
    assert_eq!(there, all);
    assert_eq!(
        seen.len(),
        all.len() + 1,
        "and one from before the first page"
    );
}

#[tokio::test]
async fn changes_of_an_org_are_told() {
    let (server, _, admin) = world().await;
    server.audit.take();
    let connector = made(&server, CONNECTORS, &admin, json!({"name": "CRM"})).await;
    let connector = text(&connector["id"]);
    let one = format!("/api/connectors/{connector}?org=acme-corp");
    server.call("DELETE", &one, &admin, Value::Null).await;
    let client = made(&server, CLIENTS, &admin, json!({"name": "c"})).await;
    let client = text(&client["clientId"]);
    let one = format!("/api/oauth-clients/{client}?org=acme-corp");
    server.call("DELETE", &one, &admin, Value::Null).await;
    let events = server.audit.take().into_iter();
    let told: Vec<_> = events
        .map(|event| {
            let tenant = event.tenant.unwrap().to_string();
            (event.kind, tenant, event.target.unwrap().to_string())
        })
        .collect();
    let event = |kind, target: &str| (kind, "ten_acme-corp".to_owned(), target.to_owned());
    assert_eq!(
        told,
        [
            event(AuditKind::ConnectorAdded, &connector),
            event(AuditKind::ConnectorRemoved, &connector),
            event(AuditKind::Minted, &client),
            event(AuditKind::Revoked, &client),
        ]
    );
}

#[tokio::test]
async fn a_change_is_noted_whatever_becomes_of_the_telling() {
    let (server, _, admin) = world().await;
    let connector = made(&server, CONNECTORS, &admin, json!({"name": "CRM"})).await;
    let connector = text(&connector["id"]);
    // Connectors can still be stored, but not all that orgs have configured be read.
    let pool = server.app.store.pool();
    sqlx::query("DROP TABLE sso").execute(pool).await.unwrap();
    server.audit.take();
    let one = format!("/api/connectors/{connector}?org=acme-corp");
    let body = json!({"name": "ERP"});
    for (method, path, body, kind) in [
        ("DELETE", &*one, Value::Null, AuditKind::ConnectorRemoved),
        ("POST", CONNECTORS, body, AuditKind::ConnectorAdded),
    ] {
        let answer = server.call(method, path, &admin, body).await;
        assert_eq!(refused(answer), code(503, "temporarily_unavailable"));
        let kinds: Vec<_> = server.audit.take().iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [kind]);
    }
}

/// Another version may have written it.
#[tokio::test]
async fn a_configuration_that_cannot_be_read_can_be_deleted() {
    let (server, _, admin) = world().await;
    let sso = json!({"issuer": "https://idp.example.com", "audience": "apexmcp"});
    let (status, _) = server.call("PUT", SSO, &admin, sso).await;
    assert_eq!(status, 200);
    let spoil = "UPDATE sso SET config = json_remove(config, '$.audience')";
    let pool = server.app.store.pool();
    sqlx::query(spoil).execute(pool).await.unwrap();
    server.audit.take();
    for (status, changes) in [(204, 1), (404, 0)] {
        let deleted = server.call("DELETE", SSO, &admin, Value::Null).await;
        assert_eq!(deleted.0, status);
        let events = server.audit.take();
        assert_eq!(events.len(), changes);
        let targets = events.iter().map(|event| event.target.as_deref());
        assert!(targets.eq(std::iter::repeat_n(
            Some("https://idp.example.com"),
            changes
        )));
    }
}

/// A server acknowledges a change only once it knows what was changed.
#[tokio::test]
async fn signing_keys_that_could_not_be_read_are_read_again() {
    let (server, ..) = world().await;
    let pool = server.app.store.pool();
    let hide = "ALTER TABLE signing_keys RENAME TO hidden";
    sqlx::query(hide).execute(pool).await.unwrap();
    let joined = Coherent::join(&server.app, Arc::new(Pulse::new())).await;
    assert!(joined.is_err());
}
