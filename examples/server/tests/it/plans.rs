//! What a plan unlocks.

use serde_json::json;

use crate::world::{HANDLE, PUBLIC_URL, World};

#[tokio::test]
async fn a_feature_opens_with_the_completed_checkout() {
    let world = World::new().await;
    let api = &world.api;
    let pat = world.pat(&["webhooks.read", "webhooks.write"]).await;
    let path = format!("/v2/public/handles/{HANDLE}/webhooks");
    let list = api.get(&path).bearer(&pat.secret);
    let subscription = json!({"url": "https://example.com/hook", "events": ["link.created"]});
    let subscribe = api.post(&path, &subscription).bearer(&pat.secret);
    list.send().await.refuses(403, "feature_locked");
    subscribe.send().await.refuses(403, "feature_locked");

    let body = json!({"handle": HANDLE, "plan": "pro"});
    let open = api
        .post("/v2/billing/checkout-session", &body)
        .bearer(&world.owner.v2);
    // Where it is completed is said by the configuration, never by the request.
    let opened = open
        .header("x-forwarded-host", "evil.test")
        .send()
        .await
        .is(201);
    let complete = opened.string("completeUrl");
    let complete = complete.strip_prefix(PUBLIC_URL).unwrap();
    list.send().await.refuses(403, "feature_locked");

    let stranger = world.person("stranger").await;
    let complete = api.call("POST", complete);
    let theirs = complete.clone().bearer(&stranger.v2).send().await;
    theirs.refuses(404, "not_found");
    let complete = complete.bearer(&world.owner.v2);
    complete.send().await.is(200);
    list.send().await.is(200);
    subscribe.send().await.is(201);
    subscribe.send().await.refuses(409, "conflict");
    complete.send().await.refuses(409, "conflict");

    let plan = api.get(&format!("/v2/billing/plan?handle={HANDLE}"));
    let plan = plan.bearer(&world.owner.v2).send().await.is(200);
    assert_eq!(plan.string("plan"), "pro");
}

#[tokio::test]
async fn only_owners_buy() {
    let world = World::new().await;
    let operator = world.person("operator").await;
    let body = json!({"email": "operator@people.test", "role": "operator"});
    let put = world
        .api
        .put(&format!("/v2/handles/{HANDLE}/collaborators"), &body);
    assert!(put.bearer(&world.owner.v2).send().await.status < 300);
    let body = json!({"handle": HANDLE, "plan": "pro"});
    let open = world.api.post("/v2/billing/checkout-session", &body);
    open.clone()
        .bearer(&operator.v2)
        .send()
        .await
        .refuses(403, "insufficient_role");
    let pat = world.pat(&["*"]).await;
    open.bearer(&pat.secret)
        .send()
        .await
        .refuses(403, "insufficient_scope");
    let body = json!({"handle": HANDLE, "plan": "platinum"});
    let open = world.api.post("/v2/billing/checkout-session", &body);
    open.bearer(&world.owner.v2)
        .send()
        .await
        .refuses(400, "validation_error");
}
