//! The document held against the server by Schemathesis, a property-based client that knows nothing but the document.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::Api;
use crate::world::{OWNER, PASSWORD, World};

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// A run takes a minute or two. One that takes so long will never end.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// What asks for a password, an address, a cookie, a code or an id that the document does not tell: nobody can be sure to
/// guess one.
const HARD_TO_REACH: &[&str] = &[
    "login",
    "verify-email",
    "reset-password",
    "change-password",
    "/collaborators",
    "delete /v2/public/handles/{handle}/webhooks",
    "{prefix}",
    "{user}",
    "/invites/accept",
    "/v2/auth/refresh",
    "/v2/visitor/entitlements",
    "/purchase-codes",
    "/google/",
    "{tokenId}",
    "{clientId}",
    "{id}",
    "get /api/sso",
    "delete /api/sso",
    "/oauth/",
];

/// Where `cargo xtask test` says the program is; else where it puts it. Without it there is no test, and no pass.
fn program() -> PathBuf {
    let told = std::env::var_os("SCHEMATHESIS").map(PathBuf::from);
    let program = told.unwrap_or_else(|| {
        let root = Path::new(FOLDER).join("../..");
        root.join("target/python/bin/schemathesis")
    });
    let there = program.exists();
    assert!(
        there,
        "{program:?} is missing: `cargo xtask python` installs it"
    );
    program
}

/// Makes requests of the document, which is a URL or a file, and holds the answers against it.
fn schemathesis(world: &World, document: &str, credential: Option<&str>, more: &[&str]) -> Output {
    let mut command = Command::new(program());
    command
        .arg("--config-file")
        .arg(Path::new(FOLDER).join("tests/schemathesis.toml"))
        .args(["run", document, "--url", &world.server.base])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "5", "--seed", "1", "--workers", "1"])
        .args([
            "--generation-database",
            "none",
            "--no-color",
            "--warnings",
            "off",
        ])
        // The credential is given; made up ones beside it would take its place.
        .args(["--generation-with-security-parameters", "false"])
        // A host that is given work by others is slow now and then, which says nothing about the document.
        .args(["--request-timeout", "30", "--suppress-health-check", "all"])
        // They refuse whatever nobody was mailed or registered, as the document says in words.
        .args(["--exclude-path", "/oauth/authorize"])
        .args(["--exclude-path", "/api/v1/users/verify-email"])
        .args(["--exclude-path", "/api/v1/users/reset-password"])
        .args(["--exclude-path", "/api/v1/users/invites/accept"])
        .args(more)
        .current_dir(world.home.path())
        .env(
            "SCHEMATHESIS_HOOKS",
            Path::new(FOLDER).join("tests/schemathesis_hooks.py"),
        )
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*");
    if let Some(credential) = credential {
        command.args(["--header", &format!("Authorization: Bearer {credential}")]);
    }
    // A program of one process: whoever ends it leaves nothing behind.
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id().to_string();
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    ended.recv_timeout(PATIENCE).map_or_else(
        |_| {
            let _ = Command::new("kill").arg(&id).status();
            panic!("the run did not end within {PATIENCE:?}")
        },
        Result::unwrap,
    )
}

