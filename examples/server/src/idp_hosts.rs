//! The operator's list of hosts that may stand for an identity provider without TLS or on a private network.

use std::collections::BTreeSet;

/// Hosts with their ports. Written by the operator alone: what an org configures is held against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdpHosts(BTreeSet<(String, u16)>);

impl IdpHosts {
    /// A list with commas between, such as `127.0.0.1:9000,[::1]:9000,idp.internal:443`.
    ///
    /// # Errors
    /// A sentence that says the rule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let hosts = text.split(',').map(|one| {
            let authority: axum::http::uri::Authority = one.trim().parse().ok()?;
            let port = authority.port_u16()?;
            let plain = !authority.host().is_empty() && !authority.as_str().contains('@');
            plain.then(|| (authority.host().to_ascii_lowercase(), port))
        });
        hosts
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| "must be HOST:PORT, several of them with commas between".to_owned())
    }

    /// Whether the list has this host (an IPv6 address in brackets) with this port.
    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        self.0.contains(&(host.to_ascii_lowercase(), port))
    }

    /// The hosts with their ports.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.0.iter().map(|(host, port)| (&**host, *port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_listed_with_their_ports() {
        let hosts = IdpHosts::parse("127.0.0.1:9000, [::1]:9001,Idp.Internal:443").unwrap();
        assert!(hosts.allows("127.0.0.1", 9000) && hosts.allows("[::1]", 9001));
        assert!(hosts.allows("IDP.internal", 443));
        assert!(!hosts.allows("127.0.0.1", 9001) && !hosts.allows("internal", 443));
        for wrong in [
            "",
            "idp.internal",
            "idp.internal:",
            ":80",
            "a:99999",
            "a@b:1",
            "http://a:1",
            "a:1,,b:2",
        ] {
            assert!(IdpHosts::parse(wrong).is_err(), "{wrong}");
        }
        assert!(!IdpHosts::default().allows("", 0));
    }
}
