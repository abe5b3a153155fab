//! Crates that verify opaque keys. The record that a service would look up by the key's public part is at hand.

use std::rc::Rc;

use api_keys_simplified::{
    ApiKeyManagerV0, Environment, ExposeSecret as _, KeyStatus, SecureString,
};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use prefixed_api_key::{PrefixedApiKey, PrefixedApiKeyController};

use super::Row;

/// `prefixed-api-key` 0.3 with its `seam_defaults`: SHA-256 at rest; the text is parsed, then `check_hash`.
pub(super) fn prefixed_api_key() -> Row {
    let controller = PrefixedApiKeyController::configure()
        .prefix("mycompany".to_owned())
        .seam_defaults()
        .finalize()
        .expect("a controller");
    let (key, hash) = controller.try_generate_key_and_hash().expect("a key");
    let (other, _) = controller.try_generate_key_and_hash().expect("a key");
    let shared = Rc::new((controller, hash));
    Row {
        name: "prefixed_api_key".to_owned(),
        credential: key.to_string(),
        refused: vec![("another key", other.to_string())],
        prepare: Box::new(move |text| {
            let (shared, text) = (Rc::clone(&shared), text.to_owned());
            Box::new(move || {
                PrefixedApiKey::from_string(&text)
                    .is_ok_and(|key| shared.0.check_hash(&key, &shared.1))
            })
        }),
    }
}

/// `api-keys-simplified` 0.5 with `init_default_config`: its BLAKE3 checksum, then argon2id at 46 MiB in one pass.
pub(super) fn api_keys_simplified() -> Row {
    let manager = ApiKeyManagerV0::init_default_config("gpmcp_sk").expect("a manager");
    let key = manager.generate(Environment::production()).expect("a key");
    let other = manager.generate(Environment::production()).expect("a key");
    let hash = key.expose_hash().hash().to_owned();
    let shared = Rc::new((manager, hash));
    Row {
        name: "api_keys_simplified".to_owned(),
        credential: key.key().expose_secret().to_owned(),
        refused: vec![("another key", other.key().expose_secret().to_owned())],
        prepare: Box::new(move |text| {
            let (shared, key) = (Rc::clone(&shared), SecureString::from(text.to_owned()));
            Box::new(move || matches!(shared.0.verify(&key, &shared.1), Ok(KeyStatus::Valid)))
        }),
    }
}

/// `argon2` 0.6 as its documentation shows it, at its default, which is Gatewright's: 19 MiB, two passes, one lane. What a
/// service pays on every request that verifies such a hash itself.
pub(super) fn argon2_verify() -> Row {
    let secret = "tnx_4fS9dKq2_V7hT0bYxN3mQwZ8rLp5cJ1";
    let hash = Argon2::default().hash_password(secret.as_bytes());
    let hash: Rc<str> = hash.expect("a hash").to_string().into();
    Row {
        name: "argon2_verify".to_owned(),
        credential: secret.to_owned(),
        refused: vec![("another secret", secret.replace('V', "W"))],
        prepare: Box::new(move |text| {
            let (hash, text) = (Rc::clone(&hash), text.to_owned());
            Box::new(move || {
                PasswordHash::new(&hash).is_ok_and(|hash| {
                    let argon2 = Argon2::default();
                    argon2.verify_password(text.as_bytes(), &hash).is_ok()
                })
            })
        }),
    }
}
