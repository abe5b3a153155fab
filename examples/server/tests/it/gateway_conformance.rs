//! The conformance suite of the Model Context Protocol, through a proxy that adds the credential: it has nowhere to put one.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::companion::Companion;
use crate::gateway::Gateway;
use crate::node::{finish, installed, node, script, told};

/// What a scenario finds besides successes, by check, with the beginning of its reason.
type Findings<'a> = &'a [(&'a str, &'a str, &'a str)];

/// They need tools that only a server made for the suite has.
const NO_DIAGNOSTIC_TOOLS: Findings<'_> = &[
    (
        "sep-2575-server-rejects-undeclared-capability",
        "FAILURE",
        "Not testable: ",
    ),
    (
        "sep-2575-missing-capability-http-400",
        "FAILURE",
        "Not testable: ",
    ),
    (
        "sep-2575-http-server-no-independent-requests-on-stream",
        "FAILURE",
        "Not testable: ",
    ),
    (
        "sep-2575-server-no-log-without-loglevel",
        "FAILURE",
        "Not testable: ",
    ),
    // There are no subscriptions, and `server/discover` does not offer any.
    ("sep-2575-server-sends-subscription-ack", "SKIPPED", ""),
    ("sep-2575-server-tags-subscription-id", "SKIPPED", ""),
    ("sep-2575-server-honors-notification-filter", "SKIPPED", ""),
    (
        "sep-2575-server-sends-prompts-list-changed-on-subscription",
        "SKIPPED",
        "",
    ),
    (
        "sep-2575-server-sends-tools-list-changed-on-subscription",
        "SKIPPED",
        "",
    ),
];

/// There are tools and nothing else.
const TOOLS_ALONE: Findings<'_> = &[
    (
        "sep-2549-prompts-list-caching-hints",
        "FAILURE",
        "prompts/list returned JSON-RPC error -32601",
    ),
    (
        "sep-2549-resources-list-caching-hints",
        "FAILURE",
        "resources/list returned JSON-RPC error -32601",
    ),
    (
        "sep-2549-resources-templates-list-caching-hints",
        "FAILURE",
        "resources/templates/list returned JSON-RPC error -32601",
    ),
    ("sep-2549-resources-read-caching-hints", "SKIPPED", ""),
];

#[tokio::test]
async fn the_conformance_suite_finds_what_it_looks_for() {
    let gateway = Gateway::start();
    let mut command = script("proxy.mjs");
    let credential = format!("X-API-Key: {}", gateway.demo("org_key"));
    command
        .arg(&gateway.server.base)
        .env("CREDENTIAL", credential);
    let (_proxy, hello) = Companion::start(command);
    let url = format!("{}{}", hello["base"].as_str().unwrap(), gateway.path());
    let runs: [(&str, &str, Findings<'_>); 9] = [
        ("server-initialize", "2025-11-25", &[]),
        ("ping", "2025-11-25", &[]),
        ("tools-list", "2025-11-25", &[]),
        ("tools-list", "2026-07-28", &[]),
        ("dns-rebinding-protection", "2025-11-25", &[]),
        ("dns-rebinding-protection", "2026-07-28", &[]),
        ("http-header-validation", "2026-07-28", &[]),
        ("caching", "2026-07-28", TOOLS_ALONE),
        ("server-stateless", "2026-07-28", NO_DIAGNOSTIC_TOOLS),
    ];
    for (scenario, revision, known) in runs {
        let results = gateway
            .directory
            .path()
            .join(format!("{scenario}-{revision}"));
        let checks = run(&url, scenario, revision, &results);
        assert!(
            checks.iter().any(|check| check["status"] == "SUCCESS"),
            "{scenario}: {checks:#?}"
        );
        let known: BTreeMap<_, _> = known
            .iter()
            .map(|&(id, status, why)| (id, (status, why)))
            .collect();
        let mut found = BTreeMap::new();
        for check in &checks {
            let field = |name: &str| check[name].as_str().unwrap_or_default();
            let (id, status) = (field("id"), field("status"));
            if matches!(status, "SUCCESS" | "INFO") {
                continue;
            }
            let expected = known.get(id);
            let fits = expected.is_some_and(|(expected, why)| {
                *expected == status && field("errorMessage").starts_with(why)
            });
            assert!(fits, "{scenario} {revision}: {check:#}");
            found.insert(id, status);
        }
        // What is not found any more is to be expected no more.
        let expected: BTreeMap<_, _> = known
            .iter()
            .map(|(id, (status, _))| (*id, *status))
            .collect();
        assert_eq!(found, expected, "{scenario} {revision}");
    }
}

/// Runs a scenario and answers its checks. Its status is not asked: it is 1 where anything was found.
fn run(url: &str, scenario: &str, revision: &str, results: &Path) -> Vec<Value> {
    let program = installed("@modelcontextprotocol/conformance/dist/index.js");
    let mut command = node(&program);
    command
        .args(["server", "--url", url, "--scenario", scenario])
        .args(["--spec-version", revision, "--output-dir"])
        .arg(results);
    let output = finish(command, "");
    // It makes a folder whose name holds the time.
    let made = std::fs::read_dir(results)
        .ok()
        .and_then(|mut list| list.next());
    let made = made.unwrap_or_else(|| panic!("no results: {}", told(&output)));
    let checks = std::fs::read(made.unwrap().path().join("checks.json")).unwrap();
    serde_json::from_slice(&checks).unwrap()
}
