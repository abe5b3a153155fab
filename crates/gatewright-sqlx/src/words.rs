//! How kinds and changes are written down.

use gatewright_core::credential::SecretKind;
use gatewright_core::store::ChangeKey;

const API_KEY: &str = "api_key";
const PAT: &str = "pat";
const CLIENT_SECRET: &str = "client_secret";
const USER: &str = "user";
const CLIENT: &str = "client";
const SESSION: &str = "session";
const TOKEN: &str = "token";
const TENANT: &str = "tenant";
const EVERYTHING: &str = "everything";

/// The word for a kind of secret; `None` for a kind that is younger than this store.
pub(crate) const fn secret_kind(kind: SecretKind) -> Option<&'static str> {
    match kind {
        SecretKind::ApiKey => Some(API_KEY),
        SecretKind::Pat => Some(PAT),
        SecretKind::Client => Some(CLIENT_SECRET),
        _ => None,
    }
}

pub(crate) fn parse_secret_kind(word: &str) -> Option<SecretKind> {
    match word {
        API_KEY => Some(SecretKind::ApiKey),
        PAT => Some(SecretKind::Pat),
        CLIENT_SECRET => Some(SecretKind::Client),
        _ => None,
    }
}

/// The two words for a change. One that this version has no word for is told as a change of everything.
pub(crate) fn change(key: &ChangeKey) -> (&'static str, &str) {
    match key {
        ChangeKey::Credential(kind, id) => {
            secret_kind(*kind).map_or((EVERYTHING, ""), |word| (word, id))
        }
        ChangeKey::User(id) => (USER, id),
        ChangeKey::Client(id) => (CLIENT, id),
        ChangeKey::Session(id) => (SESSION, id),
        ChangeKey::Token(id) => (TOKEN, id),
        ChangeKey::Tenant(id) => (TENANT, id),
        _ => (EVERYTHING, ""),
    }
}

/// The reverse of [`change`]. What another version wrote may be anything, so it counts as a change of everything.
pub(crate) fn parse_change(kind: &str, id: &str) -> ChangeKey {
    match kind {
        USER => ChangeKey::User(id.into()),
        CLIENT => ChangeKey::Client(id.into()),
        SESSION => ChangeKey::Session(id.into()),
        TOKEN => ChangeKey::Token(id.into()),
        TENANT => ChangeKey::Tenant(id.into()),
        _ => parse_secret_kind(kind).map_or(ChangeKey::Everything, |kind| {
            ChangeKey::Credential(kind, id.into())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_read_as_it_was_written() {
        for key in [
            ChangeKey::Credential(SecretKind::ApiKey, "a".into()),
            ChangeKey::Credential(SecretKind::Pat, "a".into()),
            ChangeKey::Credential(SecretKind::Client, "a".into()),
            ChangeKey::User("a".into()),
            ChangeKey::Client("a".into()),
            ChangeKey::Session("a".into()),
            ChangeKey::Token("a".into()),
            ChangeKey::Tenant("a".into()),
            ChangeKey::Everything,
        ] {
            let (kind, id) = change(&key);
            assert_eq!(parse_change(kind, id), key);
        }
    }

    #[test]
    fn an_unknown_change_is_one_of_everything() {
        assert_eq!(parse_change("planet", "a"), ChangeKey::Everything);
    }
}
