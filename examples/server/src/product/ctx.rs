//! The context of a conversion: which handle it counts for, sealed so that nobody else can name one.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use gatewright_core::credential::Secret;
use gatewright_core::principal::TenantId;
use sqlx::SqlitePool;
use zeroize::Zeroizing;

const PREFIX: &str = "ctx1";
const KEY_LENGTH: usize = 32;

/// Seals and opens contexts: `ctx1.<tenant>.<HMAC-SHA-256 of both parts before it>`, each part in base64url.
///
/// A context is no secret, it stands in public pages. It only proves that this server made it, and for which handle.
pub(crate) struct CtxKey(hmac::Key);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CtxKeyError {
    /// The database is out of reach.
    #[error("the database cannot be reached")]
    Database(#[from] sqlx::Error),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// The stored key has another length than keys have.
    #[error("the stored key is damaged")]
    Damaged,
}

impl CtxKey {
    /// Reads the key, or makes it if there is none. Of several processes that start at once, one makes it for all.
    pub(super) async fn load(pool: &SqlitePool) -> Result<Self, CtxKeyError> {
        let mut fresh = Zeroizing::new([0_u8; KEY_LENGTH]);
        aws_lc_rs::rand::fill(&mut *fresh).map_err(|_| CtxKeyError::Random)?;
        sqlx::query("INSERT INTO ctx_keys (id, key) VALUES (1, ?1) ON CONFLICT DO NOTHING")
            .bind(&fresh[..])
            .execute(pool)
            .await?;
        let key: Vec<u8> = sqlx::query_scalar("SELECT key FROM ctx_keys WHERE id = 1")
            .fetch_one(pool)
            .await?;
        let key = Zeroizing::new(key);
        if key.len() != KEY_LENGTH {
            return Err(CtxKeyError::Damaged);
        }
        Ok(Self::new(&key))
    }

    fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The context that counts for this tenant.
    pub(crate) fn seal(&self, tenant: &TenantId) -> String {
        let sealed = format!("{PREFIX}.{}", BASE64.encode(tenant.as_str()));
        let tag = hmac::sign(&self.0, sealed.as_bytes());
        format!("{sealed}.{}", BASE64.encode(tag))
    }

    /// The tenant that the context counts for; `None` if it is not one of ours. Costs a hash of the whole text.
    pub(crate) fn open(&self, ctx: &str) -> Option<TenantId> {
        let (sealed, tag) = ctx.rsplit_once('.')?;
        let tag = BASE64.decode(tag).ok()?;
        hmac::verify(&self.0, sealed.as_bytes(), &tag).ok()?;
        let tenant = sealed.strip_prefix(PREFIX)?.strip_prefix('.')?;
        let tenant = String::from_utf8(BASE64.decode(tenant).ok()?).ok()?;
        TenantId::new(tenant).ok()
    }
}

impl CtxKey {
    /// A key of 256 bits for another purpose, in base64url: HKDF-Expand of one block (RFC 5869 §2.3). No context begins as
    /// what is hashed for it does.
    pub(crate) fn derive(&self, purpose: &str) -> Secret {
        let info = format!("gatewright key for {purpose}\u{1}");
        Secret::new(BASE64.encode(hmac::sign(&self.0, info.as_bytes())))
    }
}

impl std::fmt::Debug for CtxKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CtxKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(id: &str) -> TenantId {
        TenantId::new(id).unwrap()
    }

    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let key = CtxKey::new(&[7; 32]);
        let ctx = key.seal(&tenant("ten_1.x"));
        assert_eq!(key.open(&ctx), Some(tenant("ten_1.x")));
        assert_eq!(CtxKey::new(&[8; 32]).open(&ctx), None, "another key");
        for place in 0..ctx.len() {
            let mut other = ctx.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                key.open(&String::from_utf8(other).unwrap()),
                None,
                "{place}"
            );
            assert_eq!(key.open(&ctx[..place]), None, "cut at {place}");
        }
        for foreign in ["", "...", "ctx1..", "ctx1.dGVuXzE", &"x".repeat(4_000)] {
            assert_eq!(key.open(foreign), None, "{foreign}");
        }
    }

    /// CPython 3 with `cryptography`: `HKDFExpand(SHA256(), 32, b"gatewright key for tests").derive(bytes([7]*32))`,
    /// urlsafe_b64encode without padding.
    #[test]
    fn keys_for_other_purposes_are_derived_by_hkdf() {
        let key = CtxKey::new(&[7; 32]);
        assert_eq!(
            key.derive("tests").expose(),
            "tDOTbE207fovYK9R8N8Pa1XCnerFz2o66alq9e4wQUE"
        );
        assert_ne!(key.derive("tests").expose(), key.derive("test").expose());
    }

    /// CPython 3: `hmac.new(bytes([7]*32), b"ctx1.dGVuXzE", "sha256").digest()`, urlsafe_b64encode without padding.
    #[test]
    fn the_seal_is_hmac_sha256_of_the_text() {
        let ctx = CtxKey::new(&[7; 32]).seal(&tenant("ten_1"));
        assert_eq!(
            ctx,
            "ctx1.dGVuXzE.umerEf5yxK4W0dLKGCrVzjlGF7y5zQ7bJfP9AfTvV4I"
        );
    }
}
