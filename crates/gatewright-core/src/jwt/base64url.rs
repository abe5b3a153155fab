//! Base64url as JOSE writes it (RFC 7515 §2): no padding, no white space, no bits left over.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes, or `None` if `text` is not the one encoding of them.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes into `buffer` and returns the part that was filled.
pub(super) fn decode_into<'b>(text: &str, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = URL_SAFE_NO_PAD.decode_slice(text, buffer).ok()?;
    buffer.get(..length)
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn encode_onto(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(decode_into("__8", &mut [0; 1]), None);
    }
}
