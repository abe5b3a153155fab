//! Values that are kept in files of their own.

use std::io::Write as _;

use gatewright::config::{ConfigSources, MistakeKind, Origin};
use tempfile::NamedTempFile;

use super::{OTHER_TAG, TAG, mistakes, read, toml};

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn with_tag(variables: &[(&str, &str)]) -> ConfigSources {
    let document = "coherence.mode = 'strict'\ntag_keys = [{ id = 1 }]";
    toml(document).overlay_env("APP", variables.iter().copied())
}

#[test]
fn a_variable_or_a_field_names_a_file() {
    let secret = file(&format!("\n {TAG}\r\n"));
    let path = secret.path().to_str().unwrap();
    let expected = read(&super::least());
    let by_variable = with_tag(&[("APP__TAG_KEYS__0__SECRET_FILE", path)])
        .read()
        .unwrap();
    let by_field = read(&format!(
        "coherence.mode = 'strict'\ntag_keys = [{{ id = 1, secret_file = '{path}' }}]"
    ));
    for config in [by_variable, by_field] {
        assert_eq!(
            config.tag_keys[0].secret.expose(),
            expected.tag_keys[0].secret.expose()
        );
    }
    // Not secrets alone, and not text alone.
    let number = file("7\n");
    let path = number.path().to_str().unwrap();
    let variables = [
        ("APP__TAG_KEYS__0__SECRET", TAG),
        ("APP__HASHING__QUEUE_FILE", path),
    ];
    assert_eq!(with_tag(&variables).read().unwrap().hashing.queue, 7);
}

#[test]
fn both_ways_at_once_are_a_mistake() {
    let secret = file(TAG);
    let path = secret.path().to_str().unwrap();
    let variables = [
        ("APP__TAG_KEYS__0__SECRET_FILE", path),
        ("APP__TAG_KEYS__0__SECRET", TAG),
    ];
    assert_eq!(
        mistakes(with_tag(&variables)),
        "tag_keys[0].secret (APP__TAG_KEYS__0__SECRET_FILE): is given both as itself and as `…_file`"
    );
    let document = format!(
        "coherence.mode = 'strict'
         tag_keys = [{{ id = 1, secret = '{OTHER_TAG}', secret_file = '{path}' }}]"
    );
    assert_eq!(
        mistakes(toml(&document)),
        "tag_keys[0].secret: is given both as itself and as `…_file`"
    );
    // A variable replaces what the document says, in either way.
    for variable in [
        ("APP__TAG_KEYS__0__SECRET_FILE", path),
        ("APP__TAG_KEYS__0__SECRET", TAG),
    ] {
        let document = document.replace(&format!(", secret_file = '{path}'"), "");
        let config = toml(&document)
            .overlay_env("APP", [variable])
            .read()
            .unwrap();
        assert!(config.tag_keys[0].secret.expose().starts_with(b"secret-"));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let long = file(&"A".repeat(1024 * 1024 + 1));
    let mut binary = NamedTempFile::new().unwrap();
    binary.write_all(&[0xFF, 0xFE]).unwrap();
    for path in [&*missing, folder.path(), long.path(), binary.path()] {
        let variable = ("APP__TAG_KEYS__0__SECRET_FILE", path.to_str().unwrap());
        let errors = with_tag(&[variable]).read().unwrap_err();
        let [mistake] = errors.mistakes() else {
            panic!("one mistake, not {errors}");
        };
        assert_eq!(mistake.path().to_string(), "tag_keys[0].secret_file");
        assert!(matches!(mistake.kind(), MistakeKind::UnreadableFile { .. }));
        assert_eq!(mistake.origin(), &Origin::Variable(variable.0.into()));
    }
}

#[test]
fn what_a_file_holds_is_judged_as_the_value() {
    let secret = file("c2hvcnQ=");
    let variable = (
        "APP__TAG_KEYS__0__SECRET_FILE",
        secret.path().to_str().unwrap(),
    );
    let expected = format!(
        "tag_keys[0].secret ({}): must be 32 bytes",
        secret.path().display()
    );
    assert_eq!(mistakes(with_tag(&[variable])), expected);
    // The name of a file is only read where a field of that name can be.
    let variable = ("APP__NO_SUCH_FILE", secret.path().to_str().unwrap());
    let expected = "no_such_file (APP__NO_SUCH_FILE): is not a field of the configuration";
    assert!(mistakes(with_tag(&[variable])).contains(expected));
}
