use serde_json::{Value, json};

use super::{PASSWORD, Server, answer, refused, text};

const KEYS: &str = "/api/v1/users/api-keys";

async fn mint(server: &Server, bearer: &str, body: Value) -> Value {
    let (status, key) = server.call("POST", KEYS, bearer, body).await;
    assert_eq!(status, 201, "{key}");
    key
}

#[tokio::test]
async fn login_mint_call_revoke_refused() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    let jwt = server.login("workspace", "ada").await;

    let key = mint(&server, &jwt, json!({ "name": "ci" })).await;
    assert_eq!(key["scopes"], json!(["*"]));
    let (secret, prefix) = (text(&key["secret"]), text(&key["prefix"]));
    assert!(secret.starts_with(&format!("tnx_{prefix}_")));

    let (status, me) = server.get("/api/v1/users/me", &secret).await;
    assert_eq!((status, &me["email"]), (200, &"ada@acme.test".into()));
    assert_eq!(me["workspace"]["slug"], "acme");
    let (_, list) = server.get(KEYS, &secret).await;
    assert_eq!(list["items"][0]["prefix"], *prefix);
    assert!(!list.to_string().contains(&secret), "shown once");
    assert!(list["next_cursor"].is_null());
    let (_, who) = server.get("/whoami", &secret).await;
    assert_eq!(
        (&who["kind"], &who["credential_id"]),
        (&"api_key".into(), &prefix.clone().into())
    );

    let one = format!("{KEYS}/{prefix}");
    assert_eq!(server.get(&one, &jwt).await.0, 200);
    for _ in 0..2 {
        assert_eq!(server.call("DELETE", &one, &jwt, Value::Null).await.0, 204);
        let refusal = server.get("/api/v1/users/me", &secret).await;
        assert_eq!(refused(refusal), (401, "token_revoked".to_owned()));
    }
    let unknown = format!("{KEYS}/nosuchid");
    let gone = server.call("DELETE", &unknown, &jwt, Value::Null).await;
    assert_eq!(refused(gone), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_key_mints_no_more_and_no_longer_than_itself() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    let jwt = server.login("workspace", "ada").await;
    let narrow = json!({ "name": "n", "scopes": ["keys.write"], "expires_in_days": 1 });
    let narrow = mint(&server, &jwt, narrow).await;
    assert_eq!(
        narrow["scopes"],
        json!(["keys.read", "keys.write"]),
        "what it implies too"
    );
    let key = text(&narrow["secret"]);

    let child = mint(&server, &key, json!({ "name": "child" })).await;
    assert_eq!(child["scopes"], narrow["scopes"]);
    assert_eq!(child["expires_at"], narrow["expires_at"]);
    for (scopes, refusal) in [
        (json!(["team.read"]), (403, "insufficient_scope")),
        (json!(["leads:write"]), (400, "invalid_scope")),
        (json!(["a b"]), (400, "invalid_scope")),
        (json!([]), (400, "validation_error")),
        (json!("keys.read"), (400, "invalid_payload")),
    ] {
        let body = json!({ "name": "n", "scopes": scopes });
        let answer = refused(server.call("POST", KEYS, &key, body).await);
        assert_eq!(answer, (refusal.0, refusal.1.to_owned()), "{scopes}");
    }
    // Nor does it get hold of a broader key, or one that lives longer, by rotating it.
    let broad = mint(&server, &jwt, json!({ "name": "broad" })).await;
    let longer = json!({ "name": "l", "scopes": ["keys.read"] });
    let longer = mint(&server, &jwt, longer).await;
    for other in [broad, longer] {
        let path = format!("{KEYS}/{}/rotate", text(&other["prefix"]));
        let refusal = server.call("POST", &path, &key, Value::Null).await;
        assert_eq!(refused(refusal), (403, "insufficient_scope".to_owned()));
    }
    let path = format!("{KEYS}/{}/rotate", text(&narrow["prefix"]));
    assert_eq!(server.call("POST", &path, &key, Value::Null).await.0, 200);
}

#[tokio::test]
async fn rotation_honours_the_grace_asked_for() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    let jwt = server.login("workspace", "ada").await;
    let key = mint(&server, &jwt, json!({ "name": "ci" })).await;
    let path = format!("{KEYS}/{}/rotate", text(&key["prefix"]));

    let (_, second) = server.call("POST", &path, &jwt, Value::Null).await;
    let (first, second) = (text(&key["secret"]), text(&second["secret"]));
    assert_eq!(
        server.get("/whoami", &first).await.0,
        200,
        "an hour unless said"
    );
    let none = json!({ "grace_seconds": 0 });
    let (_, third) = server.call("POST", &path, &jwt, none).await;
    assert_eq!(server.get("/whoami", &first).await.0, 401);
    assert_eq!(server.get("/whoami", &second).await.0, 401);
    assert_eq!(server.get("/whoami", &text(&third["secret"])).await.0, 200);
    for grace in [json!(-1), json!(86_401), json!(1.5)] {
        let body = json!({ "grace_seconds": grace });
        let refusal = server.call("POST", &path, &jwt, body).await;
        assert_eq!(refused(refusal), (400, "validation_error".to_owned()));
    }
}

