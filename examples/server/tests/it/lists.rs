//! Lists by cursor, while they change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::world::{HANDLE, World};

/// Reads a list to its end, and asserts that nothing in it is repeated.
async fn walk(
    world: &World,
    path: &str,
    token: &str,
    limit: usize,
    name: &str,
) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{path}?limit={limit}&cursor={cursor}");
        let page = world
            .api
            .get(&path)
            .bearer(token)
            .send()
            .await
            .is(200)
            .json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        for item in items {
            let name = item[name].as_str().unwrap().to_owned();
            // At once: a list that repeats itself may have no end.
            assert!(seen.insert(name.clone()), "{name} is there twice");
        }
        match &page["next_cursor"] {
            Value::String(next) => {
                assert_eq!(items.len(), limit, "a short page that is not the last");
                cursor.clone_from(next);
            }
            Value::Null => return seen,
            other => panic!("{other}"),
        }
        assert_eq!(page.as_object().unwrap().len(), 2, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_complete_and_without_repetition_while_rows_are_added() {
    const THERE: usize = 60;
    let world = World::new().await;
    let pat = world.pat(&["links.read", "links.write"]).await;
    let links = format!("/v2/public/handles/{HANDLE}/links");
    let body = json!({"destinationUrl": "https://example.com", "title": ""});
    for number in 0..THERE {
        let path = format!("{links}/m-{number:03}");
        world
            .api
            .put(&path, &body)
            .bearer(&pat.secret)
            .send()
            .await
            .is(201);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let adding = {
        let (stop, api, links) = (Arc::clone(&stop), world.api.clone(), links.clone());
        let secret = pat.secret.clone();
        tokio::spawn(async move {
            let mut added = 0;
            while !stop.load(Ordering::Relaxed) {
                // Before, amid and after those that are there.
                let place = ["a", "m-030-", "z"][added % 3];
                let path = format!("{links}/{place}{added}");
                api.put(&path, &body).bearer(&secret).send().await.is(201);
                added += 1;
            }
            added
        })
    };
    for limit in [1, 7, 100] {
        let seen = walk(&world, &links, &pat.secret, limit, "slug").await;
        for number in 0..THERE {
            assert!(
                seen.contains(&format!("m-{number:03}")),
                "m-{number:03} is missing"
            );
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(adding.await.unwrap() > 0);
}

#[tokio::test]
async fn keys_and_tokens_are_listed_once_each_without_their_secrets() {
    let world = World::new().await;
    let (mut keys, mut pats) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        keys.push(world.key().await);
        pats.push(world.pat(&["links.read"]).await);
    }
    let tokens = format!("/v2/handles/{HANDLE}/tokens");
    for (path, jwt, name, minted) in [
        ("/api/v1/users/api-keys", &world.owner.v1, "prefix", &keys),
        ("/api/v1/admin/api-keys", &world.owner.v1, "prefix", &keys),
        (tokens.as_str(), &world.owner.v2, "tokenId", &pats),
    ] {
        for limit in [1, 2, 5, 20] {
            let seen = walk(&world, path, jwt, limit, name).await;
            let expected = minted.iter().map(|minted| minted.id.clone()).collect();
            assert_eq!(seen, expected);
        }
        let all = world.api.get(path).bearer(jwt).send().await.text();
        for minted in minted {
            assert!(!all.contains(&minted.secret), "a secret is shown again");
            assert!(!all.contains(&minted.secret[minted.secret.len() - 12..]));
        }
        assert!(!all.contains("argon2"), "{all}");
    }
}

#[tokio::test]
async fn pages_that_cannot_be_are_refused() {
    let world = World::new().await;
    for path in ["/v2/handles", "/v2/account/domains"] {
        for query in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=x",
            "cursor=%21",
            "limit=1&limit=2",
        ] {
            let call = world
                .api
                .get(&format!("{path}?{query}"))
                .bearer(&world.owner.v2);
            call.send().await.refuses(400, "validation_error");
        }
    }
}
