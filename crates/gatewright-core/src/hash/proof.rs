//! What memory keeps of a secret that argon2 has accepted.

use std::fmt;
use std::hint::black_box;

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use super::tag::KeyError;

/// A random key of this process for [`ProofDigest`]s. It is never stored and never leaves the process.
///
/// The digest is `SHA-256(key ‖ secret)`: one call on the stack, two compressions for the credentials that are minted
/// here (44–52 bytes), on the warm path of every request. HMAC with a held key needs no fewer, and copies a context for
/// each call. What it would add is resistance to length extension, an attack that starts from a known digest and ends
/// at the digest of a longer message; digests stay in memory, and the longer message holds padding bytes that no
/// credential can have. Equal digests mean equal secrets because SHA-256 resists collisions, under any key; the key
/// makes the digests of one process worthless to another, and keeps outsiders from aiming at [`ProofDigest::short`].
/// It has a fixed length, so no two pairs of key and secret give the same input.
pub struct ProofKey(Zeroizing<[u8; KEY_LENGTH]>);

const KEY_LENGTH: usize = 32;
/// Inputs up to this are hashed in one call on the stack.
const STACK_LENGTH: usize = KEY_LENGTH + 256;

impl ProofKey {
    /// A new random key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] when the system has no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        SysRng.try_fill_bytes(&mut *key)?;
        Ok(Self(key))
    }

    /// The digest of a whole credential.
    #[must_use]
    pub fn digest(&self, secret: &[u8]) -> ProofDigest {
        let length = KEY_LENGTH + secret.len();
        let mut buffer = [0_u8; STACK_LENGTH];
        let Some(input) = buffer.get_mut(..length) else {
            let mut context = Context::new(&SHA256);
            context.update(&*self.0);
            context.update(secret);
            return ProofDigest::from_sha256(&context.finish());
        };
        let (key, rest) = input.split_at_mut(KEY_LENGTH);
        key.copy_from_slice(&*self.0);
        rest.copy_from_slice(secret);
        let outcome = ProofDigest::from_sha256(&digest(&SHA256, input));
        // A plain fill that can't be optimised away; clearing byte by byte would cost half as much as the hash.
        buffer.fill(0);
        black_box(&buffer);
        outcome
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofKey(redacted)")
    }
}

/// The digest of a secret under a [`ProofKey`]. Compared by [`matches`](Self::matches) only.
#[derive(Clone, Copy)]
pub struct ProofDigest([u64; 4]);

impl ProofDigest {
    /// Whether both are of the same secret, in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        // Four words: three times as fast as comparing 32 bytes one by one. `black_box` keeps the compiler from
        // leaving the sum early.
        let difference = self
            .0
            .iter()
            .zip(&other.0)
            .fold(0, |sum, (ours, theirs)| black_box(sum | (ours ^ theirs)));
        difference == 0
    }

    /// 64 of its bits, for finding a place in a map. Equal secrets have equal bits; the reverse is for
    /// [`matches`](Self::matches) to say.
    #[must_use]
    pub fn short(&self) -> u64 {
        self.0[0]
    }

    fn from_sha256(digest: &Digest) -> Self {
        let mut words = [0; 4];
        let (bytes, _) = digest.as_ref().as_chunks::<8>();
        for (word, bytes) in words.iter_mut().zip(bytes) {
            *word = u64::from_be_bytes(*bytes);
        }
        Self(words)
    }
}

impl fmt::Debug for ProofDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofDigest(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ProofKey {
        ProofKey(Zeroizing::new(std::array::from_fn(|index| index as u8)))
    }

    /// CPython 3: `hashlib.sha256(bytes(range(32)) + b"tnx_a1b2c3d4_secret").hexdigest()`
    #[test]
    fn is_sha256_of_key_and_secret() {
        let expected = [
            0x1cd8_bc9c_043a_cc88,
            0x47fe_0e45_1197_0f7f,
            0xb682_ec9e_7aa7_55c0,
            0x7643_82bb_6220_9d9e,
        ];
        assert_eq!(key().digest(b"tnx_a1b2c3d4_secret").0, expected);
    }

    #[test]
    fn every_bit_of_a_digest_counts() {
        let digest = key().digest(b"secret");
        for bit in 0..256 {
            let mut other = digest;
            other.0[bit / 64] ^= 1 << (bit % 64);
            assert!(!digest.matches(&other), "bit {bit}");
        }
        assert!(digest.matches(&digest));
    }

    #[test]
    fn long_inputs_are_hashed_the_same_way() {
        for length in [255, 256, 257, 20_000] {
            let secret = vec![b'x'; length];
            let whole = [&key().0[..], &secret].concat();
            let expected = ProofDigest::from_sha256(&digest(&SHA256, &whole));
            assert!(key().digest(&secret).matches(&expected), "{length}");
        }
    }
}