#[tokio::test]
async fn members_have_their_own_keys_managers_see_all_admins_change_all() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let acme = server.workspace("acme", &ada).await;
    for (name, role) in [("mia", "manager"), ("max", "member")] {
        let user = server.person(name).await;
        server.join(&acme, &user, role).await;
    }
    let zoe = server.person("zoe").await;
    server.workspace("zoo", &zoe).await;
    let admin = server.login("workspace", "ada").await;
    let manager = server.login("workspace", "mia").await;
    let member = server.login("workspace", "max").await;
    let stranger = server.login("workspace", "zoe").await;

    let theirs = mint(&server, &member, json!({ "name": "m" })).await;
    assert_eq!(
        theirs["scopes"],
        json!([
            "keys.read",
            "keys.write",
            "sessions.read",
            "sessions.write",
            "users.read",
            "users.write"
        ])
    );
    let key = mint(&server, &admin, json!({ "name": "a" })).await;
    let path = format!("{KEYS}/{}", text(&key["prefix"]));
    for (who, seen, read, delete) in [
        (&member, 1, 404, 404),
        (&manager, 2, 200, 403),
        (&stranger, 0, 404, 404),
        (&admin, 2, 200, 204),
    ] {
        let (_, list) = server.get(KEYS, who).await;
        assert_eq!(list["items"].as_array().unwrap().len(), seen);
        assert_eq!(server.get(&path, who).await.0, read);
        assert_eq!(
            server.call("DELETE", &path, who, Value::Null).await.0,
            delete
        );
    }
    for (who, status) in [(&member, 403), (&manager, 200), (&admin, 200)] {
        assert_eq!(server.get("/api/v1/users/team", who).await.0, status);
    }
    let refusal = refused(server.get("/api/v1/admin/api-keys", &manager).await);
    assert_eq!(refusal, (403, "insufficient_role".to_owned()));

    let (_, first) = server.get("/api/v1/users/team?limit=2", &admin).await;
    let cursor = text(&first["next_cursor"]);
    let next = format!("/api/v1/users/team?limit=2&cursor={cursor}");
    let (_, last) = server.get(&next, &admin).await;
    assert_eq!(last["items"].as_array().unwrap().len(), 1);
    assert!(last["next_cursor"].is_null());
}

#[tokio::test]
async fn a_login_tells_nobody_whether_an_account_exists() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    server.account("new", false).await;
    for family in ["/api/v1/users/login", "/v2/auth/login"] {
        let mut answers = Vec::new();
        for (name, password) in [("ada", "wrong"), ("nobody", "wrong"), ("new", PASSWORD)] {
            let body = json!({ "email": format!("{name}@acme.test"), "password": password });
            answers.push(server.call("POST", family, "", body).await);
        }
        assert_eq!(
            refused(answers[0].clone()),
            (401, "invalid_credentials".to_owned())
        );
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{answers:?}"
        );
    }
}

#[tokio::test]
async fn too_many_wrong_passwords_are_refused_for_this_account_alone() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    let bob = server.person("bob").await;
    server.workspace("bobs", &bob).await;
    let wrong = json!({ "email": "ADA@acme.test", "password": "wrong" });
    let mut last = 0;
    for _ in 0..11 {
        last = server
            .call("POST", "/v2/auth/login", "", wrong.clone())
            .await
            .0;
    }
    assert_eq!(last, 429);
    let right = json!({ "email": "ada@acme.test", "password": PASSWORD });
    let request = server.request("POST", "/v2/auth/login").json(&right);
    let response = request.send().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(
        refused(answer(response).await),
        (429, "rate_limited".to_owned())
    );
    server.login("workspace", "bob").await;
}

#[tokio::test]
async fn a_login_names_the_workspace_asked_for_and_foreign_pages_cannot_log_in() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    server.workspace("zeta", &ada).await;
    server.workspace("bobs", &server.person("bob").await).await;
    server.person("lonely").await;
    let login = async |name: &str, workspace: Value| {
        let email = format!("{name}@acme.test");
        let body = json!({ "email": email, "password": PASSWORD, "workspace": workspace });
        server.call("POST", "/api/v1/users/login", "", body).await
    };
    for (asked, given) in [(Value::Null, "acme"), (json!("zeta"), "zeta")] {
        let jwt = text(&login("ada", asked).await.1["access_token"]);
        let (_, who) = server.get("/whoami", &jwt).await;
        assert_eq!(
            (&who["tenant"]["slug"], &who["role"]),
            (&given.into(), &"admin".into())
        );
        // Made for one family, worth nothing in the other.
        let refusal = refused(server.get("/v2/handles", &jwt).await);
        assert_eq!(refusal, (401, "invalid_token".to_owned()));
    }
    assert_eq!(
        refused(login("ada", json!("bobs")).await),
        (404, "not_found".to_owned())
    );
    let refusal = refused(login("lonely", Value::Null).await);
    assert_eq!(refusal, (403, "insufficient_role".to_owned()));

    let body = json!({ "email": "ada@acme.test", "password": PASSWORD });
    let request = server.request("POST", "/v2/auth/login").json(&body);
    let response = request.header("origin", "https://evil.test").send().await;
    let refusal = refused(answer(response.unwrap()).await);
    assert_eq!(refusal, (403, "forbidden_origin".to_owned()));
}

#[tokio::test]
async fn bodies_are_json_and_at_most_a_mebibyte() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    server.workspace("acme", &ada).await;
    let jwt = server.login("workspace", "ada").await;
    let send = async |kind: &str, body: String| {
        let request = server.request("POST", KEYS).bearer_auth(&jwt);
        let response = request.header("content-type", kind).body(body).send().await;
        refused(answer(response.unwrap()).await)
    };
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20));
    let json = "application/json";
    assert_eq!(send(json, long).await.1, "payload_too_large");
    assert_eq!(send(json, "{".to_owned()).await.1, "invalid_payload");
    assert_eq!(
        send(json, "{\"name\":\"\"}".to_owned()).await.1,
        "validation_error"
    );
    assert_eq!(
        send("text/plain", "{}".to_owned()).await.1,
        "invalid_payload"
    );
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        send(form, "access_token=x".to_owned()).await.1,
        "invalid_request"
    );
}
