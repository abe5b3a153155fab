//! One login that is under way, as the browser carries it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::credential::Secret;
use gatewright_core::time::Timestamp;
use rand::TryRng as _;
use rand::rngs::{SysError, SysRng};

use super::error::LoginError;
use super::local_path::LocalPath;

/// How long somebody may take at the provider.
pub(super) const MAX_AGE_SECS: u64 = 600;
const SEED_BYTES: usize = 32;
/// Longer values are not looked at; ours are shorter.
const MAX_COOKIE_BYTES: usize = 2048;

/// Opens and closes what the browser carries, for one client at one provider.
///
/// Nothing is remembered here. The cookie holds a random seed; state, nonce and code verifier are made from it with a key
/// that stays here, so that whoever reads the cookie has none of them.
pub(super) struct Attempts(Key);

/// A login that was begun and has not expired.
pub(super) struct Attempt<'k> {
    key: &'k Key,
    seed: [u8; SEED_BYTES],
    pub(super) return_to: Option<LocalPath>,
}

impl Attempts {
    /// Bound to these names, so that what was begun at one provider is finished at no other that shares the key
    /// (RFC 9700 §4.4).
    pub(super) fn new(key: &[u8], names: [&str; 3]) -> Self {
        let mut purpose = b"gatewright openid connect login 1".to_vec();
        for name in names {
            purpose.extend_from_slice(&(name.len() as u64).to_be_bytes());
            purpose.extend_from_slice(name.as_bytes());
        }
        let derived = sign(&Key::new(HMAC_SHA256, key), &purpose);
        Self(Key::new(HMAC_SHA256, derived.as_ref()))
    }

    /// A new one, and the cookie's value.
    pub(super) fn begin(
        &self,
        now: Timestamp,
        return_to: Option<LocalPath>,
    ) -> Result<(Attempt<'_>, Secret), SysError> {
        let mut seed = [0; SEED_BYTES];
        SysRng.try_fill_bytes(&mut seed)?;
        let path = return_to.as_ref().map_or("", LocalPath::as_str);
        let signed = format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode(seed),
            now.saturating_add(MAX_AGE_SECS),
            URL_SAFE_NO_PAD.encode(path),
        );
        let mac = sign(&self.0, &labelled("cookie", signed.as_bytes()));
        let cookie = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
        let attempt = Attempt {
            key: &self.0,
            seed,
            return_to,
        };
        Ok((attempt, Secret::new(cookie)))
    }

    /// Reads what the browser brought back.
    pub(super) fn open(&self, cookie: &str, now: Timestamp) -> Result<Attempt<'_>, LoginError> {
        if cookie.len() > MAX_COOKIE_BYTES {
            return Err(LoginError::Cookie);
        }
        let (signed, mac) = cookie.rsplit_once('.').ok_or(LoginError::Cookie)?;
        let mac = decode(mac)?;
        verify(&self.0, &labelled("cookie", signed.as_bytes()), &mac)
            .map_err(|_| LoginError::Cookie)?;

        let mut fields = signed.split('.');
        let mut next = || fields.next().ok_or(LoginError::Cookie);
        let (seed, expires_at, path) = (next()?, next()?, next()?);
        let expires_at: Timestamp = expires_at.parse().map_err(|_| LoginError::Cookie)?;
        if now >= expires_at {
            return Err(LoginError::Expired);
        }
        let path = String::from_utf8(decode(path)?).map_err(|_| LoginError::Cookie)?;
        Ok(Attempt {
            key: &self.0,
            seed: decode(seed)?.try_into().map_err(|_| LoginError::Cookie)?,
            return_to: LocalPath::parse(&path),
        })
    }
}

impl Attempt<'_> {
    /// `state` (RFC 6749 §10.12).
    pub(super) fn state(&self) -> String {
        self.derive("state")
    }

    /// `nonce` (OpenID Connect Core §3.1.2.1).
    pub(super) fn nonce(&self) -> String {
        self.derive("nonce")
    }

    /// `code_verifier` (RFC 7636 §4.1), 43 characters.
    pub(super) fn code_verifier(&self) -> Secret {
        Secret::new(self.derive("pkce"))
    }

    fn derive(&self, label: &str) -> String {
        URL_SAFE_NO_PAD.encode(sign(self.key, &labelled(label, &self.seed)))
    }
}

