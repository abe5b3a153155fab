//! The authorization server over HTTP.

use gatewright_core::principal::TenantId;
use gatewright_core::scope::ScopeSet;
use gatewright_issuer::{Authority, OAuthRequest};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::{Server, text};

const FORM: &str = "application/x-www-form-urlencoded";
const GRANT: &str = "grant_type=client_credentials";
/// A client that there is not. Its secret has the right form, so presenting it is a guess.
const NOBODY: (&str, &str) = (
    "apx_client_0000000000000000",
    "apx_secret_000000000000000000000000",
);

struct World {
    server: Server,
    org: TenantId,
    id: String,
    secret: String,
}

impl World {
    async fn new() -> Self {
        let server = Server::start().await;
        let ada = server.person("ada").await;
        let org = server.org("acme-corp", &ada).await;
        let (id, secret) = client(&server, &org, "ada", "mcp:call").await;
        Self {
            server,
            org,
            id,
            secret,
        }
    }

    /// The client's credentials in the form, and more of it.
    fn form(&self, more: &str) -> String {
        format!("client_id={}&client_secret={}&{more}", self.id, self.secret)
    }

    fn post(&self, path: &str, form: impl Into<String>) -> RequestBuilder {
        let request = self.server.request("POST", path);
        request.header("content-type", FORM).body(form.into())
    }

    async fn token(&self) -> String {
        let request = self.post("/oauth/token", self.form(GRANT));
        let (status, granted) = told(request).await;
        assert_eq!(status, 200, "{granted}");
        text(&granted["access_token"])
    }

