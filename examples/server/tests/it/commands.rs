//! The command line beside a running server.

use std::collections::BTreeSet;

use gatewright_core::credential::Formats;
use serde_json::{Value, json};

use crate::call::Api;
use crate::forge;
use crate::server::{Home, run, run_ok};
use crate::world::{OWNER, PASSWORD, PUBLIC_URL, World};

#[tokio::test]
async fn a_user_who_was_created_can_log_in() {
    let world = World::new().await;
    // Beside the running server, and with the end of line that `echo` adds.
    let arguments = [
        "user",
        "create",
        "--email",
        "new@acme.test",
        "--workspace",
        "new",
        "--password-stdin",
    ];
    let told = world.home.run_ok(&arguments, &format!("{PASSWORD}\n"));
    assert!(!told.contains(PASSWORD), "{told}");
    let session = world.log_in("new@acme.test").await;
    let me = world
        .api
        .get("/api/v1/users/me")
        .bearer(&session.v1)
        .send()
        .await;
    assert_eq!(me.is(200).json()["workspace"]["slug"], "new");
    // In another letter case it is the same address.
    let login = json!({"email": "New@ACME.test", "password": PASSWORD});
    world
        .api
        .post("/v2/auth/login", &login)
        .send()
        .await
        .is(200);
}

#[test]
fn what_cannot_be_created_is_said() {
    let home = Home::new();
    home.user(OWNER, "acme", PASSWORD);
    let create = |email, workspace, password| {
        let arguments = [
            "user",
            "create",
            "--email",
            email,
            "--workspace",
            workspace,
            "--password-stdin",
        ];
        home.run(&arguments, password)
    };
    for (what, output) in [
        ("the address is taken", create(OWNER, "other", PASSWORD)),
        (
            "the workspace is taken",
            create("b@acme.test", "acme", PASSWORD),
        ),
        (
            "the password is too short",
            create("c@acme.test", "c-space", "short"),
        ),
        ("it is no address", create("nobody", "d-space", PASSWORD)),
    ] {
        assert!(!output.status.success(), "{what}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            !told.is_empty() && !told.contains("panicked"),
            "{what}: {told}"
        );
        assert!(!told.contains(PASSWORD), "{what}: {told}");
    }
    // Nothing half was left behind: both names are still to be had.
    home.user("c@acme.test", "c-space", PASSWORD);
}

#[tokio::test]
async fn keys_are_minted_listed_rotated_and_revoked() {
    let world = World::new().await;
    let mint = [
        "key",
        "mint",
        "--email",
        OWNER,
        "--workspace",
        "acme",
        "--name",
        "by hand",
        "--scopes",
        "users.read",
    ];
    let secret = world.home.run_ok(&mint, "").trim().to_owned();
    world.server.keep_secret(&secret);
    let prefix = secret.split('_').nth(1).unwrap().to_owned();
    let using = |secret: &str| world.api.get("/api/v1/users/me").bearer(secret);
    using(&secret).send().await.is(200);
    let keys = world.api.get("/api/v1/users/api-keys").bearer(&secret);
    keys.send().await.refuses(403, "insufficient_scope");

    let list = ["key", "list", "--workspace", "acme"];
    let listed = world.home.run_ok(&list, "");
    assert!(
        listed.contains(&prefix) && listed.contains("by hand"),
        "{listed}"
    );
    assert!(!listed.contains(&secret[13..]), "{listed}");

    let rotate = [
        "key",
        "rotate",
        &prefix,
        "--workspace",
        "acme",
        "--grace",
        "0",
    ];
    let new = world.home.run_ok(&rotate, "").trim().to_owned();
    world.server.keep_secret(&new);
    using(&secret).send().await.refuses(401, "invalid_token");
    using(&new).send().await.is(200);

    let revoke = ["key", "revoke", &prefix, "--workspace", "acme"];
    world.home.run_ok(&revoke, "");
    using(&new).send().await.refuses(401, "token_revoked");

    // Of another workspace there is no such key.
    let key = world.key().await;
    world.person("other").await;
    let revoke = ["key", "revoke", &key.id, "--workspace", "other"];
    assert!(!world.home.run(&revoke, "").status.success());
    using(&key.secret).send().await.is(200);
}

#[test]
fn a_database_that_is_not_there_is_not_made_by_looking() {
    let home = Home::new();
    let output = home.run(&["key", "list", "--workspace", "acme"], "");
    assert!(!output.status.success());
    assert!(!home.database_file().exists());
}

/// Anything of this length that stands in both is more than chance.
const PIECE: usize = 8;

