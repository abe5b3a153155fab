//! `token inspect`: what a credential is, without telling its secret to anybody.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::credential::{
    Credential, Formats, JwtShape, MAX_JWT_LENGTH, Malformed, SecretCredential, SecretKind,
};
use gatewright_core::jwt::{Algorithm, KeySet};
use gatewright_core::store::{CredentialRecord, CredentialStore};
use gatewright_core::time::{Clock as _, SystemClock, Timestamp};
use gatewright_issuer::{KeyLifetimes, SigningKeys};
use serde_json::Value;
use zeroize::Zeroizing;

use super::open;
use crate::config::Settings;
use crate::failure::Failure;
use crate::output;
use crate::start::{self, Foundation};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Read a credential from standard input and say what it is; sends nothing anywhere. With --database also whether
    /// the secret or the signature is right
    Inspect(Inspect),
}

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// A JWK Set to check the signature of a JWT with
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

/// `settings` are there if the database is to be asked.
pub(super) async fn run(options: Inspect, settings: Option<Settings>) -> Result<(), Failure> {
    let text = read_credential()?;
    let mut report = inspect(&text);
    match &mut report.found {
        Found::Secret(secret) => {
            if let Some(settings) = settings {
                let foundation = open(&settings, false).await?;
                let told = tell_record(&mut report.text, *secret, &foundation).await;
                foundation.close().await;
                report.right &= told?;
            }
        }
        Found::Jwt(jwt) => {
            let keys = match (options.jwks, settings) {
                (Some(path), _) => Some(read_keys(&path)?),
                (None, Some(settings)) => Some(stored_keys(settings).await?),
                (None, None) => None,
            };
            report.right &= tell_signature(&mut report.text, *jwt, keys.as_ref());
        }
        Found::Nothing => {}
    }
    output::print(&report.text);
    if report.right {
        Ok(())
    } else {
        Err(Failure::new("the credential does not hold"))
    }
}

/// What was found in the text itself.
struct Report<'a> {
    text: String,
    found: Found<'a>,
    right: bool,
}

#[derive(Clone, Copy)]
enum Found<'a> {
    Secret(SecretCredential<'a>),
    Jwt(JwtShape<'a>),
    Nothing,
}

fn inspect(text: &str) -> Report<'_> {
    let formats = Formats::standard();
    let mut out = String::new();
    let found = match formats.classify(text.as_bytes()) {
        Ok(Credential::Secret(secret)) => {
            line(&mut out, "kind", kind(secret.kind()));
            line(&mut out, "brand", secret.brand());
            line(&mut out, "id", secret.public_id());
            // The joined form ends where it ends; every other one of these was checked to the last character.
            let checksum = if is_joined(secret) {
                "none in this form"
            } else {
                "holds"
            };
            line(&mut out, "checksum", checksum);
            Found::Secret(secret)
        }
        Ok(Credential::Jwt(jwt)) => {
            line(&mut out, "kind", "JSON Web Token");
            segment(&mut out, "header", jwt.header());
            segment(&mut out, "claims", jwt.payload());
            tell_times(&mut out, jwt, SystemClock::new().now());
            Found::Jwt(jwt)
        }
        Ok(_) => {
            line(&mut out, "kind", "not known to this command");
            Found::Nothing
        }
        Err(mistake) => {
            let prefix = formats
                .iter()
                .find(|format| text.starts_with(&format!("{}_", format.brand())));
            match prefix {
                Some(format) => {
                    line(&mut out, "kind", kind(format.kind()));
                    line(&mut out, "brand", format.brand());
                }
                None => line(&mut out, "kind", "not recognised"),
            }
            match mistake {
                Malformed::Checksum => line(&mut out, "checksum", "does not hold"),
                other => line(&mut out, "form", &other.to_string()),
            }
            Found::Nothing
        }
    };
    Report {
        right: !matches!(found, Found::Nothing),
        text: out,
        found,
    }
}

fn kind(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::ApiKey => "API key",
        SecretKind::Pat => "personal access token",
        SecretKind::Client => "client secret",
        _ => "secret",
    }
}

fn is_joined(secret: SecretCredential<'_>) -> bool {
    let id_ends = secret.brand().len() + 1 + secret.public_id().len();
    let next = secret.expose().as_bytes().get(id_ends);
    next.is_some_and(u8::is_ascii_alphanumeric)
}

fn line(out: &mut String, name: &str, value: &str) {
    // Writing into a string does not fail.
    let _infallible = writeln!(out, "{name:<10} {value}");
}

