//! URLs that metadata is published under.

use super::MetadataError;

/// The parts of an `http` or `https` URL without a fragment that well-known URIs are made of.
#[derive(Clone, Debug)]
pub(super) struct PublicUrl {
    whole: Box<str>,
    /// Where the path begins.
    path: usize,
    /// Where the query begins; the end if there is none.
    query: usize,
}

impl PublicUrl {
    /// Reads an absolute URL: `https`, or `http` on this machine, with a host and without user and fragment.
    pub(super) fn parse(text: &str) -> Result<Self, MetadataError> {
        // RFC 3986 appendix A
        let is_url = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte));
        let (scheme, rest) = text.split_once("://").ok_or(MetadataError::Url)?;
        let host_length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let host = rest.get(..host_length).unwrap_or_default();
        let is_host = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
        if !is_url || host.is_empty() || host.starts_with(':') || !is_host || text.contains('#') {
            return Err(MetadataError::Url);
        }
        match scheme {
            "https" => {}
            "http" if is_this_machine(host) => {}
            "http" => return Err(MetadataError::NotHttps),
            _ => return Err(MetadataError::Url),
        }
        let path = scheme.len() + "://".len() + host_length;
        Ok(Self {
            whole: text.into(),
            path,
            query: text.find('?').unwrap_or(text.len()),
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.whole
    }

    pub(super) fn origin(&self) -> &str {
        self.whole.get(..self.path).unwrap_or_default()
    }

    pub(super) fn path(&self) -> &str {
        self.whole.get(self.path..self.query).unwrap_or_default()
    }

    /// The query with its `?`, if there is one.
    pub(super) fn query(&self) -> &str {
        self.whole.get(self.query..).unwrap_or_default()
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(address) => {
            let port = address.strip_prefix("::1]");
            return port.is_some_and(|port| port.is_empty() || port.starts_with(':'));
        }
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Result<std::net::Ipv4Addr, _> = name.parse();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = PublicUrl::parse("https://h.example:8443/a/b?c=/d").unwrap();
        assert_eq!(url.origin(), "https://h.example:8443");
        assert_eq!((url.path(), url.query()), ("/a/b", "?c=/d"));
        let url = PublicUrl::parse("https://h.example?c").unwrap();
        assert_eq!((url.path(), url.query()), ("", "?c"));
        assert_eq!(url.as_str(), "https://h.example?c");
    }

    #[test]
    fn what_clients_could_not_trust_is_refused() {
        for wrong in [
            "",
            "h.example",
            "/a",
            "https://",
            "https:///a",
            "https://:443",
            "https://h.example/\"",
            "https://h.example/\\a",
            "ftp://h.example",
            "HTTPS://h.example",
            "https://h.example/#a",
            "https://me:you@h.example",
            "https://h.example/ä",
            "https://h.example/a b",
            "https://h\\.example",
        ] {
            let refused = PublicUrl::parse(wrong).unwrap_err();
            assert_eq!(refused, MetadataError::Url, "{wrong}");
        }
        for plain in [
            "http://h.example",
            "http://127.0.0.1.h.example",
            "http://[::2]/",
            "http://[::1].h.example",
            "http://localhost.example",
        ] {
            let refused = PublicUrl::parse(plain).unwrap_err();
            assert_eq!(refused, MetadataError::NotHttps, "{plain}");
        }
        for here in [
            "http://127.0.0.1:8080/mcp",
            "http://localhost",
            "http://[::1]:80",
        ] {
            assert!(PublicUrl::parse(here).is_ok(), "{here}");
        }
    }
}
