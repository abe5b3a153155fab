//! What a provider's tokens must say, and what they may do.

use std::collections::BTreeMap;

use serde_json::Value;

use super::claim_path::{At, ClaimPath};
use crate::jwt::Claims;
use crate::scope::{Scope, ScopeSet};

/// The rules for the claims of one provider's tokens, beyond those of the [`Verifier`](crate::jwt::Verifier). Each is off
/// unless asked for; only that a token bound to a key (`cnf`, RFC 7800 §3.1) is refused always holds, since nothing here
/// checks the binding.
///
/// A claim is named by its path: `groups`, `realm_access.roles`, with `\\.` for a dot within a name
/// (`resource_access.my\\.app.roles`). A URL is one name.
#[derive(Clone, Debug, Default)]
pub struct ClaimPolicy {
    clients: Vec<Box<str>>,
    required: Vec<Required>,
    scopes_at: Vec<ClaimPath>,
    roles: BTreeMap<Box<str>, ScopeSet>,
    defaults: ScopeSet,
}

/// Collects the rules of a [`ClaimPolicy`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClaimPolicyBuilder {
    policy: ClaimPolicy,
    mistake: Option<ClaimPolicyError>,
}

/// A claim that must hold one of some values.
#[derive(Clone, Debug)]
struct Required {
    at: ClaimPath,
    any_of: Vec<Box<str>>,
}

/// A mistake in a [`ClaimPolicy`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimPolicyError {
    /// The text is no path of a claim.
    #[error("`{0}` is not the path of a claim")]
    Path(Box<str>),
    /// A claim is required, but no value is allowed.
    #[error("the claim `{0}` is required without a value that it may have")]
    NoValue(Box<str>),
    /// A client, a role or a required value is empty.
    #[error("a client, a role or a value of a claim is empty")]
    Empty,
    /// A role is given scopes twice.
    #[error("the role `{0}` is given scopes twice")]
    RoleTwice(Box<str>),
}

/// Which rule a token broke. Says nothing of what was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimRefusal {
    /// The token is bound to a key (RFC 7800 §3.1), and whether its presenter holds that key is not checked here.
    #[error("the token is bound to a key")]
    Bound,
    /// It was issued to a client that is not allowed, or does not say to which.
    #[error("the token was issued to a client that is not allowed")]
    Client,
    /// A required claim has none of the allowed values.
    #[error("a claim of the token has none of the required values")]
    Required,
    /// A claim that scopes are read from is neither a string nor a list of strings.
    #[error("the scopes of the token are malformed")]
    Scopes,
}

impl ClaimPolicy {
    /// Starts with no rule: every client is allowed, nothing is required, and no scope is granted.
    pub fn builder() -> ClaimPolicyBuilder {
        ClaimPolicyBuilder::default()
    }

    /// What a token with these claims grants, before it is cut to the tenant's ceiling.
    ///
    /// # Errors
    /// [`ClaimRefusal`], by the first rule that is broken.
    pub fn judge(&self, claims: &Claims) -> Result<ScopeSet, ClaimRefusal> {
        if claims.member("cnf").is_some() {
            return Err(ClaimRefusal::Bound);
        }
        if !self.clients.is_empty() && !self.allows_client(claims) {
            return Err(ClaimRefusal::Client);
        }
        if !self.required.iter().all(|required| required.holds(claims)) {
            return Err(ClaimRefusal::Required);
        }
        self.scopes(claims)
    }

    /// Whether tokens of strangers who use the same issuer are kept out.
    pub(super) const fn tells_customers_apart(&self) -> bool {
        !self.clients.is_empty() || !self.required.is_empty()
    }

    fn allows_client(&self, claims: &Claims) -> bool {
        let named = match claims.client_id() {
            Some(client) => Some(client),
            None => claims.other("azp").and_then(Value::as_str),
        };
        named.is_some_and(|named| self.clients.iter().any(|client| **client == *named))
    }

