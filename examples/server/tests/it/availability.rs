//! A store that does not answer: nobody is let in for it, nobody is called unauthorized for it, and operators are told.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, Executor as _};

use crate::call::{Answer, Call};
use crate::server::PATIENCE;
use crate::world::{HANDLE, OWNER, PASSWORD, World};

async fn until(call: &Call, status: u16) -> Answer {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let answer = call.send().await;
        if answer.status == status {
            return answer;
        }
        assert!(std::time::Instant::now() < end, "still {answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Somebody else holds the database's write lock for longer than the server is willing to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_locked() {
    let world = World::new().await;
    let api = &world.api;
    let (health, ready) = (api.get("/healthz"), api.get("/readyz"));
    until(&ready, 200).await;
    let healthy = health.send().await.is(200);
    let key = world.key().await;

    let mut other = world.home.connect().await;
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let report = json!({"ctx": "c", "eventType": "purchase", "idempotencyKey": "locked"});
    let report = api.post("/v2/public/conversions", &report);
    let mint = api
        .post("/api/v1/users/api-keys", &json!({"name": "n"}))
        .bearer(&world.owner.v1);
    let revoke = api
        .delete(&format!("/api/v1/users/api-keys/{}", key.id))
        .bearer(&world.owner.v1);
    let (report_answer, mint_answer, revoke_answer, not_ready) = tokio::join!(
        report.send(),
        mint.send(),
        revoke.send(),
        until(&ready, 503)
    );
    for answer in [report_answer, mint_answer, revoke_answer] {
        answer.refuses(503, "temporarily_unavailable");
    }
    let again = health.send().await.is(200);
    assert_eq!(
        (healthy.text(), healthy.header("content-type")),
        (again.text(), again.header("content-type"))
    );
    assert!(!not_ready.text().contains("sqlite"), "{not_ready:?}");
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();

    // What was refused didn't happen.
    until(&ready, 200).await;
    api.get("/api/v1/users/me")
        .bearer(&key.secret)
        .send()
        .await
        .is(200);
    report.send().await.is(201);
    mint.send().await.is(201);
}

/// The tables are gone: no look-up can answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nothing_can_be_read() {
    let world = World::new().await;
    let pat = world.pat(&["links.read"]).await;
    let key = world.key().await;
    // Nothing of these two is in memory yet.
    let world = world.restarted().await;
    let mut other = world.home.connect().await;
    for table in ["credentials", "accounts", "memberships"] {
        let away = format!("ALTER TABLE {table} RENAME TO {table}_away");
        other.execute(sqlx::AssertSqlSafe(away)).await.unwrap();
    }
    let links = format!("/v2/public/handles/{HANDLE}/links");
    let login = json!({"email": OWNER, "password": PASSWORD});
    let calls = [
        world.api.get(&links).bearer(&pat.secret),
        world
            .api
            .get(&links)
            .bearer(&crate::world::wrong_secret_for("patv1", &pat.id)),
        world.api.get("/api/v1/users/me").bearer(&key.secret),
        world
            .api
            .get(&format!("/v2/handles/{HANDLE}"))
            .bearer(&world.owner.v2),
        world.api.post("/v2/auth/login", &login),
    ];
    for call in &calls {
        let answer = call.send().await.refuses(503, "temporarily_unavailable");
        assert!(!answer.text().contains("table"), "{answer:?}");
    }
    world.api.get("/healthz").send().await.is(200);
    for table in ["credentials", "accounts", "memberships"] {
        let back = format!("ALTER TABLE {table}_away RENAME TO {table}");
        other.execute(sqlx::AssertSqlSafe(back)).await.unwrap();
    }
    other.close().await.unwrap();
    // A failure to decide is not remembered as a decision.
    for (call, status) in calls.iter().zip([200, 401, 200, 200, 200]) {
        call.send().await.is(status);
    }
}

/// More logins than can be hashed: those too many are told to come back, and holders of keys notice nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_logins_flood() {
    let world = World::new().await;
    let pat = world.pat(&["links.read"]).await;
    // So that its proof needs argon2 again.
    let world = world.restarted().await;
    let logins: Vec<_> = (0..200)
        .map(|number| {
            let login =
                json!({"email": format!("u{number}@flood.test"), "password": "a-guess-of-mine"});
            let login = world.api.post("/v2/auth/login", &login);
            tokio::spawn(async move { login.send().await })
        })
        .collect();
    world.links(&pat.secret).await.is(200);
    let mut turned_away = 0;
    for login in logins {
        let answer = login.await.unwrap();
        if answer.status == 503 {
            answer.refuses(503, "temporarily_unavailable");
            turned_away += 1;
        } else {
            answer.refuses(401, "invalid_credentials");
        }
    }
    assert!(turned_away > 0);
}
