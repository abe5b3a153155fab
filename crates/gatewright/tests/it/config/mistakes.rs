//! Every mistake of a configuration is told at once, in the order of the paths.

use gatewright::config::{ConfigSources, GateConfig, MistakeKind, Origin};

use super::{TAG, mistakes, toml};

/// A document with a mistake in nearly every line.
const DOCUMENT: &str = r#"
cache_capacity = 0
jwt = "yes"
colour = "red"

[coherence]
mode = "bounded"

[hashing]
memory_kib = 1024
passes = 2.5
threads = 0

[[tag_keys]]
id = 1
secret = "c2hvcnQ="

[[tag_keys]]
id = 1
secret = "not base64"

[[tag_keys]]
id = 4294967296

[proxies]
trusted = 17
field = "via"
networks = ["10.0.0.1/8", 7, "10.0.0.0/33"]

[[formats]]
brand = "tnx"
kind = "api-key"
layout = "separated"
id_length = 4
random_length = 10

[[formats]]
brand = "tnx"
kind = "secret"
layout = "joined"

[[formats]]
brand = "bad brand"
kind = "pat"
layout = "dotted"
unchecked = { least = 30, most = 24 }

[[formats]]
kind = "api-key"
layout = "imported"
brand = "acme"
random_length = 32
alphabet = "ascii"

[[formats]]
kind = "api-key"
layout = "imported"
prefix = "a b"
alphabet = "base62"
lengths = { least = 12, most = 255 }
id_length = 2

[[formats]]
kind = "api-key"
layout = "imported"
prefix = "tnx_old_"
alphabet = "hex"
lengths = { least = 40, most = 32 }

[[formats]]
kind = "api-key"
layout = "imported"
prefix = "tnx_old_"
alphabet = "hex"
lengths = { least = 40, most = 40 }

[[formats]]
kind = "api-key"
layout = "imported-catch-all"
prefix = "sk_"

[[formats]]
kind = "api-key"
layout = "imported-catch-all"
alphabet = "hex"
lengths = { least = 16, most = 40 }

[[formats]]
kind = "pat"
layout = "imported-catch-all"
alphabet = "url-safe"
lengths = { least = 36, most = 36 }

[[formats]]
kind = "pat"
layout = "joined"
prefix = "pat_"
lengths = { least = 36, most = 36 }

[realms.links]
dialect = "prose"
tenant_kind = ""
resource_metadata = "/relative"
plans = { free = { rate = "0/min", quota = 0 }, huge = { quota = 4294967296 }, pro = { rate = { max = 10 }, features = "webhooks" } }
limits = { by_plan = true, per_source = "many", pat_guard = { max = 5, per_secs = 60, burst = 6 } }

[realms.links.cors]
origins = ["https://app.example", "https://app.example/"]
methods = ["GET", "P UT"]
expose = ["x y"]
max_age_secs = 86401

[[realms.links.roles]]
name = "creator"
permissions = ["links.read", "links read"]

[[realms.links.roles]]
name = "creator"

[[realms.links.roles]]
name = "o w n e r"

[[realms.links.trust]]
audiences = ["https://api.example", ""]
algorithms = ["RS256", "none"]
leeway_secs = 61
max_age_secs = 0

[[realms.links.trust]]
issuer = "https://a.example"
audiences = []
algorithms = ["HS256", "ES256"]
hs256_secret = "c2hvcnQ="

[[realms.links.trust]]
issuer = "https://a.example"
audience = "https://api.example"
hs256_kid = "k"
jwks.keys = [{ kty = "RSA", kid = "weak", n = "AQAB", e = "AQAB" }]

[[realms.links.trust]]
issuer = "https://b.example"
audiences = ["https://api.example"]
jwks = "{}"

[realms."a.b"]
authorization_only = 1
limits.by_plan = true
trust = {}
"#;