    async fn introspect(&self, token: &str) -> Value {
        let form = self.form(&format!("token={token}"));
        let (status, body) = told(self.post("/oauth/introspect", form)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn whoami(&self, token: &str) -> (u16, Value) {
        self.server.get("/whoami", token).await
    }
}

async fn client(server: &Server, org: &TenantId, owner: &str, scopes: &str) -> (String, String) {
    let owner = gatewright_core::principal::UserId::new(format!("usr_{owner}")).unwrap();
    let clients = server.app.clients();
    let request = clients.request(org.clone(), owner, ScopeSet::parse(scopes).unwrap());
    let authority = Authority::operator();
    let client = clients.register(request, &authority).await.unwrap();
    (client.id.to_string(), client.secret.expose().to_owned())
}

/// RFC 6749 §5.1, §5.2: whatever is answered, nobody stores it.
async fn told(request: RequestBuilder) -> (u16, Value) {
    told_by(request.send().await.unwrap()).await
}

async fn told_by(response: Response) -> (u16, Value) {
    assert_eq!(response.headers()["cache-control"], "no-store");
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    if body.is_empty() {
        return (status, Value::Null);
    }
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_client_gets_a_token_either_way_it_authenticates_itself() {
    let world = World::new().await;
    let base = &*world.server.app.public_url;
    // RFC 6749 §2.3.1
    let in_form = world.post("/oauth/token", world.form(GRANT));
    let in_field = world.post("/oauth/token", GRANT);
    let in_field = in_field.basic_auth(&world.id, Some(&world.secret));
    for request in [in_form, in_field] {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["pragma"], "no-cache");
        let (status, granted) = told_by(response).await;
        assert_eq!(status, 200, "{granted}");
        assert_eq!(granted["token_type"], "Bearer");
        assert_eq!(granted["expires_in"], 3600);
        assert_eq!(granted["scope"], "mcp:call");
        assert_eq!(granted.as_object().unwrap().len(), 4);

        let token = text(&granted["access_token"]);
        let told = world.introspect(&token).await;
        assert_eq!(told["aud"], format!("{base}/mcp/acme-corp"));
        assert_eq!(told["iss"], base);
        let (status, me) = world.whoami(&token).await;
        assert_eq!(status, 200, "{me}");
        assert_eq!(me["subject"], format!("client:{}", world.id));
        assert_eq!(me["tenant"]["slug"], "acme-corp");
        assert_eq!(me["scopes"], json!(["mcp:call"]));
        // It is for no other family of routes.
        for path in [
            "/api/connectors?org=acme-corp",
            "/v2/handles",
            "/api/v1/users/me",
        ] {
            let (status, body) = world.server.get(path, &token).await;
            assert_eq!(status, 401, "{path}: {body}");
        }
    }
}

#[tokio::test]
async fn the_token_endpoint_refuses_in_the_words_of_the_standard() {
    let world = World::new().await;
    let mine = |more: &str| world.form(&format!("{GRANT}&{more}"));
    let secret_of_nobody = format!("{GRANT}&client_id={}&client_secret={}", NOBODY.0, NOBODY.1);
    let wrong = format!("{GRANT}&client_id={}&client_secret={}", world.id, NOBODY.1);
    let elsewhere = |path: &str| {
        let base = &world.server.app.public_url;
        mine(&format!("resource={base}{path}"))
    };
    let mut rows: Vec<(&str, String, u16, &str)> = vec![
        ("§4.4.2", world.form(""), 400, "invalid_request"),
        (
            "§5.2",
            world.form("grant_type=password"),
            400,
            "unsupported_grant_type",
        ),
        ("§3.2", mine(GRANT), 400, "invalid_request"),
        ("§3.3", mine("scope=admin"), 400, "invalid_scope"),
        ("§3.3", mine("scope=mcp:call+admin"), 400, "invalid_scope"),
        ("§2.3.1", GRANT.to_owned(), 401, "invalid_client"),
        ("§5.2", secret_of_nobody, 401, "invalid_client"),
        ("§5.2", wrong, 401, "invalid_client"),
    ];
    for path in ["", "/", "/mcp", "/mcp/another", "/mcp/acme-corp/"] {
        rows.push(("RFC 8707 §2", elsewhere(path), 400, "invalid_target"));
    }
    let both = format!("{}&resource=https://evil.test", elsewhere("/mcp/acme-corp"));
    rows.push(("RFC 8707 §2", both, 400, "invalid_target"));
    for (rule, form, status, error) in rows {
        let response = world.post("/oauth/token", &*form).send().await.unwrap();
        let challenge = response.headers().get("www-authenticate").cloned();
        let (got, body) = told_by(response).await;
        assert_eq!((got, &body["error"]), (status, &error.into()), "{rule}");
        assert!(body["error_description"].is_string(), "{rule}");
        assert_eq!(body.as_object().unwrap().len(), 2, "{rule}");
        // RFC 9110 §15.5.2, RFC 6749 §5.2
        let basic = challenge.is_some_and(|value| value.as_bytes().starts_with(b"Basic "));
        assert_eq!(basic, status == 401, "{rule}");
    }
    // Its own resource it may name, and more than once.
    let own = elsewhere("/mcp/acme-corp");
    let twice = format!(
        "{own}&resource={}/mcp/acme-corp",
        world.server.app.public_url
    );
    for form in [own, twice] {
        assert_eq!(told(world.post("/oauth/token", form)).await.0, 200);
    }
}

#[tokio::test]
async fn requests_have_one_form_alone() {
    let world = World::new().await;
    let form = || world.form(GRANT);
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
        let post = |content_type: &str, body: String| {
            let request = world.server.request("POST", path);
            request.header("content-type", content_type).body(body)
        };
        let json = json!({"client_id": world.id, "client_secret": world.secret}).to_string();
        let query = format!(
            "{path}?client_id={}&client_secret={}",
            world.id, world.secret
        );
        let long = world.form(&"a".repeat(OAuthRequest::MAX_BODY));
        for (what, request, status) in [
            ("JSON", post("application/json", json), 400),
            ("text", post("text/plain", form()), 400),
            ("nothing", world.server.request("POST", path), 400),
            (
                "two types",
                post(FORM, form()).header("content-type", FORM),
                400,
            ),
            ("broken", post(FORM, "a=%zz".to_owned()), 400),
            ("in the query", world.post(&query, GRANT), 400),
            (
                "two ways",
                world
                    .post(path, form())
                    .basic_auth(&world.id, Some(&world.secret)),
                400,
            ),
            ("too long", post(FORM, long), 413),
        ] {
            let (got, body) = told(request).await;
            assert_eq!(
                (got, &body["error"]),
                (status, &"invalid_request".into()),
                "{path}: {what}"
            );
        }
        // RFC 6749 §3.2
        let response = world.server.request("GET", path).send().await.unwrap();
        assert_eq!(response.headers()["allow"], "POST");
        let (status, body) = told_by(response).await;
        assert_eq!((status, &body["error"]), (405, &"invalid_request".into()));
    }
    let (status, body) = told(world.server.request("GET", "/oauth/nothing")).await;
    assert_eq!(status, 404);
    assert!(body["error"].is_string(), "{body}");
}

/// RFC 7009 §2, RFC 7662 §2.2.
#[tokio::test]
async fn a_token_is_given_back_at_once_by_its_own_client_alone() {
    let world = World::new().await;
    let (other_id, other_secret) = client(&world.server, &world.org, "ada", "mcp:call").await;
    let other = |path: &str, token: &str| {
        let request = world.post(path, format!("token={token}"));
        request.basic_auth(&other_id, Some(&other_secret))
    };
    let token = world.token().await;
    assert_eq!(world.whoami(&token).await.0, 200);
    assert_eq!(world.introspect(&token).await["active"], true);

    let (status, body) = told(other("/oauth/introspect", &token)).await;
    assert_eq!((status, body), (200, json!({"active": false})));
    let (status, body) = told(other("/oauth/revoke", &token)).await;
    assert_eq!((status, &body["error"]), (400, &"invalid_grant".into()));
    assert_eq!(world.whoami(&token).await.0, 200);

    let unknown = world.form("token=nonsense");
    let hinted = world.form(&format!("token={token}&token_type_hint=refresh_token"));
    for form in [unknown, hinted.clone(), hinted] {
        let (status, body) = told(world.post("/oauth/revoke", form)).await;
        assert_eq!((status, body), (200, Value::Null));
    }
    let (status, body) = world.whoami(&token).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &"token_revoked".into())
    );
    for gone in [&*token, "nonsense", ""] {
        let form = world.form(&format!("token={gone}"));
        let (status, body) = told(world.post("/oauth/introspect", form)).await;
        match gone {
            "" => assert_eq!((status, &body["error"]), (400, &"invalid_request".into())),
            _ => assert_eq!((status, body), (200, json!({"active": false}))),
        }
    }
}

