//! `serve --demo`: something to try within a minute.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::call::Api;
use crate::server::Server;
use crate::shell::curl;

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn start(directory: &Path) -> (Server, Value) {
    let file = directory.join("demo.json");
    let arguments = ["--demo", "--demo-out", file.to_str().unwrap()];
    let mut server = Server::start(&arguments);
    // The file is there before the address is printed, or very soon after.
    let demo = server
        .wait_for(|_| {
            let bytes = std::fs::read(&file).ok()?;
            serde_json::from_slice(&bytes).ok()
        })
        .expect("no file");
    (server, demo)
}

/// The `curl` lines among what it printed, continued lines joined.
fn curl_lines(out: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = out.lines();
    while let Some(line) = rest.next() {
        if !line.trim_start().starts_with("curl ") {
            continue;
        }
        let mut whole = line.trim_start().to_owned();
        while whole.ends_with('\\') {
            whole.push('\n');
            whole.push_str(rest.next().unwrap_or_default());
        }
        lines.push(whole);
    }
    lines
}

#[tokio::test]
async fn every_line_that_it_prints_works_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, demo) = start(directory.path());
    let lines = server
        .wait_for(|server| {
            let lines = curl_lines(&server.out());
            (lines.len() >= 11).then_some(lines)
        })
        .expect("too few lines");
    for line in &lines {
        let ran = curl(line, &[], directory.path());
        assert!((200..300).contains(&ran.status), "{line}\n{ran:?}");
    }
    // Together they show every credential.
    let all = lines.join("\n");
    for field in [
        "email",
        "password",
        "api_key",
        "pat",
        "org_key",
        "client_secret",
        "purchase_code",
    ] {
        let value = demo[field].as_str().unwrap();
        assert!(all.contains(value), "no line with the {field}");
    }
    server.stop();
}

#[tokio::test]
async fn its_file_is_for_its_owner_alone_and_says_the_truth() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = start(directory.path());
    let file = directory.path().join("demo.json");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let demo = read(&file);
    let field = |name: &str| {
        demo[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {demo}"))
    };
    assert_eq!(field("base_url"), server.base);
    for secret in [
        "password",
        "api_key",
        "pat",
        "org_key",
        "client_secret",
        "purchase_code",
    ] {
        server.keep_secret(field(secret));
    }

    let api = Api::new(&server);
    let login = serde_json::json!({"email": field("email"), "password": field("password")});
    let session = api.post("/api/v1/users/login", &login).send().await.is(200);
    session.string("access_token");
    let me = api.get("/api/v1/users/me").bearer(field("api_key"));
    me.send().await.is(200);
    let session = api.post("/v2/auth/login", &login).send().await.is(200);
    let handle = api
        .get(&format!("/v2/handles/{}", field("handle")))
        .bearer(&session.string("access_token"))
        .send()
        .await
        .is(200);
    assert_eq!(handle.json()["plan"], "pro");
    let links = api
        .get(&format!("/v2/public/handles/{}/links", field("handle")))
        .bearer(field("pat"));
    links.send().await.is(200);
    let whoami = api.get("/whoami").bearer(field("api_key")).send().await;
    assert_eq!(whoami.json()["kind"], "api_key", "{whoami:?}");
    assert!(!field("workspace").is_empty());
    let connectors = api.get("/api/connectors").api_key(field("org_key"));
    let connectors = connectors.send().await.is(200).json();
    assert_eq!(connectors["items"].as_array().unwrap().len(), 2);
    let orgs = api.get("/api/orgs").bearer(&session.string("access_token"));
    let orgs = orgs.send().await.is(200).json();
    assert_eq!(orgs["items"][0]["slug"], field("org"));
    let clients = api.get("/api/oauth-clients").api_key(field("org_key"));
    let clients = clients.send().await.is(200).json();
    assert_eq!(clients["items"][0]["clientId"], field("client_id"));
    server.stop();
}

#[test]
fn a_file_that_is_there_already_is_made_private() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("demo.json");
    std::fs::write(&file, "{}").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut server = Server::start(&["--demo", "--demo-out", file.to_str().unwrap()]);
    let written = server.wait_for(|_| (std::fs::read(&file).ok()? != b"{}").then_some(()));
    assert!(written.is_some());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop();
}
