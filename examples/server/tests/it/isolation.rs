//! Who may not see whose.

use serde_json::json;

use crate::call::{Answer, Call};
use crate::world::{HANDLE, Session, World};

struct Two {
    world: World,
    guest: Session,
}

/// Two people, each with a workspace and a handle.
async fn two() -> Two {
    let world = World::new().await;
    let guest = world.person("guest").await;
    world.create_handle(&guest, "guests").await;
    Two { world, guest }
}

/// All of an answer but when it was given.
fn all_of(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut fields: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    fields.sort();
    (answer.status, fields, answer.text())
}

#[tokio::test]
async fn a_user_finds_nothing_in_anothers_handle() {
    let Two { world, guest } = two().await;
    let pat = world.pat(&["links.read"]).await;
    let link = json!({"destinationUrl": "https://example.com", "title": ""});
    let put = world
        .api
        .put(&format!("/v2/handles/{HANDLE}/links/one"), &link);
    put.bearer(&world.owner.v2).send().await.is(201);
    let mint = json!({"name": "n", "scopes": ["links.read"], "expiresInDays": 1});
    let calls = |handle: &str| -> Vec<Call> {
        let at = |path: &str| format!("/v2/handles/{handle}{path}");
        let api = &world.api;
        [
            api.get(&at("")),
            api.call("PATCH", &at(""))
                .json(&json!({"displayName": "mine"})),
            api.get(&at("/links/one")),
            api.put(&at("/links/one"), &link),
            api.get(&at("/tokens")),
            api.post(&at("/tokens"), &mint),
            api.delete(&at(&format!("/tokens/{}", pat.id))),
            api.call("POST", &at(&format!("/tokens/{}/rotate", pat.id))),
            api.put(
                &at("/collaborators"),
                &json!({"email": "guest@people.test", "role": "owner"}),
            ),
            api.delete(&at("/collaborators"))
                .json(&json!({"email": "owner@acme.test"})),
            api.get(&format!("/v2/public/handles/{handle}/links")),
            api.get(&format!("/v2/billing/plan?handle={handle}")),
            api.post(
                "/v2/billing/checkout-session",
                &json!({"handle": handle, "plan": "pro"}),
            ),
        ]
        .into_iter()
        .map(|call| call.bearer(&guest.v2))
        .collect()
    };
    // That a handle exists is not told either; and a workspace is no handle.
    for (there, absent) in calls(HANDLE).iter().zip(calls("nowhere")) {
        let there = there.send().await.refuses(404, "not_found");
        assert_eq!(all_of(&there), all_of(&absent.send().await));
    }
    for call in calls("acme").iter().chain(&calls("guest")) {
        call.send().await.refuses(404, "not_found");
    }
    world.links(&pat.secret).await.is(200);
    let listed = world.api.get("/v2/handles").bearer(&guest.v2).send().await;
    assert!(!listed.is(200).text().contains(HANDLE));
}

/// Of its own handle's token, through another handle.
#[tokio::test]
async fn a_token_is_managed_by_its_own_handle_alone() {
    let Two { world, guest } = two().await;
    let pat = world.pat(&["links.read"]).await;
    let path = format!("/v2/handles/guests/tokens/{}", pat.id);
    let delete = world.api.delete(&path).bearer(&guest.v2);
    delete.send().await.refuses(404, "not_found");
    let rotate = world
        .api
        .call("POST", &format!("{path}/rotate"))
        .bearer(&guest.v2);
    rotate.send().await.refuses(404, "not_found");
    world.links(&pat.secret).await.is(200);
}

#[tokio::test]
async fn a_token_is_told_nothing_about_other_handles() {
    let Two { world, guest } = two().await;
    let pat = world.pat_of(&guest, "guests", &["*"]).await;
    let body = json!({"destinationUrl": "https://example.com", "title": ""});
    for path in ["links", "links/one", "analytics", "webhooks"] {
        for method in ["GET", "PUT", "POST", "DELETE", "HEAD"] {
            let call = |handle: &str| {
                let path = format!("/v2/public/handles/{handle}/{path}");
                world
                    .api
                    .call(method, &path)
                    .json(&body)
                    .bearer(&pat.secret)
            };
            let there = call(HANDLE).send().await;
            let absent = call("nowhere").send().await;
            assert_eq!(all_of(&there), all_of(&absent));
            if there.status != 405 {
                assert_eq!(there.status, 403, "{method} {path}: {there:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_workspace_has_its_keys_to_itself() {
    let Two { world, guest } = two().await;
    let key = world.key().await;
    let theirs = world.key_of(&guest, &json!({"name": "theirs"})).await;
    for caller in [&guest.v1, &theirs.secret] {
        let path = format!("/api/v1/users/api-keys/{}", key.id);
        let absent = "/api/v1/users/api-keys/00000000".to_owned();
        for method in ["GET", "DELETE"] {
            let there = world.api.call(method, &path).bearer(caller).send().await;
            let absent = world.api.call(method, &absent).bearer(caller).send().await;
            let there = there.refuses(404, "not_found");
            assert_eq!(all_of(&there), all_of(&absent));
        }
        let rotate = world
            .api
            .call("POST", &format!("{path}/rotate"))
            .bearer(caller);
        rotate.send().await.refuses(404, "not_found");
        for list in ["/api/v1/users/api-keys", "/api/v1/admin/api-keys"] {
            let list = world.api.get(list).bearer(caller).send().await.is(200);
            assert!(!list.text().contains(&key.id));
        }
    }
    world
        .api
        .get("/api/v1/users/me")
        .bearer(&key.secret)
        .send()
        .await
        .is(200);
}

/// What is minted can do no more, and lives no longer, than what minted it.
#[tokio::test]
async fn minting_gives_nothing_that_the_minter_lacks() {
    let Two { world, guest } = two().await;
    let keys = "/api/v1/users/api-keys";
    let body = json!({"name": "n", "scopes": ["keys.write"], "expires_in_days": 1});
    let narrow = world.key_of(&world.owner, &body).await;
    let mint = |body| world.api.post(keys, &body).bearer(&narrow.secret);
    for scopes in [json!(["users.read"]), json!(["keys.write", "team.read"])] {
        let refused = mint(json!({"name": "n", "scopes": scopes})).send().await;
        refused.refuses(403, "insufficient_scope");
    }
    // `*` is all that the minter may do.
    let child = mint(json!({"name": "n"})).send().await.is(201);
    let child_key = world.minted_key(&child);
    let me = world.api.get("/api/v1/users/me").bearer(&child_key.secret);
    me.send().await.refuses(403, "insufficient_scope");
    let own = world.api.get(keys).bearer(&child_key.secret);
    own.send().await.is(200);
    let parent = world
        .api
        .get(&format!("{keys}/{}", narrow.id))
        .bearer(&world.owner.v1);
    let parent = parent.send().await.is(200);
    assert_eq!(child.string("expires_at"), parent.string("expires_at"));

    // A handle's token gets scopes of the handle's API alone.
    let body = json!({"name": "n", "scopes": ["keys.write"], "expiresInDays": 1});
    let refused = world
        .api
        .post("/v2/handles/guests/tokens", &body)
        .bearer(&guest.v2);
    refused.send().await.refuses(403, "insufficient_scope");
}
