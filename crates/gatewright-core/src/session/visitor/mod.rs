//! Visitors: who presents nothing, and is known again.

mod key;
mod seal;
mod terms;

use std::fmt;
use std::sync::Arc;

pub use key::{VisitorKey, VisitorKeyError, VisitorKeys};
use rand::rngs::SysError;
pub use seal::{Opened, SealedVisit, TooManyEntitlements, Visit, VisitorSeal};
pub use terms::{VisitorTerms, VisitorTermsError};

use crate::cookie::{Cookie, CookieValue, SetCookie, SetCookieError, TrustedOrigins};
use crate::credential::Fields;
use crate::principal::{Principal, Verified, VisitorId};
use crate::scope::{Scope, ScopeSet};
use crate::time::Timestamp;

/// How a realm knows its visitors again.
#[derive(Clone, Debug)]
pub struct VisitorTrust {
    cookie: Cookie,
    keys: Arc<VisitorKeys>,
    terms: VisitorTerms,
    origins: TrustedOrigins,
}

impl VisitorTrust {
    /// By this cookie, sealed with these keys, for so long. Requests that may change something must be made by a page of one
    /// of these origins.
    ///
    /// A cookie whose name begins with `__Host-` can't be planted or doubled by a sibling domain. Its `Max-Age` should be the
    /// idle time of the terms or more; however long a browser keeps it, the terms decide.
    #[must_use]
    pub const fn new(
        cookie: Cookie,
        keys: Arc<VisitorKeys>,
        terms: VisitorTerms,
        origins: TrustedOrigins,
    ) -> Self {
        Self {
            cookie,
            keys,
            terms,
            origins,
        }
    }
}

/// The visitors of one [realm](crate::policy::Realm::visitors).
pub struct Visitors {
    trust: VisitorTrust,
    seal: VisitorSeal,
}

/// A visitor of one request.
pub(crate) struct Met {
    pub(crate) visit: Visit,
    /// Came without a cookie that counts.
    pub(crate) is_new: bool,
    /// The line that sets the cookie anew, where it should be.
    pub(crate) line: Option<Arc<str>>,
}

impl Visitors {
    pub(crate) fn new(trust: VisitorTrust, realm: &str) -> Self {
        let seal = VisitorSeal::new(Arc::clone(&trust.keys), trust.cookie.name(), realm);
        Self { trust, seal }
    }

    /// The cookie. To forget a visitor, [clear](Cookie::clear) it.
    #[must_use]
    pub const fn cookie(&self) -> &Cookie {
        &self.trust.cookie
    }

    /// For how long visitors are known again.
    #[must_use]
    pub const fn terms(&self) -> &VisitorTerms {
        &self.trust.terms
    }

    /// Whose pages may make requests that change something.
    #[must_use]
    pub const fn origins(&self) -> &TrustedOrigins {
        &self.trust.origins
    }

    /// Gives a visitor an entitlement: the line for the answer, which sets the cookie that says so. The line replaces the one
    /// that the gate may have for the same answer.
    ///
    /// The cookie holds what the visitor had when it was admitted, and the new one. Of two requests that get one each at once
    /// the browser keeps the later cookie alone, so what was paid for should be kept elsewhere as well.
    ///
    /// # Errors
    /// - [`VisitorError::NoVisitor`]: the caller came by a credential.
    /// - [`VisitorError::TooMany`]: the cookie holds no more.
    /// - [`VisitorError::Cookie`]: the line would be too long with the cookie's attributes.
    pub fn entitle(
        &self,
        visitor: &Verified<Principal>,
        scope: Scope,
        now: Timestamp,
    ) -> Result<SetCookie, VisitorError> {
        let id = visitor.visitor().ok_or(VisitorError::NoVisitor)?;
        let entitlements = visitor.scopes().union(&scope.into()).normalized();
        self.line(&Visit::new(*id, now, entitlements))
    }

    /// Who this is, now.
    pub(crate) fn meet<F: Fields + ?Sized>(
        &self,
        fields: &F,
        now: Timestamp,
    ) -> Result<Met, VisitorError> {
        let value = self.trust.cookie.read(fields);
        let opened = match value {
            CookieValue::Value(value) => self.seal.open(value),
            _ => None,
        };
        let terms = &self.trust.terms;
        let known =
            opened.filter(|Opened { visit, .. }| terms.hold(&visit.visitor, visit.seen_at, now));
        let Some(Opened {
            mut visit,
            by_current_key,
        }) = known
        else {
            let visit = Visit::new(VisitorId::generate(now)?, now, ScopeSet::new());
            // Of two, one may be good. A second one would not go away for being set over the first, and the good one would.
            let line = match value {
                CookieValue::Duplicate => None,
                _ => Some(self.line(&visit)?.expose().into()),
            };
            return Ok(Met {
                visit,
                is_new: true,
                line,
            });
        };
        let line = if by_current_key && !terms.renew(visit.seen_at, now) {
            None
        } else {
            // Never back, where a clock was.
            visit.seen_at = visit.seen_at.max(now);
            // One that has become too long for what is now set beside it is still good.
            self.line(&visit).ok().map(|line| line.expose().into())
        };
        Ok(Met {
            visit,
            is_new: false,
            line,
        })
    }

    fn line(&self, visit: &Visit) -> Result<SetCookie, VisitorError> {
        let sealed = self.seal.seal(visit)?;
        Ok(self.trust.cookie.set(sealed.expose())?)
    }
}

impl fmt::Debug for Visitors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitors")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

/// Why there is no cookie for a visitor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VisitorError {
    /// The caller came by a credential.
    #[error("the caller is not a visitor")]
    NoVisitor,
    /// There are more entitlements than a cookie holds.
    #[error(transparent)]
    TooMany(#[from] TooManyEntitlements),
    /// The line would be too long.
    #[error("the cookie of the visitor cannot be set")]
    Cookie(#[from] SetCookieError),
    /// The system gave no random bytes.
    #[error("the system's source of random bytes failed")]
    Random(#[from] SysError),
}
