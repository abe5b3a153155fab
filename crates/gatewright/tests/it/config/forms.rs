//! One configuration, written in three ways, makes one gate.

use gatewright::config::{CoherenceMode, ConfigSources, GateConfig, Reloaded};
use gatewright::credential::{Credential, SecretKind};
use gatewright::error::ErrorCode;
use gatewright::jwt::Algorithm;
use serde_json::json;

use super::{AUDIENCE, ISSUER, OTHER_TAG, TAG, ask, build, jwks, signing_key, token};

fn as_toml(jwks: &str) -> GateConfig {
    let text = format!(
        r#"
        cache_capacity = 500
        tag_keys = [{{ id = 2, secret = "{TAG}" }}, {{ id = 1, secret = "{OTHER_TAG}" }}]

        [hashing]
        threads = 1
        queue = 8

        [coherence]
        mode = "bounded"
        max_silence_secs = 5

        [[formats]]
        brand = "acme"
        kind = "api-key"
        layout = "separated"
        id_length = 10
        id_alphabet = "alphanumeric"
        unchecked = {{ least = 24, most = 32 }}

        [[formats]]
        kind = "pat"
        layout = "imported"
        prefix = "old_"
        alphabet = "base64url"
        lengths = {{ least = 30, most = 40 }}
        id_length = 8

        [[formats]]
        kind = "api-key"
        layout = "imported-catch-all"
        alphabet = "url-safe"
        lengths = {{ least = 36, most = 36 }}

        [realms.links]
        dialect = "problem"
        tenant_kind = "handle"
        resource_metadata = "https://api.example/.well-known/oauth-protected-resource"
        authorization_only = true

        [realms.links.cors]
        origins = ["https://app.example"]
        max_age_secs = 60

        [[realms.links.roles]]
        name = "creator"
        permissions = ["links.read"]

        [[realms.links.roles]]
        name = "owner"
        permissions = ["links.*", "billing"]

        [realms.links.plans]
        free = {{ rate = "60/min", quota = 10_000 }}
        pro = {{ rate = {{ max = 300, per_secs = 60, burst = 30 }}, features = ["webhooks"] }}

        [realms.links.limits]
        by_plan = true
        per_source = "1000/h"

        [[realms.links.trust]]
        issuer = "{ISSUER}"
        audiences = ["https://other.example", "{AUDIENCE}"]
        algorithms = ["ES256"]
        typ = "at+jwt"
        leeway_secs = 5
        max_age_secs = 3600
        required_claims = ["sub"]
        rfc9068 = true
        private_claims = true
        jwks = '{jwks}'

        [[realms.links.trust]]
        issuer = "https://shared.example"
        audiences = ["{AUDIENCE}"]
        algorithms = ["HS256"]
        hs256_secret = "{OTHER_TAG}"
        hs256_kid = "k"
        "#
    );
    super::read(&text)
}

fn as_json(jwks: &str) -> GateConfig {
    let jwks: serde_json::Value = serde_json::from_str(jwks).unwrap();
    let document = json!({
        "cache_capacity": 500,
        "tag_keys": [{"id": 2, "secret": TAG}, {"id": 1, "secret": OTHER_TAG}],
        "hashing": {"threads": 1, "queue": 8, "memory_kib": null},
        "coherence": {"mode": "bounded", "max_silence_secs": 5},
        "formats": [{
            "brand": "acme", "kind": "api-key", "layout": "separated", "id_length": 10,
            "id_alphabet": "alphanumeric", "unchecked": {"least": 24, "most": 32},
        }, {
            "kind": "pat", "layout": "imported", "prefix": "old_", "alphabet": "base64url", "id_length": 8,
            "lengths": {"least": 30, "most": 40},
        }, {
            "kind": "api-key", "layout": "imported-catch-all", "alphabet": "url-safe",
            "lengths": {"least": 36, "most": 36},
        }],
        "realms": {"links": {
            "dialect": "problem",
            "tenant_kind": "handle",
            "resource_metadata": "https://api.example/.well-known/oauth-protected-resource",
            "authorization_only": true,
            "cors": {"origins": ["https://app.example"], "max_age_secs": 60},
            "roles": [
                {"name": "creator", "permissions": ["links.read"]},
                {"name": "owner", "permissions": ["links.*", "billing"]},
            ],
            "plans": {
                "free": {"rate": {"max": 60, "per_secs": 60}, "quota": 10000},
                "pro": {"rate": {"max": 300, "per_secs": 60, "burst": 30}, "features": ["webhooks"]},
            },
            "limits": {"by_plan": true, "per_source": "1000/hour"},
            "trust": [
                {
                    "issuer": ISSUER, "audiences": ["https://other.example", AUDIENCE],
                    "algorithms": ["ES256"], "leeway_secs": 5, "max_age_secs": 3600,
                    "required_claims": ["sub"], "rfc9068": true, "private_claims": true, "jwks": jwks,
                },
                {
                    "issuer": "https://shared.example", "audiences": [AUDIENCE], "algorithms": ["HS256"],
                    "hs256_secret": OTHER_TAG, "hs256_kid": "k",
                },
            ],
        }},
    });
    serde_json::from_value(document).unwrap()
}

