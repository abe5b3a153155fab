//! What is drawn from a route table: OpenAPI, the coverage page, the scopes, the snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use gatewright_core::dialect::{Dialect, ErrorBody};
use gatewright_core::document::{
    Difference, OpenApiError, coverage, coverage_page, drift, openapi, scopes_supported,
    scopes_supported_in, snapshot,
};
use gatewright_core::gate::{Coherence, Gate};
use gatewright_core::hash::{TagKey, TagKeys};
use gatewright_core::jwt::{Algorithm, KeySet, LiveKeys, SigningKey, Verifier};
use gatewright_core::limit::{Quota, Rate};
use gatewright_core::policy::{Limits, Plans, Policy, Realm, RouteTable, TokenTrust};
use gatewright_core::principal::TenantKind;
use gatewright_core::store::MemoryStore;
use proptest::prelude::*;
use serde_json::{Value, json};

fn gate() -> Gate {
    let tags = TagKeys::new(TagKey::generate(1).unwrap(), []).unwrap();
    Gate::builder(Arc::new(MemoryStore::new()), Coherence::SingleProcess, tags)
        .build()
        .unwrap()
}

fn table(routes: &[(&str, &str, Policy, &Realm)]) -> RouteTable {
    let gate = gate();
    let mut table = gate.routes();
    for (method, path, policy, realm) in routes {
        table.add(method, path, policy, realm);
    }
    table.finish().unwrap()
}

fn handles() -> Realm {
    Realm::builder("handle")
        .tenant_kind(TenantKind::from_static("handle"))
        .plans(Plans::builder().plan("pro", ["webhooks"], None).build())
        .build()
}

fn keys() -> Realm {
    Realm::builder("keys")
        .dialect(Dialect::Detail)
        .authorization_only()
        .build()
}

fn some_routes() -> RouteTable {
    let (handles, keys) = (handles(), keys());
    table(&[
        (
            "GET",
            "/h/{handle}/links",
            Policy::pat()
                .scope("links.read")
                .scope("analytics.*")
                .tenant_from("handle"),
            &handles,
        ),
        (
            "POST",
            "/h/{handle}/hooks/{*rest}",
            Policy::pat().feature("webhooks").tenant_from("handle"),
            &handles,
        ),
        ("GET", "/keys", Policy::api_key().scope("keys.read"), &keys),
        (
            "GET",
            "/either",
            Policy::api_key().or(Policy::pat()).or(Policy::public()),
            &keys,
        ),
        ("GET", "/open", Policy::public(), &handles),
        ("*", "/*", Policy::public(), &handles),
    ])
}

