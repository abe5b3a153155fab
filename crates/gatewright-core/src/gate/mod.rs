//! The gate: from the fields of a request to a decision.
//!
//! Each rung of the ladder is cheaper than the next, and a request goes no further than it must:
//!
//! 1. shape, length and characters of what is presented; no I/O
//! 2. its checksum; no I/O
//! 3. the failure limiter, per source address and credential id; what memory proves passes it
//! 4. the record by its public id: memory, then the store, one reading for all who ask at once
//! 5. the guard tag and the texts known to be wrong
//! 6. proof: the digest of the text that argon2 last accepted, else argon2 in the bounded pool
//! 7. state: revoked, expired, not yet valid; told only to the holder of the right secret
//! 8. the policy: mode, tenant, scope, role, plan
//! 9. the rate limits: one charge, and none to a tenant's quota for a refused call
//!
//! A signed token climbs the same ladder: its signature is its proof, its revocation epochs and deny-list its state. Of a
//! token of a tenant's own provider nothing is in the store: its provider's keys are its proof, and what the tenant has
//! configured now is its state. A visitor's cookie is proven by its seal, and nothing of it is in the store. An OAuth client climbs it as far as to its state ([`Gate::authenticate_client`]), and calls
//! by the tokens that it gets for it.

mod admission;
mod arrival;
mod builder;
mod cache;
mod caller;
mod client;
mod coherence;
mod decide;
mod external;
mod flight;
mod guarded;
mod opaque;
mod place;
mod record;
mod secret;
mod shared;
mod stats;
mod token;
mod upkeep;
mod visitor;

use std::fmt;
use std::sync::Arc;

pub use admission::{Admission, Admitted, AnswerFields, Pending};
pub use arrival::Arrival;
pub use builder::{GateBuilder, GateError};
pub use client::Client;
pub use coherence::Coherence;
pub use guarded::Guarded;
pub use stats::GateStats;
pub use upkeep::Upkeep;

use crate::credential::{Fields, Formats};
use crate::error::AuthError;
use crate::hash::{HashPool, TagKeys};
use crate::policy::{CompiledPolicy, Policy, PolicyError, Realm, RouteTableBuilder};
use crate::store::{
    ChangeKey, Changes, CredentialStore, MembershipStore, RevocationStore, StoreError,
};
use crate::time::Clock;
use shared::Shared;

/// One gate for every credential that a service accepts. Cheap to clone; all clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Shared>);

impl Gate {
    /// Starts a gate over a store. Two things are chosen explicitly: who else may change the store, and the keys of the
    /// guard tags, which must outlive the process and be the same on every node.
    pub fn builder<S>(store: Arc<S>, coherence: Coherence, tags: TagKeys) -> GateBuilder
    where
        S: CredentialStore + MembershipStore + RevocationStore + 'static,
    {
        GateBuilder::new(store, coherence, tags)
    }

    /// Resolves a policy in a realm, for this gate alone.
    ///
    /// # Errors
    /// Every mistake of the policy at once.
    pub fn compile(
        &self,
        policy: &Policy,
        realm: &Realm,
    ) -> Result<Arc<CompiledPolicy>, Vec<PolicyError>> {
        self.0.compiler.compile(policy, realm)
    }

    /// Resolves a policy that is made while requests run, of names that tenants choose: nothing of it is kept once it is
    /// dropped. [`compile`](Self::compile) is for those that a program declares, which are judged faster.
    ///
    /// # Errors
    /// Every mistake of the policy at once.
    pub fn compile_passing(
        &self,
        policy: &Policy,
        realm: &Realm,
    ) -> Result<Arc<CompiledPolicy>, Vec<PolicyError>> {
        self.0.compiler.compile_passing(policy, realm)
    }

    /// Starts a route table whose policies this gate judges.
    #[must_use]
    pub fn routes(&self) -> RouteTableBuilder {
        RouteTableBuilder::new(self.0.compiler.clone())
    }

