//! The identity provider that an org brings along.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use gatewright_core::audit::AuditKind;
use gatewright_core::error::ErrorCode;
use gatewright_core::federation::is_shared_issuer;
use gatewright_core::jwt::Algorithm;
use gatewright_core::scope::ScopeSet;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use super::scopes::granted;
use super::told;
use crate::app::App;
use crate::idp_hosts::IdpHosts;
use crate::product::{SsoConfig, StoredSso};
use crate::realms::MCP_CALL;
use crate::routes::Site;
use crate::routes::caller::Member;
use crate::web::{Failure, Json, rfc3339, schema, settled, text, url, whole};

/// The most that a list may name.
const MAX_NAMES: usize = 64;
const MAX_NAME_LENGTH: usize = 256;
/// The longest that a token may be allowed to be old: a day.
const MAX_AGE_SECS: u64 = 86_400;
const GROUPS: &str = "groups";
/// Where providers put scopes.
const SCOPE_CLAIMS: [&str; 2] = ["scope", "scp"];

/// What an org says of its provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSso {
    /// The `iss` of its tokens.
    #[schema(value_type = schema::IssuerUrl)]
    issuer: String,
    /// Where its keys are; found by discovery at the issuer unless said.
    #[schema(value_type = Option<schema::HttpsUrl>)]
    jwks_uri: Option<String>,
    /// The `aud` that tokens must have.
    #[schema(value_type = schema::ClaimText)]
    audience: String,
    /// What it may sign with; `["RS256"]` unless said.
    #[schema(value_type = Option<Vec<schema::SsoAlgorithm>>, min_items = 1, max_items = 9)]
    algorithms: Option<Vec<String>>,
    /// The `typ` that tokens must have; any unless said.
    #[schema(value_type = Option<schema::ClaimText>)]
    typ: Option<String>,
    /// The clients whose tokens are taken; those of every client unless said.
    #[schema(value_type = Option<Vec<schema::ClaimText>>, max_items = 64)]
    allowed_clients: Option<Vec<String>>,
    /// How old a token may be by its `iat`, in seconds; as old as its `exp` allows unless said.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 86400)]
    max_age_seconds: Option<Number>,
    /// Claims that tokens must have, with these values.
    #[schema(schema_with = described_claims)]
    required_claims: Option<BTreeMap<String, String>>,
    /// Groups of which a token must name one.
    #[schema(value_type = Option<Vec<schema::ClaimText>>, max_items = 64)]
    required_groups: Option<Vec<String>>,
    /// The claim that names them; `groups` unless said.
    #[schema(value_type = Option<schema::ClaimPath>)]
    groups_claim: Option<String>,
    /// The claims that hold scopes, dots between the names of nested ones; `scope` and `scp` unless said.
    #[schema(value_type = Option<Vec<schema::ClaimPath>>, min_items = 1, max_items = 64)]
    scope_claims: Option<Vec<String>>,
    /// What a token may do that has none of those claims, separated by spaces; `mcp:call` unless said, and nothing where it
    /// is empty.
    #[schema(value_type = Option<schema::GatewayScopes>)]
    default_scope: Option<String>,
}

/// The schema of claims with their values.
fn described_claims() -> Object {
    let text = |pattern| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_NAME_LENGTH))
            .pattern(Some(pattern))
    };
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some("Claims that tokens must have, with these values."))
        .property_names(Some(text("^[A-Za-z0-9_]+([.][A-Za-z0-9_]+)*$")))
        .additional_properties(Some(text(r"^[^\u0000-\u001F\u007F-\u009F]*$")))
        .max_properties(Some(MAX_NAMES))
        .build()
}

/// What an org has said of its provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SsoView {
    issuer: String,
    #[schema(required = true)]
    jwks_uri: Option<String>,
    audience: String,
    algorithms: Vec<String>,
    #[schema(required = true)]
    typ: Option<String>,
    allowed_clients: Vec<String>,
    #[schema(required = true)]
    max_age_seconds: Option<u64>,
    required_claims: BTreeMap<String, String>,
    required_groups: Vec<String>,
    groups_claim: String,
    scope_claims: Vec<String>,
    default_scope: String,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = schema::Time)]
    updated_at: String,
}

/// `GET /api/sso`
pub(super) async fn show(
    State(site): State<Site>,
    member: Member,
) -> Result<axum::Json<SsoView>, Failure> {
    let stored = site.app.product.sso(member.tenant.id()).await?;
    let stored = stored.ok_or(ErrorCode::NotFound)?;
    Ok(axum::Json(stored.into()))
}