/// A base that describes these operations.
fn base(operations: &[(&str, &str, Value)]) -> Value {
    let mut paths = json!({});
    for (method, path, operation) in operations {
        paths[path][method] = operation.clone();
    }
    json!({"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths})
}

fn statuses(operation: &Value) -> Vec<&str> {
    let responses = operation["responses"].as_object().unwrap();
    responses.keys().map(String::as_str).collect()
}

/// Every `$ref` of a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// A token of a tenant's own provider is sent as ours are, and told apart in the document.
#[test]
fn a_route_for_tokens_of_tenants_own_providers_says_so() {
    let realm = Realm::builder("gateway")
        .tenant_kind(TenantKind::from_static("org"))
        .federate(Arc::new(crate::fixture_idp::Configured::default()))
        .build();
    let policy = Policy::external()
        .or(Policy::api_key())
        .scope("mcp:call")
        .tenant_from("org");
    let table = table(&[("POST", "/mcp/{org}", policy, &realm)]);
    let document = openapi(&table, None).unwrap();
    let security = &document["paths"]["/mcp/{org}"]["post"]["security"];
    assert_eq!(
        security,
        &json!([{"apiKey": ["mcp:call"]}, {"apiKeyHeader": ["mcp:call"]}, {"external": ["mcp:call"]}])
    );
    let scheme = &document["components"]["securitySchemes"]["external"];
    assert_eq!(scheme["scheme"], "bearer");
}

/// A visitor needs no cookie to come, but one to have an entitlement in (OpenAPI 3.1 §4.8.27).
#[test]
fn a_route_for_visitors_says_so() {
    use gatewright_core::cookie::{Cookie, SameSite, TrustedOrigins};
    use gatewright_core::session::{VisitorKey, VisitorKeys, VisitorTerms, VisitorTrust};

    let realm = |cookie| {
        let keys = VisitorKeys::new(VisitorKey::generate(1).unwrap(), []).unwrap();
        let trust = VisitorTrust::new(
            Cookie::host(cookie, SameSite::Lax).build().unwrap(),
            Arc::new(keys),
            VisitorTerms::new(60, 60).unwrap(),
            TrustedOrigins::of("https://api.example").unwrap(),
        );
        let limits = Limits::none().per_source(Rate::per_minute(9).unwrap());
        Realm::builder("public")
            .limits(limits)
            .visitors(trust)
            .build()
    };
    let public = realm("visitor");
    let reads = || Policy::visitor().scope("pages.read");
    let made = table(&[
        ("GET", "/me", Policy::visitor(), &public),
        ("POST", "/me", Policy::visitor(), &public),
        ("GET", "/page", reads(), &public),
        ("GET", "/key", reads().or(Policy::api_key()), &public),
    ]);
    let document = openapi(&made, None).unwrap();
    let paths = &document["paths"];
    assert_eq!(
        paths["/me"]["get"]["security"],
        json!([{"visitor": []}, {}])
    );
    assert_eq!(
        paths["/page"]["get"]["security"],
        json!([{"visitor": ["pages.read"]}])
    );
    assert_eq!(
        paths["/key"]["get"]["security"],
        json!([{"apiKey": []}, {"apiKeyHeader": []}, {"visitor": ["pages.read"]}])
    );
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["visitor"]["in"], &schemes["visitor"]["name"]),
        (&json!("cookie"), &json!("__Host-visitor"))
    );
    let codes = |path: &str, method: &str| {
        let forbidden = &paths[path][method]["responses"]["403"]["x-gatewright-codes"];
        forbidden.to_string().contains("forbidden_origin")
    };
    assert!(codes("/me", "post") && !codes("/me", "get") && !codes("/page", "get"));
    let limited = &paths["/page"]["get"]["responses"]["429"]["headers"];
    assert!(limited.get("RateLimit").is_some(), "{limited}");

    // There is one scheme for visitors, and so one cookie.
    let other = realm("guest");
    let both = table(&[
        ("GET", "/a", Policy::visitor(), &public),
        ("GET", "/b", Policy::visitor(), &other),
    ]);
    let error = openapi(&both, None).unwrap_err();
    assert_eq!(
        error.errors(),
        [OpenApiError::Taken("securitySchemes/visitor".to_owned())]
    );
}

