//! A policy that is replaced while requests run.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::CompiledPolicy;

/// The policy of a route, from one request to the next. Cheap to clone; all clones are the same policy.
///
/// Each request is judged from beginning to end by the policy that stood when it arrived.
#[derive(Clone)]
pub struct LivePolicy(Arc<ArcSwap<CompiledPolicy>>);

/// The policy was compiled by another gate, and nothing was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy was compiled by another gate")]
#[non_exhaustive]
pub struct ForeignPolicy;

impl LivePolicy {
    /// Starts with this policy.
    #[must_use]
    pub fn new(policy: Arc<CompiledPolicy>) -> Self {
        Self(Arc::new(ArcSwap::new(policy)))
    }

    /// The policy that stands now.
    #[must_use]
    pub fn current(&self) -> Arc<CompiledPolicy> {
        self.0.load_full()
    }

    /// Puts another policy in place. Requests that start after it returns are judged by it.
    ///
    /// # Errors
    /// [`ForeignPolicy`].
    pub fn replace(&self, policy: Arc<CompiledPolicy>) -> Result<(), ForeignPolicy> {
        if policy.gate() != self.0.load().gate() {
            return Err(ForeignPolicy);
        }
        self.0.store(policy);
        Ok(())
    }
}

impl From<Arc<CompiledPolicy>> for LivePolicy {
    fn from(policy: Arc<CompiledPolicy>) -> Self {
        Self::new(policy)
    }
}

impl fmt::Debug for LivePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LivePolicy").field(&self.0.load()).finish()
    }
}
