use gatewright_core::principal::UserId;
use gatewright_core::store::{AccountStore, PasswordChange};
use serde_json::{Value, json};

use super::{Server, answer, refused, text};

async fn pat(server: &Server, jwt: &str, handle: &str, scopes: Value) -> Value {
    let path = format!("/v2/handles/{handle}/tokens");
    let body = json!({ "name": "ci-worker", "scopes": scopes, "expiresInDays": 30 });
    let (status, token) = server.call("POST", &path, jwt, body).await;
    assert_eq!(status, 201, "{token}");
    token
}

#[tokio::test]
async fn login_mint_call_revoke_refused() {
    let server = Server::start().await;
    server.person("ada").await;
    let jwt = server.login("handle", "ada").await;
    let new = json!({ "handle": "acme", "displayName": "Acme" });
    let (status, handle) = server.call("POST", "/v2/handles", &jwt, new.clone()).await;
    assert_eq!(
        (status, &handle["role"], &handle["plan"]),
        (201, &"owner".into(), &"free".into())
    );
    let taken = server.call("POST", "/v2/handles", &jwt, new).await;
    assert_eq!(refused(taken), (409, "conflict".to_owned()));
    let (_, list) = server.get("/v2/handles", &jwt).await;
    assert_eq!(list["items"], json!([handle]));

    let token = pat(&server, &jwt, "acme", json!(["links.read", "links.write"])).await;
    let members = [
        "tokenId",
        "token",
        "name",
        "handle",
        "scopes",
        "createdAt",
        "expiresAt",
    ];
    assert!(
        members.iter().all(|member| !token[member].is_null()),
        "{token}"
    );
    let secret = text(&token["token"]);
    let id = text(&token["tokenId"]);
    assert!(secret.starts_with(&format!("patv1_{id}.")));

    let link = "/v2/public/handles/acme/links/product";
    let body = json!({ "destinationUrl": "https://example.com/product", "title": "Product Page" });
    assert_eq!(
        refused(server.get(link, &secret).await),
        (404, "not_found".to_owned())
    );
    assert_eq!(server.call("PUT", link, &secret, body.clone()).await.0, 201);
    assert_eq!(server.call("PUT", link, &secret, body).await.0, 200);
    let control = "/v2/handles/acme/links/product";
    assert_eq!(server.get(control, &jwt).await.1["ctx"], handle["ctx"]);
    // `x-api-key` is read first where tokens go.
    let links = "/v2/public/handles/acme/links";
    let request = server.request("GET", links).header("x-api-key", &secret);
    let (status, list) = answer(request.bearer_auth("junk").send().await.unwrap()).await;
    assert_eq!(
        (status, &list["items"][0]["slug"]),
        (200, &"product".into())
    );

    assert_eq!(
        server.call("DELETE", link, &secret, Value::Null).await.0,
        204
    );
    let one = format!("/v2/handles/acme/tokens/{id}");
    for _ in 0..2 {
        assert_eq!(server.call("DELETE", &one, &jwt, Value::Null).await.0, 204);
        let refusal = refused(server.get(links, &secret).await);
        assert_eq!(refusal, (401, "token_revoked".to_owned()));
    }
}