/// Shows a decoded segment of a JWT, which anybody who holds the token can read.
fn segment(out: &mut String, name: &str, encoded: &str) {
    let decoded = URL_SAFE_NO_PAD
        .decode(encoded)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    match decoded {
        Some(value) => line(out, name, &ascii(&value.to_string())),
        None => line(out, name, "not JSON in base64url"),
    }
}

/// JSON whose every character prints as itself: what stands in a token must not steer the terminal.
fn ascii(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    let mut units = [0; 2];
    for character in json.chars() {
        if character.is_ascii() && !character.is_ascii_control() {
            plain.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                let _infallible = write!(plain, "\\u{unit:04x}");
            }
        }
    }
    plain
}

fn tell_times(out: &mut String, jwt: JwtShape<'_>, now: Timestamp) {
    let claims = URL_SAFE_NO_PAD
        .decode(jwt.payload())
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let Some(expires_at) = claims.as_ref().and_then(|claims| claims["exp"].as_u64()) else {
        return;
    };
    let relation = if now >= expires_at {
        "expired at"
    } else {
        "expires at"
    };
    line(
        out,
        "time",
        &format!("{relation} {}", output::time(expires_at)),
    );
}

/// Whether the signature holds, as far as keys were given.
fn tell_signature(out: &mut String, jwt: JwtShape<'_>, keys: Option<&KeySet>) -> bool {
    let Some(keys) = keys else {
        line(out, "signature", "not checked; give --jwks or --database");
        return true;
    };
    let header = URL_SAFE_NO_PAD
        .decode(jwt.header())
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .unwrap_or_default();
    let algorithm = header["alg"]
        .as_str()
        .and_then(|name| name.parse::<Algorithm>().ok());
    let key = algorithm.and_then(|algorithm| keys.find(header["kid"].as_str(), algorithm));
    let signature = URL_SAFE_NO_PAD.decode(jwt.signature()).unwrap_or_default();
    let (told, right) = match key {
        None => ("none of the keys given is the one that it names", false),
        Some(key) if key.verify(jwt.signing_input().as_bytes(), &signature) => ("holds", true),
        Some(_) => ("does not hold", false),
    };
    line(out, "signature", told);
    right
}

/// Whether the database knows the credential, and how things stand with it.
async fn tell_record(
    out: &mut String,
    secret: SecretCredential<'_>,
    foundation: &Foundation,
) -> Result<bool, Failure> {
    let record = foundation
        .store
        .find(secret.kind(), secret.public_id())
        .await?;
    let Some(record) = record else {
        line(out, "record", "there is none of this id");
        return Ok(false);
    };
    let tenant = &record.tenant;
    line(
        out,
        "tenant",
        &format!("{} {}", tenant.kind(), tenant.slug()),
    );
    line(out, "scopes", &record.scopes.to_string());
    let right = is_right(secret, &record, foundation).await?;
    line(out, "secret", if right { "right" } else { "wrong" });
    let (state, live) = state(&record, foundation.now());
    line(out, "state", &state);
    Ok(right && live)
}

async fn is_right(
    secret: SecretCredential<'_>,
    record: &CredentialRecord,
    foundation: &Foundation,
) -> Result<bool, Failure> {
    let now = foundation.now();
    for stored in &record.secrets {
        if stored.ends_at.is_some_and(|end| now >= end) {
            continue;
        }
        let answer = foundation
            .gate
            .hash_pool()
            .verify(&stored.hash, secret.expose().as_bytes())?;
        let right = answer
            .await
            .ok_or_else(|| Failure::new("the secret could not be hashed"))?;
        if right {
            return Ok(true);
        }
    }
    Ok(false)
}

fn state(record: &CredentialRecord, now: Timestamp) -> (String, bool) {
    if let Some(at) = record.revoked_at {
        return (format!("revoked at {}", output::time(at)), false);
    }
    match record.expires_at {
        Some(at) if now >= at => (format!("expired at {}", output::time(at)), false),
        Some(at) => (format!("live, expires at {}", output::time(at)), true),
        None => ("live, never expires".to_owned(), true),
    }
}

fn read_keys(path: &std::path::Path) -> Result<KeySet, Failure> {
    let shown = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::new(format!("{shown} cannot be read")).because(error))?;
    let (keys, _skipped) = KeySet::from_jwks(&bytes)
        .map_err(|error| Failure::new(format!("{shown} is no JWK Set")).because(error))?;
    Ok(keys)
}

