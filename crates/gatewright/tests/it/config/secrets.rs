//! No secret is ever shown, in whichever way it was given and whatever is wrong with it.

use gatewright::config::{ConfigSources, SecretBytes};

use super::{AUDIENCE, ISSUER, TAG, build, mistakes, read, toml};

#[test]
fn what_was_read_does_not_show_them() {
    let document = format!(
        "{}[[realms.links.trust]]
         issuer = '{ISSUER}'
         audiences = ['{AUDIENCE}']
         algorithms = ['HS256']
         hs256_secret = '{TAG}'",
        super::least()
    );
    let bytes = String::from_utf8(read(&document).tag_keys[0].secret.expose().to_vec()).unwrap();
    assert!(bytes.starts_with("secret"));
    let sources = toml(&document).overlay_env("APP", [("APP__TAG_KEYS__0__SECRET", TAG)]);
    let mut shown = format!("{sources:?}");
    let config = sources.read().unwrap();
    shown += &format!("{config:?}{:?}", SecretBytes::new(b"secret".to_vec()));
    let configured = build(config);
    shown += &format!("{configured:?}{:?}", configured.keys("links", ISSUER));
    for secret in [TAG, "secret-", "[115, 101"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn no_mistake_repeats_what_was_given() {
    const CANARY: &str = "hunter2";
    // As a text that is wrong at every field, from the document and from variables.
    let document = format!(
        "formats = '{CANARY}'
         jwt = '{CANARY}'
         hashing = '{CANARY}'
         cache_capacity = '{CANARY}'
         coherence = {{ mode = '{CANARY}', max_silence_secs = '{CANARY}' }}
         tag_keys = [{{ id = '{CANARY}', secret = '{CANARY}' }}, '{CANARY}', {{ id = 1, secret_file = '{CANARY}' }}]
         [realms.links]
         dialect = '{CANARY}'
         roles = [{{ name = 'r', permissions = ['{CANARY} {CANARY}'] }}]
         resource_metadata = '{CANARY}'
         plans = {{ free = {{ rate = '{CANARY}' }} }}
         limits = {{ by_plan = '{CANARY}', per_source = {{ max = '{CANARY}' }} }}
         [[realms.links.trust]]
         issuer = 1
         audiences = '{CANARY}'
         algorithms = ['{CANARY}']
         jwks = '{CANARY}'
         hs256_secret = '{CANARY}'
         [[realms.links.trust]]
         issuer = 'a'
         audiences = ['a']
         jwks = {{ keys = [{{ kty = 'oct', k = '{CANARY}' }}] }}"
    );
    let told = mistakes(toml(&document));
    assert!(told.lines().count() > 20, "{told}");
    assert!(!told.contains(CANARY), "{told}");

    let variables = [
        "JWT",
        "TAG_KEYS__0__ID",
        "TAG_KEYS__0__SECRET",
        "TAG_KEYS__1__SECRET_FILE",
        "REALMS__A__DIALECT",
        "NO_SUCH",
    ];
    let variables = variables.map(|name| (format!("APP__{name}"), CANARY.to_owned()));
    let errors = ConfigSources::new()
        .overlay_env("APP", variables)
        .read()
        .unwrap_err();
    assert!(errors.mistakes().len() >= 5, "{errors}");
    assert!(
        !format!("{errors} {errors:?}").contains(CANARY),
        "{errors:?}"
    );
}