#[tokio::test]
async fn each_kind_of_credential_goes_where_it_may() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.handle("acme", "free", &ada).await;
    server.handle("other", "pro", &ada).await;
    server.person("eve").await;
    let jwt = server.login("handle", "ada").await;
    let eve = server.login("handle", "eve").await;
    let token = pat(&server, &jwt, "acme", json!(["*"])).await;
    let narrow = pat(&server, &jwt, "acme", json!(["links.read"])).await;
    let (token, narrow) = (text(&token["token"]), text(&narrow["token"]));

    for (path, bearer, refusal) in [
        (
            "/v2/public/handles/acme/analytics",
            &jwt,
            (401, "invalid_token_format"),
        ),
        (
            "/v2/public/handles/acme/analytics",
            &narrow,
            (403, "insufficient_scope"),
        ),
        (
            "/v2/handles/acme/tokens",
            &token,
            (403, "insufficient_scope"),
        ),
        ("/v2/handles", &token, (403, "insufficient_scope")),
        (
            "/v2/public/handles/other/links",
            &token,
            (403, "insufficient_scope"),
        ),
        (
            "/v2/public/handles/nowhere/links",
            &token,
            (403, "insufficient_scope"),
        ),
        ("/v2/handles/acme", &eve, (404, "not_found")),
        ("/v2/handles/nowhere", &eve, (404, "not_found")),
        (
            "/v2/public/handles/acme/webhooks",
            &token,
            (403, "feature_locked"),
        ),
        ("/v2/billing/plan?handle=acme", &eve, (404, "not_found")),
    ] {
        let answer = refused(server.get(path, bearer).await);
        assert_eq!(answer, (refusal.0, refusal.1.to_owned()), "{path}");
    }
    let (_, body) = server
        .get("/v2/public/handles/acme/analytics", &narrow)
        .await;
    let message = "Token does not have the required scope: analytics.read";
    assert_eq!(body["error"]["message"], message);
    assert_eq!(body["error"]["statusCode"], 403);
}

#[tokio::test]
async fn collaborators_come_and_go_and_one_owner_stays() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.handle("acme", "free", &ada).await;
    server.person("bob").await;
    server.account("new", false).await;
    let path = "/v2/handles/acme/collaborators";
    let jwt = server.login("handle", "ada").await;
    let bob = server.login("handle", "bob").await;
    let put = async |who: &str, name: &str, role: &str| {
        let body = json!({ "email": format!("{name}@acme.test"), "role": role });
        refused(server.call("PUT", path, who, body).await)
    };
    let remove = async |who: &str, name: &str| {
        let body = json!({ "email": format!("{name}@acme.test") });
        refused(server.call("DELETE", path, who, body).await)
    };
    let ok = |status: u16| (status, String::new());

    assert_eq!(put(&jwt, "bob", "operator").await, ok(201));
    assert_eq!(put(&jwt, "bob", "creator").await, ok(200));
    assert_eq!(put(&bob, "bob", "owner").await.1, "insufficient_role");
    let tokens = refused(server.get("/v2/handles/acme/tokens", &bob).await);
    assert_eq!(tokens, (403, "insufficient_role".to_owned()));
    for (name, role, code) in [
        ("bob", "platform_admin", "validation_error"),
        ("nobody", "creator", "not_found"),
        ("new", "creator", "not_found"),
        ("ada", "operator", "conflict"),
    ] {
        assert_eq!(put(&jwt, name, role).await.1, code, "{name}");
    }
    assert_eq!(remove(&jwt, "ada").await, (409, "conflict".to_owned()));
    assert_eq!(put(&jwt, "bob", "owner").await, ok(200));
    assert_eq!(
        put(&bob, "ada", "creator").await,
        ok(200),
        "there is another owner now"
    );
    // It holds for the token that was issued before.
    assert_eq!(remove(&jwt, "bob").await.1, "insufficient_role");
    assert_eq!(remove(&bob, "ada").await, ok(204));
    assert_eq!(server.get("/v2/handles/acme", &jwt).await.0, 404);
    assert_eq!(remove(&bob, "ada").await, (404, "not_found".to_owned()));
}

/// Whoever has a handle could otherwise try addresses without anybody noticing.
#[tokio::test]
async fn removing_a_stranger_does_not_tell_whether_there_is_such_an_account() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let acme = server.handle("acme", "free", &ada).await;
    server.person("bob").await;
    server.account("new", false).await;
    let jwt = server.login("handle", "ada").await;
    let path = "/v2/handles/acme/collaborators";
    let mut answers = Vec::new();
    for name in ["bob", "new", "nobody"] {
        let body = json!({ "email": format!("{name}@acme.test") });
        answers.push(server.call("DELETE", path, &jwt, body).await);
    }
    assert_eq!(answers[0].0, 404);
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );

    // An address that was never verified, or no longer is, keeps nobody in.
    let new = UserId::new("usr_new").unwrap();
    server.join(&acme, &new, "creator").await;
    let body = json!({ "email": "new@acme.test" });
    assert_eq!(server.call("DELETE", path, &jwt, body).await.0, 204);
}

