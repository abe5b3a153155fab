//! The future of one result that a worker thread will deliver.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What a [`HashPool`](super::HashPool) will answer; works under any runtime.
///
/// Resolves to `None` when there will be no answer: the worker failed, the pool is gone, or the computation is
/// beyond the pool's limits. That is never a verdict about the secret. Dropping an answer abandons its job: a job
/// that has not begun is skipped.
#[must_use = "dropping an answer abandons its job"]
pub struct Answer<T>(Arc<Mutex<State<T>>>);

/// The worker's end of an [`Answer`]. Dropped without a value, it delivers `None`.
pub(super) struct Promise<T>(Arc<Mutex<State<T>>>);

enum State<T> {
    Waiting(Option<Waker>),
    Done(Option<T>),
}

pub(super) fn pair<T>() -> (Promise<T>, Answer<T>) {
    let state = Arc::new(Mutex::new(State::Waiting(None)));
    (Promise(Arc::clone(&state)), Answer(state))
}

impl<T> Answer<T> {
    /// An answer that is known to be missing.
    pub(super) fn none() -> Self {
        Self(Arc::new(Mutex::new(State::Done(None))))
    }
}

impl<T> Future for Answer<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        match &mut *lock(&self.0) {
            // Taken: a second poll after the end sees `None`.
            State::Done(value) => Poll::Ready(value.take()),
            State::Waiting(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        // Nobody is to be woken for an abandoned job, least of all by a pool that holds its lock.
        let waker = match &mut *lock(&self.0) {
            State::Waiting(waker) => waker.take(),
            State::Done(_) => None,
        };
        drop(waker);
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

impl<T> Promise<T> {
    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        // Promise and answer are the only two owners.
        Arc::strong_count(&self.0) < 2
    }

    pub(super) fn fulfil(self, value: T) {
        self.settle(Some(value));
    }

    fn settle(&self, value: Option<T>) {
        let waker = {
            let mut state = lock(&self.0);
            match std::mem::replace(&mut *state, State::Done(None)) {
                State::Waiting(waker) => {
                    *state = State::Done(value);
                    waker
                }
                done @ State::Done(_) => {
                    *state = done;
                    None
                }
            }
        };
        // Outside the lock: a waker may poll at once.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.settle(None);
    }
}

/// A state is replaced as a whole, so it is sound even after a panic elsewhere.
fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_promise_answers_none_and_a_kept_one_its_value() {
        let mut context = Context::from_waker(Waker::noop());

        let (promise, mut answer) = pair::<u8>();
        assert_eq!(Pin::new(&mut answer).poll(&mut context), Poll::Pending);
        drop(promise);
        assert_eq!(Pin::new(&mut answer).poll(&mut context), Poll::Ready(None));

        let (promise, mut answer) = pair();
        promise.fulfil(7);
        assert_eq!(
            Pin::new(&mut answer).poll(&mut context),
            Poll::Ready(Some(7))
        );
        assert_eq!(Pin::new(&mut answer).poll(&mut context), Poll::Ready(None));
    }

    #[test]
    fn a_promise_knows_that_its_answer_was_dropped() {
        let (promise, answer) = pair::<u8>();
        assert!(!promise.is_abandoned());
        drop(answer);
        assert!(promise.is_abandoned());
    }
}