#[test]
fn all_of_them_are_told_in_the_order_of_their_paths() {
    let expected = [
        "cache_capacity: must be 1 to 100000000",
        "coherence.max_silence_secs: is missing",
        "colour: is not a field of the configuration",
        "formats[0].id_length: the id of `tnx` is too short or too long, or is given to a secret that has none",
        "formats[0].random_length: secrets of `tnx` would have too few random characters",
        "formats[1].brand: the brands `tnx` and `tnx` can't be told apart by prefix",
        "formats[1].kind: must be one of: api-key, pat, client",
        "formats[2].brand: the brand `bad brand` is not 1 to 32 letters, digits or underscores",
        "formats[2].unchecked.most: must be at least `least`",
        "formats[3].alphabet: must be one of: hex, base62, base64url, url-safe",
        "formats[3].brand: does not go with this layout",
        "formats[3].lengths: is missing",
        "formats[3].prefix: is missing",
        "formats[3].random_length: does not go with this layout",
        "formats[4].id_length: the id of `a b` is too short or too long, or is given to a secret that has none",
        "formats[4].lengths: secrets of `a b` would have too few random characters",
        "formats[4].lengths: credentials of `a b` would be too long to be accepted",
        "formats[4].prefix: the prefix `a b` is not 1 to 32 letters, digits, `-`, `_`, `.` or `~`",
        "formats[5].lengths.most: must be at least `least`",
        "formats[6].prefix: the brands `tnx` and `tnx_old` can't be told apart by prefix",
        "formats[7].alphabet: is missing",
        "formats[7].lengths: is missing",
        "formats[7].prefix: does not go with this layout",
        "formats[8].lengths: secrets of `` would have too few random characters",
        "formats[9].layout: only one format can be for keys without a prefix",
        "formats[10].brand: is missing",
        "formats[10].lengths: does not go with this layout",
        "formats[10].prefix: does not go with this layout",
        "hashing.memory_kib: must be 19456 to 131072",
        "hashing.passes: must be an integer",
        "hashing.threads: must be 1 to 1024",
        "jwt: must be true or false",
        "proxies.field: must be one of: forwarded, x-forwarded-for",
        "proxies.networks[0]: the address of a network has no bits set beyond its length",
        "proxies.networks[1]: must be a network such as 10.0.0.0/8 or 2001:db8::/32",
        "proxies.networks[2]: the length of a network is 0 to 32, or to 128 for IPv6, without leading zeros",
        "proxies.trusted: must be 1 to 16",
        r#"realms."a.b".authorization_only: must be true or false"#,
        r#"realms."a.b".limits.by_plan: needs a plan with a rate or a quota"#,
        r#"realms."a.b".trust: must be a list, numbered from 0 without a gap"#,
        "realms.links.cors.expose[0]: `x y` is not a field name",
        "realms.links.cors.max_age_secs: must be 0 to 86400",
        "realms.links.cors.methods[1]: `P UT` is not a method",
        "realms.links.cors.origins[1]: `https://app.example/` is not an origin",
        "realms.links.dialect: must be one of: canonical, detail, problem, oauth, json-rpc",
        "realms.links.limits.pat_guard: the burst of a rate is more than its limit",
        "realms.links.limits.per_source: must be a rate such as 60/min, 30/s, 1000/h, 5/day or 10/90s",
        "realms.links.plans.free.quota: must be 1 to 4294967295",
        "realms.links.plans.free.rate: a rate needs a limit, a window and a burst above zero",
        "realms.links.plans.huge.quota: must be 1 to 4294967295",
        "realms.links.plans.pro.features: must be a list",
        "realms.links.plans.pro.rate.per_secs: is missing",
        "realms.links.resource_metadata: must be an absolute http or https URL",
        "realms.links.roles[0].permissions[1]: a scope has a character other than A-Z a-z 0-9 _ - . : * (byte 5)",
        "realms.links.roles[1].name: creator is on the ladder twice",
        "realms.links.roles[2].name: a role's name has a character other than A-Z a-z 0-9 _ - (byte 1)",
        "realms.links.tenant_kind: must not be empty",
        "realms.links.trust[0].algorithms[1]: the signature algorithm is not a supported one",
        "realms.links.trust[0].audiences[1]: a verifier needs an audience that is not empty",
        "realms.links.trust[0].issuer: is missing",
        "realms.links.trust[0].jwks: is missing",
        "realms.links.trust[0].leeway_secs: must be 0 to 60",
        "realms.links.trust[0].max_age_secs: must be 1 to 31622400",
        "realms.links.trust[1].algorithms: must be [\"HS256\"] with `hs256_secret`",
        "realms.links.trust[1].audiences: is missing",
        "realms.links.trust[1].hs256_secret: the key is too small",
        "realms.links.trust[2].audience: is not a field of the configuration",
        "realms.links.trust[2].audiences: is missing",
        "realms.links.trust[2].hs256_kid: goes only with `hs256_secret`",
        "realms.links.trust[2].issuer: another trust of this realm has the same issuer",
        "realms.links.trust[2].jwks.keys[0]: the key is too small",
        "realms.links.trust[3].jwks: the key set is not a well-formed JWK Set",
        "tag_keys[0].secret: must be 32 bytes",
        "tag_keys[1].id: another tag key has the same id",
        "tag_keys[1].secret: must be bytes in base64, with padding",
        "tag_keys[2].id: must be 0 to 4294967295",
        "tag_keys[2].secret: is missing",
    ];
    let told = mistakes(toml(DOCUMENT));
    let told: Vec<_> = told.lines().collect();
    assert_eq!(told, expected, "{told:#?}");
}

