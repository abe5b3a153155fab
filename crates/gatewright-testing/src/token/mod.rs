//! Tokens of an authority: good ones, and ones that break a rule.

#![allow(
    clippy::unwrap_used,
    reason = "part of a fixture of tests: a panic is how it says that it could not be set up"
)]

mod broken;
mod draft;
mod keys;

use std::sync::Arc;

use gatewright_core::time::{Clock, Timestamp};
use serde_json::{Value, json};

pub use broken::Broken;
use draft::Draft;
pub(crate) use keys::TestKeys;

/// How long a token is good if nothing else is said, in seconds.
const LIFE_SECS: i64 = 900;

/// Says what a token is to hold; [`sign`](Self::sign) makes it.
///
/// What is not said is as in an access token of RFC 9068 §2.2 that the authority's gate accepts: `iss` and `aud` are
/// the authority's, `client_id` is `app`, `jti` is new with each token, it was issued now and is good for 15 minutes.
/// Times count from the moment of signing, by the authority's clock. The same builder can sign more than once.
///
/// ```
/// use gatewright_core::principal::TenantKind;
/// use gatewright_testing::TestAuthority;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
/// let token = authority.token("usr_1").tenant("acme").scope("links.read").expires_in(60).sign();
/// assert_eq!(token.split('.').count(), 3);
/// # }
/// ```
#[derive(Clone)]
#[must_use = "no token is made before `sign`"]
pub struct TokenBuilder<'a> {
    keys: &'a TestKeys,
    clock: &'a Arc<dyn Clock>,
    issued_ago: u64,
    expires_in: i64,
    not_before_in: Option<i64>,
    /// What is said about a member, in this order; `None` takes it out.
    claims: Vec<(String, Option<Value>)>,
    header: Vec<(String, Option<Value>)>,
    broken: Option<Broken>,
}

impl<'a> TokenBuilder<'a> {
    pub(crate) fn new(
        keys: &'a TestKeys,
        clock: &'a Arc<dyn Clock>,
        issuer: &str,
        audience: &str,
        subject: &str,
    ) -> Self {
        let builder = Self {
            keys,
            clock,
            issued_ago: 0,
            expires_in: LIFE_SECS,
            not_before_in: None,
            claims: Vec::new(),
            header: Vec::new(),
            broken: None,
        };
        builder
            .claim("iss", issuer)
            .claim("aud", audience)
            .claim("sub", subject)
            .client("app")
    }

    /// `iss`, in place of the authority's.
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// The one audience, in place of the authority's.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Several audiences, as an array (RFC 7519 §4.1.3).
    pub fn audiences<'s>(self, audiences: impl IntoIterator<Item = &'s str>) -> Self {
        let audiences: Vec<&str> = audiences.into_iter().collect();
        self.claim("aud", audiences)
    }

    /// `client_id`: the client that the token was issued to. A token whose `sub` is its client is a machine's.
    pub fn client(self, client: &str) -> Self {
        self.claim("client_id", client)
    }

    /// `scope`: names parted by spaces (RFC 8693 §4.2).
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// `sid`: the session that the token ends with.
    pub fn session(self, session: &str) -> Self {
        self.claim("sid", session)
    }

    /// `tenant`: the id of the tenant that the token is bound to.
    pub fn tenant(self, tenant: &str) -> Self {
        self.claim("tenant", tenant)
    }

    /// `epoch`: the revocation epoch in which it was issued; a token without one is of epoch 0.
    pub fn epoch(self, epoch: u64) -> Self {
        self.claim("epoch", epoch)
    }

    /// `exp`, in seconds from now; it has passed if they are negative or 0.
    pub fn expires_in(mut self, secs: i64) -> Self {
        self.expires_in = secs;
        self
    }

    /// `nbf`, in seconds from now; a token has none if it is not said.
    pub fn not_before_in(mut self, secs: i64) -> Self {
        self.not_before_in = Some(secs);
        self
    }

    /// `iat`, in seconds before now.
    pub fn issued_ago(mut self, secs: u64) -> Self {
        self.issued_ago = secs;
        self
    }

    /// Any claim, in place of what the token would hold under that name.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.push((name.to_owned(), None));
        self
    }

    /// `kid`, in place of that of the key that signs.
    pub fn kid(self, kid: &str) -> Self {
        self.header("kid", kid)
    }

    /// `typ`, in place of `at+jwt`.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// Any member of the header, in place of what it would hold under that name. It changes nothing in how the token is
    /// signed.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Leaves a member of the header out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.push((name.to_owned(), None));
        self
    }

    /// Breaks this rule, and no other, in what the token holds otherwise. The last one named counts.
    pub fn broken(mut self, broken: Broken) -> Self {
        self.broken = Some(broken);
        self
    }

    /// The token.
    ///
    /// # Panics
    /// If a key could not be made or used.
    #[must_use]
    pub fn sign(&self) -> String {
        let now = self.clock.now();
        let key = self.keys.active();
        let mut draft = Draft::new(Arc::clone(&key));
        draft
            .header
            .insert("alg".into(), self.keys.algorithm().as_str().into());
        draft.header.insert("typ".into(), "at+jwt".into());
        draft.header.insert("kid".into(), key.kid().into());
        draft.claims.insert(
            "jti".into(),
            format!("jti_{}", self.keys.next_token()).into(),
        );
        draft
            .claims
            .insert("iat".into(), json!(now.saturating_sub(self.issued_ago)));
        draft
            .claims
            .insert("exp".into(), json!(from(now, self.expires_in)));
        if let Some(secs) = self.not_before_in {
            draft.claims.insert("nbf".into(), json!(from(now, secs)));
        }
        for (said, members) in [
            (&self.header, &mut draft.header),
            (&self.claims, &mut draft.claims),
        ] {
            for (name, value) in said {
                match value {
                    Some(value) => members.insert(name.clone(), value.clone()),
                    None => members.remove(name),
                };
            }
        }
        if let Some(broken) = self.broken {
            broken.edit(&mut draft, self.keys, now);
        }
        draft.sign()
    }
}

/// The times that a token can name start at the epoch.
fn from(now: Timestamp, secs: i64) -> Timestamp {
    now.saturating_add_signed(secs)
}