    /// Decides whether a request may go on. A plain function: what memory knows is answered at once.
    ///
    /// What a credential is follows from its text, not from the field that it came in: where `X-API-Key` is read, a JWT in
    /// it is judged as one. A policy that is only [`public`](Policy::public) looks at no field and no query.
    ///
    /// The refusal's cause tells logs what happened; its code is all that the caller should be told.
    pub fn authenticate<F: Fields + ?Sized>(
        &self,
        fields: &F,
        policy: &Arc<CompiledPolicy>,
        arrival: &Arrival<'_>,
    ) -> Admission {
        // Completed where it lies: to take an answer apart and put it together again takes a tenth of a warm request.
        let mut admission = self.0.admit(fields, policy, arrival);
        match &mut admission {
            Admission::Ready(Ok(_)) => {}
            Admission::Ready(Err(refusal)) => self.refused(refusal, policy, arrival.tenant),
            Admission::Pending(pending) => self.follow(pending, policy, arrival.tenant),
        }
        admission
    }

    /// Counts a refusal, and notes what its answer says besides.
    fn refused(&self, refusal: &mut AuthError, policy: &CompiledPolicy, tenant: Option<&str>) {
        self.count(refusal);
        policy.realm().about(refusal, tenant);
    }

    fn count(&self, refusal: &AuthError) {
        if let Some(cause) = refusal.cause() {
            self.0.counters.refused(cause);
        }
    }

    /// Sees to it that a refusal to come is [`refused`](Self::refused) as others are.
    #[cold]
    fn follow(&self, pending: &mut Pending, policy: &Arc<CompiledPolicy>, tenant: Option<&str>) {
        let (gate, policy) = (self.clone(), Arc::clone(policy));
        let tenant: Option<Box<str>> = tenant.map(Box::from);
        let decision = std::mem::replace(&mut pending.0, Box::pin(std::future::pending()));
        pending.0 = Box::pin(async move {
            let mut decision = decision.await;
            if let Err(refusal) = &mut decision {
                gate.refused(refusal, &policy, tenant.as_deref());
            }
            decision
        });
    }

    /// The generations that changes are published on; see [`Changes::publish`].
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.0.changes
    }

    /// The credential formats, for minting.
    #[must_use]
    pub fn formats(&self) -> &Formats {
        &self.0.formats
    }

    /// The hashing pool, for minting.
    #[must_use]
    pub fn hash_pool(&self) -> &HashPool {
        &self.0.pool
    }

    /// The guard-tag keys, for minting.
    #[must_use]
    pub fn tag_keys(&self) -> &TagKeys {
        &self.0.tags
    }

    /// The clock that expiry is judged by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Changes who else may change the store, from the next request on. What was cached under the earlier rule is
    /// forgotten.
    pub fn set_coherence(&self, coherence: Coherence) {
        // Before, so that a new rule that trusts memory never meets what an older one left there; and after, for what was
        // read under the older one in between.
        self.0.changes.raise(&ChangeKey::Everything);
        self.0.watch.set(coherence);
        self.0.changes.raise(&ChangeKey::Everything);
    }

    /// Who else may change the store.
    #[must_use]
    pub fn coherence(&self) -> Coherence {
        self.0.watch.get()
    }

    /// Says that the change feed was heard and all it brought has been raised on [`changes`](Self::changes). After a
    /// silence longer than memory may be trusted, everything cached is forgotten first: what the feed said meanwhile may
    /// be lost.
    pub fn heard_feed(&self) {
        self.heard_feed_as_of(self.0.clock.monotonic_nanos());
    }

    /// [`heard_feed`](Self::heard_feed) for a reading that began when the [`clock`](Self::clock) told these monotonic
    /// nanoseconds. What was read says nothing about later, and the process may have slept since: memory is trusted from
    /// then on and not from now.
    pub fn heard_feed_as_of(&self, began: u64) {
        let now = self.0.clock.monotonic_nanos();
        if !self.0.watch.serves_from_memory(now) {
            self.0.changes.raise(&ChangeKey::Everything);
        }
        self.0.watch.heard(began);
    }

    /// Does the work that no request waits for: writes down last uses, and stores hashes that replace outdated ones. Call it
    /// every few seconds, and once before the process ends.
    ///
    /// # Errors
    /// The store's. Uses that were not written are kept for the next round.
    pub async fn upkeep(&self) -> Result<Upkeep, StoreError> {
        self.0.upkeep().await
    }

    /// What the gate has done so far.
    #[must_use]
    pub fn stats(&self) -> GateStats {
        GateStats {
            refusals: self.0.counters.refusals(),
            hashing: self.0.pool.stats(),
            cached_records: self.0.records.len(),
            cached_tokens: self.0.tokens.len() + self.0.externals.len() + self.0.introspected.len(),
            cached_memberships: self.0.places.len(),
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("coherence", &self.coherence())
            .finish_non_exhaustive()
    }
}
