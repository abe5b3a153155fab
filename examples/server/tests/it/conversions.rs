//! Reports that are sent more than once are recorded once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::{HANDLE, World};

async fn ctx(world: &World) -> String {
    let handle = world
        .api
        .get(&format!("/v2/handles/{HANDLE}"))
        .bearer(&world.owner.v2);
    handle.send().await.is(200).string("ctx")
}

async fn analytics(world: &World) -> Value {
    let pat = world.pat(&["analytics.read"]).await;
    let path = format!("/v2/public/handles/{HANDLE}/analytics");
    let answer = world.api.get(&path).bearer(&pat.secret).send().await;
    answer.is(200).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_are_recorded_once() {
    const REPORTS: usize = 50;
    let world = World::new().await;
    for ctx in [ctx(&world).await, "somebody-else's".to_owned()] {
        let report = json!({"ctx": ctx, "eventType": "purchase", "value": 49.99, "idempotencyKey": "order-1"});
        let report = world.api.post("/v2/public/conversions", &report);
        let reports: Vec<_> = (0..REPORTS)
            .map(|_| {
                let report = report.clone();
                tokio::spawn(async move { report.send().await })
            })
            .collect();
        let mut statuses = BTreeMap::new();
        let mut ids = BTreeMap::new();
        for report in reports {
            let answer = report.await.unwrap();
            *statuses.entry(answer.status).or_insert(0) += 1;
            assert_eq!(answer.json()["deduped"], answer.status == 200, "{answer:?}");
            *ids.entry(answer.string("id")).or_insert(0) += 1;
        }
        assert_eq!(statuses, BTreeMap::from([(200, REPORTS - 1), (201, 1)]));
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
    let counted = analytics(&world).await;
    assert_eq!(counted["conversions"], 1);
    assert_eq!(counted["value"], 49.99);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_a_conflict() {
    let world = World::new().await;
    let ctx = ctx(&world).await;
    let report = |changed: &str, value: Value| {
        let mut body =
            json!({"ctx": ctx, "eventType": "purchase", "value": 1, "idempotencyKey": "k"});
        body[changed] = value;
        world.api.post("/v2/public/conversions", &body)
    };
    report("value", json!(1)).send().await.is(201);
    report("value", json!(2))
        .send()
        .await
        .refuses(409, "conflict");
    report("eventType", json!("refund"))
        .send()
        .await
        .refuses(409, "conflict");
    let again = report("value", json!(1.0)).send().await.is(200);
    assert_eq!(again.json()["deduped"], true);
    // Another key, or none, is another event.
    report("idempotencyKey", json!("other"))
        .send()
        .await
        .is(201);
    report("idempotencyKey", Value::Null).send().await.is(201);
    report("idempotencyKey", Value::Null).send().await.is(201);
    assert_eq!(analytics(&world).await["conversions"], 4);
}

/// A context that isn't ours counts for nobody, and takes nobody's keys.
#[tokio::test]
async fn only_a_sealed_context_counts() {
    let world = World::new().await;
    let ctx = ctx(&world).await;
    let mut forged = ctx.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'B' } else { 'A' });
    for foreign in [forged.as_str(), HANDLE, "..."] {
        let report =
            json!({"ctx": foreign, "eventType": "purchase", "value": 5, "idempotencyKey": "k"});
        let report = world.api.post("/v2/public/conversions", &report);
        report.send().await.is(201);
    }
    let report = json!({"ctx": ctx, "eventType": "purchase", "value": 7, "idempotencyKey": "k"});
    let report = world.api.post("/v2/public/conversions", &report);
    report.send().await.is(201);
    let counted = analytics(&world).await;
    assert_eq!(
        (&counted["conversions"], &counted["value"]),
        (&json!(1), &json!(7.0))
    );
}