#[tokio::test]
async fn of_two_owners_who_step_down_at_once_one_stays() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let acme = server.handle("acme", "free", &ada).await;
    let bob = server.person("bob").await;
    server.join(&acme, &bob, "owner").await;
    let path = "/v2/handles/acme/collaborators";
    let (a, b) = (
        server.login("handle", "ada").await,
        server.login("handle", "bob").await,
    );
    let body = |name: &str| json!({ "email": format!("{name}@acme.test"), "role": "creator" });
    let (first, second) = tokio::join!(
        server.call("PUT", path, &a, body("ada")),
        server.call("PUT", path, &b, body("bob")),
    );
    let mut statuses = [first.0, second.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn a_completed_checkout_changes_the_plan_at_once_and_once() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.handle("acme", "free", &ada).await;
    let eve = server.person("eve").await;
    server.handle("eves", "free", &eve).await;
    let jwt = server.login("handle", "ada").await;
    let eve = server.login("handle", "eve").await;
    let scopes = json!(["webhooks.write", "links.read"]);
    let token = text(&pat(&server, &jwt, "acme", scopes).await["token"]);
    let hooks = "/v2/public/handles/acme/webhooks";
    let hook = json!({ "url": "https://example.com/hook", "events": ["conversion.created"] });
    let locked = server.call("POST", hooks, &token, hook.clone()).await;
    assert_eq!(refused(locked), (403, "feature_locked".to_owned()));

    let sessions = "/v2/billing/checkout-session";
    let order = json!({ "handle": "acme", "plan": "pro" });
    let foreign = server.call("POST", sessions, &eve, order.clone()).await;
    assert_eq!(refused(foreign), (404, "not_found".to_owned()));
    let (status, session) = server.call("POST", sessions, &jwt, order).await;
    assert_eq!((status, &session["status"]), (201, &"open".into()));
    let complete = format!("{sessions}/{}/complete", text(&session["id"]));
    let foreign = server.call("POST", &complete, &eve, Value::Null).await;
    assert_eq!(refused(foreign), (404, "not_found".to_owned()));
    let (status, done) = server.call("POST", &complete, &jwt, Value::Null).await;
    assert_eq!((status, &done["status"]), (200, &"completed".into()));
    let again = server.call("POST", &complete, &jwt, Value::Null).await;
    assert_eq!(refused(again), (409, "conflict".to_owned()));

    let (_, plan) = server.get("/v2/billing/plan?handle=acme", &jwt).await;
    assert_eq!(
        (&plan["plan"], &plan["requestsPerMinute"]),
        (&"pro".into(), &json!(300))
    );
    let (status, made) = server.call("POST", hooks, &token, hook.clone()).await;
    assert_eq!(status, 201);
    assert_eq!(server.call("POST", hooks, &token, hook).await.0, 409);
    assert_eq!(server.get(hooks, &token).await.1["items"], json!([made]));
    let one = format!("{hooks}?id={}", text(&made["id"]));
    assert_eq!(
        server.call("DELETE", &one, &token, Value::Null).await.0,
        204
    );
    assert_eq!(
        server.call("DELETE", &one, &token, Value::Null).await.0,
        404
    );
}

