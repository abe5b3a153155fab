//! Orgs, as their admins run them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::forge;
use crate::server::PATIENCE;
use crate::world::{OWNER, PASSWORD, PUBLIC_URL, World};

const ORG: &str = "acme-corp";

/// A world whose owner has an org, and the owner's token for it.
async fn gateway() -> (World, String) {
    gateway_with(&["--limits", "off"]).await
}

async fn gateway_with(arguments: &[&str]) -> (World, String) {
    let world = World::with(arguments).await;
    let create = world.api.post("/api/orgs", &json!({"slug": ORG}));
    create.bearer(&world.owner.v2).send().await.is(201);
    let login = json!({"email": OWNER, "password": PASSWORD, "org": ORG});
    let login = world.api.post("/api/auth/login", &login).send().await;
    let token = login.is(200).string("access_token");
    world.server.keep_secret(&token);
    (world, token)
}

async fn make(world: &World, token: &str, what: &str, body: Value) -> Answer {
    let call = world.api.post(&format!("/api/{what}"), &body).bearer(token);
    call.send().await.is(201)
}

/// The events that a query finds, once there are so many: they are written down behind the answers.
async fn events(world: &World, token: &str, query: &str, count: usize) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let call = world.api.get(&format!("/api/audit?limit=100{query}"));
        let page = call.bearer(token).send().await.is(200).json();
        let items = page["items"].as_array().unwrap().clone();
        if items.len() >= count {
            return items;
        }
        assert!(Instant::now() < until, "{query}: {items:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_org_is_run_from_its_first_connector_to_its_audit() {
    let (world, admin) = gateway().await;
    let connector = make(&world, &admin, "connectors", json!({"name": "CRM"})).await;
    let connector = connector.string("id");
    let key = make(&world, &admin, "api-keys", json!({"name": "agent"})).await;
    let (prefix, secret) = (key.string("prefix"), key.string("secret"));
    let client = make(&world, &admin, "oauth-clients", json!({"name": "etl"})).await;
    let client_secret = client.string("clientSecret");
    for secret in [&secret, &client_secret] {
        world.server.keep_secret(secret);
    }
    let sso = json!({"issuer": "https://acme.okta.com", "audience": "apexmcp"});
    let put = world.api.put("/api/sso", &sso).bearer(&admin);
    put.send().await.is(200);

    // All of it outlives the server, and the key reads it without naming the org.
    let world = world.restarted().await;
    let look = async |what: &str| {
        let call = world.api.get(&format!("/api/{what}")).api_key(&secret);
        let answer = call.send().await.is(200);
        let text = answer.text();
        assert!(!text.contains(&secret[20..]) && !text.contains(&client_secret[11..]));
        answer.json()
    };
    assert_eq!(look("orgs").await["items"][0]["slug"], ORG);
    assert_eq!(look("connectors").await["items"][0]["id"], *connector);
    assert_eq!(look("api-keys").await["items"][0]["prefix"], *prefix);
    let clients = look("oauth-clients").await;
    assert_eq!(clients["items"][0]["clientId"], client.json()["clientId"]);
    assert_eq!(look("sso").await["issuer"], sso["issuer"]);

    let delete = world.api.delete(&format!("/api/api-keys/{prefix}"));
    let delete = delete.bearer(&admin);
    delete.send().await.is(204);
    let call = world.api.get("/api/orgs").api_key(&secret);
    call.send().await.refuses(401, "token_revoked");

    for (query, target) in [
        ("&action=connector_added", connector),
        ("&action=sso_changed", "https://acme.okta.com".to_owned()),
        ("&action=revoked", prefix.clone()),
    ] {
        let found = events(&world, &admin, query, 1).await;
        assert_eq!(found.len(), 1, "{query}");
        assert_eq!(found[0]["target"], *target);
        assert_eq!(found[0]["outcome"], "success");
    }
    let actor = events(&world, &admin, "&action=revoked", 1).await;
    let actor = actor[0]["actor"].as_str().unwrap().to_owned();
    let minted = events(&world, &admin, &format!("&actor={actor}&action=minted"), 2).await;
    assert_eq!(minted.len(), 2);
    // A refusal is told with its cause, in the org whose credential was refused.
    let other = make(&world, &admin, "api-keys", json!({"name": "other"})).await;
    let other = other.string("secret");
    world.server.keep_secret(&other);
    let call = world.api.get("/api/audit?org=elsewhere").api_key(&other);
    call.send().await.refuses(403, "insufficient_scope");
    let denied = events(&world, &admin, "&outcome=failure", 1).await;
    assert_eq!(denied[0]["action"], "denied");
    assert_eq!(denied[0]["cause"], "foreign_tenant");

    let files = std::fs::read_dir(world.home.path()).unwrap();
    // But the folder of mail, which is for whoever signs up.
    let files = files.map(|file| file.unwrap().path());
    for file in files.filter(|file| file.is_file()) {
        let bytes = std::fs::read(file).unwrap();
        for secret in [&secret[20..], &client_secret[11..], &other[20..]] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "a secret is written down");
        }
    }
    world.server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_is_complete_and_without_repetition_while_it_grows() {
    const THERE: usize = 40;
    let (world, admin) = gateway().await;
    let key = make(&world, &admin, "api-keys", json!({"name": "k"})).await;
    let key = key.string("secret");
    world.server.keep_secret(&key);
    let refuse =
        move |world: &World| -> Call { world.api.get("/api/audit?org=elsewhere").api_key(&key) };
    for _ in 0..THERE {
        refuse(&world)
            .send()
            .await
            .refuses(403, "insufficient_scope");
    }
    let there: BTreeSet<i64> = events(&world, &admin, "&action=denied", THERE)
        .await
        .iter()
        .map(|event| event["id"].as_i64().unwrap())
        .collect();
    assert_eq!(there.len(), THERE);

    let stop = Arc::new(AtomicBool::new(false));
    let growing = {
        let (stop, call) = (Arc::clone(&stop), refuse(&world));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                call.send().await.refuses(403, "insufficient_scope");
            }
        })
    };
    for limit in [1, 7, 100] {
        let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let path = format!("/api/audit?action=denied&limit={limit}&cursor={cursor}");
            let page = world.api.get(&path).bearer(&admin).send().await;
            let page = page.is(200).json();
            for event in page["items"].as_array().unwrap() {
                let id = event["id"].as_i64().unwrap();
                assert!(seen.insert(id), "{id} is there twice");
            }
            match &page["next_cursor"] {
                Value::String(next) => cursor.clone_from(next),
                _ => break,
            }
        }
        assert!(there.is_subset(&seen), "limit {limit}");
    }
    stop.store(true, Ordering::Relaxed);
    growing.await.unwrap();
    world.server.stop();
}

