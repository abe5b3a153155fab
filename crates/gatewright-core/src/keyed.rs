//! The hash of maps that show nobody where their keys lie.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A hash under a random key of this map: two words are multiplied, and the halves of what comes out are folded into one.
///
/// It takes a fifth of the time of `SipHash`, which keeps a secret even from those who see what it makes of keys of their choice.
/// Here nobody sees that. What is put into such a map are ids of records, names of what a store told of, digests, and of tokens
/// that hold the ends and the scopes: an issuer may choose some of it, but without the key, two texts meet as often as chance has
/// it. Look-ups may be for anything: they only read.
pub(crate) struct Keyed([u64; 2]);

impl Keyed {
    /// Under a key of its own, as random as that of the standard library's maps.
    pub(crate) fn new() -> Self {
        let random = RandomState::new();
        Self([0, 1].map(|word: u64| random.hash_one(word)))
    }
}

impl BuildHasher for Keyed {
    type Hasher = KeyedHasher;

    #[inline]
    fn build_hasher(&self) -> KeyedHasher {
        let Self([state, key]) = *self;
        KeyedHasher { state, key }
    }
}

/// A [`Keyed`] hash under way.
pub(crate) struct KeyedHasher {
    state: u64,
    key: u64,
}

impl KeyedHasher {
    #[inline]
    fn mix(&mut self, low: u64, high: u64) {
        self.state = fold(low ^ self.state, high ^ self.key);
    }
}

impl Hasher for KeyedHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (pairs, rest) = bytes.as_chunks::<16>();
        for pair in pairs {
            let pair = u128::from_le_bytes(*pair);
            self.mix(pair as u64, (pair >> 64) as u64);
        }
        if rest.is_empty() {
            return;
        }
        // The first and the last bytes of what is left, which may be the same ones: its length tells them apart.
        let (low, high) = match (rest.first_chunk(), rest.last_chunk()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => rest.iter().fold((0, 0), |(low, high), byte| {
                (low << 8 | u64::from(*byte), high)
            }),
        };
        self.mix(low, high);
        self.state ^= rest.len() as u64;
    }

    #[inline]
    fn finish(&self) -> u64 {
        // Every bit of the sum counts for every bit of the place.
        fold(self.state, self.key | 1)
    }
}

/// Both halves of the product.
#[inline]
fn fold(ours: u64, theirs: u64) -> u64 {
    let product = u128::from(ours) * u128::from(theirs);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn hashes(texts: &[Vec<u8>], state: &Keyed) -> Vec<u64> {
        let hash = |text: &Vec<u8>| {
            let mut hasher = state.build_hasher();
            hasher.write(text);
            hasher.finish()
        };
        texts.iter().map(hash).collect()
    }

    /// Lengths from 0 to 40, one byte other than the rest, and runs of one byte.
    fn texts() -> Vec<Vec<u8>> {
        let mut texts = vec![vec![]];
        for length in 1..=40 {
            for fill in [0, b'a', 0xFF] {
                texts.push(vec![fill; length]);
                for place in 0..length {
                    for bit in 0..8 {
                        let mut text = vec![fill; length];
                        text[place] ^= 1 << bit;
                        texts.push(text);
                    }
                }
            }
        }
        texts.sort();
        texts.dedup();
        texts
    }

    #[test]
    fn each_bit_and_the_length_count() {
        let texts = texts();
        let hashes: HashSet<u64> = hashes(&texts, &Keyed::new()).into_iter().collect();
        assert_eq!(hashes.len(), texts.len());
    }

    #[test]
    fn each_map_has_a_key_of_its_own() {
        let texts = texts();
        let [ours, theirs] = [Keyed::new(), Keyed::new()].map(|state| hashes(&texts, &state));
        assert!(
            ours.iter()
                .zip(&theirs)
                .all(|(ours, theirs)| ours != theirs)
        );
    }

    /// Texts that differ in little are spread over few places as evenly as over many: by the lowest bits, and by the highest.
    #[test]
    fn places_are_spread() {
        let texts: Vec<Vec<u8>> = (0..1 << 16_u32)
            .map(|number| format!("{number:016x}").into_bytes())
            .collect();
        let hashes = hashes(&texts, &Keyed::new());
        for shift in [0, 7, 32, 57] {
            let mut places = [0_u32; 128];
            for hash in &hashes {
                places[(hash >> shift) as usize % 128] += 1;
            }
            // 512 each, give or take: eight standard deviations.
            let even = places.iter().all(|count| (332..=692).contains(count));
            assert!(even, "{shift}: {places:?}");
        }
    }
}
