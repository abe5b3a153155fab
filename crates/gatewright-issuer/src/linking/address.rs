//! Addresses that providers vouch for, and the domains for which they are believed.

/// As RFC 5321 §4.5.3.1.3 has it, without the brackets.
const MAX_ADDRESS_BYTES: usize = 254;
/// RFC 5321 §4.5.3.1.1.
const MAX_LOCAL_BYTES: usize = 64;
const MAX_NAME_CHARACTERS: usize = 100;

/// The domains for whose addresses a provider is believed: none unless said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmailDomains(Vec<Box<str>>);

/// It is neither `*` nor the name of a domain in ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a domain is a name such as acme.example, or * for every domain")]
#[non_exhaustive]
pub struct InvalidDomain;

impl EmailDomains {
    /// Reads names such as `acme.example`, each for itself and not for the domains below it. `*` is every domain: for
    /// providers alone that verify addresses by mail to them, whoever's they are.
    ///
    /// # Errors
    /// [`InvalidDomain`] for the first that is none. An international one is written as `xn--…`.
    pub fn parse<'a>(domains: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidDomain> {
        let read = |domain: &str| {
            let is_one = domain == "*" || is_domain(domain);
            is_one.then(|| domain.to_ascii_lowercase().into())
        };
        let all: Option<_> = domains.into_iter().map(read).collect();
        all.map(Self).ok_or(InvalidDomain)
    }

    pub(super) fn hold(&self, domain: &str) -> bool {
        self.0
            .iter()
            .any(|held| **held == *domain || **held == *"*")
    }
}

/// The address in lower case and its domain, if it is one that means a single mailbox: ASCII, unquoted, with one `@`.
pub(super) fn read_address(text: &str) -> Option<(String, String)> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !br#""(),:;<>@[\]"#.contains(&byte);
    let (local, domain) = text.split_once('@')?;
    let is_dotted = local.split('.').all(|label| !label.is_empty());
    let is_short = text.len() <= MAX_ADDRESS_BYTES && local.len() <= MAX_LOCAL_BYTES;
    let is_good = is_short && is_dotted && local.bytes().all(is_plain);
    (is_good && is_domain(domain)).then(|| (text.to_ascii_lowercase(), domain.to_ascii_lowercase()))
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split('.').all(is_label)
}

/// A name of one line; empty where the provider gives none that fits.
pub(super) fn display_name(name: Option<&str>) -> String {
    let name = name.unwrap_or_default().trim();
    if name.chars().count() > MAX_NAME_CHARACTERS || name.chars().any(char::is_control) {
        return String::new();
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_mean_one_mailbox() {
        let read = |text| read_address(text).map(|(address, domain)| format!("{address} {domain}"));
        let good = Some("jane.doe+a@acme.example acme.example".to_owned());
        assert_eq!(read("Jane.Doe+a@ACME.example"), good);
        let long = format!("{}@acme.example", "a".repeat(65));
        let longer = format!("jane@{}.example", "a".repeat(242));
        for wrong in [
            "",
            "@",
            "jane",
            "jane@",
            "@acme.example",
            "jane@acme.example@evil.example",
            "jane@evil.example,jane@acme.example",
            "\"jane@evil.example\"@acme.example",
            "jane@acme..example",
            "jane@acme.example.",
            "jane..doe@acme.example",
            "jane doe@acme.example",
            "jane@acme.example ",
            "jane@acme.example\n",
            "jane@[127.0.0.1]",
            "jane@*",
            // In lower case, the Kelvin sign is a k.
            "mi\u{212a}e@acme.example",
            "mike@\u{212a}.example",
            "j\u{e4}ne@acme.example",
            &long,
            &longer,
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
        assert!(read(&long[1..]).is_some());
        assert!(read(&longer[1..]).is_some());
    }

    #[test]
    fn domains_are_held_by_their_whole_name() {
        let domains = EmailDomains::parse(["ACME.example", "other.example"]).unwrap();
        for (domain, held) in [
            ("acme.example", true),
            ("other.example", true),
            ("sub.acme.example", false),
            ("notacme.example", false),
            ("example", false),
            ("*", false),
        ] {
            assert_eq!(domains.hold(domain), held, "{domain}");
        }
        assert!(EmailDomains::parse(["*"]).unwrap().hold("any.example"));
        assert!(!EmailDomains::parse([]).unwrap().hold("acme.example"));
        for wrong in [
            "",
            "*.acme.example",
            "@acme.example",
            "acme.example.",
            "\u{e4}.example",
        ] {
            assert_eq!(EmailDomains::parse([wrong]), Err(InvalidDomain), "{wrong}");
        }
    }

    #[test]
    fn names_have_one_line() {
        assert_eq!(display_name(Some(" Jane Doe ")), "Jane Doe");
        assert_eq!(
            display_name(Some(&"\u{e4}".repeat(100))).chars().count(),
            100
        );
        for name in [None, Some(""), Some("a\nb"), Some(&*"a".repeat(101))] {
            assert_eq!(display_name(name), "");
        }
    }
}