fn told(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

/// No answer is a 5xx or of a status, a type or a shape that the document does not have for it; right data is accepted, wrong
/// data is not, and no guarded operation answers without a credential. For callers of every kind, who together reach every
/// operation that can be reached.
#[tokio::test]
async fn the_server_does_what_its_document_says() {
    program();
    let world = World::new().await;
    world.home.change("UPDATE tenants SET plan = 'pro'").await;
    let world = world.restarted().await;
    let pat = world.pat(&["*"]).await.secret;
    let key = world.key().await.secret;
    let (admin, org_key) = org(&world).await;
    let document = format!("{}/openapi.json", world.server.base);
    let callers = [
        ("nobody", None),
        ("workspace login", Some(world.owner.v1.as_str())),
        ("handle login", Some(world.owner.v2.as_str())),
        ("API key", Some(&*key)),
        ("token", Some(&*pat)),
        ("gateway login", Some(&*admin)),
        ("org key", Some(&*org_key)),
    ];
    // Side by side: each of them mostly waits.
    let runs: Vec<(&str, Output)> = std::thread::scope(|scope| {
        let runs = callers.map(|(name, credential)| {
            let (world, document) = (&world, &document);
            (
                name,
                scope.spawn(move || schemathesis(world, document, credential, &[])),
            )
        });
        runs.into_iter()
            .map(|(name, run)| (name, run.join().unwrap()))
            .collect()
    });
    for (name, run) in &runs {
        let told = told(run);
        assert!(run.status.success(), "{name}: {told}");
        assert!(told.contains("passed"), "{name}: {told}");
        assert!(
            !told.contains(&pat) && !told.contains(&key),
            "a secret is repeated"
        );
    }
    let unreached = unreached(&world).await;
    let unexpected: Vec<&String> = unreached
        .iter()
        .filter(|operation| !HARD_TO_REACH.iter().any(|known| operation.contains(known)))
        .collect();
    assert!(unexpected.is_empty(), "never a success: {unexpected:?}");
}

/// A login for an org, and a key of it.
async fn org(world: &World) -> (String, String) {
    let create = world.api.post("/api/orgs", &json!({"slug": "acme-corp"}));
    create.bearer(&world.owner.v2).send().await.is(201);
    let login = json!({"email": OWNER, "password": PASSWORD, "org": "acme-corp"});
    let login = world.api.post("/api/auth/login", &login).send().await;
    let admin = login.is(200).string("access_token");
    let key = world.api.post("/api/api-keys", &json!({"name": "k"}));
    let key = key.bearer(&admin).send().await.is(201).string("secret");
    for secret in [&admin, &key] {
        world.server.keep_secret(secret);
    }
    (admin, key)
}

/// The operations of the document that never answered anybody with a success.
async fn unreached(world: &World) -> Vec<String> {
    // The connection from before was idle for so long that the server may have closed it.
    let api = Api::new(&world.server);
    let document = api.get("/openapi.json").send().await.is(200).json();
    let metrics = api.get("/metrics").send().await.is(200).text();
    let succeeded = |method: &str, path: &str| {
        metrics.lines().any(|line| {
            line.starts_with("http_request_duration_seconds_count{")
                && line.contains(&format!("route=\"{path}\""))
                && line.contains(&format!("method=\"{}\"", method.to_uppercase()))
                && line.contains("status=\"2")
        })
    };
    let mut missing = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if !succeeded(method, path) {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    missing
}

/// A document that is wrong is found out: what the other test says would be worth nothing otherwise.
#[tokio::test]
async fn a_wrong_document_is_found_out() {
    program();
    let world = World::new().await;
    let answer = world.api.get("/openapi.json").send().await.is(200);
    let right = answer.json();
    let wrong = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut document = right.clone();
        change(&mut document);
        let file = world.home.path().join(format!("{name}.json"));
        std::fs::write(&file, document.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let unsaid = |document: &mut Value| {
        let list = document.pointer_mut("/paths/~1v2~1handles/get/responses");
        list.unwrap().as_object_mut().unwrap().remove("401");
    };
    let open = |document: &mut Value| {
        let page = &mut document["paths"]["/v2/coverage"]["get"];
        page["security"] = json!([{"jwt": []}]);
        page["responses"]["401"] = json!({"description": "Not without a token"});
    };
    let shape = |document: &mut Value| {
        let members = &mut document["components"]["schemas"]["Whoami"]["properties"];
        members["credential_id"] = json!({"type": "integer"});
    };
    for (name, change, path, complaint) in [
        (
            "status",
            &unsaid as &dyn Fn(&mut Value),
            "/v2/handles",
            "Undocumented status code",
        ),
        (
            "open",
            &open,
            "/v2/coverage",
            "accepts requests without authentication",
        ),
        ("shape", &shape, "/whoami", "schema"),
    ] {
        let credential = (name != "status").then_some(world.owner.v2.as_str());
        let file = wrong(name, change);
        let more = ["--include-path", path];
        let run = schemathesis(&world, &file, credential, &more);
        let told = told(&run);
        assert!(!run.status.success(), "{name}: {told}");
        assert!(told.contains(complaint), "{name}: {told}");
    }
}
