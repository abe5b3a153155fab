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
use crate::credential::{Field, Fields};
use crate::error::{AuthError, Cause};
use crate::limit::{Bucket, BucketKind, Charge, Charged, LimitError, Rate, SourceKey};
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
        request: &Request<'_>,
    ) -> Admission {
        // Without a cookie too: a foreign page must not choose who somebody is here. A WebSocket begins with GET, and browsers
        // let pages of every origin open one, with the cookie (RFC 6455 §10.2).
        let reads = arrival.safe && fields.values(Field::Upgrade).next().is_none();
        if !reads && let Err(cause) = visitors.origins().check(fields) {
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
                let limits = request.policy.realm().limits();
                let charged =
                    self.charge_source(BucketKind::Source, limits.per_source, &[], request);
                let admitted = Ok(Some(Verified::vouch(principal)));
                with_cookie(settle(charged, admitted), met.line)
            }
            Err(shortfall) => {
                let limits = request.policy.realm().limits();
                let mode: [&[u8]; 1] = [Mode::Visitor.as_str().as_bytes()];
                let charged =
                    self.charge_source(BucketKind::Denied, limits.denials(), &mode, request);
                // A new one presented nothing, and whoever does that is noted nowhere else either. A cookie is free to have,
                // so of a flood of refusals no more is noted than is let through.
                let is_flood = matches!(charged, Charged::Ready(Err(LimitError::Refused(_))));
                if !met.is_new && !is_flood {
                    self.audit.record(
                        AuditEvent::new(AuditKind::Denied, request.now)
                            .by(&principal)
                            .from(request.source())
                            .because(shortfall.cause),
                    );
                }
                let refusal = AuthError::from(shortfall.cause).with_missing(shortfall.missing);
                settle(charged, Err(refusal))
            }
        }
    }

    /// One charge to the source address: to the bucket of callers without a credential, or to one that refusals fill.
    fn charge_source(
        &self,
        kind: BucketKind,
        rate: Option<Rate>,
        names: &[&[u8]],
        request: &Request<'_>,
    ) -> Charged {
        let (Some(rate), Some(source)) = (rate, request.source().map(SourceKey::new)) else {
            return Charged::Ready(Ok(None));
        };
        let parts = [names, &[source.as_bytes()]].concat();
        let charge = Charge::new(Bucket::new(kind, &parts), rate);
        self.limiter.charge(&[charge], None, request.moment())
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
