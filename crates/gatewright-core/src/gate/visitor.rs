//! The ladder for visitors, which is short: a seal, the terms, the policy. Nothing of a visitor is kept.
//!
//! Whoever comes without a cookie that counts is a new visitor. That costs nothing to become, so everything is charged to the
//! source address, as it is for callers who present nothing.

use std::error::Error;
use std::sync::Arc;

use super::decide::{judge, settle};
use super::shared::{Request, Shared};
use super::{Admission, Admitted, Arrival, Pending};
use crate::audit::{AuditEvent, AuditKind};
use crate::credential::Fields;
use crate::error::{AuthError, Cause};
use crate::limit::{Bucket, BucketKind, Charge, Charged, SourceKey};
use crate::policy::Grants;
use crate::principal::{CredentialId, Identity, Mode, Principal, Subject, Verified};
use crate::session::Visitors;

impl Shared {
    /// A caller without any other credential, where visitors are admitted.
    pub(super) fn admit_visitor<F: Fields + ?Sized>(
        &self,
        fields: &F,
        visitors: &Visitors,
        arrival: &Arrival<'_>,
        request: Request<'_>,
    ) -> Admission {
        // Without a cookie too: a foreign page must not choose who somebody is here.
        if !arrival.safe
            && let Err(cause) = visitors.origins().check(fields)
        {
            return Admission::Ready(Err(cause.into()));
        }
        let met = match visitors.meet(fields, request.now) {
            Ok(met) => met,
            Err(error) => return unavailable(error),
        };
        let visitor = met.visit.visitor;
        let credential = match CredentialId::new(visitor.to_string()) {
            Ok(credential) => credential,
            Err(error) => return unavailable(error),
        };
        let identity = Identity {
            mode: Mode::Visitor,
            subject: Subject::Visitor(visitor),
            credential,
            scopes: met.visit.entitlements,
            expires_at: Some(visitors.terms().end_of(&visitor)),
            session: None,
        };
        let principal = Principal::new(identity, None);
        // Of a set that is read for one request nothing is prepared.
        let grants = Grants::default();
        let decision = judge(&principal, Some(&grants), request.policy, request.tenant);
        match decision {
            Ok(()) => {
                let admitted = Ok(Some(Verified::vouch(principal)));
                with_cookie(self.charge_visitor(request, admitted), met.line)
            }
            Err(shortfall) => {
                // A new one presented nothing, and whoever does that is noted nowhere else either.
                if !met.is_new {
                    self.audit.record(
                        AuditEvent::new(AuditKind::Denied, request.now)
                            .by(&principal)
                            .from(request.source)
                            .because(shortfall.cause),
                    );
                }
                let refusal = AuthError::from(shortfall.cause).with_missing(shortfall.missing);
                self.charge_visitor(request, Err(refusal))
            }
        }
    }

    /// One charge to the source address: to the bucket of callers without a credential, or to one that refusals fill.
    fn charge_visitor(
        &self,
        request: Request<'_>,
        decision: Result<Option<Verified<Principal>>, AuthError>,
    ) -> Admission {
        let limits = request.policy.realm().limits();
        let (kind, rate) = match decision {
            Ok(_) => (BucketKind::Source, limits.per_source),
            Err(_) => (BucketKind::Denied, limits.denials()),
        };
        let (Some(rate), Some(source)) = (rate, request.source.map(SourceKey::new)) else {
            return settle(Charged::Ready(Ok(None)), decision);
        };
        let admitted: [&[u8]; 1] = [source.as_bytes()];
        let refused: [&[u8]; 2] = [Mode::Visitor.as_str().as_bytes(), source.as_bytes()];
        let parts = if decision.is_ok() {
            &admitted[..]
        } else {
            &refused[..]
        };
        let charge = Charge::new(Bucket::new(kind, parts), rate);
        let charged = self.limiter.charge(&[charge], None, request.moment());
        settle(charged, decision)
    }
}

fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Admission {
    Admission::Ready(Err(
        AuthError::from(Cause::VisitorUnavailable).with_source(error)
    ))
}

/// The same decision, whose answer sets this cookie.
fn with_cookie(admission: Admission, line: Option<Arc<str>>) -> Admission {
    let Some(line) = line else { return admission };
    let put = |admitted| Admitted {
        set_cookie: Some(line),
        ..admitted
    };
    match admission {
        Admission::Ready(decision) => Admission::Ready(decision.map(put)),
        Admission::Pending(pending) => {
            Admission::Pending(Pending(Box::pin(async move { pending.await.map(put) })))
        }
    }
}