#[tokio::test]
async fn only_the_operator_exempts_a_provider_from_tls() {
    let (world, admin) = gateway().await;
    let sso = |issuer: &str| json!({"issuer": issuer, "audience": "apexmcp"});
    let local = "http://127.0.0.1:9000/realms/acme";
    let put = |world: &World, issuer: &str| world.api.put("/api/sso", &sso(issuer)).bearer(&admin);
    for issuer in [local, PUBLIC_URL, "https://accounts.google.com"] {
        let refused = put(&world, issuer).send().await;
        refused.refuses(400, "validation_error");
    }
    world.server.stop();
    let (world, admin) = gateway_with(&[
        "--limits",
        "off",
        "--allow-idp-host",
        "idp.internal:80,127.0.0.1:9000",
    ])
    .await;
    for (issuer, status) in [
        (local, 200),
        ("http://idp.internal/", 200),
        ("http://127.0.0.1:9001/", 400),
        ("https://idp.example.com", 200),
    ] {
        let call = world.api.put("/api/sso", &sso(issuer)).bearer(&admin);
        call.send().await.is(status);
    }
    world.server.stop();
}

#[tokio::test]
async fn a_new_signing_key_is_known_to_a_running_server_when_the_command_returns() {
    let world = World::new().await;
    let list = || world.home.run_ok(&["signing-key", "list"], "");
    let before = list();
    assert_eq!(before.lines().count(), 2, "{before}");
    assert!(before.contains("signs"), "{before}");
    let made = world.home.run_ok(&["signing-key", "rotate"], "");
    let kid = made.split([' ', ',']).nth(1).unwrap();
    let after = list();
    let row = after.lines().find(|line| line.starts_with(kid)).unwrap();
    assert!(
        row.contains("RS256") && row.contains("published"),
        "{after}"
    );
    assert_eq!(after.lines().count(), 3, "{after}");

    // What the key signs is taken at once, though the server would not use it yet; what the old one signed, still.
    let whoami = world.api.get("/whoami").bearer(&world.owner.v2);
    let subject = whoami.send().await.is(200).string("subject");
    let user = subject.strip_prefix("user:").unwrap();
    let now = "UPDATE signing_keys SET active_from = published_at";
    world.home.change(now).await;
    let token = forge::token(&world.home, user, &format!("{PUBLIC_URL}/v2"), 60).await;
    world.server.keep_secret(&token);
    let signed_by = {
        use base64::Engine as _;
        let header = token.split('.').next().unwrap();
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header);
        let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    };
    assert_eq!(signed_by, kid);
    for token in [&token, &world.owner.v2] {
        world.api.get("/whoami").bearer(token).send().await.is(200);
    }
    world.server.stop();
}

#[test]
fn signing_keys_of_no_database_are_not_made() {
    let home = crate::server::Home::new();
    for command in ["rotate", "list"] {
        let output = home.run(&["signing-key", command], "");
        assert!(!output.status.success());
        assert!(!home.database_file().exists());
    }
}