/// `PUT /api/sso`: in the place of whatever was there.
pub(super) async fn put(
    State(site): State<Site>,
    member: Member,
    Json(new): Json<NewSso>,
) -> Result<axum::Json<SsoView>, Failure> {
    let tenant = member.tenant.id();
    let default_scope = match &new.default_scope {
        None => MCP_CALL.to_string(),
        Some(list) => {
            let names: Vec<String> = list
                .split(' ')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
            let scopes = match &names[..] {
                [] => ScopeSet::new(),
                names => granted(&site.app.product, tenant, Some(names)).await?,
            };
            scopes.to_string()
        }
    };
    let config = new.checked(&site.app, default_scope)?;
    settled(site.app.under_way.clone(), async move {
        let (app, tenant) = (&site.app, member.tenant.id());
        let now = app.gate.clock().now();
        app.product.put_sso(tenant, &config, now).await?;
        told(app, &member, AuditKind::SsoChanged, &config.issuer).await?;
        let stored = app.product.sso(tenant).await?;
        let stored = stored.ok_or(ErrorCode::NotFound)?;
        Ok(axum::Json(stored.into()))
    })
    .await
}

/// `DELETE /api/sso`
pub(super) async fn remove(
    State(site): State<Site>,
    member: Member,
) -> Result<StatusCode, Failure> {
    settled(site.app.under_way.clone(), async move {
        let (app, tenant) = (&site.app, member.tenant.id());
        let issuer = app.product.delete_sso(tenant).await?;
        let issuer = issuer.ok_or(ErrorCode::NotFound)?;
        told(app, &member, AuditKind::SsoChanged, &issuer).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

impl NewSso {
    /// # Errors
    /// `validation_error`, naming the member and the rule.
    fn checked(self, app: &App, default_scope: String) -> Result<SsoConfig, Failure> {
        let hosts = &app.idp_hosts;
        provider_url("issuer", &self.issuer, hosts)?;
        if self.issuer.contains('?') {
            return Err(Failure::out_of_range("issuer", "must have no query"));
        }
        if same_issuer(&self.issuer, &app.public_url) {
            let rule = "must not be this server, whose tokens need no configuration";
            return Err(Failure::out_of_range("issuer", rule));
        }
        if let Some(uri) = &self.jwks_uri {
            provider_url("jwksUri", uri, hosts)?;
        }
        claim("audience", &self.audience)?;
        if let Some(typ) = &self.typ {
            claim("typ", typ)?;
        }
        let max_age_secs = self.max_age_seconds;
        let max_age_secs = max_age_secs
            .map(|secs| whole("maxAgeSeconds", &secs, 1..=MAX_AGE_SECS))
            .transpose()?;
        let required_claims = self.required_claims.unwrap_or_default();
        if required_claims.len() > MAX_NAMES {
            return Err(too_many("requiredClaims"));
        }
        for (name, value) in &required_claims {
            path("requiredClaims", name)?;
            claim("requiredClaims", value)?;
        }
        let groups_claim = self.groups_claim.unwrap_or_else(|| GROUPS.to_owned());
        path("groupsClaim", &groups_claim)?;
        let allowed_clients = names("allowedClients", self.allowed_clients.unwrap_or_default())?;
        let required_groups = names("requiredGroups", self.required_groups.unwrap_or_default())?;
        let open = allowed_clients.is_empty() && required_claims.is_empty();
        if open && is_shared_issuer(&self.issuer) {
            let rule = "serves customers of all kinds: name `allowedClients` or `requiredClaims`";
            return Err(Failure::out_of_range("issuer", rule));
        }
        Ok(SsoConfig {
            issuer: self.issuer,
            jwks_uri: self.jwks_uri,
            audience: self.audience,
            algorithms: algorithms(self.algorithms)?,
            typ: self.typ,
            allowed_clients,
            max_age_secs,
            required_claims,
            required_groups,
            groups_claim,
            scope_claims: scope_claims(self.scope_claims)?,
            default_scope,
        })
    }
}

/// A URL that is fetched: with TLS, unless the operator has listed its host and port.
fn provider_url(field: &str, value: &str, hosts: &IdpHosts) -> Result<(), Failure> {
    url(field, value, &["http", "https"])?;
    let rule = "must be an https URL without user information and fragment";
    let wrong = || Failure::out_of_range(field, rule);
    let uri: Uri = value.parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?;
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    // `a:`, and what is no port of 16 bits, would only be found by whoever connects.
    let odd_port = uri.port_u16().is_none()
        && uri
            .authority()
            .is_some_and(|authority| authority.as_str().len() > host.len());
    let fits = (secure || hosts.allows(host, port)) && !odd_port && !value.contains('#');
    fits.then_some(()).ok_or_else(wrong)
}

/// Whether two issuers are one but for how they are written.
pub(crate) fn same_issuer(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// An issuer without what says nothing: letter case, the port of its scheme, a dot behind the host, slashes at the end.
fn plain(issuer: &str) -> Option<(String, String, u16, String)> {
    let uri: Uri = issuer.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let host = uri.host()?.trim_end_matches('.').to_ascii_lowercase();
    let port = uri
        .port_u16()
        .unwrap_or(if scheme == "https" { 443 } else { 80 });
    let path = uri.path().trim_end_matches('/').to_ascii_lowercase();
    Some((scheme, host, port, path))
}

fn claim(field: &str, value: &str) -> Result<(), Failure> {
    text(field, value, 1..=MAX_NAME_LENGTH)
}

/// Where in a token a claim stands: names with dots between, where a dot of a name is `\\.` and a backslash `\\\\`; or a URL,
/// which is one name.
fn path(field: &str, value: &str) -> Result<(), Failure> {
    claim(field, value)?;
    if value.starts_with("https://") || value.starts_with("http://") {
        return Ok(());
    }
    let (mut whole, mut empty) = (true, true);
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '.' => {
                whole &= !empty;
                empty = true;
            }
            '\\' => {
                whole &= characters.next().is_some();
                empty = false;
            }
            _ => empty = false,
        }
    }
    let fits = whole && !empty;
    fits.then_some(()).ok_or_else(|| {
        Failure::out_of_range(
            field,
            "must name claims by their paths, such as realm_access.roles",
        )
    })
}

fn names(field: &str, list: Vec<String>) -> Result<Vec<String>, Failure> {
    if list.len() > MAX_NAMES {
        return Err(too_many(field));
    }
    for name in &list {
        claim(field, name)?;
    }
    Ok(list)
}

fn too_many(field: &str) -> Failure {
    Failure::out_of_range(field, &format!("must name at most {MAX_NAMES}"))
}

fn algorithms(asked: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
    let asked = asked.unwrap_or_else(|| vec![Algorithm::Rs256.to_string()]);
    // With a shared secret, whoever verifies can sign.
    let known = |name: &String| {
        let algorithm = name.parse::<Algorithm>();
        algorithm.is_ok_and(|algorithm| !algorithm.is_symmetric() && algorithm.as_str() == name)
    };
    if asked.is_empty() || asked.len() > 9 || !asked.iter().all(known) {
        let rule = "must name asymmetric algorithms of JWS, such as RS256";
        return Err(Failure::out_of_range("algorithms", rule));
    }
    Ok(asked)
}

fn scope_claims(asked: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
    let asked = asked.unwrap_or_else(|| SCOPE_CLAIMS.map(str::to_owned).to_vec());
    if asked.is_empty() {
        return Err(Failure::out_of_range(
            "scopeClaims",
            "must name at least one",
        ));
    }
    for name in &asked {
        path("scopeClaims", name)?;
    }
    names("scopeClaims", asked)
}

impl From<StoredSso> for SsoView {
    fn from(stored: StoredSso) -> Self {
        let config = stored.config;
        Self {
            issuer: config.issuer,
            jwks_uri: config.jwks_uri,
            audience: config.audience,
            algorithms: config.algorithms,
            typ: config.typ,
            allowed_clients: config.allowed_clients,
            max_age_seconds: config.max_age_secs,
            required_claims: config.required_claims,
            required_groups: config.required_groups,
            groups_claim: config.groups_claim,
            scope_claims: config.scope_claims,
            default_scope: config.default_scope,
            created_at: rfc3339(stored.created_at),
            updated_at: rfc3339(stored.updated_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_reached_with_tls_unless_the_operator_says_otherwise() {
        let hosts = IdpHosts::parse("127.0.0.1:9000,[::1]:80").unwrap();
        for good in [
            "https://idp.example.com",
            "https://idp.example.com:8443/realms/a?b=c",
            "http://127.0.0.1:9000/jwks",
            "http://[::1]/",
        ] {
            assert!(provider_url("jwksUri", good, &hosts).is_ok(), "{good}");
        }
        for bad in [
            "http://idp.example.com",
            "http://127.0.0.1/",
            "http://127.0.0.1:9001/",
            "http://127.0.0.1:9000@evil.test/",
            "https://user@idp.example.com",
            "https://idp.example.com:/",
            "https://idp.example.com:99999/",
            "https://idp.example.com/#keys",
            "file:///etc/passwd",
            "idp.example.com",
            "",
        ] {
            assert!(provider_url("jwksUri", bad, &hosts).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_issuer_is_the_same_however_it_is_written() {
        for (one, other) in [
            ("https://gw.example", "https://GW.example/"),
            ("https://gw.example:443", "https://gw.example"),
            ("https://gw.example:0443", "https://gw.example."),
            ("http://127.0.0.1:80/a//", "http://127.0.0.1/a"),
        ] {
            assert!(same_issuer(one, other), "{one} {other}");
        }
        assert!(!same_issuer(
            "https://gw.example",
            "https://gw.example.evil"
        ));
        assert!(!same_issuer("https://gw.example", "http://gw.example"));
        assert!(!same_issuer("https://gw.example/a", "https://gw.example"));
    }

    #[test]
    fn claims_are_named_by_their_paths() {
        for good in [
            "groups",
            "realm_access.roles",
            r"resource_access.my\.app.roles",
            r"a\\.b",
            "https://acme.com/roles..",
        ] {
            assert!(path("groupsClaim", good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", r"a\", r"a.b\"] {
            assert!(path("groupsClaim", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_algorithms_of_two_keys_are_taken() {
        let ask = |names: &[&str]| {
            algorithms(Some(names.iter().map(ToString::to_string).collect())).is_ok()
        };
        assert_eq!(algorithms(None).unwrap(), ["RS256"]);
        assert!(ask(&["RS256", "ES256", "EdDSA"]));
        for bad in [&[][..], &["HS256"], &["none"], &["rs256"], &["RS256", ""]] {
            assert!(!ask(bad), "{bad:?}");
        }
    }
}
