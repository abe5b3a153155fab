//! Every `curl` that the product's documents show, with the host and the placeholders replaced and nothing else.

use crate::shell::{Ran, curl};
use crate::world::{HANDLE, OWNER, PASSWORD, World};

/// What stands for something in the documents, and what it is here.
struct Reader<'a> {
    world: &'a World,
    directory: tempfile::TempDir,
    jwt: String,
    pat: String,
}

impl<'a> Reader<'a> {
    async fn new(world: &'a World) -> Self {
        Self {
            world,
            directory: tempfile::tempdir().unwrap(),
            jwt: world.owner.v2.clone(),
            pat: world.pat(&["links.read", "links.write"]).await.secret,
        }
    }

    fn run(&self, line: &str) -> Ran {
        let base = &self.world.server.base;
        let mut line = line.to_owned();
        for (placeholder, value) in [
            ("https://api.10ex.ai", base.as_str()),
            ("https://api.10x.in", base),
            ("you@acme.com", OWNER),
            ("you@example.com", OWNER),
            ("owner@example.com", OWNER),
            (
                r#""password": "...""#,
                &format!(r#""password": "{PASSWORD}""#),
            ),
            ("your-password", PASSWORD),
            ("<password>", PASSWORD),
            ("<access-token>", &self.jwt),
            ("/handles/{handle}/", &format!("/handles/{HANDLE}/")),
            ("/links/{slug}", "/links/product"),
        ] {
            line = line.replace(placeholder, value);
        }
        let variables = [
            ("HANDLE", HANDLE),
            ("JWT_TOKEN", &self.jwt),
            ("PAT_TOKEN", &self.pat),
        ];
        curl(&line, &variables, self.directory.path())
    }
}

#[tokio::test]
async fn authentication() {
    let world = World::new().await;
    let reader = Reader::new(&world).await;

    let login = reader.run(
        r#"curl -X POST https://api.10ex.ai/api/v1/users/login \
-H "Content-Type: application/json" \
-d '{"email": "you@acme.com", "password": "..."}'"#,
    );
    assert_eq!(login.status, 200, "{login:?}");
    let login = login.json();
    assert_eq!(login["token_type"], "bearer");
    assert_eq!(login["expires_in"], 3600);
    assert_eq!(login.as_object().unwrap().len(), 3);
    let token = login["access_token"].as_str().unwrap();
    world.server.keep_secret(token);

    // "Send as Authorization: Bearer <jwt>", and "Authorization: Bearer tnx_abc12345_<secret>".
    let key = world.key().await;
    for credential in [token, &key.secret] {
        let me = world.api.get("/api/v1/users/me").bearer(credential);
        me.send().await.is(200);
    }
}

#[tokio::test]
async fn api_auth_and_error_model() {
    let world = World::new().await;
    let reader = Reader::new(&world).await;

    let handles = reader.run(
        r#"curl -sS "https://api.10x.in/v2/handles" \
-H "Authorization: Bearer ${JWT_TOKEN}""#,
    );
    assert_eq!(handles.status, 200, "{handles:?}");
    assert!(handles.body.contains(HANDLE), "{handles:?}");

    let links = reader.run(
        r#"curl -sS "https://api.10x.in/v2/public/handles/${HANDLE}/links" \
-H "Authorization: Bearer ${PAT_TOKEN}""#,
    );
    assert_eq!(links.status, 200, "{links:?}");

    let minted = reader.run(
        r#"curl -sS -X POST "https://api.10x.in/v2/handles/${HANDLE}/tokens" \
-H "Authorization: Bearer ${JWT_TOKEN}" \
-H "Content-Type: application/json" \
-d '{"name":"ci-worker","scopes":["links.read","links.write"],"expiresInDays":30}'"#,
    );
    assert_eq!(minted.status, 201, "{minted:?}");
    let pat = minted.json();
    assert_eq!(pat["name"], "ci-worker");
    assert_eq!(pat["handle"], HANDLE);
    let token = pat["token"].as_str().unwrap();
    world.server.keep_secret(token);
    let id = pat["tokenId"].as_str().unwrap();
    assert!(token.starts_with(&format!("patv1_{id}.")), "{pat}");
    world.links(token).await.is(200);

    let login = reader.run(
        r#"curl -sS -c cookies.txt -X POST "https://api.10x.in/v2/auth/login" \
-H "content-type: application/json" \
-d '{"email":"you@example.com","password":"your-password"}'"#,
    );
    assert_eq!(login.status, 200, "{login:?}");

    let login = reader.run(
        r#"curl -sS -X POST "https://api.10x.in/v2/auth/login" \
-H "Content-Type: application/json" \
-d '{"email": "you@example.com", "password": "your-password"}'"#,
    );
    assert_eq!(login.status, 200, "{login:?}");
    let token = login.json()["access_token"].as_str().unwrap().to_owned();
    world.server.keep_secret(&token);
    world
        .api
        .get("/v2/handles")
        .bearer(&token)
        .send()
        .await
        .is(200);
}

/// The same document's patterns: look before creating, upsert, and an idempotency key.
#[tokio::test]
async fn api_auth_and_error_model_common_patterns() {
    let world = World::new().await;
    let reader = Reader::new(&world).await;

    let look = r#"curl -sS "https://api.10x.in/v2/handles/{handle}/links/{slug}" \
-H "Authorization: Bearer <access-token>""#;
    let put = r#"curl -sS -X PUT "https://api.10x.in/v2/handles/{handle}/links/{slug}" \
-H "Authorization: Bearer <access-token>" \
-H "Content-Type: application/json" \
-d '{"destinationUrl": "https://example.com/product", "title": "Product Page"}'"#;
    // "If you receive 404, proceed with creation. If you receive 200, decide whether to update or skip."
    assert_eq!(reader.run(look).status, 404);
    let created = reader.run(put);
    assert!(matches!(created.status, 200 | 201), "{created:?}");
    let again = reader.run(put);
    assert_eq!(again.status, 200, "{again:?}");
    let link = reader.run(look);
    assert_eq!(link.status, 200, "{link:?}");
    assert_eq!(link.json()["destinationUrl"], "https://example.com/product");
    assert_eq!(link.json()["title"], "Product Page");

    let conversion = r#"curl -sS -X POST "https://api.10x.in/v2/public/conversions" \
-H "Content-Type: application/json" \
-d '{"ctx": "...", "eventType": "purchase", "value": 49.99, "idempotencyKey": "order-12345"}'"#;
    let first = reader.run(conversion);
    assert_eq!(first.status, 201, "{first:?}");
    // "If you submit the same key twice, the second request returns 200 with deduped: true".
    let second = reader.run(conversion);
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(second.json()["deduped"], true);
    assert_ne!(first.json()["deduped"], true);
}

#[tokio::test]
async fn jwt_vs_pat_when_to_use_each() {
    let world = World::new().await;
    let mut reader = Reader::new(&world).await;

    let login = reader.run(
        r#"# 1) Login and save cookies (includes refresh cookie)
curl -sS -c cookies.txt -X POST "https://api.10x.in/v2/auth/login" \
-H "content-type: application/json" \
-d '{"email":"owner@example.com","password":"<password>"}'"#,
    );
    assert_eq!(login.status, 200, "{login:?}");
    world
        .server
        .keep_secret(login.json()["access_token"].as_str().unwrap());

    let minted = reader.run(
        r#"curl -sS -X POST "https://api.10x.in/v2/handles/${HANDLE}/tokens" \
-H "authorization: Bearer ${JWT_TOKEN}" \
-H "content-type: application/json" \
-d '{
"name": "ci-links",
"scopes": ["links.read","links.write","analytics.read"],
"expiresInDays": 30
}'"#,
    );
    assert_eq!(minted.status, 201, "{minted:?}");
    reader.pat = minted.json()["token"].as_str().unwrap().to_owned();
    world.server.keep_secret(&reader.pat);

    let links = reader.run(
        r#"curl -sS "https://api.10x.in/v2/public/handles/${HANDLE}/links" \
-H "x-api-key: ${PAT_TOKEN}""#,
    );
    assert_eq!(links.status, 200, "{links:?}");

    // "PUT /v2/public/handles/{handle}/links/{slug}" and "GET /v2/public/handles/{handle}/analytics".
    let put = world
        .api
        .put(
            &format!("/v2/public/handles/{HANDLE}/links/spring"),
            &serde_json::json!({"destinationUrl": "https://example.com/spring", "title": "Spring"}),
        )
        .bearer(&reader.pat);
    assert!(matches!(put.send().await.status, 200 | 201));
    let analytics = format!("/v2/public/handles/{HANDLE}/analytics");
    let analytics = world.api.get(&analytics).bearer(&reader.pat);
    analytics.send().await.is(200);
}
