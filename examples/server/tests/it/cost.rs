//! What a request costs: argon2 once for a holder, and next to never for a guesser.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use gatewright_issuer::guard_tag_keys;
use gatewright_sqlx::SqliteStore;
use reqwest::Client;

use crate::world::{World, wrong_secret_for};

const REQUESTS: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_prove_a_key_once() {
    const TASKS: usize = 8;
    let world = World::new().await;
    let key = world.key().await;
    let before = world.proofs().await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let call = world.api.get("/whoami").bearer(&key.secret);
            tokio::spawn(async move {
                for _ in 0..REQUESTS / TASKS {
                    call.send().await.is(200);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(world.proofs().await - before, 1);
}

/// A client whose requests come from this address of the loopback network.
pub(crate) fn client_at(last: u8) -> Client {
    Client::builder()
        .no_proxy()
        .local_address(IpAddr::V4(Ipv4Addr::new(127, 0, 9, last)))
        .build()
        .unwrap()
}

/// Ten thousand wrong secrets for a real prefix, each with a right checksum, from a hundred addresses: each address gets
/// past the limiter of failures a few times, and then it is the guard tag that keeps argon2 out of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_wrong_secrets_buy_no_argon2_and_hinder_nobody() {
    const ADDRESSES: usize = 100;
    let world = World::new().await;
    let key = world.key().await;
    let right = world.api.get("/whoami").bearer(&key.secret);
    right.send().await.is(200);
    let before = world.proofs().await;

    let url = format!("{}/whoami", world.server.base);
    let attackers: Vec<_> = (0..ADDRESSES)
        .map(|attacker| {
            let (url, id) = (url.clone(), key.id.clone());
            tokio::spawn(async move {
                let client = client_at(u8::try_from(attacker).unwrap() + 1);
                let repeated = wrong_secret_for("tnx", &id);
                let mut answers = BTreeMap::new();
                for round in 0..REQUESTS / ADDRESSES {
                    let guess = if round % 2 == 0 {
                        repeated.clone()
                    } else {
                        wrong_secret_for("tnx", &id)
                    };
                    let answer = client.get(&url).bearer_auth(guess).send().await.unwrap();
                    *answers.entry(answer.status().as_u16()).or_insert(0_usize) += 1;
                    answer.bytes().await.unwrap();
                }
                answers
            })
        })
        .collect();
    let mut answers = BTreeMap::new();
    for attacker in attackers {
        for (status, count) in attacker.await.unwrap() {
            *answers.entry(status).or_insert(0) += count;
        }
    }
    assert_eq!(answers.keys().copied().collect::<Vec<u16>>(), [401, 429]);
    assert!(
        answers[&401] >= 5 * ADDRESSES,
        "the limiter hid the tag: {answers:?}"
    );
    // One in 65,536 gets past the tag.
    assert!(world.proofs().await - before <= 3);

    // The holder at an address that guessed: what memory proves passes the limiter.
    let client = client_at(1);
    let guess = client
        .get(&url)
        .bearer_auth(wrong_secret_for("tnx", &key.id));
    assert_eq!(guess.send().await.unwrap().status(), 429);
    let held = client.get(&url).bearer_auth(&key.secret);
    assert_eq!(held.send().await.unwrap().status(), 200);
    right.send().await.is(200);

    // In a process that remembers nothing, the id alone locks nobody out.
    let world = world.restarted().await;
    for _ in 0..20 {
        let wrong = wrong_secret_for("tnx", &key.id);
        let guess = client.get(format!("{}/whoami", world.server.base));
        let status = guess.bearer_auth(wrong).send().await.unwrap().status();
        assert!(status == 401 || status == 429, "{status}");
    }
    let right = world.api.get("/whoami").bearer(&key.secret);
    right.send().await.is(200);
}

/// A wrong secret that happens to have the right guard tag costs argon2 once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_past_the_tag_is_remembered() {
    let world = World::new().await;
    let key = world.key().await;
    // The tags' keys are in the database; nobody outside could search for such a secret.
    let store = SqliteStore::open(&world.home.database()).await.unwrap();
    let tags = guard_tag_keys(&store).await.unwrap();
    store.close().await;
    let wanted = tags.tag(key.secret.as_bytes());
    let id = key.id.clone();
    let unlucky = tokio::task::spawn_blocking(move || {
        loop {
            let guess = wrong_secret_for("tnx", &id);
            if tags.tag(guess.as_bytes()) == wanted {
                return guess;
            }
        }
    });
    let unlucky = unlucky.await.unwrap();

    let before = world.proofs().await;
    let url = format!("{}/whoami", world.server.base);
    for address in 101..121 {
        for _ in 0..2 {
            let guess = client_at(address).get(&url).bearer_auth(&unlucky);
            assert_eq!(guess.send().await.unwrap().status(), 401);
        }
    }
    assert_eq!(world.proofs().await - before, 1);
    let right = world.api.get("/whoami").bearer(&key.secret);
    right.send().await.is(200);
}
