//! Other keys for a gate that runs.

use gatewright::config::{GateConfig, Reloaded, SecretBytes};
use gatewright::error::ErrorCode;
use gatewright::jwt::{Algorithm, SigningKey};

use super::{AUDIENCE, ISSUER, OTHER_TAG, TAG, ask, build, jwks, read, signing_key, token};

fn with(keys: &str) -> GateConfig {
    read(&document(keys))
}

fn document(keys: &str) -> String {
    format!(
        "{}[[realms.links.trust]]
         issuer = '{ISSUER}'
         audiences = ['{AUDIENCE}']
         algorithms = ['ES256']
         jwks = '{keys}'
         ",
        super::least()
    )
}

fn paths(paths: &[gatewright::config::Path]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn replaces_keys_at_once_and_only_where_they_differ() {
    let (old, new) = (signing_key(), signing_key());
    let configured = build(with(&jwks(&old)));
    let (by_old, by_new) = (token(&old, "links.read"), token(&new, "links.read"));
    assert_eq!(ask(&configured, &by_old).await, None);
    assert_eq!(ask(&configured, &by_new).await.unwrap().0, 401);

    let generation = || configured.keys("links", ISSUER).unwrap().generation();
    let unchanged = configured.reload_keys(&with(&jwks(&old)));
    assert_eq!((unchanged, generation()), (Ok(Reloaded::default()), 0));

    let told = configured.reload_keys(&with(&jwks(&new))).unwrap();
    assert_eq!(paths(&told.replaced), ["realms.links.trust[0]"]);
    assert_eq!((told.needs_restart, generation()), (vec![], 1));
    let (status, code, _) = ask(&configured, &by_old).await.unwrap();
    assert_eq!((status, code), (401, ErrorCode::InvalidToken));
    assert_eq!(ask(&configured, &by_new).await, None);

    // What is in force is what the next one is compared with.
    assert_eq!(
        configured.reload_keys(&with(&jwks(&new))),
        Ok(Reloaded::default())
    );
}

#[tokio::test]
async fn names_everything_that_takes_a_restart() {
    let (old, new) = (signing_key(), signing_key());
    let configured = build(with(&jwks(&old)));
    let document = document(&jwks(&new)).replace(TAG, OTHER_TAG)
        + &format!(
            "leeway_secs = 7
             [[realms.links.trust]]
             issuer = 'https://new.example'
             audiences = ['{AUDIENCE}']
             algorithms = ['HS256']
             hs256_secret = '{TAG}'
             [realms.links]
             dialect = 'problem'
             [[realms.links.roles]]
             name = 'owner'
             [realms.more]
             [hashing]
             passes = 3"
        );
    let told = configured.reload_keys(&read(&document)).unwrap();
    assert_eq!(
        paths(&told.needs_restart),
        [
            "hashing.passes",
            "realms.links.dialect",
            "realms.links.roles[0]",
            "realms.links.trust[0].leeway_secs",
            "realms.links.trust[1]",
            "realms.more",
            "tag_keys[0].secret",
        ]
    );
    assert_eq!(paths(&told.replaced), ["realms.links.trust[0]"]);
    assert_eq!(ask(&configured, &token(&new, "links.read")).await, None);
    assert_eq!(configured.realms().len(), 1);
}

#[tokio::test]
async fn keys_of_other_algorithms_wait_for_the_restart() {
    let old = signing_key();
    let configured = build(with(&jwks(&old)));
    let new = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let changed = document(&jwks(&new)).replace("ES256", "EdDSA");
    let told = configured.reload_keys(&read(&changed)).unwrap();
    assert_eq!(
        paths(&told.needs_restart),
        [
            "realms.links.trust[0].algorithms[0]",
            "realms.links.trust[0].jwks"
        ]
    );
    assert!(told.replaced.is_empty());
    // Else no key at all would be left for the algorithms that are in force.
    let by_old = token(&old, "links.read");
    assert_eq!(ask(&configured, &by_old).await, None);
}

/// One bad set, and no key of another is replaced.
#[tokio::test]
async fn all_keys_are_replaced_or_none() {
    let (old, new) = (signing_key(), signing_key());
    let two = |first: &str, secret: &str| {
        document(first)
            + &format!(
                "[[realms.links.trust]]
                 issuer = 'https://shared.example'
                 audiences = ['{AUDIENCE}']
                 algorithms = ['HS256']
                 hs256_secret = '{secret}'"
            )
    };
    let configured = build(read(&two(&jwks(&old), TAG)));
    let mut wrong = read(&two(&jwks(&new), OTHER_TAG));
    wrong.realms.get_mut("links").unwrap().trust[1].hs256_secret =
        Some(SecretBytes::new(vec![1; 31]));
    assert!(configured.reload_keys(&wrong).is_err());
    assert_eq!(ask(&configured, &token(&old, "links.read")).await, None);
    let told = configured.reload_keys(&read(&two(&jwks(&new), OTHER_TAG)));
    assert_eq!(
        paths(&told.unwrap().replaced),
        ["realms.links.trust[0]", "realms.links.trust[1]"]
    );
}

#[tokio::test]
async fn another_audience_keeps_the_keys_and_a_mistake_changes_nothing() {
    let (old, new) = (signing_key(), signing_key());
    let configured = build(with(&jwks(&old)));
    let by_old = token(&old, "links.read");

    let moved = document(&jwks(&new)).replace(AUDIENCE, "https://moved.example");
    let told = configured.reload_keys(&read(&moved)).unwrap();
    assert_eq!(
        paths(&told.needs_restart),
        [
            "realms.links.trust[0].audiences[0]",
            "realms.links.trust[0].jwks"
        ]
    );
    assert!(told.replaced.is_empty());
    assert_eq!(ask(&configured, &by_old).await, None);

    let mut wrong = with(&jwks(&new));
    wrong.realms.get_mut("links").unwrap().trust[0].leeway_secs = 61;
    let errors = configured.reload_keys(&wrong).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "realms.links.trust[0].leeway_secs: must be 0 to 60"
    );
    assert_eq!(ask(&configured, &by_old).await, None);

    // An issuer that is gone from the configuration is told, and trusted until the restart.
    let told = configured
        .reload_keys(&read(&(super::least() + "[realms.links]")))
        .unwrap();
    assert_eq!(paths(&told.needs_restart), ["realms.links.trust[0]"]);
    assert_eq!(ask(&configured, &by_old).await, None);
}

#[test]
fn keys_for_something_else_are_ignored_and_named() {
    let key = signing_key().verifying_key().public_jwk().unwrap();
    let keys = format!(
        r#"{{"keys":[{{"kty":"new","kid":"a"}},{key},{{"kty":"RSA","use":"enc","kid":"b","n":"AQ","e":"AQAB"}}]}}"#
    );
    let configured = build(with(&keys));
    let ignored = configured.ignored_keys();
    let told: Vec<_> = ignored
        .iter()
        .map(|key| format!("{} {} {}", key.path(), key.kid().unwrap(), key.reason()))
        .collect();
    assert_eq!(
        told,
        [
            "realms.links.trust[0].jwks.keys[0] a the kind of key is not supported",
            "realms.links.trust[0].jwks.keys[2] b the key is not for signatures",
        ]
    );
}
