//! A session carried on by its refresh token, and ended by a stolen one.

use std::net::IpAddr;

use gatewright_core::audit::AuditKind;
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::session::RefreshToken;
use gatewright_core::store::{
    RefreshPlace, RefreshRotation, SessionFilter, SessionRecord, StoreError,
};
use gatewright_core::time::Timestamp;
use zeroize::Zeroizing;

use super::{CarriedSession, Sessions, event, sealed_child};
use crate::credential::{STORE_RETRY_SECS, internal, store_failed};

/// How often to look again after another was faster. Once is enough: what is there then is no longer the current token.
const MAX_LOOKS: u32 = 3;

impl Sessions {
    /// Carries a session on: the token that is presented is used up, and its child takes its place (RFC 9700 §4.14.2).
    ///
    /// - The current token gets a new child. The session's idle time begins anew; its absolute end never moves.
    /// - Its parent gets the same child once more, for the [grace](super::SessionTerms::grace_secs) and until the child is
    ///   used: two tabs may refresh at once, and an answer may get lost on its way.
    /// - Any other token of the line was used before, by its owner or by a thief, and nobody can tell which of them comes
    ///   now: the session ends for both, with its access tokens (ASVS 10.4.5).
    ///
    /// It may be dropped half-way: who presents the token again gets the child.
    ///
    /// # Errors
    /// `invalid_refresh_token`, with [`Cause::RefreshReused`] where the session ended for it, and [`Cause::RefreshInvalid`]
    /// where the token is unknown or its session was over before; `temporarily_unavailable` when the store cannot answer,
    /// `internal_error` when the system gives no random bytes.
    pub async fn refresh(
        &self,
        presented: &[u8],
        source: Option<IpAddr>,
    ) -> Result<CarriedSession, AuthError> {
        let token = RefreshToken::read(presented).ok_or(Cause::RefreshInvalid)?;
        let digest = token.digest();
        for _ in 0..MAX_LOOKS {
            let found = self.store.find_refresh(&digest).await;
            let known = found.map_err(store_failed)?.ok_or(Cause::RefreshInvalid)?;
            let (session, now) = (known.session, self.now());
            if !session.is_live(now) {
                return Err(Cause::RefreshInvalid.into());
            }
            match known.place {
                RefreshPlace::Current => {
                    if let Some(refresh) = self.rotated(&token, &session, now).await? {
                        return Ok(self.carried(session, refresh, now));
                    }
                }
                RefreshPlace::Parent {
                    sealed_child,
                    grace_ends_at,
                } if self.is_in_grace(grace_ends_at, now) => {
                    let opened = sealed_child::open(&sealed_child, &token, &session.id);
                    // Neither used before nor a reason to sign anybody out: the row is broken.
                    let refresh =
                        opened.map_err(|_| store_failed(StoreError::Corrupt("sealed_child")))?;
                    return Ok(CarriedSession { session, refresh });
                }
                _ => return Err(self.reused(&session, now, source).await),
            }
        }
        Err(AuthError::from(Cause::StoreUnavailable).with_retry_after(STORE_RETRY_SECS))
    }

    /// The child that took the token's place; `None` if another was faster.
    async fn rotated(
        &self,
        token: &RefreshToken,
        session: &SessionRecord,
        now: Timestamp,
    ) -> Result<Option<RefreshToken>, AuthError> {
        let child = RefreshToken::generate().map_err(internal)?;
        let grace = self.terms.grace_secs();
        let sealed = if grace == 0 {
            Zeroizing::default()
        } else {
            sealed_child::seal(&child, token, &session.id).map_err(internal)?
        };
        let mut rotation = RefreshRotation::new(&session.id, token.digest(), child.digest(), now);
        rotation.sealed_child = &sealed;
        rotation.grace_ends_at = now.saturating_add(grace);
        rotation.idle_expires_at = self.idle_end(session, now);
        let rotated = self.store.rotate_refresh(rotation).await;
        Ok(rotated.map_err(store_failed)?.then_some(child))
    }

    /// The session as it stands after a rotation.
    fn carried(
        &self,
        mut session: SessionRecord,
        refresh: RefreshToken,
        now: Timestamp,
    ) -> CarriedSession {
        session.last_used_at = session.last_used_at.max(now);
        session.idle_expires_at = self.idle_end(&session, now);
        CarriedSession { session, refresh }
    }

    fn idle_end(&self, session: &SessionRecord, now: Timestamp) -> Timestamp {
        let idle = now.saturating_add(self.terms.idle_secs());
        idle.min(session.expires_at)
    }

    /// Whether the grace goes on. Nodes' clocks may differ by as much as the grace is long; an end farther ahead was
    /// written before the date was set back, and the grace may be over for long.
    fn is_in_grace(&self, ends_at: Timestamp, now: Timestamp) -> bool {
        let grace = self.terms.grace_secs();
        now < ends_at && ends_at <= now.saturating_add(grace.saturating_mul(2))
    }

    /// Ends the session of a token that was used before.
    async fn reused(
        &self,
        session: &SessionRecord,
        now: Timestamp,
        source: Option<IpAddr>,
    ) -> AuthError {
        let one = SessionFilter::One(&session.id);
        let ended = self.end_quietly(&session.user, one, now).await;
        if matches!(&ended, Ok(ended) if ended.is_empty()) {
            // Somebody else ended it in the meantime.
            return Cause::RefreshInvalid.into();
        }
        // Told even if the session could not be ended: somebody has a token that they should not have.
        let mut event = event(AuditKind::RefreshReused, now, &session.user, &session.id)
            .from(source)
            .because(Cause::RefreshReused);
        if let Some(tenant) = &session.tenant {
            event = event.tenant(tenant.clone());
        }
        self.audit.record(event);
        ended.map_or_else(|error| error, |_| Cause::RefreshReused.into())
    }
}
