use serde_json::{Value, json};

use super::{Server, answer, refused, text};

const PATH: &str = "/v2/public/conversions";

fn order(ctx: &str, value: f64) -> Value {
    json!({ "ctx": ctx, "eventType": "purchase", "value": value, "idempotencyKey": "order-12345" })
}

#[tokio::test]
async fn a_conversion_counts_once_however_many_report_it_at_once() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let acme = server.handle("acme", "pro", &ada).await;
    let ctx = server.app.product.ctx().seal(&acme);

    let reports: Vec<_> = (0..20)
        .map(|_| server.request("POST", PATH).json(&order(&ctx, 49.99)))
        .map(|request| tokio::spawn(request.send()))
        .collect();
    let mut created = 0;
    let mut ids = Vec::new();
    for report in reports {
        let (status, receipt) = answer(report.await.unwrap().unwrap()).await;
        assert_eq!(receipt["deduped"], status == 200);
        created += usize::from(status == 201);
        ids.push(text(&receipt["id"]));
    }
    assert_eq!(created, 1);
    assert!(ids.iter().all(|id| *id == ids[0]));

    let other = server.call("POST", PATH, "", order(&ctx, 50.0)).await;
    assert_eq!(refused(other), (409, "conflict".to_owned()));
    for _ in 0..2 {
        let keyless = json!({ "ctx": ctx, "eventType": "purchase", "value": 49.99 });
        assert_eq!(server.call("POST", PATH, "", keyless).await.0, 201);
    }

    let jwt = server.login("handle", "ada").await;
    let body = json!({ "name": "stats", "scopes": ["analytics.read"] });
    let (_, pat) = server
        .call("POST", "/v2/handles/acme/tokens", &jwt, body)
        .await;
    let (status, counts) = server
        .get("/v2/public/handles/acme/analytics", &text(&pat["token"]))
        .await;
    assert_eq!(
        (status, &counts["conversions"], &counts["value"]),
        (200, &json!(3), &json!(149.97))
    );
    assert_eq!(counts["byEventType"][0]["eventType"], "purchase");
}

#[tokio::test]
async fn a_context_that_is_not_ours_counts_for_nobody_and_is_forgotten() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let acme = server.handle("acme", "pro", &ada).await;
    let (status, _) = server.call("POST", PATH, "", order("...", 49.99)).await;
    assert_eq!(status, 201);
    let (status, again) = server.call("POST", PATH, "", order("...", 49.99)).await;
    assert_eq!((status, &again["deduped"]), (200, &json!(true)));

    let product = &server.app.product;
    assert_eq!(product.count_conversions(&acme).await.unwrap().count, 0);
    let now = server.app.gate.clock().now();
    assert_eq!(product.purge(now).await.unwrap(), 0, "a day is not over");
    assert_eq!(product.purge(now + 86_401).await.unwrap(), 1);

    let ctx = product.ctx().seal(&acme);
    assert_eq!(server.call("POST", PATH, "", order(&ctx, 1.0)).await.0, 201);
    assert_eq!(product.purge(now + 86_401).await.unwrap(), 0, "ours stay");
}

#[tokio::test]
async fn reports_out_of_range_are_refused() {
    let server = Server::start().await;
    for (member, value, code) in [
        ("ctx", json!(""), "validation_error"),
        ("eventType", json!("two words"), "validation_error"),
        ("value", json!(2e9), "validation_error"),
        ("value", json!("49.99"), "invalid_payload"),
        ("idempotencyKey", json!(""), "validation_error"),
    ] {
        let mut body = order("x", 1.0);
        body[member] = value;
        let refusal = refused(server.call("POST", PATH, "", body).await);
        assert_eq!(refusal, (400, code.to_owned()), "{member}");
    }
}

/// Anybody can report types without end; they push none of the handle's conversions out of its totals.
#[tokio::test]
async fn totals_count_more_types_than_are_listed() {
    let server = Server::start().await;
    let ada = server.person("ada").await;
    let acme = server.handle("acme", "free", &ada).await;
    let ctx = server.app.product.ctx().seal(&acme);
    for number in 0..102 {
        let event_type = format!("type-{number}");
        let body = json!({ "ctx": ctx, "eventType": event_type, "value": 0.5 });
        assert_eq!(server.call("POST", PATH, "", body).await.0, 201);
    }
    let counts = server.app.product.count_conversions(&acme).await.unwrap();
    assert_eq!((counts.count, counts.value), (102, 51.0));
    assert_eq!(counts.by_type.len(), 100);
}
