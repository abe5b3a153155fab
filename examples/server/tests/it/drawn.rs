//! The documents that are drawn from the policies: OpenAPI, the coverage page, the snapshot of the routes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::{run, run_ok};
use crate::world::{PUBLIC_URL, World};

/// Every `$ref` of a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(
                members
                    .get("$ref")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_openapi_document_is_the_coverage_map_with_every_reference_resolved() {
    let world = World::new().await;
    let document = world.api.get("/openapi.json").send().await.is(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["servers"][0]["url"], PUBLIC_URL);
    let map = world.api.get("/v2/coverage").send().await.is(200).json();
    let routes = map["routes"].as_array().unwrap();
    let mut operations = 0;
    let mut ids = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            operations += 1;
            assert!(operation["security"].is_array(), "{operation}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()));
        }
    }
    assert_eq!(operations, routes.len());
    for route in routes {
        let (path, method) = (
            route["path"].as_str().unwrap(),
            route["method"].as_str().unwrap(),
        );
        let operation = &document["paths"][path][method.to_lowercase()];
        let security = operation["security"].as_array().unwrap();
        let guarded = !route["modes"].as_array().unwrap().is_empty();
        assert_eq!(!security.is_empty(), guarded, "{method} {path}");
        assert_eq!(operation["x-gatewright-policy"]["modes"], route["modes"]);
        for scheme in security
            .iter()
            .flat_map(|choice| choice.as_object().unwrap().keys())
        {
            let schemes = &document["components"]["securitySchemes"];
            assert!(schemes[scheme].is_object(), "{scheme}");
        }
        let parameters = operation["parameters"].as_array().unwrap();
        let in_path = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path");
        assert_eq!(
            in_path.count(),
            path.matches('{').count(),
            "{method} {path}"
        );
        assert_eq!(
            guarded,
            operation["responses"]["401"]["x-gatewright-codes"]
                .as_array()
                .is_some_and(|codes| codes.contains(&"missing_bearer_token".into()))
        );
    }
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_coverage_map_is_a_page_for_browsers() {
    let world = World::new().await;
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    let call = world.api.get("/v2/coverage").header("accept", browser);
    let page = call.send().await.is(200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("vary"), Some("accept"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let text = page.text();
    assert!(
        text.contains("/v2/public/handles/{handle}/webhooks"),
        "{text}"
    );
    assert!(!text.contains("<script"));
}

#[test]
fn the_document_needs_no_server() {
    let arguments = ["openapi", "--public-url", PUBLIC_URL];
    let document: Value = serde_json::from_str(&run_ok(&arguments, "")).unwrap();
    assert_eq!(document["servers"][0]["url"], PUBLIC_URL);
    // With limits, as a server has them unless told otherwise.
    let answer = &document["paths"]["/whoami"]["get"]["responses"]["200"];
    assert!(answer["headers"]["RateLimit"].is_object());
}

/// Whoever changes who may call what shows it in the file that reviewers read: `policy --write` does.
#[test]
fn the_reviewed_snapshot_is_what_is_served() {
    let snapshot = concat!(env!("CARGO_MANIFEST_DIR"), "/policy.snapshot");
    let output = run(&["policy", "--check", snapshot], "");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.is_empty(), "{told}");
}

#[test]
fn every_drift_is_listed_and_is_no_success() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.snapshot");
    let path = file.to_str().unwrap();
    run_ok(&["policy", "--write", path], "");
    run_ok(&["policy", "--check", path], "");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text
        .replace(
            "GET /v2/coverage realm=handle NONE",
            "GET /v2/coverage realm=handle JWT",
        )
        .replace("GET /whoami ", "GET /whoareyou ");
    std::fs::write(&file, changed).unwrap();
    let output = run(&["policy", "--check", path], "");
    assert!(!output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "- GET /v2/coverage realm=handle JWT\n+ GET /v2/coverage realm=handle NONE\n\
         + GET /whoami realm=gatewright tenant=?org JWT | PAT | API_KEY | EXTERNAL\n\
         - GET /whoareyou realm=gatewright tenant=?org JWT | PAT | API_KEY | EXTERNAL\n",
    );
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(": 3; if they are meant"), "{told}");
    let missing = run(&["policy", "--check", "/nowhere/policy.snapshot"], "");
    assert!(!missing.status.success());
    let told = String::from_utf8_lossy(&missing.stderr);
    assert!(
        told.contains("`policy --write /nowhere/policy.snapshot`"),
        "{told}"
    );
}
