//! Single flight: many ask the same at once, one asks on their behalf.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};

use crate::store::BoxFuture;

/// Work under way, by what it is for.
///
/// Nobody is spawned: a flight is driven by whoever waits for it, so one that loses its first asker is carried
/// on by the next. A flight that nobody waits for is dropped.
pub(super) struct Flights<K, T: Clone>(Mutex<HashMap<K, WeakShared<BoxFuture<'static, T>>>>);

impl<K: Eq + Hash + Clone, T: Clone + Send + 'static> Flights<K, T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Joins the flight for `key`, or starts it.
    pub(super) async fn join(&self, key: K, start: impl FnOnce() -> BoxFuture<'static, T>) -> T {
        match self.try_join(key, || Ok::<_, Infallible>(start())).await {
            Ok(outcome) => outcome,
            Err(never) => match never {},
        }
    }

    /// Joins the flight for `key`, or starts it; an error of the start is the asker's alone.
    pub(super) async fn try_join<E>(
        &self,
        key: K,
        start: impl FnOnce() -> Result<BoxFuture<'static, T>, E>,
    ) -> Result<T, E> {
        let flight = self.board(&key, start)?;
        let outcome = flight.await;
        self.clear(&key);
        Ok(outcome)
    }

    fn board<E>(
        &self,
        key: &K,
        start: impl FnOnce() -> Result<BoxFuture<'static, T>, E>,
    ) -> Result<Shared<BoxFuture<'static, T>>, E> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(key).and_then(WeakShared::upgrade) {
            return Ok(flight);
        }
        // Abandoned flights leave their entry behind; it goes when the table would grow.
        if flights.len() == flights.capacity() {
            flights.retain(|_, flight| flight.upgrade().is_some());
        }
        let flight = start()?.shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key.clone(), weak);
        }
        Ok(flight)
    }

    /// Takes a landed flight off the board. One that is still in the air under the same key stays.
    fn clear(&self, key: &K) {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let landed = flights.get(key).is_some_and(|flight| {
            flight
                .upgrade()
                .is_none_or(|flight| flight.peek().is_some())
        });
        if landed {
            flights.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::{join, join_all, poll_immediate};
    use tokio::sync::Semaphore;

    use super::*;

    /// A flight that lands when it is cleared to, and says which one it was.
    struct Tower {
        cleared: Arc<Semaphore>,
        started: Arc<AtomicU32>,
    }

    impl Tower {
        fn new() -> Self {
            Self {
                cleared: Arc::new(Semaphore::new(0)),
                started: Arc::default(),
            }
        }

        fn start(&self) -> BoxFuture<'static, u32> {
            let cleared = Arc::clone(&self.cleared);
            let number = self.started.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                cleared.acquire().await.unwrap().forget();
                number
            })
        }
    }

    #[tokio::test]
    async fn many_ask_one_flies() {
        let (flights, tower) = (Flights::<u8, u32>::new(), Tower::new());
        let ask = || flights.join(7, || tower.start());
        // Everybody asks before the flight may land.
        let (answers, ()) = join(join_all((0..25).map(|_| ask())), async {
            tower.cleared.add_permits(1);
        })
        .await;
        assert_eq!(answers, [0; 25]);
        tower.cleared.add_permits(1);
        assert_eq!(ask().await, 1, "a landed flight is not joined");
        assert!(flights.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_dropped_leader_does_not_strand_followers() {
        let (flights, tower) = (Flights::<u8, u32>::new(), Tower::new());
        let mut leader = Box::pin(flights.join(1, || tower.start()));
        assert_eq!(poll_immediate(&mut leader).await, None);
        let mut follower = Box::pin(flights.join(1, || tower.start()));
        assert_eq!(poll_immediate(&mut follower).await, None);
        drop(leader);
        tower.cleared.add_permits(1);
        assert_eq!(
            follower.await,
            0,
            "the follower carries the leader's flight on"
        );
    }

    #[tokio::test]
    async fn abandoned_flights_leave_nothing_behind_for_good() {
        let flights = Flights::<u32, u32>::new();
        for key in 0..10_000 {
            let mut asker = Box::pin(flights.join(key, || Box::pin(std::future::pending())));
            assert_eq!(poll_immediate(&mut asker).await, None);
        }
        assert!(flights.0.lock().unwrap().capacity() < 100);
    }
}
