//! New secrets for credentials that live on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::server::PATIENCE;
use crate::world::{HANDLE, Minted, World};

/// One kind of credential, and the routes that it is rotated and used by.
struct Kind {
    path: String,
    jwt: String,
    secret: &'static str,
    minted: Minted,
    used: fn(&World, &str) -> Call,
}

impl Kind {
    async fn rotate(&self, world: &World, body: &Value) -> Answer {
        let call = world.api.post(&self.path, body).bearer(&self.jwt);
        let answer = call.send().await;
        if answer.status == 200 {
            world.server.keep_secret(&answer.string(self.secret));
        }
        answer
    }

    async fn rotated(&self, world: &World, body: &Value) -> String {
        self.rotate(world, body).await.is(200).string(self.secret)
    }

    fn using(&self, world: &World, secret: &str) -> Call {
        (self.used)(world, secret)
    }
}

async fn key(world: &World) -> Kind {
    let minted = world.key().await;
    Kind {
        path: format!("/api/v1/users/api-keys/{}/rotate", minted.id),
        jwt: world.owner.v1.clone(),
        secret: "secret",
        minted,
        used: |world, secret| world.api.get("/api/v1/users/me").bearer(secret),
    }
}

async fn pat(world: &World) -> Kind {
    let minted = world.pat(&["links.read"]).await;
    Kind {
        path: format!("/v2/handles/{HANDLE}/tokens/{}/rotate", minted.id),
        jwt: world.owner.v2.clone(),
        secret: "token",
        minted,
        used: |world, secret| {
            let path = format!("/v2/public/handles/{HANDLE}/links");
            world.api.get(&path).bearer(secret)
        },
    }
}

async fn kinds(world: &World) -> [Kind; 2] {
    [key(world).await, pat(world).await]
}

#[tokio::test]
async fn both_secrets_work_within_the_grace() {
    let world = World::new().await;
    for kind in kinds(&world).await {
        let old = kind.using(&world, &kind.minted.secret);
        old.send().await.is(200);
        // An hour, unless said.
        let new = kind.rotated(&world, &json!({})).await;
        assert_ne!(new, kind.minted.secret);
        assert!(new.contains(&kind.minted.id), "the id stays");
        let new = kind.using(&world, &new);
        for _ in 0..2 {
            new.send().await.is(200);
            old.send().await.is(200);
        }
    }
}

#[tokio::test]
async fn without_a_grace_the_old_secret_ends_at_once() {
    let world = World::new().await;
    for kind in kinds(&world).await {
        let old = kind.using(&world, &kind.minted.secret);
        old.send().await.is(200);
        let new = kind.rotated(&world, &json!({"grace_seconds": 0})).await;
        old.send().await.refuses(401, "invalid_token");
        kind.using(&world, &new).send().await.is(200);
    }
}

#[tokio::test]
async fn a_short_grace_ends() {
    let world = World::new().await;
    for kind in kinds(&world).await {
        let old = kind.using(&world, &kind.minted.secret);
        old.send().await.is(200);
        let new = kind.rotated(&world, &json!({"grace_seconds": 1})).await;
        until_refused(&old).await.refuses(401, "invalid_token");
        kind.using(&world, &new).send().await.is(200);
    }
}

#[tokio::test]
async fn a_second_rotation_ends_the_oldest_secret() {
    let world = World::new().await;
    for kind in kinds(&world).await {
        let first = kind.using(&world, &kind.minted.secret);
        first.send().await.is(200);
        let second = kind.rotated(&world, &json!({"grace_seconds": 600})).await;
        let second = kind.using(&world, &second);
        second.send().await.is(200);
        let third = kind.rotated(&world, &json!({"grace_seconds": 600})).await;
        first.send().await.refuses(401, "invalid_token");
        second.send().await.is(200);
        kind.using(&world, &third).send().await.is(200);
    }
}

/// Neither secret lives longer than the credential.
#[tokio::test]
async fn a_rotation_prolongs_nothing() {
    let world = World::new().await;
    let kinds = kinds(&world).await;
    let ids: Vec<String> = kinds
        .iter()
        .map(|kind| format!("'{}'", kind.minted.id))
        .collect();
    let world = world
        .changed(&format!(
            "UPDATE credentials SET expires_at = unixepoch() + 8 WHERE id IN ({})",
            ids.join(", ")
        ))
        .await;
    let mut news = Vec::new();
    for kind in &kinds {
        news.push(
            kind.rotated(&world, &json!({"grace_seconds": 86_400}))
                .await,
        );
    }
    for (kind, new) in kinds.iter().zip(news) {
        let old = kind.using(&world, &kind.minted.secret);
        let new = kind.using(&world, &new);
        until_refused(&old).await.refuses(401, "invalid_token");
        new.send().await.refuses(401, "token_expired");
        let refused = kind.rotate(&world, &json!({})).await;
        refused.refuses(409, "conflict");
    }
}

#[tokio::test]
async fn a_revocation_ends_every_secret_and_no_rotation_undoes_it() {
    let world = World::new().await;
    for kind in kinds(&world).await {
        let old = kind.using(&world, &kind.minted.secret);
        let new = kind.rotated(&world, &json!({})).await;
        let new = kind.using(&world, &new);
        old.send().await.is(200);
        new.send().await.is(200);
        let path = kind.path.strip_suffix("/rotate").unwrap();
        let delete = world.api.delete(path).bearer(&kind.jwt);
        delete.send().await.is(204);
        // The old secret has ended before its grace, so it is no secret of the credential any more.
        old.send().await.refuses(401, "invalid_token");
        new.send().await.refuses(401, "token_revoked");
        kind.rotate(&world, &json!({}))
            .await
            .refuses(409, "conflict");
        new.send().await.refuses(401, "token_revoked");
    }
}

#[tokio::test]
async fn a_grace_is_at_most_a_day() {
    let world = World::new().await;
    for kind in kinds(&world).await {
        for grace in [json!(86_401), json!(-1), json!(1.5)] {
            let refused = kind.rotate(&world, &json!({"grace_seconds": grace})).await;
            refused.refuses(400, "validation_error");
        }
        kind.rotated(&world, &json!({"grace_seconds": 86_400}))
            .await;
    }
}

async fn until_refused(call: &Call) -> Answer {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = call.send().await;
        if answer.status != 200 {
            return answer;
        }
        assert!(Instant::now() < end, "it is still honoured");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
