//! Base64url as JOSE writes it (RFC 7515 §2): no padding, no white space, no bits left over.
//!
//! Decoding is written out here: the segments of a token are longer than anything else that verifying an HMAC looks at,
//! and four look-ups for every three bytes are less work than the general engine does. What is decoded is no secret.
//! Tests hold it against that engine.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes, or `None` if `text` is not the one encoding of them.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; decoded_length(text)];
    fill(text.as_bytes(), &mut bytes)?;
    Some(bytes)
}

/// Decodes into `buffer` and returns the part that was filled; `None` also if that is too short.
pub(super) fn decode_into<'b>(text: &str, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let bytes = buffer.get_mut(..decoded_length(text))?;
    fill(text.as_bytes(), bytes)?;
    Some(bytes)
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn encode_onto(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

fn decoded_length(text: &str) -> usize {
    text.len() / 4 * 3 + text.len() % 4 * 3 / 4
}

/// In what a group of characters becomes, the bits that only a character of no value sets.
const STRANGE: u32 = 0xFF00_0000;

/// What each character adds to the 24 bits of its group, by its place there.
static VALUES: [[u32; 256]; 4] = [values(18), values(12), values(6), values(0)];

const fn values(shift: u32) -> [u32; 256] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut values = [STRANGE; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = (value as u32) << shift;
        value += 1;
    }
    values
}

fn bits([first, second, third, fourth]: [u8; 4]) -> u32 {
    let [firsts, seconds, thirds, fourths] = &VALUES;
    firsts[usize::from(first)]
        | seconds[usize::from(second)]
        | thirds[usize::from(third)]
        | fourths[usize::from(fourth)]
}

/// `bytes` has the [`decoded_length`] of `text`.
fn fill(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    let (pairs, rest) = text.as_chunks::<8>();
    let (places, last) = bytes.as_chunks_mut::<6>();
    let mut strange = 0;
    // Two groups at once: half as many turns and writes. Where one is strange, what is decoded counts for nothing.
    for ([a, b, c, d, rest @ ..], place) in pairs.iter().zip(places) {
        let (first, second) = (bits([*a, *b, *c, *d]), bits(*rest));
        strange |= first | second;
        let both = u64::from(first) << 24 | u64::from(second);
        let [_, _, decoded @ ..] = both.to_be_bytes();
        *place = decoded;
    }
    let (groups, rest) = rest.as_chunks::<4>();
    let (places, last) = last.as_chunks_mut::<3>();
    for (group, place) in groups.iter().zip(places) {
        let bits = bits(*group);
        strange |= bits;
        let [_, decoded @ ..] = bits.to_be_bytes();
        *place = decoded;
    }
    // `A` has no bits: it adds nothing to what is there of the last group.
    let group = match *rest {
        [] => [b'A'; 4],
        [first, second] => [first, second, b'A', b'A'],
        [first, second, third] => [first, second, third, b'A'],
        // Six bits are no byte.
        _ => return None,
    };
    let bits = bits(group);
    strange |= bits;
    let [_, decoded @ ..] = bits.to_be_bytes();
    let (decoded, left_over) = decoded.split_at_checked(last.len())?;
    last.copy_from_slice(decoded);
    let is_whole = left_over.iter().all(|byte| *byte == 0);
    (strange & STRANGE == 0 && is_whole).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_encoding_per_value() {
        assert_eq!(decode("_w").as_deref(), Some(&[0xff][..]));
        for other in ["_w==", "_x", "/w", "_w ", "_", "_w\n", "+w"] {
            assert_eq!(decode(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_short_buffer_is_refused() {
        assert_eq!(decode_into("_w", &mut [0; 1]), Some(&[0xff][..]));
        for length in 2..=25 {
            let text = encode(&vec![0; length]);
            assert_eq!(decode_into(&text, &mut vec![0; length - 1]), None);
        }
    }

    fn agrees(text: &str) {
        let expected = URL_SAFE_NO_PAD.decode(text).ok();
        assert_eq!(decode(text), expected, "{text:?}");
        let mut buffer = [0xAA; 100];
        assert_eq!(
            decode_into(text, &mut buffer),
            expected.as_deref(),
            "{text:?}"
        );
    }

    /// Each byte at each place of a group, after whole groups or none, with each number of characters behind it.
    #[test]
    fn every_byte_counts_everywhere() {
        for length in 0..=25 {
            let text = "A".repeat(length);
            agrees(&text);
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut changed = text.clone().into_bytes();
                    changed[place] = byte;
                    let mut bytes = vec![0; decoded_length(&text)];
                    let decoded = fill(&changed, &mut bytes).map(|()| bytes);
                    let expected = URL_SAFE_NO_PAD.decode(&changed).ok();
                    assert_eq!(decoded, expected, "{byte} at {place} of {length}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_another_decoder(
            text in prop_oneof![6 => "[A-Za-z0-9_-]{0,120}", 1 => "[A-Za-z0-9_=+/-]{0,60}", 1 => ".{0,20}"],
        ) {
            agrees(&text);
        }

        #[test]
        fn decodes_what_is_encoded(bytes in prop::collection::vec(any::<u8>(), 0..75)) {
            agrees(&encode(&bytes));
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
