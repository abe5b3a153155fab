//! Settings of the proxies in front.

use gatewright_core::source::{Network, ProxyField, TrustedProxies};

use super::told::{Named, Told};

const TRUSTED_PROXIES: &str = "trusted-proxies";
const PROXY_FIELD: &str = "proxy-field";
const PROXY_NETWORKS: &str = "proxy-networks";

/// The flags of the proxies in front.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct ProxyFlags {
    /// How many proxies stand in front and append to the field [default: 0, nothing but the socket is believed]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) trusted_proxies: Option<String>,
    /// The field that they write callers' addresses into: forwarded or x-forwarded-for
    #[arg(long, value_name = "FIELD")]
    pub(crate) proxy_field: Option<String>,
    /// Where the nearest of them calls from, such as 10.0.0.0/8,2001:db8::/32; others are not believed [default: anywhere]
    #[arg(long, value_name = "NETWORKS")]
    pub(crate) proxy_networks: Option<String>,
}

impl ProxyFlags {
    pub(super) const fn named(&self) -> [Named<'_>; 3] {
        [
            (TRUSTED_PROXIES, &self.trusted_proxies),
            (PROXY_FIELD, &self.proxy_field),
            (PROXY_NETWORKS, &self.proxy_networks),
        ]
    }
}

impl Told {
    /// The proxies that are believed. Whoever names their field or networks has some.
    pub(super) fn proxies(&mut self) -> Option<TrustedProxies> {
        let count = self.parsed(TRUSTED_PROXIES, |text| {
            text.parse()
                .ok()
                .filter(|count| *count <= TrustedProxies::MAX)
                .ok_or_else(|| format!("must be 0 to {}", TrustedProxies::MAX))
        });
        let field = self.parsed(PROXY_FIELD, |text| {
            text.parse::<ProxyField>()
                .map_err(|_| "must be `forwarded` or `x-forwarded-for`".to_owned())
        });
        let networks = self.parsed(PROXY_NETWORKS, networks);
        if let (Some(0), _) | (None, false) = (count, self.values.contains_key(TRUSTED_PROXIES)) {
            for name in [PROXY_FIELD, PROXY_NETWORKS] {
                if let Some((_, origin)) = self.values.get(name) {
                    let mistake = format!("{origin}: goes only with `{TRUSTED_PROXIES}`");
                    self.mistakes.push(mistake);
                }
            }
            return None;
        }
        if let (Some((_, origin)), false) = (
            self.values.get(TRUSTED_PROXIES),
            self.values.contains_key(PROXY_FIELD),
        ) {
            let mistake = format!("{origin}: needs `{PROXY_FIELD}`, the field that they write");
            self.mistakes.push(mistake);
        }
        let proxies = TrustedProxies::new(field?, count?).ok()?;
        Some(match networks {
            Some(networks) => proxies.from_peers(networks),
            None => proxies,
        })
    }
}

/// Networks with commas between them; at least one, since with none no proxy would be believed.
fn networks(text: &str) -> Result<Vec<Network>, String> {
    let parsed = text.split(',').map(|network| network.trim().parse());
    parsed
        .collect::<Result<_, _>>()
        .map_err(|error| format!("must be networks such as 10.0.0.0/8,2001:db8::/32: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::ConfigErrors;
    use super::super::tests::told;
    use super::*;

    #[test]
    fn proxies_are_a_number_and_a_field_and_perhaps_networks() {
        let told = |settings: &[(&str, &str)]| {
            told(settings)
                .map(|settings| settings.proxies)
                .map_err(|ConfigErrors(mistakes)| mistakes.join("\n"))
        };
        let one = TrustedProxies::forwarded(1).unwrap();
        let forwarded = [("trusted-proxies", "1"), ("proxy-field", "Forwarded")];
        assert_eq!(told(&forwarded), Ok(Some(one.clone())));
        let networks = one.from_peers(["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap()));
        let listed = ("proxy-networks", "10.0.0.0/8, ::1");
        assert_eq!(
            told(&[&forwarded[..], &[listed]].concat()),
            Ok(Some(networks))
        );
        assert_eq!(told(&[("trusted-proxies", "0")]), Ok(None));
        for (settings, mistake) in [
            (
                &[("trusted-proxies", "1")][..],
                "GATEWRIGHT_TRUSTED_PROXIES: needs `proxy-field`, the field that they write",
            ),
            (
                &[("trusted-proxies", "-1"), ("proxy-field", "via")],
                "GATEWRIGHT_TRUSTED_PROXIES: must be 0 to 16\n\
                 GATEWRIGHT_PROXY_FIELD: must be `forwarded` or `x-forwarded-for`",
            ),
            (
                &[("trusted-proxies", "17")],
                "GATEWRIGHT_TRUSTED_PROXIES: must be 0 to 16\n\
                 GATEWRIGHT_TRUSTED_PROXIES: needs `proxy-field`, the field that they write",
            ),
            (
                &[("proxy-field", "forwarded"), listed],
                "GATEWRIGHT_PROXY_FIELD: goes only with `trusted-proxies`\n\
                 GATEWRIGHT_PROXY_NETWORKS: goes only with `trusted-proxies`",
            ),
            (
                &[("trusted-proxies", "0"), ("proxy-field", "forwarded")],
                "GATEWRIGHT_PROXY_FIELD: goes only with `trusted-proxies`",
            ),
            (
                &[forwarded[0], forwarded[1], ("proxy-networks", "")],
                "GATEWRIGHT_PROXY_NETWORKS: must be networks such as 10.0.0.0/8,2001:db8::/32: \
                 a network begins with an IPv4 or IPv6 address",
            ),
            (
                &[forwarded[0], forwarded[1], ("proxy-networks", "10.0.0.1/8")],
                "GATEWRIGHT_PROXY_NETWORKS: must be networks such as 10.0.0.0/8,2001:db8::/32: \
                 the address of a network has no bits set beyond its length",
            ),
        ] {
            assert_eq!(told(settings), Err(mistake.to_owned()));
        }
    }
}
