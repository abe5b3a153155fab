//! What members of bodies may be, as the OpenAPI document says it: the rules of [`super::field`] once more. What is written
//! here is never wider than what is accepted.
#![expect(dead_code, reason = "the types are never made: they name schemas")]

use utoipa::ToSchema;

/// A name that people read, without control characters.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 100,
    pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$",
    examples("Nightly export")
)]
pub(crate) struct Name(String);

/// A name that stands in URLs.
#[derive(ToSchema)]
#[schema(pattern = "^[a-z0-9-]{3,40}$", examples("atelier"))]
pub(crate) struct Slug(String);

/// A mail address.
#[derive(ToSchema)]
#[schema(
    max_length = 254,
    pattern = "^[!-~]+@[!-?A-~]+$",
    examples("you@example.com")
)]
pub(crate) struct MailAddress(String);

/// A mail address that mail can be sent to.
#[derive(ToSchema)]
#[schema(
    max_length = 254,
    pattern = r"^[A-Za-z0-9_+-]{1,20}([.][A-Za-z0-9_+-]{1,20}){0,2}@[A-Za-z0-9-]{1,40}([.][A-Za-z0-9-]{1,40}){0,4}$",
    examples("you@example.com")
)]
pub(crate) struct AccountAddress(String);

/// A password that is chosen: not among the common ones, and not made of the address, the name or the service's name.
#[derive(ToSchema)]
#[schema(min_length = 8, max_length = 128, examples("three brown cows"))]
pub(crate) struct ChosenPassword(String);

/// A token that was mailed.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
pub(crate) struct MailedToken(String);

/// A role in a workspace.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum TeamRole {
    Member,
    Manager,
    Admin,
}

/// An absolute URL of the scheme `http` or `https`, without user information.
#[derive(ToSchema)]
#[schema(
    max_length = 2048,
    pattern = r"^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~/%-]*)?(\?[A-Za-z0-9._~=&%-]*)?(#[A-Za-z0-9._~-]*)?$",
    examples("https://example.com/product")
)]
pub(crate) struct WebUrl(String);

/// An absolute URL of the scheme `https`, without user information.
#[derive(ToSchema)]
#[schema(
    max_length = 2048,
    pattern = r"^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~/%-]*)?(\?[A-Za-z0-9._~=&%-]*)?$",
    examples("https://example.com/hooks")
)]
pub(crate) struct HttpsUrl(String);

/// The name of an identity provider: a URL of the scheme `https`, without query, fragment and user information.
#[derive(ToSchema)]
#[schema(
    max_length = 2048,
    pattern = r"^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~/-]*)?$",
    examples("https://acme.okta.com/oauth2/default")
)]
pub(crate) struct IssuerUrl(String);

/// The name or the value of a claim.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 256,
    pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$",
    examples("apexmcp")
)]
pub(crate) struct ClaimText(String);

/// Where a claim stands: names with dots between.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 256,
    pattern = "^[A-Za-z0-9_]+([.][A-Za-z0-9_]+)*$",
    examples("realm_access.roles")
)]
pub(crate) struct ClaimPath(String);

/// An algorithm that providers sign with (RFC 7518 §3.1).
#[derive(ToSchema)]
pub(crate) enum SsoAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// A scope of the gateway: every connector of the org, or `mcp:call:` and the id of one.
#[derive(ToSchema)]
#[schema(pattern = "^mcp:call$", examples("mcp:call"))]
pub(crate) struct GatewayScope(String);

/// Scopes of the gateway, separated by spaces; none where it is empty.
#[derive(ToSchema)]
#[schema(pattern = "^ *(mcp:call( +mcp:call)* *)?$", examples("mcp:call"))]
pub(crate) struct GatewayScopes(String);

/// The id of a connector that the org has.
#[derive(ToSchema)]
#[schema(pattern = "^conn_[a-z0-9]{16}$", examples("conn_0123456789abcdef"))]
pub(crate) struct ConnectorId(String);

/// What a connector is.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum ConnectorType {
    BuiltIn,
    Clock,
    Text,
}

/// Whether something came to a success.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Success,
    Failure,
}

/// A domain name of at least two labels.
#[derive(ToSchema)]
#[schema(
    max_length = 253,
    pattern = r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
    examples("go.example.com")
)]
pub(crate) struct DomainName(String);

/// A time, in UTC (RFC 3339).
#[derive(ToSchema)]
#[schema(format = DateTime, examples("2026-01-31T12:00:00Z"))]
pub(crate) struct Time(String);

/// A scope that can be granted.
#[derive(ToSchema)]
pub(crate) struct GrantableScope(String);

/// The scopes that were granted.
#[derive(ToSchema)]
pub(crate) struct Scopes(Vec<String>);

/// What a subscription is about; `*` stands for whatever comes there.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9._*-]{1,64}$", examples("conversion.recorded"))]
pub(crate) struct EventName(String);

/// A role that owners give.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum GivableRole {
    Creator,
    Operator,
    Owner,
}

/// A plan.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Plan {
    Free,
    Pro,
    Business,
}