#[test]
fn every_route_is_an_operation_with_its_security() {
    let document = openapi(&some_routes(), None).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let listed: Vec<&str> = paths.keys().map(String::as_str).collect();
    assert_eq!(
        listed,
        [
            "/either",
            "/h/{handle}/hooks/{rest}",
            "/h/{handle}/links",
            "/keys",
            "/open"
        ],
    );
    let scopes = json!(["links.read", "analytics.*"]);
    assert_eq!(
        paths["/h/{handle}/links"]["get"]["security"],
        json!([{"pat": scopes}, {"patHeader": scopes}]),
    );
    // The realm reads `Authorization` alone.
    assert_eq!(
        paths["/keys"]["get"]["security"],
        json!([{"apiKey": ["keys.read"]}])
    );
    assert_eq!(paths["/open"]["get"]["security"], json!([]));
    assert_eq!(
        paths["/either"]["get"]["security"],
        json!([{"pat": []}, {"apiKey": []}, {}]),
    );
    let hooks = &paths["/h/{handle}/hooks/{rest}"]["post"];
    let names: Vec<_> = hooks["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["handle", "rest"]);
    assert_eq!(
        hooks["description"],
        "Who may call: PAT with a plan that has `webhooks`. Callers must belong to the tenant `handle`.",
    );
    assert_eq!(
        hooks["x-gatewright-policy"]["modes"][0]["feature"],
        "webhooks"
    );
}

#[test]
fn every_reference_resolves_and_every_scheme_is_declared() {
    let document = openapi(&some_routes(), None).unwrap();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() >= 5, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    let names: Vec<&str> = schemes.keys().map(String::as_str).collect();
    // No route takes JWTs, and no realm reads `X-API-Key` for API keys.
    assert_eq!(names, ["apiKey", "pat", "patHeader"]);
    assert_eq!(schemes["patHeader"]["name"], "X-API-Key");
}

#[test]
fn the_responses_are_the_refusals_that_the_gate_can_give() {
    let document = openapi(&some_routes(), None).unwrap();
    let paths = &document["paths"];
    assert_eq!(statuses(&paths["/open"]["get"]), ["default"]);
    let links = &paths["/h/{handle}/links"]["get"];
    // Without an issuer nobody comes by a token that could name a tenant: no 404.
    assert_eq!(
        statuses(links),
        ["400", "401", "403", "429", "503", "default"]
    );
    let codes = |status: &str| links["responses"][status]["x-gatewright-codes"].clone();
    assert_eq!(codes("400"), json!(["invalid_request"]));
    assert_eq!(
        codes("401"),
        json!([
            "missing_bearer_token",
            "invalid_token",
            "invalid_token_format",
            "token_expired",
            "token_revoked"
        ]),
    );
    assert_eq!(codes("403"), json!(["insufficient_scope"]));
    let hooks = &paths["/h/{handle}/hooks/{rest}"]["post"]["responses"]["403"];
    assert_eq!(
        hooks["x-gatewright-codes"],
        json!(["insufficient_scope", "feature_locked"])
    );
    // Every kind of secret goes here, no tenant and no scope is asked for: nothing is forbidden.
    assert_eq!(
        statuses(&paths["/either"]["get"]),
        ["400", "401", "429", "503", "default"]
    );

    let content = |of: &Value| of["responses"]["401"]["content"].clone();
    let schema = |name: &str| json!({"schema": {"$ref": format!("#/components/schemas/{name}")}});
    assert_eq!(
        content(links),
        json!({
            "application/json": schema("CanonicalError"),
            "application/problem+json": schema("ProblemDetails"),
        }),
    );
    assert_eq!(
        content(&paths["/keys"]["get"])["application/json"],
        schema("DetailError")
    );
    let headers = |status: &str| &links["responses"][status]["headers"];
    assert!(headers("401")["WWW-Authenticate"].is_object());
    assert!(headers("403")["WWW-Authenticate"].is_object());
    for status in ["429", "503"] {
        assert_eq!(
            headers(status)["Retry-After"],
            json!({"$ref": "#/components/headers/Retry-After"})
        );
    }
    assert!(
        headers("429").get("RateLimit").is_none(),
        "no limits are set"
    );
}

/// A token of a user names its tenant by itself; where no JWT goes, none is looked up.
#[test]
fn a_tenant_that_is_not_found_is_one_of_a_jwt() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let keys = LiveKeys::new(KeySet::from_keys([key.verifying_key()]).unwrap());
    let verifier = Verifier::builder("https://auth.example", "https://api.example")
        .algorithms([Algorithm::Es256])
        .build()
        .unwrap();
    let realm = Realm::builder("r")
        .trust(TokenTrust::new(verifier, Arc::new(keys)))
        .build();
    let table = table(&[
        ("GET", "/pat", Policy::pat(), &realm),
        ("GET", "/jwt", Policy::jwt(), &realm),
    ]);
    let document = openapi(&table, None).unwrap();
    let responses = |path: &str| &document["paths"][path]["get"]["responses"];
    assert!(responses("/pat").get("404").is_none());
    assert!(responses("/jwt").get("404").is_some());
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let realm = keys();
    let table = table(&[
        ("GET", "/a/b", Policy::api_key(), &realm),
        ("GET", "/a/{b}", Policy::api_key(), &realm),
        ("GET", "/a-b", Policy::api_key(), &realm),
    ]);
    let responses = json!({});
    let base = base(&[
        ("get", "/a/b", json!({"responses": responses})),
        ("get", "/a/{b}", json!({"responses": responses})),
        (
            "get",
            "/a-b",
            json!({"responses": responses, "operationId": "get_a_b"}),
        ),
    ]);
    let document = openapi(&table, Some(base)).unwrap();
    let name = |path: &str| document["paths"][path]["get"]["operationId"].clone();
    assert_eq!(name("/a-b"), "get_a_b");
    assert_eq!(name("/a/b"), "get_a_b_");
    assert_eq!(name("/a/{b}"), "get_a_b__");
}

