//! What a family of routes has in common.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Plans;
use crate::cors::Cors;
use crate::dialect::{
    BodyWriter, Dialect, ErrorBody, Refused, RenderContext, Rendered, RpcId, render,
};
use crate::error::AuthError;
use crate::federation::Federation;
use crate::jwt::{LiveKeys, Verifier};
use crate::limit::Rate;
use crate::principal::TenantKind;
use crate::role::Roles;
use crate::session::{VisitorTrust, Visitors};

/// A protection space (RFC 9110 §11.5): the routes that share a dialect of errors, a role ladder, the tokens they trust
/// and the kind of tenant they serve. Policies are compiled against it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Realm(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    name: Box<str>,
    dialect: Dialect,
    roles: Roles,
    tenant_kind: Option<TenantKind>,
    query_tenant_kind: Option<TenantKind>,
    tokens: Vec<TokenTrust>,
    federation: Option<Arc<dyn Federation>>,
    visitors: Option<Arc<Visitors>>,
    plans: Plans,
    limits: Limits,
    resource_metadata: Option<Box<str>>,
    tenant_metadata: Option<Box<str>>,
    authorization_only: bool,
    cors: Option<Cors>,
    writer: Option<BodyWriter>,
}

impl Realm {
    /// Starts a realm. The name is what the `realm` parameter of challenges says.
    #[must_use]
    pub fn builder(name: &str) -> RealmBuilder {
        RealmBuilder(Inner {
            name: name.into(),
            dialect: Dialect::default(),
            roles: Roles::none(),
            tenant_kind: None,
            query_tenant_kind: None,
            tokens: Vec::new(),
            federation: None,
            visitors: None,
            plans: Plans::none(),
            limits: Limits::none(),
            resource_metadata: None,
            tenant_metadata: None,
            authorization_only: false,
            cors: None,
            writer: None,
        })
    }

    /// The name in challenges.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How refusals look.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// The ladder of roles.
    #[must_use]
    #[inline]
    pub fn roles(&self) -> &Roles {
        &self.0.roles
    }

    /// The kind of tenant that paths and credentials of this realm name.
    #[must_use]
    #[inline]
    pub fn tenant_kind(&self) -> Option<&TenantKind> {
        self.0.tenant_kind.as_ref()
    }

    /// The plans that tenants may be on.
    #[must_use]
    #[inline]
    pub fn plans(&self) -> &Plans {
        &self.0.plans
    }

    /// The rates that hold here.
    #[must_use]
    #[inline]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Where the protected resource's metadata is (RFC 9728 §5.1).
    #[must_use]
    pub fn resource_metadata(&self) -> Option<&str> {
        self.0.resource_metadata.as_deref()
    }

    /// The refusal of a request to this tenant, which knows where that tenant's metadata is.
    pub(crate) fn about(&self, error: &mut AuthError, tenant: Option<&str>) {
        if self.0.tenant_metadata.is_some()
            && let Some(segment) = tenant.and_then(segment)
        {
            error.set_tenant_segment(segment);
        }
    }