fn as_variables(jwks: &str) -> GateConfig {
    let variables = [
        ("CACHE_CAPACITY", "500"),
        ("TAG_KEYS__0__ID", "2"),
        ("TAG_KEYS__0__SECRET", TAG),
        ("TAG_KEYS__1__ID", "1"),
        ("TAG_KEYS__1__SECRET", OTHER_TAG),
        ("HASHING__THREADS", "1"),
        ("HASHING__QUEUE", "8"),
        ("COHERENCE__MODE", "bounded"),
        ("COHERENCE__MAX_SILENCE_SECS", "5"),
        ("FORMATS__0__BRAND", "acme"),
        ("FORMATS__0__KIND", "api-key"),
        ("FORMATS__0__LAYOUT", "separated"),
        ("FORMATS__0__ID_LENGTH", "10"),
        ("FORMATS__0__ID_ALPHABET", "alphanumeric"),
        ("FORMATS__0__UNCHECKED__LEAST", "24"),
        ("FORMATS__0__UNCHECKED__MOST", "32"),
        ("FORMATS__1__KIND", "pat"),
        ("FORMATS__1__LAYOUT", "imported"),
        ("FORMATS__1__PREFIX", "old_"),
        ("FORMATS__1__ALPHABET", "base64url"),
        ("FORMATS__1__LENGTHS__LEAST", "30"),
        ("FORMATS__1__LENGTHS__MOST", "40"),
        ("FORMATS__1__ID_LENGTH", "8"),
        ("FORMATS__2__KIND", "api-key"),
        ("FORMATS__2__LAYOUT", "imported-catch-all"),
        ("FORMATS__2__ALPHABET", "url-safe"),
        ("FORMATS__2__LENGTHS__LEAST", "36"),
        ("FORMATS__2__LENGTHS__MOST", "36"),
        ("REALMS__LINKS__DIALECT", "problem"),
        ("REALMS__LINKS__TENANT_KIND", "handle"),
        (
            "REALMS__LINKS__RESOURCE_METADATA",
            "https://api.example/.well-known/oauth-protected-resource",
        ),
        ("REALMS__LINKS__AUTHORIZATION_ONLY", "true"),
        ("REALMS__LINKS__CORS__ORIGINS__0", "https://app.example"),
        ("REALMS__LINKS__CORS__MAX_AGE_SECS", "60"),
        // The order of the environment is nobody's.
        ("REALMS__LINKS__ROLES__1__NAME", "owner"),
        ("REALMS__LINKS__ROLES__1__PERMISSIONS__1", "billing"),
        ("REALMS__LINKS__ROLES__1__PERMISSIONS__0", "links.*"),
        ("REALMS__LINKS__ROLES__0__NAME", "creator"),
        ("REALMS__LINKS__ROLES__0__PERMISSIONS__0", "links.read"),
        ("REALMS__LINKS__PLANS__FREE__RATE", "60/min"),
        ("REALMS__LINKS__PLANS__FREE__QUOTA", "10000"),
        ("REALMS__LINKS__PLANS__PRO__RATE__MAX", "300"),
        ("REALMS__LINKS__PLANS__PRO__RATE__PER_SECS", "60"),
        ("REALMS__LINKS__PLANS__PRO__RATE__BURST", "30"),
        ("REALMS__LINKS__PLANS__PRO__FEATURES__0", "webhooks"),
        ("REALMS__LINKS__LIMITS__BY_PLAN", "true"),
        ("REALMS__LINKS__LIMITS__PER_SOURCE", "1000/h"),
        ("REALMS__LINKS__TRUST__0__ISSUER", ISSUER),
        (
            "REALMS__LINKS__TRUST__0__AUDIENCES__0",
            "https://other.example",
        ),
        ("REALMS__LINKS__TRUST__0__AUDIENCES__1", AUDIENCE),
        ("REALMS__LINKS__TRUST__0__ALGORITHMS__0", "ES256"),
        ("REALMS__LINKS__TRUST__0__LEEWAY_SECS", "5"),
        ("REALMS__LINKS__TRUST__0__MAX_AGE_SECS", "3600"),
        ("REALMS__LINKS__TRUST__0__REQUIRED_CLAIMS__0", "sub"),
        ("REALMS__LINKS__TRUST__0__RFC9068", "true"),
        ("REALMS__LINKS__TRUST__0__PRIVATE_CLAIMS", "true"),
        ("REALMS__LINKS__TRUST__0__JWKS", jwks),
        ("REALMS__LINKS__TRUST__1__ISSUER", "https://shared.example"),
        ("REALMS__LINKS__TRUST__1__AUDIENCES__0", AUDIENCE),
        ("REALMS__LINKS__TRUST__1__ALGORITHMS__0", "HS256"),
        ("REALMS__LINKS__TRUST__1__HS256_SECRET", OTHER_TAG),
        ("REALMS__LINKS__TRUST__1__HS256_KID", "k"),
    ];
    let ours = variables.map(|(name, value)| (format!("APP__{name}"), value.to_owned()));
    let others = [
        ("APPLE__JWT", "maybe"),
        ("PATH", "/bin"),
        ("APP_LOG", "info"),
    ];
    let others = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ConfigSources::new()
        .overlay_env("APP", ours.into_iter().chain(others))
        .read()
        .unwrap()
}