/// Whichever table the document is drawn from, all of an operation is about one policy.
#[test]
fn a_replaced_policy_is_described_whole() {
    let realm = keys();
    let old = table(&[("GET", "/a", Policy::public(), &realm)]);
    let new = old
        .replace([("GET", "/a", Policy::api_key().scope("keys.read"))])
        .unwrap();
    let document = openapi(&old, None).unwrap();
    assert_eq!(document, openapi(&new, None).unwrap());
    let get = &document["paths"]["/a"]["get"];
    assert_eq!(get["security"], json!([{"apiKey": ["keys.read"]}]));
    assert_eq!(get["x-gatewright-policy"]["public"], false);
    assert_eq!(
        get["description"],
        "Who may call: API_KEY with the scope `keys.read`."
    );
}

#[test]
fn routes_that_openapi_cannot_tell_apart_are_a_mistake() {
    let realm = keys();
    let table = table(&[
        ("GET", "/files/{name}", Policy::api_key(), &realm),
        ("GET", "/files/{*name}", Policy::public(), &realm),
    ]);
    let told = openapi(&table, None).unwrap_err().to_string();
    assert_eq!(told, "GET /files/{name}: another route looks the same");
}

#[test]
fn limits_show_in_the_header_fields_of_answers() {
    let limits = Limits::none().per_source(Rate::per_minute(10).unwrap());
    let realm = Realm::builder("r").limits(limits).build();
    let table = table(&[("GET", "/open", Policy::public(), &realm)]);
    let base = base(&[(
        "get",
        "/open",
        json!({"responses": {"200": {"description": "Yes"}}, "x-gatewright-refusals": ["conflict"]}),
    )]);
    let document = openapi(&table, Some(base)).unwrap();
    let operation = &document["paths"]["/open"]["get"];
    assert_eq!(statuses(operation), ["200", "409", "429", "503"]);
    for status in ["200", "409", "429"] {
        let headers = &operation["responses"][status]["headers"];
        assert!(headers["RateLimit"].is_object(), "{status}");
        assert!(headers["RateLimit-Policy"].is_object(), "{status}");
    }
}

#[test]
fn a_quota_is_among_the_refusals_where_a_plan_has_one() {
    for (limits, told) in [(Limits::none().by_plan(), true), (Limits::none(), false)] {
        let plans = Plans::builder().quota("free", Quota::per_month(10).unwrap());
        let realm = Realm::builder("r").plans(plans.build()).limits(limits);
        let realm = realm.build();
        let table = table(&[("GET", "/keys", Policy::api_key(), &realm)]);
        let document = openapi(&table, None).unwrap();
        let refusals = &document["paths"]["/keys"]["get"]["responses"]["429"];
        assert_eq!(refusals.to_string().contains("quota_exceeded"), told);
    }
}

#[test]
fn a_base_keeps_what_it_says_and_the_refusals_are_added() {
    let realm = keys();
    let table = table(&[("GET", "/keys/{id}", Policy::api_key(), &realm)]);
    let operation = json!({
        "operationId": "showKey",
        "description": "One key.",
        "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^k"}}],
        "responses": {
            "200": {"description": "The key"},
            "403": {"description": "Not this one", "content": {"application/json": {"schema": {"type": "null"}}}},
        },
        "x-gatewright-refusals": ["not_found", "conflict"],
    });
    let document = openapi(&table, Some(base(&[("get", "/keys/{id}", operation)]))).unwrap();
    let get = &document["paths"]["/keys/{id}"]["get"];
    assert_eq!(get["operationId"], "showKey");
    assert_eq!(get["description"], "One key.\n\nWho may call: API_KEY.");
    assert_eq!(get["parameters"].as_array().unwrap().len(), 1);
    assert_eq!(get["parameters"][0]["schema"]["pattern"], "^k");
    assert!(get.get("x-gatewright-refusals").is_none());
    assert_eq!(
        statuses(get),
        ["200", "400", "401", "403", "404", "409", "429", "503"]
    );
    let forbidden = &get["responses"]["403"];
    let description = forbidden["description"].as_str().unwrap();
    assert!(
        description.starts_with("Not this one\n\n- `insufficient_scope`"),
        "{description}"
    );
    let both = &forbidden["content"]["application/json"]["schema"]["anyOf"];
    assert_eq!(both[0], json!({"type": "null"}));
    assert_eq!(document["info"]["title"], "T");
}