    /// Where the metadata is that a refusal points to.
    fn metadata_of(&self, error: &AuthError) -> Option<Cow<'_, str>> {
        match (&self.0.tenant_metadata, error.tenant_segment()) {
            (Some(prefix), Some(tenant)) => Some(format!("{prefix}{tenant}").into()),
            _ => self.resource_metadata().map(Cow::Borrowed),
        }
    }

    /// This realm, serving the kind of tenant that a query names.
    pub(super) fn of_query(&self) -> Self {
        match &self.0.query_tenant_kind {
            Some(kind) if self.0.tenant_kind.is_none() => {
                let mut inner = Inner::clone(&self.0);
                inner.tenant_kind = Some(kind.clone());
                Self(Arc::new(inner))
            }
            _ => self.clone(),
        }
    }

    /// The visitors that are known again here.
    #[must_use]
    pub fn visitors(&self) -> Option<&Visitors> {
        self.0.visitors.as_deref()
    }

    /// Which pages of other origins may call.
    #[must_use]
    pub fn cors(&self) -> Option<&Cors> {
        self.0.cors.as_ref()
    }

    /// Whether `x-api-key` is left unread.
    #[must_use]
    #[inline]
    pub fn is_authorization_only(&self) -> bool {
        self.0.authorization_only
    }

    /// A refusal that no policy stands behind, such as that of a path that does not exist; see
    /// [`CompiledPolicy::refusal`](super::CompiledPolicy::refusal).
    #[must_use]
    pub fn refusal(&self, error: &AuthError, problem: bool) -> Rendered {
        self.render(error, problem, &[])
    }

    pub(super) fn render(&self, error: &AuthError, problem: bool, required: &[&str]) -> Rendered {
        let dialect = if problem {
            Dialect::Problem
        } else {
            self.dialect()
        };
        let metadata = self.metadata_of(error);
        render(error, &self.context(dialect, required, metadata.as_deref()))
    }

    pub(super) fn render_rpc(
        &self,
        error: &AuthError,
        id: RpcId<'_>,
        required: &[&str],
    ) -> Rendered {
        let metadata = self.metadata_of(error);
        let context = self.context(Dialect::JsonRpc, required, metadata.as_deref());
        render(error, &context.with_rpc_id(id))
    }

    fn context<'a>(
        &'a self,
        dialect: Dialect,
        required: &'a [&'a str],
        metadata: Option<&'a str>,
    ) -> RenderContext<'a> {
        let mut context = RenderContext::new(dialect)
            .with_realm(self.name())
            .with_required(required);
        if let Some(url) = metadata {
            context = context.with_resource_metadata(url);
        }
        if let Some(writer) = &self.0.writer {
            context = context.with_body_writer(writer);
        }
        context
    }

    /// Whether the service writes bodies of refusals by itself, so that their form is not known.
    pub(crate) fn writes_bodies(&self) -> bool {
        self.0.writer.is_some()
    }

    #[inline]
    pub(crate) fn tokens(&self) -> &[TokenTrust] {
        &self.0.tokens
    }

    /// Whether the realm itself trusts this issuer.
    pub(crate) fn trusts(&self, issuer: &str) -> bool {
        let mut own = self.0.tokens.iter();
        own.any(|trust| trust.verifier().issuer() == issuer)
    }

    #[inline]
    pub(crate) fn federation(&self) -> Option<&Arc<dyn Federation>> {
        self.0.federation.as_ref()
    }
}

/// The longest name of a tenant that is repeated in an answer, in bytes.
const MAX_SEGMENT_BYTES: usize = 128;

/// The name as a segment of a path (RFC 3986 §3.3), which nobody reads as anything else: all but unreserved characters are
/// percent-encoded. `None` for what no URL can hold as a segment (RFC 3986 §5.2.4), and for what is too long to repeat.
fn segment(name: &str) -> Option<Box<str>> {
    if matches!(name, "" | "." | "..") || name.len() > MAX_SEGMENT_BYTES {
        return None;
    }
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    Some(segment.into())
}

/// Describes a [`Realm`]. Everything is optional: a realm that is told nothing else accepts keys and has no roles.
#[derive(Debug)]
pub struct RealmBuilder(Inner);

