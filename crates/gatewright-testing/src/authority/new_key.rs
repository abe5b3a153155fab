//! A key that is about to be minted.

use gatewright_core::credential::SecretKind;
use gatewright_core::principal::CredentialId;
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::NewCredential;

use super::{FIRST, TestAuthority, tenant_id, user_id};

/// Says what a key or personal access token is to be; [`mint`](Self::mint) makes it.
///
/// What is not said: no scopes, owned by `usr_1`, no name, good at once and for ever.
///
/// ```
/// use gatewright_core::principal::TenantKind;
/// use gatewright_testing::TestAuthority;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
/// let key = authority.new_key("acme").scopes("links.read").expires_in(60).mint().await;
/// assert!(key.starts_with("tnx_"));
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "no key is made before `mint`"]
pub struct NewKey<'a> {
    authority: &'a TestAuthority,
    kind: SecretKind,
    brand: Option<String>,
    tenant: String,
    owner: String,
    name: String,
    scopes: String,
    expires_in: Option<i64>,
    not_before_in: Option<i64>,
}

impl<'a> NewKey<'a> {
    pub(super) fn new(authority: &'a TestAuthority, kind: SecretKind, tenant: &str) -> Self {
        Self {
            authority,
            kind,
            brand: None,
            tenant: tenant.to_owned(),
            owner: FIRST.to_owned(),
            name: String::new(),
            scopes: String::new(),
            expires_in: None,
            not_before_in: None,
        }
    }

    /// Its scopes, parted by spaces.
    pub fn scopes(mut self, scopes: &str) -> Self {
        scopes.clone_into(&mut self.scopes);
        self
    }

    /// The user who owns it.
    pub fn owned_by(mut self, user: &str) -> Self {
        user.clone_into(&mut self.owner);
        self
    }

    /// What its owner calls it.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// When it expires, in seconds from now; it has expired if they are negative or 0.
    pub fn expires_in(mut self, secs: i64) -> Self {
        self.expires_in = Some(secs);
        self
    }

    /// From when it is good, in seconds from now.
    pub fn not_before_in(mut self, secs: i64) -> Self {
        self.not_before_in = Some(secs);
        self
    }

    /// The brand, of the gate's [configured](super::TestAuthorityBuilder::configure) formats; the first of its kind if not
    /// said.
    pub fn brand(mut self, brand: &str) -> Self {
        self.brand = Some(brand.to_owned());
        self
    }

    /// Mints it and answers its text.
    ///
    /// # Panics
    /// Where there is no such tenant, a name or a scope is malformed, or the gate has no such format or mints none of it.
    pub async fn mint(self) -> String {
        let authority = self.authority;
        let gate = authority.gate();
        let kind = self.kind;
        let mut formats = gate.formats().iter();
        // Formats of imported keys mint none.
        let minted = formats.find_map(|format| match &self.brand {
            Some(brand) if brand != format.brand() => None,
            None if format.kind() != kind => None,
            _ => Some((format.kind(), format.mint().ok()?)),
        });
        let of = self.brand.as_deref().unwrap_or("its kind");
        assert!(minted.is_some(), "expected a format of {of} that is minted");
        let (kind, minted) = minted.unwrap();
        let text = minted.secret.expose().to_owned();
        let now = gate.clock().now();
        let mut new = NewCredential::new(
            kind,
            CredentialId::new(minted.public_id).unwrap(),
            tenant_id(&self.tenant),
            user_id(&self.owner),
            authority.stored(&text).await,
            now,
        );
        new.scopes = ScopeSet::parse(&self.scopes).unwrap();
        new.name = self.name;
        new.expires_at = self.expires_in.map(|secs| now.saturating_add_signed(secs));
        new.not_before = self
            .not_before_in
            .map(|secs| now.saturating_add_signed(secs));
        authority.insert(new).await;
        text
    }
}
