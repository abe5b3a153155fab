//! What a minter may pass on.

use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::policy::Realm;
use gatewright_core::principal::{Mode, Principal, TenantId, UserId, Verified};
use gatewright_core::role::Role;
use gatewright_core::scope::{Scope, ScopeCatalog, ScopeSet};
use gatewright_core::store::CredentialRecord;
use gatewright_core::time::Timestamp;

/// The most that a credential may do that somebody gets to see the secret of, the latest that it may live, and where.
#[derive(Clone, Debug)]
pub struct Authority {
    scopes: ScopeSet,
    expires_at: Option<Timestamp>,
    reach: Reach,
    user: Option<UserId>,
}

/// Where an authority holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reach {
    Everywhere,
    /// In this tenant; in none if the caller has none.
    Tenant(Option<TenantId>),
}

impl Authority {
    /// What this caller may pass on, in the tenant of their request and on their own account: a key its own scopes, and
    /// no longer than it lives itself; a user the permissions of their role, for as long as they like (a login is
    /// short, what it mints need not be). `realm` is the one that the request was admitted in.
    #[must_use]
    pub fn of(minter: &Verified<Principal>, realm: &Realm) -> Self {
        let in_person = minter.mode() == Mode::Jwt && minter.user().is_some();
        let (scopes, expires_at) = if in_person {
            let rank = minter
                .role()
                .and_then(|role: &Role| realm.roles().rank(role.as_str()));
            let permissions = rank.map(|rank| realm.roles().permissions(rank).clone());
            (permissions.unwrap_or_default(), None)
        } else {
            (minter.scopes().clone(), minter.expires_at())
        };
        Self {
            scopes,
            expires_at,
            reach: Reach::Tenant(minter.tenant().map(|tenant| tenant.id().clone())),
            user: minter.user().cloned(),
        }
    }

    /// The operator at the command line, who may pass on anything, anywhere, on anybody's account.
    #[must_use]
    pub fn operator() -> Self {
        Self {
            scopes: ScopeSet::from(Scope::ALL),
            expires_at: None,
            reach: Reach::Everywhere,
            user: None,
        }
    }

    /// On whose behalf, where that is a user.
    pub(crate) const fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// Whether a credential may be minted in this tenant on this account.
    pub(crate) fn reaches(&self, tenant: &TenantId, owner: &UserId) -> Result<(), AuthError> {
        if !self.holds_in(tenant) {
            return Err(Cause::ForeignTenant.into());
        }
        if self.user.as_ref().is_some_and(|user| user != owner) {
            return Err(AuthError::new(ErrorCode::InsufficientScope)
                .with_message("A credential is minted on the account of its minter"));
        }
        Ok(())
    }

    pub(crate) fn holds_in(&self, tenant: &TenantId) -> bool {
        match &self.reach {
            Reach::Everywhere => true,
            Reach::Tenant(own) => own.as_ref() == Some(tenant),
        }
    }

    /// The scopes that a credential asked for with `requested` gets, what they imply included. `*` stands for all that
    /// the minter has.
    pub(crate) fn grant(
        &self,
        requested: &ScopeSet,
        catalog: &ScopeCatalog,
    ) -> Result<ScopeSet, AuthError> {
        if catalog.check(requested).is_err() {
            return Err(AuthError::new(ErrorCode::InvalidScope));
        }
        if requested.iter().any(|scope| *scope == Scope::ALL) {
            // A role's permissions repeat those of the roles below it; a credential names each thing once.
            return Ok(with_implied(&self.scopes.normalized(), catalog));
        }
        self.covers(requested, catalog)?;
        Ok(with_implied(requested, catalog))
    }

    /// Whether the secret of a stored credential may be handed out: only of what could have been minted. That goes for
    /// one's own as well, or a role that was taken away would come back with a key of the time before.
    pub(crate) fn takes_over(
        &self,
        record: &CredentialRecord,
        catalog: &ScopeCatalog,
    ) -> Result<(), AuthError> {
        let outlives = self
            .expires_at
            .is_some_and(|cap| record.expires_at.is_none_or(|end| end > cap));
        if outlives {
            return Err(AuthError::new(ErrorCode::InsufficientScope)
                .with_message("The credential outlives the one that asks for its secret"));
        }
        self.covers(&record.scopes, catalog)
    }

    fn covers(&self, scopes: &ScopeSet, catalog: &ScopeCatalog) -> Result<(), AuthError> {
        let missing = catalog.closure(&self.scopes).missing(scopes);
        if missing.is_empty() {
            return Ok(());
        }
        // Only declared names are told: a narrowed one has a part that the caller wrote.
        let declared: ScopeSet = missing
            .into_iter()
            .filter(|scope| catalog.description(scope).is_some())
            .collect();
        let message = "The credential would have scopes that the caller lacks";
        let refusal = AuthError::new(ErrorCode::InsufficientScope);
        Err(if declared.is_empty() {
            refusal.with_message(message)
        } else {
            refusal.with_message(format!("{message}: {declared}"))
        })
    }

    pub(crate) fn expiry(&self, requested: Option<Timestamp>) -> Option<Timestamp> {
        match (requested, self.expires_at) {
            (Some(ours), Some(cap)) => Some(ours.min(cap)),
            (ours, cap) => ours.or(cap),
        }
    }
}

/// `scopes` as they are written, and what they imply beyond that. Written into the credential, since the gate compares
/// requirements with what stands there and knows no catalog.
fn with_implied(scopes: &ScopeSet, catalog: &ScopeCatalog) -> ScopeSet {
    scopes.union(&scopes.missing(&catalog.closure(scopes)))
}