impl RealmBuilder {
    /// How refusals look; canonical if not said.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.0.dialect = dialect;
        self
    }

    /// The ladder of roles.
    #[must_use]
    pub fn roles(mut self, roles: Roles) -> Self {
        self.0.roles = roles;
        self
    }

    /// The kind of tenant that paths and credentials of this realm name. Keys of other kinds of tenant are foreign here.
    #[must_use]
    pub fn tenant_kind(mut self, kind: TenantKind) -> Self {
        self.0.tenant_kind = Some(kind);
        self
    }

    /// The kind of tenant that a query names ([`Policy::tenant_from_query`](super::Policy::tenant_from_query)), in a realm
    /// whose credentials are of more than one kind of tenant. Where a request names none, credentials of every kind go
    /// there. A realm that has a [`tenant_kind`](Self::tenant_kind) means that one, whatever is said here.
    #[must_use]
    pub fn query_tenant_kind(mut self, kind: TenantKind) -> Self {
        self.0.query_tenant_kind = Some(kind);
        self
    }

    /// Trusts an issuer's tokens; may be called for several issuers, each with an `iss` of its own. Their subjects are one
    /// space: whoever signs `sub: alice` here speaks for the user `alice`. An issuer that may not do so belongs into another
    /// realm.
    #[must_use]
    pub fn trust(mut self, tokens: TokenTrust) -> Self {
        self.0.tokens.push(tokens);
        self
    }

    /// Trusts the identity providers that tenants bring along, each for its own tenant, on routes that say so
    /// ([`Policy::external`](super::Policy::external)). An issuer that is [trusted](Self::trust) by the realm itself is
    /// never looked for there.
    #[must_use]
    pub fn federate(mut self, federation: Arc<dyn Federation>) -> Self {
        self.0.federation = Some(federation);
        self
    }

    /// Knows visitors again by a cookie, on routes that say so ([`Policy::visitor`](super::Policy::visitor)). The realm's name
    /// is part of the cookie's seal: two realms of one name, with the same keys, know the same visitors.
    #[must_use]
    pub fn visitors(mut self, trust: VisitorTrust) -> Self {
        self.0.visitors = Some(Arc::new(Visitors::new(trust, &self.0.name)));
        self
    }

    /// The plans that tenants may be on.
    #[must_use]
    pub fn plans(mut self, plans: Plans) -> Self {
        self.0.plans = plans;
        self
    }

    /// The rates that hold here; none if not said.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Where the protected resource's metadata is, for challenges (RFC 9728 §5.1).
    #[must_use]
    pub fn resource_metadata(mut self, url: &str) -> Self {
        self.0.resource_metadata = Some(url.into());
        self
    }

    /// Where the metadata of each tenant's own resource is (RFC 9728 §3.1): this prefix, and behind it the tenant that the
    /// request named, as one path segment. It stands in challenges in place of
    /// [`resource_metadata`](Self::resource_metadata), for tenants that exist and for others alike.
    ///
    /// ```
    /// use gatewright_core::policy::Realm;
    /// use gatewright_core::principal::TenantKind;
    ///
    /// let realm = Realm::builder("mcp")
    ///     .tenant_kind(TenantKind::from_static("org"))
    ///     .resource_metadata_of_tenants("https://api.example/.well-known/oauth-protected-resource/mcp/")
    ///     .build();
    /// assert_eq!(realm.resource_metadata(), None);
    /// ```
    #[must_use]
    pub fn resource_metadata_of_tenants(mut self, prefix: &str) -> Self {
        self.0.tenant_metadata = Some(prefix.into());
        self
    }

    /// Reads `Authorization` alone. Otherwise `x-api-key` is read before it, where keys or personal access tokens go.
    #[must_use]
    pub fn authorization_only(mut self) -> Self {
        self.0.authorization_only = true;
        self
    }

    /// Lets pages of other origins call: preflights are answered before the gate is asked, and every answer, refusals
    /// included, has the fields that let a page read it. Without this, preflights are requests like others.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.0.cors = Some(cors);
        self
    }

    /// Asks `write` for the bodies of refusals; where it answers `None` the dialect's body stays. Status, challenge,
    /// `Retry-After` and `Cache-Control` are the gate's in any case.
    ///
    /// ```
    /// use gatewright_core::dialect::ErrorBody;
    /// use gatewright_core::error::Cause;
    /// use gatewright_core::policy::Realm;
    ///
    /// let realm = Realm::builder("links")
    ///     .error_body(|refused| Some(ErrorBody::new("text/plain", refused.code().as_str())))
    ///     .build();
    /// let answer = realm.refusal(&Cause::NothingPresented.into(), false);
    /// assert_eq!(answer.body, b"missing_bearer_token");
    /// assert!(answer.fields.contains(&("www-authenticate", r#"Bearer realm="links""#.to_owned())));
    /// ```
    #[must_use]
    pub fn error_body(
        mut self,
        write: impl Fn(&Refused<'_>) -> Option<ErrorBody> + Send + Sync + 'static,
    ) -> Self {
        self.0.writer = Some(BodyWriter::new(write));
        self
    }

    /// The realm.
    #[must_use]
    pub fn build(self) -> Realm {
        Realm(Arc::new(self.0))
    }
}

/// An issuer whose tokens a realm accepts: how to check them, and with which keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TokenTrust {
    verifier: Arc<Verifier>,
    keys: Arc<LiveKeys>,
    id: u64,
}

impl TokenTrust {
    /// Trusts tokens that `verifier` accepts under a key of `keys`.
    #[must_use]
    pub fn new(verifier: Verifier, keys: Arc<LiveKeys>) -> Self {
        // Tells verified-token cache entries of different configurations apart; nothing is decided by its value.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            verifier: Arc::new(verifier),
            keys,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    #[inline]
    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    #[inline]
    pub(crate) fn keys(&self) -> &LiveKeys {
        &self.keys
    }

    #[inline]
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }
}