#[test]
fn what_must_be_there_is_missed_and_nothing_else() {
    assert_eq!(
        mistakes(ConfigSources::new()),
        "coherence: is missing\ntag_keys: is missing"
    );
    // A wrong value is not told to be missing too.
    assert_eq!(
        mistakes(toml("coherence = 1\ntag_keys = ''")),
        "coherence: must be a table\ntag_keys: must be a list"
    );
    assert_eq!(
        GateConfig::from_env("NO_SUCH_PREFIX")
            .unwrap_err()
            .to_string(),
        "coherence: is missing\ntag_keys: is missing"
    );
    // Deserialized at once, without other sources, it says the same.
    let error = toml::from_str::<GateConfig>("").unwrap_err();
    assert!(
        error
            .message()
            .contains("coherence: is missing\ntag_keys: is missing")
    );
}

#[test]
fn a_document_that_repeats_itself_is_not_believed() {
    let document = format!(
        r#"{{"coherence": {{"mode": "single-process", "mode": "strict"}},
             "tag_keys": [{{"id": 1, "secret": "{TAG}"}}],
             "realms": {{"a": {{}}, "a": {{}}}}}}"#
    );
    let sources: ConfigSources = serde_json::from_str(&document).unwrap();
    assert_eq!(
        mistakes(sources),
        "coherence.mode: is given twice\nrealms.a: is given twice"
    );
}

#[test]
fn variables_are_named_where_they_are_wrong() {
    let variables = [
        ("APP__", "x"),
        ("APP__COHERENCE__MODE", "sometimes"),
        ("APP__COHERENCE__MODE__DEEPER", "x"),
        ("APP__HASHING", "much"),
        ("APP__HASHING__PASSES", "two"),
        ("APP__REALMS__LINKS__TRUST__0__AUDIENCES__0", "a"),
        ("APP__REALMS__LINKS__TRUST__0__AUDIENCES__2", "b"),
        ("APP__REALMS__LINKS__TRUST__0__ISSUER", ""),
        ("APP__REALMS__LINKS__ROLES__00__NAME", "r"),
        ("APP__TAG_KEYS__0__COLOUR", "red"),
    ];
    let document = format!(
        "tag_keys = [{{ id = 1, secret = '{TAG}' }}]
         hashing.lanes = 1"
    );
    let told = mistakes(toml(&document).overlay_env("APP", variables));
    let told: Vec<_> = told.lines().collect();
    let expected = [
        "\"\" (APP__): the variable has an empty name between two underscores and two more",
        "coherence.mode (APP__COHERENCE__MODE): must be one of: single-process, bounded, strict",
        "coherence.mode.deeper (APP__COHERENCE__MODE__DEEPER): another value stands where the variable needs a table",
        "hashing (APP__HASHING): the variable gives one value where a table or a list stands",
        "hashing.passes (APP__HASHING__PASSES): must be an integer",
        "realms.links.roles (APP__REALMS__LINKS__ROLES__00__NAME): must be a list, numbered from 0 without a gap",
        "realms.links.trust[0].audiences (APP__REALMS__LINKS__TRUST__0__AUDIENCES__2): must be a list, numbered from 0 without a gap",
        "realms.links.trust[0].issuer (APP__REALMS__LINKS__TRUST__0__ISSUER): a verifier needs an issuer",
        "realms.links.trust[0].jwks: is missing",
        "tag_keys[0].colour (APP__TAG_KEYS__0__COLOUR): is not a field of the configuration",
    ];
    assert_eq!(told, expected, "{told:#?}");
}

#[test]
fn two_variables_of_one_name_are_a_mistake() {
    let variables = [("APP__Jwt", "false"), ("APP__JWT", "true")];
    for variables in [variables, [variables[1], variables[0]]] {
        let told = mistakes(toml(&super::least()).overlay_env("APP", variables));
        let expected = format!(
            "jwt ({}): another variable has the same name but for its case",
            variables[1].0
        );
        assert_eq!(told, expected);
    }
    // A later overlay is laid over an earlier one.
    let sources = toml(&super::least())
        .overlay_env("APP", [("APP__JWT", "true")])
        .overlay_env("APP", [("APP__JWT", "false")]);
    assert!(!sources.read().unwrap().jwt);
}

#[test]
fn a_variable_of_countless_levels_is_one_mistake() {
    let name = format!("APP{}", "__A".repeat(100_000));
    let sources = toml(&super::least()).overlay_env("APP", [(name.as_str(), "x")]);
    let told = mistakes(sources);
    assert_eq!(told.lines().count(), 1);
    assert!(told.ends_with(": the variable names too many levels"));
}

#[test]
#[cfg(unix)]
fn a_variable_that_is_not_text_is_told() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    let value = OsString::from_vec(vec![0xFF]);
    let sources = toml(&super::least()).overlay_env("APP", [(OsString::from("APP__JWT"), value)]);
    let errors = sources.read().unwrap_err();
    let [mistake] = errors.mistakes() else {
        panic!("one mistake, not {errors}");
    };
    assert_eq!(mistake.origin(), &Origin::Variable("APP__JWT".into()));
    assert!(matches!(mistake.kind(), MistakeKind::Variable(_)));
}
