//! Input that nobody means well with, and a database that is gone.

use serde_json::{Value, json};

use super::{PASSWORD, Server, answer, refused, text};

/// Whatever stands in paths, queries and bodies, no answer blames the server.
#[tokio::test]
async fn no_input_makes_the_server_fail() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.handle("acme", "pro", &ada).await;
    server.workspace("work", &ada).await;
    let person = server.login("handle", "ada").await;
    let admin = server.login("workspace", "ada").await;
    let body = json!({ "name": "all", "scopes": ["*"] });
    let (_, pat) = server
        .call("POST", "/v2/handles/acme/tokens", &person, body)
        .await;
    let pat = text(&pat["token"]);
    let bearer = |path: &str| match path {
        path if path.starts_with("/v2/public/handles") => &pat,
        path if path.starts_with("/v2") => &person,
        _ => &admin,
    };

    let long = "a".repeat(3_000);
    let places = ["acme", "%00", "%ff", "%2e%2e", "';--", "%E2%80%AE", &long];
    let queries = [
        "",
        "?limit=-1",
        "?cursor=AA",
        "?cursor=%00",
        "?handle=%00&id=%00",
        "?limit=1&limit=2",
    ];
    let odd = [
        json!("\u{0}"),
        json!(1e308),
        json!(-1),
        json!([[]]),
        json!(long),
        Value::Null,
    ];
    let members = [
        "email",
        "password",
        "workspace",
        "name",
        "scopes",
        "expires_in_days",
        "expiresInDays",
        "grace_seconds",
        "handle",
        "displayName",
        "role",
        "destinationUrl",
        "title",
        "url",
        "events",
        "domain",
        "plan",
        "ctx",
        "eventType",
        "value",
        "idempotencyKey",
    ];
    for row in server.table.rows() {
        let bearer = bearer(&row.path);
        let at = |place: &str| {
            let parts = row.path.split('/');
            let parts = parts.map(|part| if part.starts_with('{') { place } else { part });
            parts.collect::<Vec<_>>().join("/")
        };
        let places = places.iter().map(|place| at(place));
        let queries = queries.iter().map(|query| at("acme") + query);
        for url in places.chain(queries) {
            let (status, body) = server.call(&row.method, &url, bearer, Value::Null).await;
            assert!(status < 500, "{} {url}: {body}", row.method);
        }
        if !["POST", "PUT", "PATCH"].contains(&&*row.method) {
            continue;
        }
        // Members that are right, but for one.
        let right = json!({
            "email": "ada@acme.test", "password": PASSWORD, "name": "n", "scopes": ["links.read"],
            "handle": "acme", "role": "owner", "destinationUrl": "https://a.test", "plan": "pro",
            "url": "https://a.test", "events": ["e"], "domain": "a.test", "ctx": "c", "eventType": "e",
        });
        let path = at("acme");
        for member in members {
            for value in &odd {
                let mut body = right.clone();
                body[member] = value.clone();
                let (status, answer) = server.call(&row.method, &path, bearer, body.clone()).await;
                assert!(status < 500, "{} {path} {body}: {answer}", row.method);
            }
        }
    }
}

/// Whoever guesses cannot look like somebody else by saying so.
#[tokio::test]
async fn header_fields_that_name_an_address_are_not_believed() {
    let server = Server::start().await;
    server.person("ada").await;
    let body = json!({ "email": "ada@acme.test", "password": "wrong" });
    let mut last = 0;
    for number in 0..11 {
        let address = format!("203.0.113.{number}");
        let request = server.request("POST", "/v2/auth/login").json(&body);
        let request = request
            .header("x-forwarded-for", &address)
            .header("x-real-ip", &address)
            .header("forwarded", format!("for={address}"));
        last = answer(request.send().await.unwrap()).await.0;
    }
    assert_eq!(last, 429);
    let events = server.audit.take();
    let sources = events.iter().map(|event| event.source.unwrap());
    assert!(sources.into_iter().all(|source| source.is_loopback()));
}

/// A database that cannot answer refuses nobody for good and admits nobody.
#[tokio::test]
async fn without_the_database_everything_is_unavailable_for_now() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let acme = server.handle("acme", "free", &ada).await;
    let ctx = server.app.product.ctx().seal(&acme);
    let jwt = server.login("handle", "ada").await;
    assert_eq!(server.get("/v2/handles/acme", &jwt).await.0, 200);
    server.app.store.pool().close().await;

    let login = json!({ "email": "ada@acme.test", "password": PASSWORD });
    let report = json!({ "ctx": ctx, "eventType": "purchase" });
    let order = json!({ "handle": "acme", "plan": "pro" });
    let email = json!({ "email": "ada@acme.test" });
    let newcomer = json!({ "email": "eve@acme.test", "password": PASSWORD });
    for (method, path, bearer, body) in [
        ("POST", "/v2/auth/login", "", login),
        ("POST", "/v2/public/conversions", "", report),
        // Nobody is told that a mail is on its way.
        ("POST", "/api/v1/users/signup", "", newcomer),
        ("POST", "/api/v1/users/forgot-password", "", email.clone()),
        ("POST", "/api/v1/users/resend-verification", "", email),
        ("GET", "/v2/handles", &jwt, Value::Null),
        ("POST", "/v2/handles", &jwt, json!({ "handle": "other" })),
        ("POST", "/v2/billing/checkout-session", &jwt, order),
        ("GET", "/v2/account/domains", &jwt, Value::Null),
    ] {
        let mut request = server.request(method, path).json(&body);
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        let response = request.send().await.unwrap();
        assert!(response.headers().contains_key("retry-after"), "{path}");
        let refusal = refused(answer(response).await);
        assert_eq!(
            refusal,
            (503, "temporarily_unavailable".to_owned()),
            "{path}"
        );
    }
}
