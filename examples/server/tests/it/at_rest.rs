//! What lies on the disk.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::call::Answer;
use crate::mailbox::SmtpServer;
use crate::server::Home;
use crate::world::{HANDLE, OWNER, PASSWORD, World};

/// Whoever steals the database has no credential: neither the files of the running server nor those it leaves behind hold
/// a password, a key, a token or the part of one that is secret.
#[tokio::test]
async fn no_secret_is_written_down() {
    let world = World::new().await;
    let (key, pat) = (world.key().await, world.pat(&["*"]).await);
    let rotate = format!("/api/v1/users/api-keys/{}/rotate", key.id);
    let rotate = world.api.post(&rotate, &json!({})).bearer(&world.owner.v1);
    let rotated = rotate.send().await.is(200).string("secret");
    world.server.keep_secret(&rotated);
    for secret in [&key.secret, &rotated] {
        let whoami = world.api.get("/whoami").bearer(secret);
        whoami.send().await.is(200);
    }
    world.links(&pat.secret).await.is(200);

    let mut secrets = world.server.secrets().lock().unwrap().clone();
    for minted in [&key.secret, &rotated, &pat.secret] {
        let (_, secret) = minted.rsplit_once(['_', '.']).unwrap();
        secrets.push(secret.to_owned());
    }
    assert!(files_with(&world.home, &key.id, &secrets) > 0);
    let World { server, home, .. } = world;
    server.stop();
    assert!(files_with(&home, &key.id, &secrets) > 0);
}

/// Neither are what is mailed, what carries a session on and what is sold, before they are spent and after.
#[tokio::test]
async fn nothing_that_is_spent_is_written_down() {
    let mut mailbox = SmtpServer::start();
    let url = mailbox.url();
    let world = World::with(&[
        "--limits",
        "off",
        "--smtp-url",
        &url,
        "--mail-from",
        "hello@gatewright.test",
    ])
    .await;
    let (eve, max) = ("eve@people.test", "max@people.test");
    let chosen = "walnut-harbor-pixel-9";
    world.server.keep_secret(chosen);
    let users = |path: &str, body: Value| world.api.post(&format!("/api/v1/users/{path}"), &body);

    let sign_up = users("signup", json!({"email": eve, "password": chosen}));
    sign_up.send().await.is(202);
    let forgot = users("forgot-password", json!({ "email": OWNER }));
    forgot.send().await.is(202);
    let invite = users("invites", json!({"email": max, "role": "member"}));
    invite.bearer(&world.owner.v1).send().await.is(201);
    let mut secrets = Vec::new();
    for address in [eve, OWNER, max] {
        secrets.push(mailbox.mail_to(address).await.token().to_owned());
    }

    let login = json!({"email": OWNER, "password": PASSWORD});
    let login = world
        .api
        .post("/v2/auth/login", &login)
        .send()
        .await
        .is(200);
    let mut cookie = carried(&login);
    for _ in 0..2 {
        secrets.push(cookie.split_once('=').unwrap().1.to_owned());
        let refresh = world.api.call("POST", "/v2/auth/refresh");
        let refreshed = refresh.header("cookie", &cookie).send().await.is(200);
        secrets.push(refreshed.string("access_token"));
        cookie = carried(&refreshed);
    }
    secrets.push(cookie.split_once('=').unwrap().1.to_owned());

    let page = format!("/v2/handles/{HANDLE}/pages/guide");
    let body = json!({"title": "A guide", "body": "", "paid": true});
    let put = world.api.put(&page, &body).bearer(&world.owner.v2);
    put.send().await.is(201);
    let mint = world
        .api
        .post(&format!("{page}/purchase-codes"), &json!({}));
    let mint = mint.bearer(&world.owner.v2).send().await.is(201);
    let code = mint.string("code");
    secrets.push(code.clone());

    for secret in &secrets {
        world.server.keep_secret(secret);
    }
    secrets.push(chosen.to_owned());
    assert!(files_with(&world.home, "guide", &secrets) > 0);

    let verify = users("verify-email", json!({ "token": secrets[0] }));
    verify.send().await.is(204);
    let reset = json!({"token": secrets[1], "password": chosen});
    users("reset-password", reset).send().await.is(204);
    let accept = json!({"token": secrets[2], "name": "Max", "password": chosen});
    users("invites/accept", accept).send().await.is(200);
    let buy = json!({ "code": code });
    let buy = world.api.post("/v2/visitor/entitlements", &buy);
    let bought = buy.send().await.is(201);
    let visitor = carried(&bought).split_once('=').unwrap().1.to_owned();
    world.server.keep_secret(&visitor);
    secrets.push(visitor);
    assert!(files_with(&world.home, "guide", &secrets) > 0);
    let World { server, home, .. } = world;
    server.stop();
    assert!(files_with(&home, "guide", &secrets) > 0);
}

/// The cookie of an answer, as a request sends it back.
fn carried(answer: &Answer) -> String {
    let line = answer.header("set-cookie").unwrap();
    line.split_once(';').unwrap().0.to_owned()
}

/// How many of the server's files hold this text, none of which is open to others or holds a secret.
fn files_with(home: &Home, known: &str, secrets: &[String]) -> usize {
    let mut files = 0;
    for file in std::fs::read_dir(home.path()).unwrap() {
        let path = file.unwrap().path();
        let metadata = std::fs::metadata(&path).unwrap();
        let mode = metadata.permissions().mode();
        assert_eq!(mode & 0o077, 0, "others can read {}", path.display());
        if metadata.is_dir() {
            // Mail that nobody carries on: what it holds is for its readers.
            assert!(path.extension().is_some_and(|end| end == "mail"));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        for secret in secrets {
            assert!(!holds(secret), "a secret is in {}", path.display());
        }
        // That this would find what is there.
        files += usize::from(holds(known));
    }
    files
}
