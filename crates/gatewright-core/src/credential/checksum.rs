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

#[cfg(test)]
mod tests {
    use super::*;

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
