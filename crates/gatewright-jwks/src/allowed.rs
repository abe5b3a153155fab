//! The hosts that an operator exempts.

use reqwest::Url;

/// Hosts and ports that may be reached without TLS and at private addresses: an identity provider within the operator's
/// own network. Exactly the host as a URL writes it and exactly the port; nothing else of that machine, and no name
/// below it.
///
/// It belongs to the operator's configuration. A tenant who could write to it could read the network that the service
/// stands in.
///
/// ```
/// use gatewright_jwks::{AllowedHostError, AllowedHosts};
///
/// assert!(AllowedHosts::parse(["keycloak.internal:8443", "127.0.0.1:9000", "[::1]:9000"]).is_ok());
/// assert_eq!(AllowedHosts::parse(["keycloak.internal"]).unwrap_err(), AllowedHostError::Port);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    hosts: Vec<(Box<str>, u16)>,
}

/// Why an entry names no host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AllowedHostError {
    /// What stands before the port is no name and no address, or there is more than that: a scheme, a path, a pattern.
    #[error("an allowed host is a name or an address, and IPv6 stands in brackets")]
    Host,
    /// There is no port, or it is not one of 1 to 65535.
    #[error("an allowed host ends in a colon and a port")]
    Port,
}

impl AllowedHosts {
    /// No host at all, the default: everything is reached over TLS, at public addresses.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads entries of the form `host:port`.
    ///
    /// # Errors
    ///
    /// [`AllowedHostError::Port`] and [`AllowedHostError::Host`], for the first entry that is not of this form.
    pub fn parse<'e>(entries: impl IntoIterator<Item = &'e str>) -> Result<Self, AllowedHostError> {
        let hosts = entries
            .into_iter()
            .map(read)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { hosts })
    }

    /// Whether the host and port that a URL leads to are among them.
    pub(crate) fn contains(&self, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return false;
        };
        self.hosts
            .iter()
            .any(|(name, number)| **name == *host && *number == port)
    }
}

fn read(entry: &str) -> Result<(Box<str>, u16), AllowedHostError> {
    let (host, port) = entry.rsplit_once(':').ok_or(AllowedHostError::Port)?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let number: u16 = port.parse().map_err(|_| AllowedHostError::Port)?;
    if !digits || number == 0 {
        return Err(AllowedHostError::Port);
    }
    // A URL's own reader spells the host as it will be compared: lower case, IDNA, `127.1` as `127.0.0.1`.
    let is_host =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte) || byte >= 0x80;
    if !host.bytes().all(is_host) || (host.contains(':') && !host.starts_with('[')) {
        return Err(AllowedHostError::Host);
    }
    let url = Url::parse(&format!("http://{host}/")).map_err(|_| AllowedHostError::Host)?;
    match (url.host_str(), url.port()) {
        (Some(host), None) => Ok((host.into(), number)),
        _ => Err(AllowedHostError::Host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_compared_exactly() {
        let allowed = AllowedHosts::parse(["IdP.internal:8443", "127.1:80", "[0::1]:443"]).unwrap();
        let table = [
            ("https://idp.internal:8443/keys", true),
            ("http://IDP.INTERNAL:8443/", true),
            ("https://idp.internal/keys", false),
            ("https://idp.internal:8444/keys", false),
            ("https://idp.internal.:8443/keys", false),
            ("https://a.idp.internal:8443/keys", false),
            ("https://internal:8443/keys", false),
            ("http://127.0.0.1/", true),
            ("http://2130706433/", true),
            ("https://127.0.0.1/", false),
            ("https://[::1]/", true),
            ("http://[::1]/", false),
        ];
        for (url, expected) in table {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(allowed.contains(&parsed), expected, "{url}");
        }
        assert!(!AllowedHosts::none().contains(&Url::parse("http://127.0.0.1/").unwrap()));
    }

    #[test]
    fn anything_else_is_no_entry() {
        let table = [
            ("", AllowedHostError::Port),
            ("idp.internal", AllowedHostError::Port),
            ("idp.internal:", AllowedHostError::Port),
            ("idp.internal:0", AllowedHostError::Port),
            ("idp.internal:+1", AllowedHostError::Port),
            ("idp.internal:65536", AllowedHostError::Port),
            ("idp.internal:https", AllowedHostError::Port),
            (":443", AllowedHostError::Host),
            ("*.internal:443", AllowedHostError::Host),
            ("https://idp.internal:443", AllowedHostError::Host),
            ("user@idp.internal:443", AllowedHostError::Host),
            ("idp.internal/a:443", AllowedHostError::Host),
            ("idp.internal?:443", AllowedHostError::Host),
            ("idp .internal:443", AllowedHostError::Host),
            ("idp.internal:1:443", AllowedHostError::Host),
            ("::1:443", AllowedHostError::Host),
            ("[::1]:1:443", AllowedHostError::Host),
        ];
        for (entry, error) in table {
            assert_eq!(AllowedHosts::parse([entry]).unwrap_err(), error, "{entry}");
        }
    }
}
