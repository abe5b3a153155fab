//! Reads the body of an answer, up to a bound, and the JSON object in it.

use std::pin::pin;

use bytes::Buf;
use http_body::Body;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// More than any error or token answer holds, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024;

pub(super) enum Unread<E> {
    TooLong,
    Broken(E),
}

/// The whole body, in memory that is zeroed: the answer may be a token.
pub(super) async fn read<B: Body>(body: B) -> Result<Zeroizing<Vec<u8>>, Unread<B::Error>> {
    let mut body = pin!(body);
    // As large as it can get: a vector that grows leaves copies of itself behind.
    let mut bytes = Zeroizing::new(Vec::new());
    let mut left = MAX_BODY;
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(Unread::Broken)?.into_data();
        // A frame without data counts too: of these there could be any number.
        let length = data.as_ref().map_or(1, |data| data.remaining().max(1));
        left = left.checked_sub(length).ok_or(Unread::TooLong)?;
        let Ok(mut data) = data else {
            continue;
        };
        if bytes.capacity() == 0 {
            bytes.reserve_exact(MAX_BODY);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            bytes.extend_from_slice(chunk);
            let length = chunk.len();
            data.advance(length);
        }
    }
    Ok(bytes)
}

/// The object that `bytes` are; `None` if they are anything else.
///
/// A struct would otherwise be read from an array as well.
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}