/// The rates of a realm. Each is off unless set; what is charged, and when, is said at each.
///
/// Where any is set, calls of a proven caller that the policy refuses are charged to a bucket of their own, per key, user
/// or client: at the rate of [`per_credential`](Self::per_credential), or 60 a minute. No quota is spent on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub(crate) by_plan: bool,
    pub(crate) per_credential: Option<Rate>,
    pub(crate) per_source: Option<Rate>,
    pub(crate) pat_guard: Option<Rate>,
    pub(crate) tenant_burst: Option<Rate>,
}

impl Limits {
    /// The rate of refusals.
    pub(crate) fn denials(&self) -> Option<Rate> {
        const WITHOUT_OTHER: Result<Rate, crate::limit::RateError> = Rate::per_minute(60);
        self.per_credential
            .or_else(|| WITHOUT_OTHER.ok().filter(|_| self.any()))
    }

    /// Whether any rate is set.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        *self != Self::none()
    }

    /// No limit at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Charges every admitted call of a tenant to the rate and the monthly quota of its plan.
    #[must_use]
    pub const fn by_plan(mut self) -> Self {
        self.by_plan = true;
        self
    }

    /// Charges every admitted call to its key, or to the subject of a token (a user, a client, or who is known to a tenant's
    /// own provider), whichever of its tokens it has.
    #[must_use]
    pub fn per_credential(mut self, rate: Rate) -> Self {
        self.per_credential = Some(rate);
        self
    }

    /// Charges calls without a credential to their source address; those of visitors too, who are free to make.
    #[must_use]
    pub fn per_source(mut self, rate: Rate) -> Self {
        self.per_source = Some(rate);
        self
    }

    /// Charges a personal access token's calls per (tenant, token, source address).
    #[must_use]
    pub fn pat_guard(mut self, rate: Rate) -> Self {
        self.pat_guard = Some(rate);
        self
    }

    /// Charges all personal-access-token calls of a tenant to one short-term rate.
    #[must_use]
    pub fn tenant_burst(mut self, rate: Rate) -> Self {
        self.tenant_burst = Some(rate);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;

    #[test]
    fn a_challenge_names_the_metadata_of_the_tenant_that_was_asked_for() {
        let realm = Realm::builder("mcp").resource_metadata("https://a.test/all");
        let realm = realm
            .resource_metadata_of_tenants("https://a.test/of/")
            .build();
        let long = "a".repeat(MAX_SEGMENT_BYTES + 1);
        for (tenant, url) in [
            (Some("acme"), "https://a.test/of/acme"),
            (
                Some("a\", evil=\"b"),
                "https://a.test/of/a%22%2C%20evil%3D%22b",
            ),
            (Some("a\r\nb: c"), "https://a.test/of/a%0D%0Ab%3A%20c"),
            (Some("../a?b#c"), "https://a.test/of/..%2Fa%3Fb%23c"),
            (Some("%2e"), "https://a.test/of/%252e"),
            (Some("é"), "https://a.test/of/%C3%A9"),
            (Some(".."), "https://a.test/all"),
            (Some("."), "https://a.test/all"),
            (Some(""), "https://a.test/all"),
            (Some(&*long), "https://a.test/all"),
            (None, "https://a.test/all"),
        ] {
            let mut refusal = Cause::NothingPresented.into();
            realm.about(&mut refusal, tenant);
            let rendered = realm.refusal(&refusal, false);
            let expected = format!("Bearer realm=\"mcp\", resource_metadata=\"{url}\"");
            assert!(
                rendered.fields.contains(&("www-authenticate", expected)),
                "{tenant:?}: {:?}",
                rendered.fields
            );
            assert!(!format!("{refusal:?}{refusal}").contains("of/"));
        }
    }

    #[test]
    fn a_query_may_name_a_kind_that_the_realm_does_not_serve_alone() {
        let [org, handle] = ["org", "handle"].map(TenantKind::new);
        let open = Realm::builder("all").query_tenant_kind(org.clone());
        let open = open.build();
        assert_eq!(open.tenant_kind(), None);
        assert_eq!(open.of_query().tenant_kind(), Some(&org));
        let one = Realm::builder("one").tenant_kind(handle.clone());
        let one = one.query_tenant_kind(org).build();
        assert_eq!(one.of_query().tenant_kind(), Some(&handle));
    }
}
