//! The little DER (X.690) that is needed to see the numbers of an RSA key.

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 §A.1.1), as the library writes it.
pub(super) fn read_rsa_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    let (sequence, after) = read_element(SEQUENCE, der)?;
    let (n, rest) = read_element(INTEGER, sequence)?;
    let (e, rest) = read_element(INTEGER, rest)?;
    (after.is_empty() && rest.is_empty()).then_some((n, e))
}

/// The content of a DER element with this tag, and what follows it.
fn read_element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 | 0x82 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = octets
                .iter()
                .fold(0, |length, octet| length << 8 | usize::from(*octet));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_integers_and_nothing_else() {
        let key = [0x30, 0x08, 0x02, 0x02, 0x00, 0x81, 0x02, 0x02, 0x01, 0x03];
        assert_eq!(
            read_rsa_public_key(&key),
            Some((&[0x00, 0x81][..], &[0x01, 0x03][..]))
        );
        for length in 0..key.len() {
            assert_eq!(read_rsa_public_key(&key[..length]), None, "{length}");
        }
        let longer = [&key[..], &[0]].concat();
        assert_eq!(read_rsa_public_key(&longer), None);
        let mut other = key;
        other[2] = 0x03;
        assert_eq!(read_rsa_public_key(&other), None);
    }
}