#[test]
fn every_mistake_of_a_base_is_told_at_once() {
    let realm = keys();
    let table = table(&[
        ("GET", "/a", Policy::public(), &realm),
        ("GET", "/b", Policy::api_key(), &realm),
        ("PUT", "/b", Policy::api_key(), &realm),
    ]);
    let mut base = base(&[
        (
            "get",
            "/a",
            json!({"security": [], "responses": {}, "x-gatewright-refusals": ["nonsense", 7]}),
        ),
        (
            "get",
            "/b",
            json!({"responses": {"401": {"$ref": "#/nowhere"}}}),
        ),
        ("post", "/b", json!({"responses": {}})),
    ]);
    base["security"] = json!([]);
    base["components"] =
        json!({"securitySchemes": {"apiKey": {"type": "http", "scheme": "basic"}}});
    let told = openapi(&table, Some(base)).unwrap_err().to_string();
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(
        told,
        [
            "security: security is written by hand",
            "GET /a: security is written by hand",
            "GET /a: `nonsense` is no error code",
            "GET /a: `7` is no error code",
            "GET /b: a response cannot be read",
            "PUT /b: the route is not described",
            "POST /b: the operation has no policy",
            "components/securitySchemes/apiKey is something else in the base",
        ],
    );
    for wrong in [
        json!(null),
        json!([]),
        json!({}),
        json!({"openapi": "3.0.3"}),
    ] {
        let errors = openapi(&table, Some(wrong)).unwrap_err();
        assert_eq!(errors.errors(), [OpenApiError::NotOpenApi]);
    }
}

#[test]
fn bodies_that_the_service_writes_are_not_described() {
    let realm = Realm::builder("own")
        .error_body(|_| Some(ErrorBody::new("text/plain", "no")))
        .build();
    let table = table(&[("GET", "/a", Policy::api_key(), &realm)]);
    let document = openapi(&table, None).unwrap();
    let refused = &document["paths"]["/a"]["get"]["responses"]["401"];
    assert!(refused.get("content").is_none());
    assert!(refused["headers"]["WWW-Authenticate"].is_object());
}

#[test]
fn scopes_are_listed_once_in_order_and_by_realm() {
    let table = some_routes();
    assert_eq!(
        scopes_supported(&table),
        ["analytics.*", "keys.read", "links.read"]
    );
    assert_eq!(scopes_supported_in(&table, "keys"), ["keys.read"]);
    assert!(scopes_supported_in(&table, "nowhere").is_empty());
}

#[test]
fn the_coverage_page_has_every_route_and_no_markup_of_the_table() {
    let table = some_routes();
    let page = coverage_page(&table);
    for row in table.rows() {
        assert!(
            page.contains(&format!("<code>{}</code>", row.path)),
            "{}",
            row.path
        );
    }
    assert!(page.contains("plan with <code>webhooks</code>"));
    assert!(!page.contains("<script"));
    assert_eq!(coverage(&table)["routes"].as_array().unwrap().len(), 6);

    let realm = Realm::builder("<b>&\"'").build();
    let hostile = self::table(&[(
        "GET",
        "/<img src=x onerror=alert(1)>",
        Policy::public(),
        &realm,
    )]);
    let page = coverage_page(&hostile);
    assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
    assert!(page.contains("&lt;b&gt;&amp;&quot;&#39;"), "{page}");
}

