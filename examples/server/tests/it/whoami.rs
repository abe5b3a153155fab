//! `GET /whoami`: what is this credential?

use serde_json::{Value, json};

use crate::world::{HANDLE, World};

#[tokio::test]
async fn every_kind_of_credential_says_what_it_is() {
    let world = World::new().await;
    let key = world
        .key_of(
            &world.owner,
            &json!({"name": "k", "scopes": ["users.read"]}),
        )
        .await;
    let pat = world.pat(&["links.read"]).await;
    let whoami = async |token: &str| -> Value {
        let answer = world.api.get("/whoami").bearer(token).send().await.is(200);
        let body = answer.json();
        let mut members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        members.sort();
        assert_eq!(
            members,
            [
                "credential_id",
                "expires_at",
                "kind",
                "role",
                "scopes",
                "subject",
                "tenant"
            ]
        );
        assert!(!answer.text().contains(token));
        body
    };
    let (v1, v2) = (whoami(&world.owner.v1).await, whoami(&world.owner.v2).await);
    let (key_is, pat_is) = (whoami(&key.secret).await, whoami(&pat.secret).await);
    for (body, kind, tenant) in [
        (&v1, "jwt", json!("acme")),
        (&v2, "jwt", Value::Null),
        (&key_is, "api_key", json!("acme")),
        (&pat_is, "pat", json!(HANDLE)),
    ] {
        assert_eq!(body["kind"], kind);
        assert_eq!(body["tenant"]["slug"], tenant, "{body}");
        assert_eq!(body["subject"], v1["subject"], "one person: {body}");
    }
    assert_eq!(v1["role"], "admin");
    assert_eq!(key_is["credential_id"], key.id);
    assert_eq!(key_is["scopes"], json!(["users.read"]));
    assert_eq!(key_is["expires_at"], Value::Null);
    assert_eq!(pat_is["credential_id"], pat.id);
    assert_eq!(pat_is["scopes"], json!(["links.read"]));
    assert!(pat_is["expires_at"].is_string() && v1["expires_at"].is_string());
    assert_eq!(pat_is["role"], Value::Null);
    // Also by the other field.
    world
        .api
        .get("/whoami")
        .api_key(&pat.secret)
        .send()
        .await
        .is(200);
}

#[tokio::test]
async fn who_presents_nothing_or_nonsense_is_nobody() {
    let world = World::new().await;
    world
        .api
        .get("/whoami")
        .send()
        .await
        .refuses(401, "missing_bearer_token");
    world
        .api
        .get("/whoami")
        .bearer("nonsense")
        .send()
        .await
        .refuses(401, "invalid_token");
}