    fn scopes(&self, claims: &Claims) -> Result<ScopeSet, ClaimRefusal> {
        let mut granted: Vec<Scope> = Vec::new();
        let mut is_absent = true;
        let mut count = 0;
        for path in &self.scopes_at {
            let value = match path.look(claims) {
                At::Absent => continue,
                At::Blocked => return Err(ClaimRefusal::Scopes),
                At::Value(value) => value,
            };
            is_absent = false;
            for name in names(&value).ok_or(ClaimRefusal::Scopes)? {
                count += 1;
                if count > ScopeSet::MAX_PARSED {
                    return Err(ClaimRefusal::Scopes);
                }
                match self.roles.get(name) {
                    Some(scopes) => granted.extend(scopes.iter().cloned()),
                    // What is no scope of ours means something to somebody else.
                    None => granted.extend(name.parse::<Scope>().ok()),
                }
            }
        }
        if is_absent {
            return Ok(self.defaults.clone());
        }
        Ok(granted.into_iter().collect())
    }
}

impl Required {
    fn holds(&self, claims: &Claims) -> bool {
        let At::Value(value) = self.at.look(claims) else {
            return false;
        };
        let is_allowed = |text: &str| self.any_of.iter().any(|allowed| **allowed == *text);
        match &*value {
            Value::String(text) => is_allowed(text),
            Value::Array(items) => items
                .iter()
                .any(|item| item.as_str().is_some_and(is_allowed)),
            _ => false,
        }
    }
}

/// The names that a scope claim lists: the words of a string (RFC 6749 §3.3) or the strings of a list. `None` for
/// anything else, `null` among it.
fn names(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(text.split(' ').collect()),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

impl ClaimPolicyBuilder {
    /// Allows tokens that were issued to this client; may be called for several. The client is what `client_id` says
    /// (RFC 9068 §2.2), or `azp` where there is no `client_id`.
    pub fn client(mut self, client: &str) -> Self {
        self.refuse_empty([client]);
        self.policy.clients.push(client.into());
        self
    }

    /// Requires the claim at this path to be one of these values, or a list that holds one. Of several such rules each must
    /// hold. Texts are compared whole.
    pub fn require<'v>(mut self, path: &str, any_of: impl IntoIterator<Item = &'v str>) -> Self {
        let any_of: Vec<&str> = any_of.into_iter().collect();
        if any_of.is_empty() {
            self.mistaken(ClaimPolicyError::NoValue(path.into()));
        }
        self.refuse_empty(any_of.iter().copied());
        if let Some(at) = self.path(path) {
            let any_of = any_of.into_iter().map(Box::from).collect();
            self.policy.required.push(Required { at, any_of });
        }
        self
    }

    /// Reads scopes at this path too: the words of a string, or the strings of a list. What is neither refuses the token;
    /// a name that is no scope is ignored.
    pub fn scopes_at(mut self, path: &str) -> Self {
        if let Some(at) = self.path(path) {
            self.policy.scopes_at.push(at);
        }
        self
    }

    /// What a name that stands where scopes do means: these scopes, and not a scope of its own name.
    pub fn role(mut self, role: &str, scopes: ScopeSet) -> Self {
        self.refuse_empty([role]);
        if self.policy.roles.insert(role.into(), scopes).is_some() {
            self.mistaken(ClaimPolicyError::RoleTwice(role.into()));
        }
        self
    }

    /// What a token grants that has none of the claims that scopes are read from. One that has such a claim, but no scope of
    /// ours in it, grants nothing.
    pub fn default_scopes(mut self, scopes: ScopeSet) -> Self {
        self.policy.defaults = scopes;
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// The first [`ClaimPolicyError`] that was made.
    pub fn build(self) -> Result<ClaimPolicy, ClaimPolicyError> {
        match self.mistake {
            Some(mistake) => Err(mistake),
            None => Ok(self.policy),
        }
    }

    fn path(&mut self, text: &str) -> Option<ClaimPath> {
        let path = text.parse().ok();
        if path.is_none() {
            self.mistaken(ClaimPolicyError::Path(text.into()));
        }
        path
    }

    fn refuse_empty<'v>(&mut self, texts: impl IntoIterator<Item = &'v str>) {
        if texts.into_iter().any(str::is_empty) {
            self.mistaken(ClaimPolicyError::Empty);
        }
    }

    fn mistaken(&mut self, mistake: ClaimPolicyError) {
        self.mistake.get_or_insert(mistake);
    }
}