#[test]
fn a_snapshot_is_one_line_a_route_and_agrees_with_its_table() {
    let table = some_routes();
    let text = snapshot(&table);
    assert_eq!(
        text,
        "# Every route and who may call it. Drawn from the policies.\n\
         * /* realm=handle NONE\n\
         GET /either realm=keys PAT | API_KEY | NONE\n\
         POST /h/{handle}/hooks/{*rest} realm=handle tenant=handle PAT plan:webhooks\n\
         GET /h/{handle}/links realm=handle tenant=handle PAT links.read analytics.*\n\
         GET /keys realm=keys API_KEY keys.read\n\
         GET /open realm=handle NONE\n",
    );
    assert_eq!(drift(&text, &table), []);
}

#[test]
fn drift_names_what_was_added_removed_and_changed() {
    let table = some_routes();
    let text = snapshot(&table)
        .replace(
            "GET /open realm=handle NONE\n",
            "GET /gone realm=handle NONE\n",
        )
        .replace("API_KEY keys.read", "API_KEY keys.*");
    let told: Vec<String> = drift(&text, &table)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "- GET /gone realm=handle NONE",
            "- GET /keys realm=keys API_KEY keys.*\n+ GET /keys realm=keys API_KEY keys.read",
            "+ GET /open realm=handle NONE",
        ],
    );
    assert_eq!(drift("", &table).len(), 6);
    let twice = snapshot(&table) + "GET /open realm=handle NONE\nnonsense\n";
    assert_eq!(
        drift(&twice, &table),
        [
            Difference::Removed("nonsense".to_owned()),
            Difference::Removed("GET /open realm=handle NONE".to_owned()),
        ],
    );
}

/// A name that looks like something else is quoted, so that two tables never have one text.
#[test]
fn names_cannot_pass_for_policies() {
    let realm = Realm::builder("r API_KEY | NONE\n# ").build();
    let table = table(&[("GET", "/a", Policy::api_key(), &realm)]);
    let text = snapshot(&table);
    assert_eq!(text.lines().count(), 2);
    assert!(
        text.ends_with("\\u{20} API_KEY\n") || text.ends_with("\" API_KEY\n"),
        "{text}"
    );
    assert!(!text.contains("| NONE\n"), "{text}");
    assert_eq!(drift(&text, &table), []);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z$#/{}]{0,8}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("responses"),
        Just("401"),
        Just("content"),
        Just("application/json"),
        Just("schema"),
        Just("headers"),
        Just("parameters"),
        Just("description"),
        Just("x-gatewright-refusals"),
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever stands where an operation should, there is an answer, and a document that is made has its security.
    #[test]
    fn no_base_breaks_it(operation in any_json(), components in any_json()) {
        let realm = keys();
        let table = table(&[("GET", "/keys/{id}", Policy::api_key(), &realm)]);
        let mut base = base(&[("get", "/keys/{id}", operation)]);
        base["components"] = components;
        if let Ok(document) = openapi(&table, Some(base)) {
            let get = &document["paths"]["/keys/{id}"]["get"];
            prop_assert_eq!(&get["security"], &json!([{"apiKey": []}]));
            prop_assert!(get["responses"]["401"].is_object());
        }
    }
}

/// A tenant in the query: told by every document, and asked for as a parameter that may be left out.
#[test]
fn a_tenant_of_the_query_is_in_every_document() {
    let policy = Policy::pat().tenant_from_query("org");
    let handles = handles();
    let table = table(&[("GET", "/audit", policy, &handles)]);
    assert!(snapshot(&table).ends_with("GET /audit realm=handle tenant=?org PAT\n"));
    assert_eq!(coverage(&table)["routes"][0]["tenant_query"], "org");
    assert!(coverage_page(&table).contains("in <code>?org=</code>"));
    let document = openapi(&table, None).unwrap();
    let operation = &document["paths"]["/audit"]["get"];
    let parameter = &operation["parameters"][0];
    assert_eq!(
        (&parameter["name"], &parameter["in"], &parameter["required"]),
        (&json!("org"), &json!("query"), &json!(false))
    );
    let described = operation["description"].as_str().unwrap();
    assert!(
        described.contains("the tenant that `org` names"),
        "{described}"
    );
}