#[tokio::test]
async fn tokens_rotate_and_what_is_malformed_is_named() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.handle("acme", "free", &ada).await;
    server.handle("other", "free", &ada).await;
    let jwt = server.login("handle", "ada").await;
    let token = pat(&server, &jwt, "acme", json!(["links.read"])).await;
    let id = text(&token["tokenId"]);
    let rotate = format!("/v2/handles/acme/tokens/{id}/rotate");
    let body = json!({ "graceSeconds": 0 });
    let (status, fresh) = server.call("POST", &rotate, &jwt, body).await;
    assert_eq!(status, 200);
    assert_eq!(server.get("/whoami", &text(&token["token"])).await.0, 401);
    assert_eq!(server.get("/whoami", &text(&fresh["token"])).await.0, 200);
    let elsewhere = format!("/v2/handles/other/tokens/{id}");
    for (method, path) in [
        ("POST", format!("{elsewhere}/rotate")),
        ("DELETE", elsewhere),
    ] {
        let refusal = server.call(method, &path, &jwt, Value::Null).await;
        assert_eq!(refused(refusal), (404, "not_found".to_owned()));
    }
    let tokens = "/v2/handles/acme/tokens";
    for (body, code) in [
        (json!({ "name": "n" }), "invalid_payload"),
        (
            json!({ "name": "n", "scopes": ["links.read"], "expiresInDays": 0 }),
            "validation_error",
        ),
        (
            json!({ "name": "n", "scopes": ["keys.read"] }),
            "insufficient_scope",
        ),
        (
            json!({ "name": "n", "scopes": ["links.delete"] }),
            "invalid_scope",
        ),
    ] {
        assert_eq!(
            refused(server.call("POST", tokens, &jwt, body).await).1,
            code
        );
    }
    let link = "/v2/handles/acme/links/a";
    let script = json!({ "destinationUrl": "javascript:alert(1)" });
    let refusal = server.call("PUT", link, &jwt, script).await;
    assert_eq!(refused(refusal), (400, "validation_error".to_owned()));
}

#[tokio::test]
async fn a_domain_belongs_to_one_account() {
    let server = Server::start().await;
    server.person("ada").await;
    server.person("eve").await;
    let jwt = server.login("handle", "ada").await;
    let eve = server.login("handle", "eve").await;
    let path = "/v2/account/domains";
    let body = json!({ "domain": "Go.Example.com" });
    let (status, domain) = server.call("POST", path, &jwt, body.clone()).await;
    assert_eq!((status, &domain["domain"]), (201, &"go.example.com".into()));
    assert_eq!(server.call("POST", path, &eve, body).await.0, 409);
    assert_eq!(server.get(path, &jwt).await.1["items"], json!([domain]));
    assert_eq!(server.get(path, &eve).await.1["items"], json!([]));
}

#[tokio::test]
async fn a_changed_password_ends_the_tokens_issued_before() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let jwt = server.login("handle", "ada").await;
    assert_eq!(server.get("/v2/handles", &jwt).await.0, 200);
    let app = &server.app;
    let hash = app
        .passwords
        .hash(super::PASSWORD.as_bytes())
        .unwrap()
        .await;
    let changed = app
        .store
        .set_password(PasswordChange::new(
            &ada,
            hash.unwrap(),
            app.gate.clock().now(),
        ))
        .await
        .unwrap();
    app.gate.changes().publish(changed);
    let refusal = refused(server.get("/v2/handles", &jwt).await);
    assert_eq!(refusal, (401, "token_revoked".to_owned()));
    let jwt = server.login("handle", "ada").await;
    assert_eq!(server.get("/v2/handles", &jwt).await.0, 200);
}

#[tokio::test]
async fn a_handle_has_the_calls_of_its_plan() {
    let server = Server::start_with(true).await;
    let ada = server.person("ada").await;
    server.handle("acme", "free", &ada).await;
    let jwt = server.login("handle", "ada").await;
    let mut answers = Vec::new();
    for _ in 0..61 {
        answers.push(server.get("/v2/handles/acme", &jwt).await);
    }
    let last = answers.pop().unwrap();
    assert_eq!(refused(last), (429, "rate_limited".to_owned()));
    assert!(answers.iter().all(|(status, _)| *status == 200));
}
