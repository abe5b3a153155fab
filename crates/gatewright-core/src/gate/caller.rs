//! One proven caller, handed out to many requests at once.

use std::sync::Arc;

use crate::principal::{Identity, Principal, Tenancy};
use crate::stripe::LazyStriped;

/// What is known of a caller: a [`Principal`], and a copy of it for every few threads, made when one of them first asks.
/// Cores that serve the same caller don't count references in one place.
pub(super) struct Caller(LazyStriped<Principal>);

impl Caller {
    pub(super) fn new(identity: Identity, tenancy: Option<Arc<Tenancy>>) -> Self {
        Self(LazyStriped::new(Principal::new(identity, tenancy)))
    }

    /// The principal of this thread's stripe.
    #[inline]
    pub(super) fn principal(&self) -> &Principal {
        self.0.mine(Principal::copy)
    }

    /// The principal to be read and not cloned.
    #[inline]
    pub(super) const fn any(&self) -> &Principal {
        self.0.first()
    }
}