#[tokio::test]
async fn toml_json_and_variables_make_one_gate() {
    let (key, stranger) = (signing_key(), signing_key());
    let jwks = jwks(&key);
    let forms = [as_toml, as_json, as_variables].map(|form| form(&jwks));
    let first = format!("{:?}", forms[0]);
    for config in &forms {
        assert_eq!(format!("{config:?}"), first);
    }
    // The tokens and the refusals of one are those of the others.
    let (good, narrow, forged) = (
        token(&key, "links.read"),
        token(&key, "links.write"),
        token(&stranger, "links.read"),
    );
    for config in forms {
        let configured = build(config);
        assert_eq!(ask(&configured, &good).await, None);
        let (status, code, body) = ask(&configured, &narrow).await.unwrap();
        assert_eq!((status, code), (403, ErrorCode::InsufficientScope));
        assert!(body.contains("\"type\""), "a problem: {body}");
        let (status, ..) = ask(&configured, &forged).await.unwrap();
        assert_eq!(status, 401);
        assert_eq!(
            configured.gate().formats().format("acme").unwrap().brand(),
            "acme"
        );
        assert!(configured.gate().formats().format("tnx").is_none());
        let imported = |text: &str| match configured.gate().formats().classify(text.as_bytes()) {
            Ok(Credential::Secret(key)) => (key.kind(), key.public_id().to_owned()),
            other => panic!("{other:?}"),
        };
        let (kind, id) = imported("old_k3v9x2m7-0123456789-0123456789");
        assert_eq!((kind, &*id), (SecretKind::Pat, "k3v9x2m7"));
        let (kind, id) = imported("e5f0b6c2-9d1a-4c37-8a52-0c1d2e3f4a5b");
        assert_eq!((kind, id.len()), (SecretKind::ApiKey, 32));
        let realm = configured.realm("links").unwrap();
        assert_eq!(realm.cors().unwrap().to_string(), "https://app.example");
        assert!(realm.roles().at_least("owner", "creator"));
        assert!(realm.plans().has("pro", "webhooks") && !realm.plans().has("free", "webhooks"));
        assert_eq!(realm.plans().rate("pro").unwrap().burst(), 30);
        assert_eq!(realm.plans().quota("free").unwrap().limit(), 10_000);
        assert!(realm.plans().quota("pro").is_none());
        let shared = configured.keys("links", "https://shared.example").unwrap();
        assert!(shared.load().find(Some("k"), Algorithm::Hs256).is_some());
        // Secrets included, nothing is different.
        for form in [as_toml, as_json, as_variables] {
            assert_eq!(
                configured.reload_keys(&form(&jwks)),
                Ok(Reloaded::default())
            );
        }
    }
}

#[test]
fn a_variable_takes_the_place_of_what_the_document_says() {
    let document = format!(
        "{}jwt = 'maybe'
         [realms.Big-Links]
         roles = [{{ name = 'a' }}, {{ name = 'b' }}]",
        super::least()
    );
    let config = super::toml(&document)
        .overlay_env(
            "APP",
            [
                ("APP__JWT", "false"),
                ("APP__REALMS__BIG_LINKS__ROLES__1__NAME", "c"),
                ("APP__REALMS__BIG_LINKS__ROLES__2__NAME", "d"),
            ],
        )
        .read()
        .unwrap();
    assert!(!config.jwt);
    let roles = &config.realms["Big-Links"].roles;
    assert_eq!(
        roles.iter().map(|role| &*role.name).collect::<Vec<_>>(),
        ["a", "c", "d"]
    );
}

#[test]
fn a_configuration_made_in_code_is_judged_as_well() {
    let build = |config: GateConfig| {
        let store = std::sync::Arc::new(gatewright::store::MemoryStore::new());
        config.build(store).unwrap_err().to_string()
    };
    assert_eq!(build(GateConfig::default()), "tag_keys: is missing");
    let mut config = super::read(&(super::least() + "[realms.a]"));
    config.cache_capacity = 0;
    config.hashing.queue = 0;
    config.hashing.threads = Some(0);
    config.coherence.mode = CoherenceMode::Bounded;
    config.coherence.max_silence_secs = Some(0);
    config.realms.get_mut("a").unwrap().cors.max_age_secs = 86_401;
    assert_eq!(
        build(config),
        "cache_capacity: must be 1 to 100000000
coherence.max_silence_secs: must be 1 to 86400
hashing.queue: must be 1 to 1000000
hashing.threads: must be 1 to 1024
realms.a.cors.max_age_secs: must be 0 to 86400"
    );
}