/// The server's own keys.
async fn stored_keys(settings: Settings) -> Result<KeySet, Failure> {
    let foundation = open(&settings, false).await?;
    let sealing = start::existing_sealing(settings.sealing, &settings.database)?;
    let keys = SigningKeys::open(
        foundation.store.clone(),
        sealing,
        Algorithm::Rs256,
        KeyLifetimes::new(0, 0),
        foundation.now(),
    )
    .await;
    foundation.close().await;
    Ok(KeySet::clone(&keys?.live().load()))
}

/// Standard input without the white space around it. One byte more than the longest credential is read, so that one that
/// is too long is called so.
fn read_credential() -> Result<Zeroizing<String>, Failure> {
    const MOST: usize = MAX_JWT_LENGTH + 64;
    let mut text = Zeroizing::new(String::with_capacity(MOST));
    std::io::stdin()
        .lock()
        .take(MOST as u64)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new("the credential cannot be read").because(error))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use gatewright_core::jwt::{AccessTokenClaims, SigningKey};

    use super::*;

    fn told(text: &str) -> (String, bool) {
        let report = inspect(text);
        (report.text, report.right)
    }

    #[test]
    fn names_the_parts_of_every_format_and_never_the_secret() {
        for format in Formats::standard().iter() {
            let minted = format.mint().unwrap();
            let (text, right) = told(minted.secret.expose());
            assert!(right);
            assert!(text.contains(format.brand()), "{text}");
            assert!(text.contains(&minted.public_id), "{text}");
            let secret_part = minted
                .secret
                .expose()
                .split_once(&*minted.public_id)
                .unwrap()
                .1
                .trim_start_matches(['_', '.']);
            for piece in [secret_part, &secret_part[..8], &secret_part[8..16]] {
                assert!(!text.contains(piece), "{text}");
            }
            let joined = format.brand().starts_with("apx");
            assert_eq!(text.contains("none in this form"), joined, "{text}");
        }
    }

    #[test]
    fn a_mistyped_credential_is_told_by_its_checksum_and_not_repeated() {
        let minted = Formats::standard().format("tnx").unwrap().mint().unwrap();
        let mut mistyped = minted.secret.expose().to_owned();
        let last = mistyped.pop().unwrap();
        mistyped.push(if last == 'a' { 'b' } else { 'a' });
        let (text, right) = told(&mistyped);
        assert!(!right);
        assert!(text.contains("checksum   does not hold"), "{text}");
        assert!(!text.contains(&mistyped[13..21]), "{text}");

        let (text, right) = told("hunter2");
        assert!(!right);
        assert!(text.contains("not recognised") && !text.contains("hunter2"));
        assert!(!told("").1);
        assert!(told(&"e".repeat(MAX_JWT_LENGTH + 1)).0.contains("too long"));
    }

    fn token(key: &SigningKey) -> String {
        let claims = AccessTokenClaims::new(
            "https://issuer.test",
            "usr_\u{202e}1",
            "https://api.test",
            "app",
            "jti-1",
            1,
            2,
        );
        key.sign("at+jwt", &claims).unwrap()
    }

    #[test]
    fn shows_the_claims_of_a_jwt_but_not_its_signature() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let token = token(&key);
        let (text, right) = told(&token);
        assert!(right);
        assert!(text.contains(r#""iss":"https://issuer.test""#), "{text}");
        assert!(text.contains("expired at 1970-01-01T00:00:02Z"), "{text}");
        assert!(
            text.contains(r"usr_\u202e1"),
            "what steers terminals is escaped: {text}"
        );
        assert!(text.is_ascii());
        let signature = token.rsplit('.').next().unwrap();
        assert!(!text.contains(&signature[..8]), "{text}");
    }

    #[test]
    fn a_signature_holds_under_its_own_key_alone() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let other = SigningKey::generate(Algorithm::Es256).unwrap();
        let token = token(&key);
        let Found::Jwt(jwt) = inspect(&token).found else {
            panic!("it is a JWT");
        };
        let verdict = |keys: Option<&KeySet>| {
            let mut text = String::new();
            let right = tell_signature(&mut text, jwt, keys);
            (text, right)
        };
        let own = KeySet::from_keys([key.verifying_key()]).unwrap();
        let foreign = KeySet::from_keys([other.verifying_key()]).unwrap();
        assert_eq!(verdict(Some(&own)), ("signature  holds\n".to_owned(), true));
        assert!(!verdict(Some(&foreign)).1);
        assert!(verdict(None).0.contains("not checked"));
    }
}
