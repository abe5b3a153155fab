//! A policy that is replaced while requests run.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;

use super::CompiledPolicy;
use crate::stripe::Striped;

/// The policy of a route, from one request to the next. Cheap to clone; all clones are the same policy.
///
/// Each request is judged from beginning to end by the policy that stood when it arrived.
#[derive(Clone)]
pub struct LivePolicy(Arc<Inner>);

struct Inner {
    /// The policy that it started with, which most routes keep. Every request counts references to its policy, and each
    /// stripe counts those to a copy of its own.
    first: Striped<Arc<CompiledPolicy>>,
    /// What was put in its place, once something was: to take a reference to what may be replaced meanwhile is three times
    /// the writes.
    replaced: OnceLock<Striped<ArcSwap<CompiledPolicy>>>,
    /// Held while the copies are replaced, so that of two policies that are put in place at once all stripes keep the same.
    turn: Mutex<()>,
}

/// The policy was compiled by another gate, and nothing was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy was compiled by another gate")]
#[non_exhaustive]
pub struct ForeignPolicy;

impl LivePolicy {
    /// Starts with this policy.
    #[must_use]
    pub fn new(policy: Arc<CompiledPolicy>) -> Self {
        Self(Arc::new(Inner {
            first: Striped::new(|| Arc::new(policy.copied())),
            replaced: OnceLock::new(),
            turn: Mutex::new(()),
        }))
    }

    /// The policy that stands now.
    ///
    /// Not the same allocation on every thread: policies are told apart by what they say, not by where they are.
    #[must_use]
    pub fn current(&self) -> Arc<CompiledPolicy> {
        self.standing().into_owned()
    }

    /// The same, for who keeps this at hand until the request is answered: no reference is counted to the policy that it
    /// started with, which stays where it is.
    #[must_use]
    pub fn standing(&self) -> Cow<'_, Arc<CompiledPolicy>> {
        match self.0.replaced.get() {
            None => Cow::Borrowed(self.0.first.mine()),
            Some(copies) => Cow::Owned(copies.mine().load_full()),
        }
    }

    /// Puts another policy in place. Requests that start after it returns are judged by it; while it runs, one may still
    /// be judged by the old policy after another was judged by the new.
    ///
    /// # Errors
    /// [`ForeignPolicy`].
    pub fn replace(&self, policy: Arc<CompiledPolicy>) -> Result<(), ForeignPolicy> {
        if policy.gate() != self.0.first.mine().gate() {
            return Err(ForeignPolicy);
        }
        // What can panic while it is held is memory that has run out, and then no stripe has half a policy.
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = || Arc::new(policy.copied());
        match self.0.replaced.get() {
            Some(copies) => copies.all().for_each(|kept| kept.store(copy())),
            None => {
                let all = || Striped::new(|| ArcSwap::new(copy()));
                self.0.replaced.get_or_init(all);
            }
        }
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
        f.debug_tuple("LivePolicy").field(&self.current()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::policy::{Compiler, Policy, Realm};

    /// Policies that are told apart by how many scopes they require.
    fn policies(count: usize) -> Vec<Arc<CompiledPolicy>> {
        let (compiler, realm) = (Compiler::new(), Realm::builder("api").build());
        (0..count)
            .map(|number| {
                let policy = (0..number).fold(Policy::api_key(), |policy, scope| {
                    policy.scope(&format!("s.a{scope}"))
                });
                compiler.compile(&policy, &realm).unwrap()
            })
            .collect()
    }

    fn number(policy: &CompiledPolicy) -> usize {
        policy.required_scopes().len()
    }

    #[test]
    fn threads_of_different_stripes_count_on_different_copies() {
        let [policy] = policies(1).try_into().unwrap();
        let live = LivePolicy::new(Arc::clone(&policy));
        assert!(!Arc::ptr_eq(&live.current(), &policy));
        assert!(Arc::ptr_eq(&live.current(), &live.current()));
        let stripes = live.0.first.all().count();
        let places: std::collections::HashSet<_> = (0..4 * stripes)
            .map(|_| {
                let place = || Arc::as_ptr(&live.current()).addr();
                thread::scope(|scope| scope.spawn(place).join().unwrap())
            })
            .collect();
        // Other tests' threads are dealt to stripes in between.
        assert!(places.len() * 2 > stripes, "{places:?} of {stripes}");
    }

    #[test]
    fn no_reference_is_counted_to_the_policy_that_it_started_with() {
        let policies = policies(2);
        let live = LivePolicy::new(Arc::clone(&policies[0]));
        let standing = live.standing();
        assert!(matches!(standing, Cow::Borrowed(first) if Arc::strong_count(first) == 1));
        live.replace(Arc::clone(&policies[1])).unwrap();
        // Who came before keeps what stood then.
        assert_eq!((number(&standing), number(&live.standing())), (0, 1));
    }

    #[test]
    fn after_it_was_replaced_no_thread_sees_the_old_policy() {
        let policies = policies(60);
        let live = LivePolicy::new(Arc::clone(&policies[0]));
        let (replaced, readers) = (AtomicUsize::new(0), 4 * live.0.first.all().count());
        let start = Barrier::new(readers + 1);
        thread::scope(|scope| {
            for _ in 0..readers {
                scope.spawn(|| {
                    start.wait();
                    let mut last = 0;
                    while last < policies.len() - 1 {
                        let least = replaced.load(Ordering::Acquire);
                        let seen = number(&live.current());
                        assert!(seen >= least && seen >= last, "{seen} after {least}");
                        last = seen;
                    }
                });
            }
            start.wait();
            for policy in &policies[1..] {
                live.replace(Arc::clone(policy)).unwrap();
                replaced.store(number(policy), Ordering::Release);
                thread::yield_now();
            }
        });
    }

    #[test]
    fn of_two_put_in_place_at_once_all_threads_keep_the_same() {
        let policies = policies(2);
        let live = LivePolicy::new(Arc::clone(&policies[0]));
        let (turn, strays) = (Barrier::new(policies.len()), AtomicUsize::new(0));
        thread::scope(|scope| {
            for policy in &policies {
                let (live, turn, strays) = (&live, &turn, &strays);
                scope.spawn(move || {
                    for _ in 0..3_000 {
                        turn.wait();
                        live.replace(Arc::clone(policy)).unwrap();
                        turn.wait();
                        let kept = number(&live.current());
                        for copy in live.0.replaced.get().unwrap().all() {
                            let stray = number(&copy.load()) != kept;
                            strays.fetch_add(usize::from(stray), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(strays.into_inner(), 0);
    }

    #[test]
    fn one_of_another_gate_is_not_put_in_place() {
        let (own, foreign) = (policies(1), policies(2));
        let live = LivePolicy::new(Arc::clone(&own[0]));
        assert_eq!(live.replace(Arc::clone(&foreign[1])), Err(ForeignPolicy));
        assert_eq!(number(&live.current()), 0);
    }
}
