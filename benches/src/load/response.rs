//! As much of an HTTP/1.1 response as a client needs to send the next request.

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Its bytes, head and body.
    pub(super) length: usize,
}

impl Response {
    /// Reads the response at the start of these bytes (RFC 9112, sections 4 and 6.2); `None` while some of it is missing.
    ///
    /// # Errors
    ///
    /// What is odd, where it is no response, or says its length in another way than by `Content-Length`.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head that is no text")?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
            .ok_or("no status line")?;
        let body: usize = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, length)| length.trim().parse().ok())
            .ok_or("no length")?;
        let length = end + 4 + body;
        Ok((bytes.len() >= length).then_some(Self { status, length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_whole_or_not_yet() {
        let text = b"HTTP/1.1 200 OK\r\nx: content-length: 9\r\nContent-Length: 5\r\n\r\nlinksHTTP";
        let whole = text.len() - 4;
        for cut in 0..whole {
            assert_eq!(Response::read(&text[..cut]), Ok(None), "{cut}");
        }
        let response = Response {
            status: 200,
            length: whole,
        };
        assert_eq!(Response::read(text), Ok(Some(response)));
        assert_eq!(Response::read(&text[..whole]), Ok(Some(response)));
    }

    #[test]
    fn what_is_no_response_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert!(Response::read(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
