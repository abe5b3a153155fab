//! A child token, kept so that only who holds its parent can read it.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use gatewright_core::principal::SessionId;
use gatewright_core::session::RefreshToken;
use zeroize::Zeroizing;

use crate::{SealError, SealingKey};

/// What the key is for (RFC 5869 §3.2).
const PURPOSE: &[u8] = b"gatewright refresh child";

/// Seals the child of a session's token: AES-256-GCM with the session's id as associated data.
pub(super) fn seal(
    child: &RefreshToken,
    parent: &RefreshToken,
    session: &SessionId,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    key_of(parent)?.seal(child.expose().as_bytes(), session.as_str())
}

/// Opens what was sealed for this parent and session.
pub(super) fn open(
    sealed: &[u8],
    parent: &RefreshToken,
    session: &SessionId,
) -> Result<RefreshToken, SealError> {
    let child = key_of(parent)?.open(sealed, session.as_str())?;
    RefreshToken::read(&child).ok_or(SealError::Open)
}

/// HKDF-SHA-256 of the parent's text. No salt: the text has 256 random bits (RFC 5869 §3.1).
fn key_of(parent: &RefreshToken) -> Result<SealingKey, SealError> {
    let mut key = Zeroizing::new([0_u8; SealingKey::LEN]);
    Salt::none(HKDF_SHA256)
        .extract(parent.expose().as_bytes())
        .expand(&[PURPOSE], HKDF_SHA256)
        .and_then(|bytes| bytes.fill(&mut *key))
        .map_err(|Unspecified| SealError::Seal)?;
    SealingKey::new(&*key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> RefreshToken {
        RefreshToken::read(text.as_bytes()).unwrap()
    }

    fn session(id: &str) -> SessionId {
        SessionId::new(id).unwrap()
    }

    #[test]
    fn opens_what_another_implementation_sealed() {
        // Python, cryptography 48.0.0:
        // key = HKDF(SHA256(), 32, None, b"gatewright refresh child").derive(b"A" * 43)
        // nonce = bytes(range(12))
        // print((AESGCM(key).encrypt(nonce, b"B" * 42 + b"A", b"ses_1") + nonce).hex())
        let sealed = "a078091411b2add8ac4d2d74decab61d983f4c486f4a19634348f8cf0d1e329d8afad3a6\
                      2b2898b0f1828ac6c1d4b91879d69ec6e34196e546daee000102030405060708090a0b";
        let sealed: Vec<u8> = (0..sealed.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&sealed[at..at + 2], 16).unwrap())
            .collect();
        let parent = token(&"A".repeat(43));
        let child = open(&sealed, &parent, &session("ses_1")).unwrap();
        assert_eq!(child.expose(), format!("{}A", "B".repeat(42)));
    }

    #[test]
    fn opens_for_nobody_but_the_parent_in_its_session() {
        let (parent, child) = (
            RefreshToken::generate().unwrap(),
            RefreshToken::generate().unwrap(),
        );
        let sealed = seal(&child, &parent, &session("ses_1")).unwrap();
        let opened = open(&sealed, &parent, &session("ses_1")).unwrap();
        assert_eq!(opened.expose(), child.expose());
        assert!(open(&sealed, &child, &session("ses_1")).is_err());
        assert!(open(&sealed, &parent, &session("ses_2")).is_err());
        let other = RefreshToken::generate().unwrap();
        assert!(open(&sealed, &other, &session("ses_1")).is_err());
        assert!(open(&[], &parent, &session("ses_1")).is_err());
        let text = child.expose().as_bytes();
        assert!(
            !sealed
                .windows(8)
                .any(|part| text.windows(8).any(|of| of == part))
        );
    }
}
