//! The checksum at the end of a separated secret: CRC-32 in base62.
//!
//! It is no protection against an attacker, who can compute it too. It refuses typing errors and truncated copies
//! without asking a store, and lets secret scanners tell a real credential from a look-alike.

/// Characters of a checksum: 62⁶ is just above 2³².
pub(super) const CHECKSUM_LENGTH: usize = 6;

/// The digits, in order of value.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The CRC-32 (IEEE 802.3, as in zlib) of `body`, most significant digit first, padded with zeros.
pub(super) fn checksum(body: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(body);
    let mut text = [b'0'; CHECKSUM_LENGTH];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    text
}

/// Whether `sum` is the checksum of `body`. Reading six digits takes a third of the time that dividing them out takes.
#[inline]
pub(super) fn is_checksum(body: &[u8], sum: &[u8; CHECKSUM_LENGTH]) -> bool {
    let value = sum
        .iter()
        .fold(0, |value, digit| value * 62 + VALUES[usize::from(*digit)]);
    // Six digits have one value each, so no other six have this one.
    value == u64::from(crc32fast::hash(body))
}

/// What each digit stands for. Anything else makes the whole larger than a CRC can be, wherever it stands, and no sum of six
/// overflows.
static VALUES: [u64; 256] = {
    let mut values = [1 << 33; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u64;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_checksum_is_the_one_that_is_made(
            body in prop::collection::vec(any::<u8>(), 0..60),
            place in 0..CHECKSUM_LENGTH,
            other: u8,
        ) {
            let mut sum = checksum(&body);
            prop_assert!(is_checksum(&body, &sum));
            let right = std::mem::replace(&mut sum[place], other);
            prop_assert_eq!(is_checksum(&body, &sum), right == other);
        }
    }

    /// Six digits reach thirteen times as far as 32 bits do.
    #[test]
    fn what_is_right_but_for_the_bits_above_is_wrong() {
        let body = b"tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ";
        for over in 0..13 {
            let mut rest = u64::from(crc32fast::hash(body)) + (over << 32);
            let mut sum = [b'0'; CHECKSUM_LENGTH];
            for digit in sum.iter_mut().rev() {
                *digit = DIGITS[(rest % 62) as usize];
                rest /= 62;
            }
            assert_eq!(rest, 0, "six digits are enough");
            assert_eq!(is_checksum(body, &sum), over == 0, "{over}");
        }
    }

    /// A digit's value is counted 62⁵ times at most: 2³³ times that is less than 2⁶⁴, and six such are.
    #[test]
    fn no_other_character_is_a_digit() {
        for strange in (0..=u8::MAX).filter(|byte| !byte.is_ascii_alphanumeric()) {
            assert!(!is_checksum(b"", &[strange; CHECKSUM_LENGTH]));
            for place in 0..CHECKSUM_LENGTH {
                let mut sum = *b"000000";
                sum[place] = strange;
                assert!(!is_checksum(b"", &sum), "{strange} at {place}");
            }
        }
    }

    /// Computed with CPython 3: `zlib.crc32(body)` and repeated `divmod(n, 62)`. The CRC of `123456789`,
    /// 0xCBF43926 = 3421780262, is the check value of CRC-32/ISO-HDLC in the CRC catalogue.
    #[test]
    fn agrees_with_zlib() {
        for (body, expected) in [
            ("", "000000"),
            ("123456789", "3jZRME"),
            ("tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ", "03YRaM"),
            ("patv1_k3v9x2m7q1z5.zyxwvutsrqponmlkjihgfedcbaZ", "21xphn"),
        ] {
            assert_eq!(checksum(body.as_bytes()), *expected.as_bytes(), "{body}");
        }
    }
}
