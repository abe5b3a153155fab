//! What tokens are made of: names of fields and cookies, schemes, methods.

/// `tchar`, RFC 9110 §5.6.2; `token = 1*tchar`.
#[inline]
pub(crate) const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_5_6_2_any_visible_character_but_delimiters() {
        for byte in 0..=u8::MAX {
            let delimits = br#""(),/:;<=>?@[\]{}"#.contains(&byte);
            assert_eq!(
                is_tchar(byte),
                byte.is_ascii_graphic() && !delimits,
                "{byte}"
            );
        }
    }
}
