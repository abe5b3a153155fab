//! The process dies at the worst moment.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _};

use crate::call::{Api, Call};
use crate::world::{Minted, PUBLIC_URL, World};

/// SIGKILL in the middle of a burst of mints: every key that was answered is there and works, and none is half there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_outlives_the_process() {
    const MINTERS: usize = 8;
    const ENOUGH: usize = 30;
    let world = World::new().await;
    let answered: Arc<Mutex<Vec<Minted>>> = Arc::default();
    let minters: Vec<_> = (0..MINTERS)
        .map(|_| {
            let answered = Arc::clone(&answered);
            let mint = world
                .api
                .post("/api/v1/users/api-keys", &json!({"name": "burst"}))
                .bearer(&world.owner.v1);
            tokio::spawn(async move { mint_until_it_dies(&mint, &answered).await })
        })
        .collect();
    while answered.lock().unwrap().len() < ENOUGH {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let World {
        server,
        owner,
        home,
        ..
    } = world;
    server.kill();
    for minter in minters {
        minter.await.unwrap();
    }
    let answered = std::mem::take(&mut *answered.lock().unwrap());

    let server = home.serve_with(&["--limits", "off", "--public-url", PUBLIC_URL]);
    for minted in &answered {
        server.keep_secret(&minted.secret);
    }
    let api = Api::new(&server);
    for minted in &answered {
        let whoami = api.get("/whoami").bearer(&minted.secret).send().await;
        assert_eq!(whoami.is(200).json()["credential_id"], minted.id);
    }
    let mut listed = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/users/api-keys?limit=100&cursor={cursor}");
        let page = api.get(&path).bearer(&owner.v1).send().await.is(200).json();
        for key in page["items"].as_array().unwrap() {
            assert_eq!(key["name"], "burst");
            assert_eq!(key["scopes"], json!(["*"]).clone(), "{key}");
            assert!(
                key["created_at"].is_string() && key["owner"].is_string(),
                "{key}"
            );
            assert_eq!(key["revoked_at"], Value::Null);
            assert!(listed.insert(key["prefix"].as_str().unwrap().to_owned()));
        }
        match &page["next_cursor"] {
            Value::String(next) => cursor.clone_from(next),
            _ => break,
        }
    }
    let ids: BTreeSet<_> = answered.iter().map(|minted| minted.id.clone()).collect();
    assert!(ids.is_subset(&listed));
    // What each minter was waiting for may be stored and not answered; no more than that.
    let unanswered = listed.difference(&ids).count();
    assert!(
        unanswered <= MINTERS,
        "{unanswered} keys that nobody asked for"
    );
    server.stop();

    let mut connection = home.connect().await;
    let check = sqlx::query("PRAGMA integrity_check");
    let check = check.fetch_all(&mut connection).await.unwrap();
    assert_eq!(check.len(), 1);
    assert_eq!(check[0].get::<String, _>(0), "ok");
    let broken = sqlx::query("PRAGMA foreign_key_check");
    assert!(broken.fetch_all(&mut connection).await.unwrap().is_empty());
    connection.close().await.unwrap();
}

async fn mint_until_it_dies(mint: &Call, answered: &Mutex<Vec<Minted>>) {
    while let Ok(answer) = mint.try_send().await {
        let answer = answer.is(201);
        answered.lock().unwrap().push(Minted {
            id: answer.string("prefix"),
            secret: answer.string("secret"),
        });
    }
}
