//! Character classes, checked sixteen bytes at a time.
//!
//! A class is a function that maps its members to 0 and every other byte to something else. Sums and comparisons of bytes
//! that never branch are what the compiler turns into vector instructions: a token of 700 bytes is looked at in tens of
//! nanoseconds, where a question per byte takes hundreds.

const WIDTH: usize = 16;
/// Chunks that are judged at once. Of a long text that is refused, the rest is not read.
const TOGETHER: usize = 16;

/// Whether every byte of `text` is in `class`.
#[inline]
pub(super) fn is_all(text: &[u8], class: impl Fn(u8) -> u8) -> bool {
    let Some(end) = text.last_chunk::<WIDTH>() else {
        // Every class has an `a`.
        let mut chunk = [b'a'; WIDTH];
        if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            // Both halves of the chunk, which may look at a byte twice.
            let (left, right) = chunk.split_at_mut(WIDTH / 2);
            left.copy_from_slice(first);
            right.copy_from_slice(last);
        } else {
            for (place, byte) in chunk.iter_mut().zip(text) {
                *place = *byte;
            }
        }
        return are_all(&[chunk], class);
    };
    // What is left over after whole chunks is part of the last sixteen bytes, some of which are looked at twice.
    let (chunks, _) = text.as_chunks::<WIDTH>();
    chunks
        .chunks(TOGETHER)
        .all(|chunks| are_all(chunks, &class))
        && are_all(std::slice::from_ref(end), &class)
}

#[inline]
fn are_all(chunks: &[[u8; WIDTH]], class: impl Fn(u8) -> u8) -> bool {
    let mut strange = [0; WIDTH];
    for chunk in chunks {
        for (sum, byte) in strange.iter_mut().zip(chunk) {
            *sum |= class(*byte);
        }
    }
    strange == [0; WIDTH]
}

/// The place of the first dot.
#[inline]
pub(super) fn first_dot(text: &[u8]) -> Option<usize> {
    let (chunks, _) = text.as_chunks::<WIDTH>();
    let skipped = chunks.iter().take_while(|chunk| !has_dot(chunk)).count() * WIDTH;
    let rest = text.get(skipped..)?;
    Some(skipped + rest.iter().position(|byte| *byte == b'.')?)
}

/// The place of the last dot.
#[inline]
pub(super) fn last_dot(text: &[u8]) -> Option<usize> {
    let (_, chunks) = text.as_rchunks::<WIDTH>();
    let skipped = chunks.iter().rev().take_while(|chunk| !has_dot(chunk));
    let end = text.len() - skipped.count() * WIDTH;
    text.get(..end)?.iter().rposition(|byte| *byte == b'.')
}

fn has_dot(chunk: &[u8; WIDTH]) -> bool {
    chunk
        .iter()
        .fold(false, |found, byte| found | (*byte == b'.'))
}

/// `A-Za-z0-9`
#[inline]
pub(super) const fn alphanumeric(byte: u8) -> u8 {
    least(letter(byte), beyond(byte, b'0', b'9'))
}

/// `a-z0-9`
#[inline]
pub(super) const fn lower_alphanumeric(byte: u8) -> u8 {
    least(beyond(byte, b'a', b'z'), beyond(byte, b'0', b'9'))
}

/// The alphabet of base64url, RFC 4648 §5, without padding.
#[inline]
pub(super) const fn base64url(byte: u8) -> u8 {
    least(alphanumeric(byte), least(byte ^ b'-', byte ^ b'_'))
}

/// The characters of `token68` before its padding, RFC 9110 §11.2.
#[inline]
pub(super) const fn token68(byte: u8) -> u8 {
    // `-`, `.` and `/` lie side by side, just below the digits.
    let others = least(byte ^ b'_', least(byte ^ b'~', byte ^ b'+'));
    least(least(letter(byte), beyond(byte, b'-', b'9')), others)
}

#[inline]
const fn letter(byte: u8) -> u8 {
    beyond(byte | 0x20, b'a', b'z')
}

/// 0 from `first` to `last`; anywhere else, how far the byte lies beyond them.
#[inline]
const fn beyond(byte: u8, first: u8, last: u8) -> u8 {
    byte.wrapping_sub(first).saturating_sub(last - first)
}

#[inline]
const fn least(ours: u8, theirs: u8) -> u8 {
    if ours < theirs { ours } else { theirs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Class = fn(u8) -> u8;
    type Plain = fn(u8) -> bool;

    const CLASSES: [(Class, Plain); 4] = [
        (alphanumeric, |byte| byte.is_ascii_alphanumeric()),
        (lower_alphanumeric, |byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit()
        }),
        (base64url, |byte| {
            byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
        }),
        (token68, |byte| {
            byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
        }),
    ];

    #[test]
    fn classes_are_the_plain_ones_for_every_byte() {
        for (number, (class, plain)) in CLASSES.into_iter().enumerate() {
            for byte in 0..=u8::MAX {
                assert_eq!(class(byte) == 0, plain(byte), "{number} {byte:#04x}");
            }
        }
    }

    /// Wherever it stands, and whatever the length leaves of the last chunk.
    #[test]
    fn one_strange_byte_is_seen_anywhere() {
        for length in (1..70).chain([255, 256, 257, 272, 600]) {
            assert!(is_all(&vec![b'a'; length], base64url), "{length}");
            for place in 0..length {
                for strange in [b'.', b'=', 0, 0x80, 0xFF] {
                    let mut text = vec![b'a'; length];
                    text[place] = strange;
                    assert!(
                        !is_all(&text, base64url),
                        "{strange} at {place} of {length}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn texts_are_judged_as_byte_by_byte(text in prop::collection::vec(prop_oneof![9 => 0x2A_u8..0x7F, 1 => any::<u8>()], 0..80)) {
            for (class, plain) in CLASSES {
                prop_assert_eq!(is_all(&text, class), text.iter().all(|byte| plain(*byte)));
            }
        }

        #[test]
        fn dots_are_found_where_they_are(text in "[.a]{0,40}|a{0,40}[.]?a{0,40}[.]?a{0,40}") {
            prop_assert_eq!(first_dot(text.as_bytes()), text.find('.'));
            prop_assert_eq!(last_dot(text.as_bytes()), text.rfind('.'));
        }
    }
}
