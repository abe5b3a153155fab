//! Issuers that serve everybody.

/// Segments of Entra ID that stand for more than one directory: the names that applications use, and the directory of all
/// personal accounts, which is what `consumers` is called in tokens.
const ENTRA_SHARED: [&str; 4] = [
    "common",
    "organizations",
    "consumers",
    "9188040d-6c67-4c5b-b112-36a304b66dad",
];

/// Hosts of Entra ID, those of national clouds among them.
const ENTRA_HOSTS: [&str; 4] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "sts.windows.net",
];

/// Hosts whose one issuer signs for everybody who has an account there. Where that is a service that runs jobs, whoever
/// starts one chooses the audience as well.
const SHARED_HOSTS: [&str; 11] = [
    "accounts.google.com",
    "agent.buildkite.com",
    "api.pulumi.com",
    "app.terraform.io",
    "appleid.apple.com",
    "cognito-identity.amazonaws.com",
    "gitlab.com",
    "login.salesforce.com",
    "oidc.codefresh.io",
    "slack.com",
    "token.actions.githubusercontent.com",
];

/// Whether many customers who have nothing to do with each other are known to use this issuer: its signature then says
/// nothing about whose the token is.
#[must_use]
pub fn is_shared(issuer: &str) -> bool {
    let address = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    let host = authority
        .split_once(':')
        .map_or(authority, |(host, _)| host)
        .trim_end_matches('.');
    let segment = path.split('/').next().unwrap_or_default();
    let is_one_of =
        |list: &[&str], text: &str| list.iter().any(|one| one.eq_ignore_ascii_case(text));
    is_one_of(&SHARED_HOSTS, host)
        || (is_one_of(&ENTRA_HOSTS, host) && is_one_of(&ENTRA_SHARED, segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_of_everybody_are_known() {
        for shared in [
            "https://accounts.google.com",
            "accounts.google.com",
            "https://Accounts.Google.com:443/",
            "https://accounts.google.com./",
            "https://login.microsoftonline.com/common/v2.0",
            "https://login.microsoftonline.com/Organizations/v2.0",
            "https://login.microsoftonline.com/consumers",
            "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
            "https://sts.windows.net/common/",
            "https://token.actions.githubusercontent.com",
            "https://appleid.apple.com",
            "https://agent.buildkite.com",
            "https://api.pulumi.com/oidc",
            "https://app.terraform.io",
            "https://cognito-identity.amazonaws.com",
            "https://login.salesforce.com",
            "https://oidc.codefresh.io",
            "https://slack.com",
        ] {
            assert!(is_shared(shared), "{shared}");
        }
        for own in [
            "https://login.microsoftonline.com/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0",
            "https://accounts.google.com.acme.example",
            "https://acme.okta.com/oauth2/default",
            "https://acme.my.salesforce.com",
            "https://idp.example/common/v2.0",
            "https://acme.example/accounts.google.com",
            "",
        ] {
            assert!(!is_shared(own), "{own}");
        }
    }
}