/// `code_challenge` by S256 (RFC 7636 §4.2).
pub(super) fn code_challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.expose().as_bytes()))
}

/// No label holds a zero, so no two labels give one message.
fn labelled(label: &str, message: &[u8]) -> Vec<u8> {
    [label.as_bytes(), &[0], message].concat()
}

fn decode(text: &str) -> Result<Vec<u8>, LoginError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| LoginError::Cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["https://idp.example", "app", "https://app.example/back"];

    fn attempts(names: [&str; 3]) -> Attempts {
        Attempts::new(&[7; 32], names)
    }

    #[test]
    fn what_was_begun_is_found_again() {
        let attempts = attempts(NAMES);
        let path = LocalPath::parse("/keys?page=2");
        let (begun, cookie) = attempts.begin(1_000, path.clone()).unwrap();
        let opened = attempts.open(cookie.expose(), 1_599).unwrap();
        assert_eq!(opened.return_to, path);
        assert_eq!(opened.state(), begun.state());
        assert_eq!(opened.nonce(), begun.nonce());
        let verifiers = [&opened, &begun].map(Attempt::code_verifier);
        assert_eq!(verifiers[0].expose(), verifiers[1].expose());
        assert_eq!(verifiers[0].expose().len(), 43);
        let expired = attempts.open(cookie.expose(), 1_600).map(drop);
        assert_eq!(expired, Err(LoginError::Expired));
        let (_, cookie) = attempts.begin(1_000, None).unwrap();
        assert_eq!(
            attempts.open(cookie.expose(), 1_000).unwrap().return_to,
            None
        );
    }

    #[test]
    fn state_nonce_and_verifier_are_three_and_in_no_cookie() {
        let attempts = attempts(NAMES);
        let (begun, cookie) = attempts.begin(1_000, None).unwrap();
        let (other, _) = attempts.begin(1_000, None).unwrap();
        let verifier = begun.code_verifier();
        let mut values = vec![begun.state(), begun.nonce(), verifier.expose().to_owned()];
        values.push(other.state());
        for (n, value) in values.iter().enumerate() {
            assert!(!values[..n].contains(value));
            assert!(!cookie.expose().contains(value.as_str()));
        }
    }

    #[test]
    fn every_changed_character_is_seen() {
        let attempts = attempts(NAMES);
        let (_, cookie) = attempts.begin(1_000, LocalPath::parse("/a")).unwrap();
        let cookie = cookie.expose();
        for place in 0..cookie.len() {
            for with in ["A", "B", "9", ".", "-"] {
                let mut changed = cookie.to_owned();
                changed.replace_range(place..=place, with);
                let opened = attempts.open(&changed, 1_000).map(drop);
                assert_eq!(opened.is_ok(), changed == cookie, "{changed}");
            }
            assert_eq!(
                attempts.open(&cookie[..place], 1_000).map(drop),
                Err(LoginError::Cookie)
            );
        }
        for text in [
            "",
            ".",
            "...",
            "a.b.c.d",
            "\u{e4}.\u{e4}",
            &format!("{cookie}."),
        ] {
            assert_eq!(
                attempts.open(text, 1_000).map(drop),
                Err(LoginError::Cookie)
            );
        }
    }

    /// RFC 9700 §4.4: what one provider's login left is nothing at another's, nor under another key.
    #[test]
    fn a_cookie_belongs_to_one_client_at_one_provider() {
        let (_, cookie) = attempts(NAMES).begin(1_000, None).unwrap();
        let [issuer, client, back] = NAMES;
        for names in [
            ["https://evil.example", client, back],
            ["https://idq.example", client, back],
            [issuer, "other", back],
            [issuer, client, "https://app.example/other"],
            ["https://idp.exampl", "eapp", back],
        ] {
            let opened = attempts(names).open(cookie.expose(), 1_000).map(drop);
            assert_eq!(opened, Err(LoginError::Cookie), "{names:?}");
        }
        let other_key = Attempts::new(&[8; 32], NAMES);
        let opened = other_key.open(cookie.expose(), 1_000).map(drop);
        assert_eq!(opened, Err(LoginError::Cookie));
    }

    /// RFC 7636, Appendix B.
    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(
            code_challenge(&verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
