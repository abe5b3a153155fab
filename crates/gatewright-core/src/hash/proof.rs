//! What memory keeps of a secret that argon2 has accepted.

use std::fmt;
use std::hint::black_box;

use rand::TryRng;
use rand::rngs::SysRng;
use sha2::block_api::compress256;
use zeroize::Zeroizing;

use super::tag::KeyError;

/// A random key of this process for [`ProofDigest`]s. It is never stored and never leaves the process.
///
/// The digest is `SHA-256(key ‖ secret)`. The key fills one block, which is compressed once for all; a credential that is
/// minted here (44–52 bytes) fits into a second one, so the warm path of a request has one compression. HMAC would have
/// two. What it would add is resistance to length extension, an attack that starts from a known digest and ends
/// at the digest of a longer message; digests stay in memory, and the longer message holds padding bytes that no
/// credential can have. Equal digests mean equal secrets because SHA-256 resists collisions, under any key; the key
/// makes the digests of one process worthless to another, and keeps outsiders from aiming at [`ProofDigest::short`].
/// It has a fixed length, so no two pairs of key and secret give the same input.
pub struct ProofKey(Zeroizing<State>);

/// The state of SHA-256 between two blocks (FIPS 180-4 §6.2).
type State = [u32; 8];

/// The state before the first block (FIPS 180-4 §5.3.3).
const START: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

const BLOCK: usize = 64;

impl ProofKey {
    /// A new random key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] when the system has no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut key = Zeroizing::new([0; BLOCK]);
        SysRng.try_fill_bytes(&mut *key)?;
        Ok(Self::of(&key))
    }

    fn of(key: &[u8; BLOCK]) -> Self {
        let mut state = Zeroizing::new(START);
        compress256(&mut state, std::slice::from_ref(key));
        Self(state)
    }

    /// The digest of a whole credential.
    #[must_use]
    pub fn digest(&self, secret: &[u8]) -> ProofDigest {
        let mut state = *self.0;
        let (blocks, rest) = secret.as_chunks::<BLOCK>();
        if !blocks.is_empty() {
            compress256(&mut state, blocks);
        }
        // The last bytes, one bit, zeros, and the length of all in bits (FIPS 180-4 §5.1.1).
        let mut end = [[0; BLOCK]; 2];
        let bytes = end.as_flattened_mut();
        // At once: byte by byte this takes as long as the hash.
        if let Some((text, padding)) = bytes.split_at_mut_checked(rest.len()) {
            text.copy_from_slice(rest);
            if let Some(first) = padding.first_mut() {
                *first = 0x80;
            }
        }
        let blocks = if rest.len() < BLOCK - 8 { 1 } else { 2 };
        let bits = 8 * (BLOCK + secret.len()) as u64;
        let length = bytes.get_mut(blocks * BLOCK - 8..blocks * BLOCK);
        if let Some(place) = length {
            place.copy_from_slice(&bits.to_be_bytes());
        }
        compress256(&mut state, end.get(..blocks).unwrap_or(&end));
        // A plain fill that can't be optimised away; clearing byte by byte would cost half as much as the hash.
        end = [[0; BLOCK]; 2];
        black_box(&end);
        ProofDigest::from_state(&state)
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
    #[inline]
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

    #[inline]
    fn from_state(state: &State) -> Self {
        let mut words = [0; 4];
        let (pairs, _) = state.as_chunks::<2>();
        for (word, [high, low]) in words.iter_mut().zip(pairs) {
            *word = u64::from(*high) << 32 | u64::from(*low);
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
        ProofKey::of(&bytes())
    }

    fn bytes() -> [u8; BLOCK] {
        std::array::from_fn(|index| index as u8)
    }

    /// CPython 3: `hashlib.sha256(bytes(range(64)) + b"tnx_a1b2c3d4_secret").hexdigest()`
    #[test]
    fn is_sha256_of_key_and_secret() {
        let expected = [
            0xfea1_55d8_2395_654f,
            0xb8aa_24bc_0a15_5dc0,
            0x2d0e_8ba5_de87_480c,
            0xdb3c_e57e_5601_b6a1,
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
    fn is_what_another_library_says_at_every_length() {
        for length in (0..300).chain([20_000]) {
            let secret = vec![b'x'; length];
            let whole = [&bytes()[..], &secret].concat();
            let expected = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &whole);
            let ours = key().digest(&secret).0.map(u64::to_be_bytes);
            assert_eq!(ours.as_flattened(), expected.as_ref(), "{length}");
        }
    }
}
