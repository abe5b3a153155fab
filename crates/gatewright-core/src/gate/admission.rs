//! What the gate answers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::AuthError;
use crate::limit::LimitState;
use crate::policy::CompiledPolicy;
use crate::principal::{Mode, Principal, Verified};
use crate::store::BoxFuture;

/// The gate's answer: at once where memory knows it, otherwise a future.
#[must_use = "a request is neither admitted nor refused until its admission is looked at"]
#[derive(Debug)]
#[non_exhaustive]
pub enum Admission {
    /// Decided without waiting.
    Ready(Result<Admitted, AuthError>),
    /// A store, a hash or a tenant's identity provider has to be asked.
    Pending(Pending),
}

impl Admission {
    /// Waits for the decision, where it has to be waited for.
    ///
    /// # Errors
    /// The refusal.
    pub async fn decided(self) -> Result<Admitted, AuthError> {
        match self {
            Self::Ready(decision) => decision,
            Self::Pending(pending) => pending.await,
        }
    }
}

/// A decision that waits for a store, a hash or a provider. Owns copies of what it needs of the request.
#[must_use = "nothing is decided until the future is awaited"]
pub struct Pending(pub(super) BoxFuture<'static, Result<Admitted, AuthError>>);

impl Future for Pending {
    type Output = Result<Admitted, AuthError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

/// An admitted request. `Debug` shows nothing of the cookie.
#[derive(Clone)]
#[non_exhaustive]
pub struct Admitted {
    /// Who is calling; `None` where the policy admits callers who present nothing and this one did.
    pub principal: Option<Verified<Principal>>,
    /// The tightest rate limit that the request was charged to.
    pub limits: Option<LimitState>,
    /// The `Set-Cookie` line that the answer carries: of a visitor who has a new cookie.
    pub set_cookie: Option<Arc<str>>,
}

/// What the answer to an admitted request has besides what the service says. `Debug` shows nothing of the cookie.
#[derive(Clone, Default)]
pub struct AnswerFields {
    verified: bool,
    vary: Vary,
    limits: Option<LimitState>,
    set_cookie: Option<Arc<str>>,
}

/// By which credential fields an answer varies.
#[derive(Clone, Copy, Debug, Default)]
enum Vary {
    #[default]
    No,
    Authorization,
    Both,
    Cookie,
    CookieOrAuthorization,
    All,
}

impl Admitted {
    /// Charged to nothing.
    #[inline]
    pub(super) const fn free(principal: Option<Verified<Principal>>) -> Self {
        Self {
            principal,
            limits: None,
            set_cookie: None,
        }
    }

    /// The fields for the answer to a request that `policy` admitted.
    #[must_use]
    #[inline]
    pub fn answer_fields(&self, policy: &CompiledPolicy) -> AnswerFields {
        let verified = self.principal.is_some();
        AnswerFields {
            verified,
            vary: match &self.principal {
                Some(caller) if caller.mode() == Mode::Visitor && policy.accepts(Mode::Visitor) => {
                    Vary::of_visitor(policy)
                }
                Some(_) => Vary::No,
                None => Vary::of_anybody(policy),
            },
            limits: self.limits,
            set_cookie: self.set_cookie.clone(),
        }
    }
}

impl Vary {
    fn of_anybody(policy: &CompiledPolicy) -> Self {
        match (policy.modes().next(), policy.reads_api_key_field()) {
            (None, _) => Self::No,
            (Some(_), false) => Self::Authorization,
            (Some(_), true) => Self::Both,
        }
    }

    /// A service that lets caches keep what it answers to visitors keeps them apart at least.
    fn of_visitor(policy: &CompiledPolicy) -> Self {
        let others = policy.modes().any(|mode| mode != Mode::Visitor);
        match (others, policy.reads_api_key_field()) {
            (false, _) => Self::Cookie,
            (true, false) => Self::CookieOrAuthorization,
            (true, true) => Self::All,
        }
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted")
            .field("principal", &self.principal)
            .field("limits", &self.limits)
            .field("set_cookie", &self.set_cookie.as_ref().map(|_| Redacted))
            .finish()
    }
}

impl fmt::Debug for AnswerFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerFields")
            .field("verified", &self.verified)
            .field("vary", &self.vary)
            .field("limits", &self.limits)
            .field("set_cookie", &self.set_cookie.as_ref().map(|_| Redacted))
            .finish()
    }
}

/// Stands where a cookie is.
struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("redacted")
    }
}

impl AnswerFields {
    /// Whether the answer is for this caller alone: `cache-control: no-store`, for answers that say nothing of caches, since
    /// what is answered to one caller is not for another (RFC 9111 §5.2.2.5).
    #[must_use]
    #[inline]
    pub const fn is_private(&self) -> bool {
        self.verified
    }

    /// The value of `vary`, to be added to what the answer varies by already: where authentication is optional, what nobody
    /// in particular was told is not for who presents a credential, and what a visitor was told not for another (RFC 9111
    /// §4.1).
    #[must_use]
    #[inline]
    pub const fn vary(&self) -> Option<&'static str> {
        match self.vary {
            Vary::No => None,
            Vary::Authorization => Some("authorization"),
            Vary::Both => Some("authorization, x-api-key"),
            Vary::Cookie => Some("cookie"),
            Vary::CookieOrAuthorization => Some("cookie, authorization"),
            Vary::All => Some("cookie, authorization, x-api-key"),
        }
    }

    /// Where the caller stands with the tightest limit, if any was charged. Its [`fields`](LimitState::fields) are for answers
    /// that have none of their name.
    #[must_use]
    #[inline]
    pub const fn limits(&self) -> Option<&LimitState> {
        self.limits.as_ref()
    }

    /// The value of the `set-cookie` field to add, if there is one. The service's own stay. No cache may keep that answer,
    /// whatever the service says of caches: it would hand the cookie on, and make one visitor of many (RFC 9111 §7.3).
    #[must_use]
    #[inline]
    pub fn set_cookie(&self) -> Option<&str> {
        self.set_cookie.as_deref()
    }

    /// The same beside the lines that the service has: none where one of them sets this cookie already, since the last of
    /// several counts (RFC 6265bis §4.1.1), and what the service has given its visitor is newer.
    #[must_use]
    pub fn set_cookie_beside<'l>(&self, lines: impl IntoIterator<Item = &'l [u8]>) -> Option<&str> {
        let ours = self.set_cookie()?;
        let name = cookie_name(ours.as_bytes());
        let set = lines.into_iter().any(|line| cookie_name(line) == name);
        (!set).then_some(ours)
    }
}

/// The name in a `set-cookie` line as user agents read it (RFC 6265bis §5.6).
fn cookie_name(line: &[u8]) -> &[u8] {
    line.split(|byte| matches!(byte, b'=' | b';'))
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cookie_is_printed() {
        let line: Option<Arc<str>> = Some("__Host-visitor=topsecret; Secure".into());
        let fields = AnswerFields {
            set_cookie: line.clone(),
            ..AnswerFields::default()
        };
        let admitted = Admitted {
            principal: None,
            limits: None,
            set_cookie: line,
        };
        let shown = format!("{admitted:?} {fields:?}");
        assert!(shown.contains("set_cookie: Some(redacted)"), "{shown}");
        assert!(!shown.contains("topsecret"), "{shown}");
    }
}