#[tokio::test]
async fn a_clients_tokens_end_with_it() {
    let world = World::new().await;
    let token = world.token().await;
    let admin = world.server.login("gateway", "ada").await;
    let one = format!("/api/oauth-clients/{}?org=acme-corp", world.id);
    assert_eq!(world.whoami(&token).await.0, 200);
    let (status, _) = world.server.call("DELETE", &one, &admin, Value::Null).await;
    assert_eq!(status, 204);
    assert_eq!(world.whoami(&token).await.0, 401);
    let (status, body) = told(world.post("/oauth/token", world.form(GRANT))).await;
    assert_eq!((status, &body["error"]), (401, &"invalid_client".into()));
}

/// Guesses are counted by where they come from and for whom: the client itself is not locked out by a stranger's.
#[tokio::test]
async fn guesses_are_limited() {
    let world = World::new().await;
    let wrong = format!("{GRANT}&client_id={}&client_secret={}", world.id, NOBODY.1);
    let mut limited = None;
    for _ in 0..50 {
        let response = world.post("/oauth/token", &*wrong).send().await.unwrap();
        if response.status() != 401 {
            limited = Some(response);
            break;
        }
    }
    let response = limited.unwrap();
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    let (_, body) = told_by(response).await;
    assert_eq!(body["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn nobody_is_sent_anywhere_by_the_authorization_endpoint() {
    let world = World::new().await;
    let query = "/oauth/authorize?response_type=code&client_id=x&redirect_uri=https://evil.test";
    for method in ["GET", "POST"] {
        let response = world.server.request(method, query).send().await.unwrap();
        assert!(!response.headers().contains_key("location"));
        let (status, body) = told_by(response).await;
        let error = "unsupported_response_type";
        assert_eq!((status, &body["error"]), (400, &error.into()));
    }
}

async fn document(world: &World, path: &str) -> Value {
    let response = world.server.request("GET", path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(response.headers()["content-type"], "application/json");
    let cache = response.headers()["cache-control"].to_str().unwrap();
    let age = cache.strip_prefix("public, max-age=").unwrap();
    assert!(age.parse::<u64>().unwrap() < crate::start::PUBLISH_LEAD_SECS);
    response.json().await.unwrap()
}

#[tokio::test]
async fn documents_tell_clients_where_to_go() {
    let world = World::new().await;
    let base = &*world.server.app.public_url;
    let server = document(&world, "/.well-known/oauth-authorization-server").await;
    assert_eq!(server["issuer"], base);
    for (member, path) in [
        ("token_endpoint", "/oauth/token"),
        ("revocation_endpoint", "/oauth/revoke"),
        ("introspection_endpoint", "/oauth/introspect"),
        ("authorization_endpoint", "/oauth/authorize"),
        ("jwks_uri", "/.well-known/jwks.json"),
    ] {
        assert_eq!(server[member], format!("{base}{path}"), "{member}");
    }
    assert_eq!(server["response_types_supported"], json!([]));
    assert_eq!(server["scopes_supported"], json!(["mcp:call"]));
    let keys = document(&world, "/.well-known/jwks.json").await;
    assert_eq!(
        keys,
        world
            .server
            .app
            .signing
            .jwks(world.server.app.gate.clock().now())
    );
    assert!(!keys["keys"].as_array().unwrap().is_empty());
    assert!(
        keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .all(|key| key.get("d").is_none())
    );

    // RFC 9728 §3.3: what the client called. An org that is not there looks like one that is.
    let at = "/.well-known/oauth-protected-resource";
    for path in ["", "/mcp", "/mcp/acme-corp", "/mcp/nobody-here"] {
        let resource = document(&world, &format!("{at}{path}")).await;
        assert_eq!(resource["resource"], format!("{base}{path}"));
        assert_eq!(resource["authorization_servers"], json!([base]));
        let scopes = match path {
            "/mcp" => Value::Null,
            _ => json!(["mcp:call"]),
        };
        assert_eq!(resource["scopes_supported"], scopes, "{path}");
    }
    for path in ["/mcp/UPPER", "/mcp/ab", "/mcp/a%20b%22", "/other"] {
        let (status, _) = told(world.server.request("GET", &format!("{at}{path}"))).await;
        assert_eq!(status, 404, "{path}");
    }
}