#[test]
fn inspect_tells_the_parts_and_never_the_secret() {
    for (brand, checksum) in [("tnx", true), ("patv1", true), ("apx_live_sk", false)] {
        let minted = Formats::standard().format(brand).unwrap().mint().unwrap();
        let text = minted.secret.expose();
        let output = run(&["token", "inspect"], &format!("{text}\n"));
        assert!(output.status.success(), "{brand}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains(brand), "{told}");
        assert!(told.contains(&minted.public_id), "{told}");
        let kind = if brand == "patv1" {
            "personal access token"
        } else {
            "API key"
        };
        assert!(told.contains(kind), "{told}");
        assert_eq!(told.contains("holds"), checksum, "{told}");
        let all = format!("{told}{}", String::from_utf8_lossy(&output.stderr));
        let id_ends = text.find(&minted.public_id).unwrap() + minted.public_id.len();
        for piece in text.as_bytes()[id_ends..].windows(PIECE) {
            assert!(!all.contains(std::str::from_utf8(piece).unwrap()), "{all}");
        }
    }
}

#[test]
fn inspect_knows_what_is_not_right() {
    let minted = Formats::standard().format("tnx").unwrap().mint().unwrap();
    let mut mistyped = minted.secret.expose().to_owned();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'a' { 'b' } else { 'a' });
    for (text, expected) in [
        (mistyped.as_str(), "does not hold"),
        ("hunter2hunter2", "not recognised"),
        ("patv1_short", "personal access token"),
        ("", "not recognised"),
        ("\u{1b}[2J\u{0}", "not recognised"),
    ] {
        let output = run(&["token", "inspect"], text);
        assert!(!output.status.success(), "{expected}");
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(told.contains(expected), "{told}");
        assert!(text.len() < 8 || !told.contains(text), "{told}");
        assert!(!told.contains("panicked"), "{told}");
    }
}

#[tokio::test]
async fn inspect_shows_claims_and_checks_signatures() {
    let home = Home::new();
    home.user(OWNER, "acme", PASSWORD);
    home.serve().stop();
    let token = forge::token(&home, "usr_1", &format!("{PUBLIC_URL}/v2"), 60).await;
    let told = run_ok(&["token", "inspect"], &token);
    assert!(told.contains("usr_1") && told.contains("at+jwt"), "{told}");
    let signature = token.rsplit('.').next().unwrap();
    assert!(!told.contains(&signature[..PIECE]), "{told}");
    let told = home.run_ok(&["token", "inspect"], &token);
    assert!(told.contains("holds"), "{told}");
    let altered = token.replacen(&signature[..4], "AAAA", 1);
    assert!(!home.run(&["token", "inspect"], &altered).status.success());
    let expired = forge::token(&home, "usr_1", PUBLIC_URL, 0).await;
    let told = run(&["token", "inspect"], &expired);
    assert!(String::from_utf8_lossy(&told.stdout).contains("expired"));
}

/// What `policy` prints, what `serve` prints, and the endpoint coverage map are one table.
#[tokio::test]
async fn the_route_table_is_the_same_everywhere() {
    let home = Home::new();
    let server = home.serve();
    let answer = Api::new(&server).get("/v2/coverage").send().await.is(200);
    let coverage = answer.json();
    let mapped: BTreeSet<String> = coverage["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect();
    assert!(mapped.len() > 25, "{mapped:#?}");
    let squeezed = |text: &str| -> BTreeSet<String> {
        text.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    assert_eq!(squeezed(&run_ok(&["policy"], "")), mapped);
    assert!(mapped.is_subset(&squeezed(&server.out())));

    let links = "GET /v2/public/handles/{handle}/links JWT operator+ | PAT links.read";
    assert!(mapped.contains(links), "{mapped:#?}");
    assert!(mapped.contains("POST /v2/public/conversions NONE"));
    assert!(mapped.contains("POST /v2/handles/{handle}/tokens JWT operator+"));
    server.stop();
}

fn row(route: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut alternatives = Vec::new();
    for mode in route["modes"].as_array().unwrap() {
        let mut words = vec![text(&mode["mode"])];
        if let Some(scopes) = mode["scopes"].as_array() {
            words.extend(scopes.iter().map(text));
        }
        if let Some(role) = mode["role"].as_str() {
            words.push(format!("{role}+"));
        }
        if let Some(feature) = mode["feature"].as_str() {
            words.push(format!("plan:{feature}"));
        }
        alternatives.push(words.join(" "));
    }
    if route["public"] == true {
        alternatives.push("NONE".to_owned());
    }
    let (method, path) = (text(&route["method"]), text(&route["path"]));
    format!("{method} {path} {}", alternatives.join(" | "))
}
