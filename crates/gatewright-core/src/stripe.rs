//! One copy for every few threads of what all of them would write.
//!
//! A reference count that every core raises and lowers is passed from cache to cache with each request. So what a hot
//! request takes a reference to exists once for each *stripe*, and a thread uses the copy of its own. Threads are dealt to
//! stripes in turn as they first ask; nothing but speed depends on which one a thread has.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// More stripes than this cost more memory than they save time.
const MOST: usize = 16;

/// One `T` for each stripe.
#[derive(Debug)]
pub(crate) struct Striped<T> {
    first: T,
    others: Box<[T]>,
}

impl<T> Striped<T> {
    /// Fills every stripe.
    pub(crate) fn new(mut fill: impl FnMut() -> T) -> Self {
        Self {
            first: fill(),
            others: (1..count()).map(|_| fill()).collect(),
        }
    }

    /// The one of this thread.
    #[inline]
    pub(crate) fn mine(&self) -> &T {
        let other = place().checked_sub(1);
        other
            .and_then(|other| self.others.get(other))
            .unwrap_or(&self.first)
    }

    /// Those of all threads.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// One `T` for each stripe whose threads asked for one. There is no room for the others until one of them is asked for: most
/// of the many entries of a cache are used by few threads.
#[derive(Debug)]
pub(crate) struct LazyStriped<T> {
    first: T,
    others: OnceLock<Box<[OnceLock<T>]>>,
}

impl<T> LazyStriped<T> {
    pub(crate) const fn new(first: T) -> Self {
        Self {
            first,
            others: OnceLock::new(),
        }
    }

    /// The one that was there from the start.
    #[inline]
    pub(crate) const fn first(&self) -> &T {
        &self.first
    }

    /// The one of this thread's stripe, copied from the first if no thread of it has asked before.
    #[inline]
    pub(crate) fn mine(&self, copy: impl FnOnce(&T) -> T) -> &T {
        let Some(other) = place().checked_sub(1) else {
            return &self.first;
        };
        let others = || (1..count()).map(|_| OnceLock::new()).collect();
        let others = self.others.get_or_init(others);
        others
            .get(other)
            .map_or(&self.first, |other| other.get_or_init(|| copy(&self.first)))
    }
}

/// As many as there are cores to run on, at most [`MOST`]; it stays the same while the process runs.
fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| available_parallelism().map_or(1, usize::from).min(MOST))
}

/// The stripe of this thread.
#[inline]
fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static PLACE: Cell<usize> = const { Cell::new(usize::MAX) });
    PLACE.with(|place| {
        if place.get() == usize::MAX {
            place.set(NEXT.fetch_add(1, Ordering::Relaxed) % count());
        }
        place.get()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_stripe_has_one_copy_once_it_is_asked_for() {
        let copies = LazyStriped::new(7);
        let copied = AtomicUsize::new(0);
        let mine = || {
            copies.mine(|first| {
                copied.fetch_add(1, Ordering::Relaxed);
                *first
            })
        };
        std::thread::scope(|scope| {
            for _ in 0..4 * count() {
                scope.spawn(|| {
                    assert!(std::ptr::eq(mine(), mine()));
                    assert_eq!(*mine(), 7);
                });
            }
        });
        let copied = copied.load(Ordering::Relaxed);
        assert!(copied < count() && 2 * copied + 2 > count(), "{copied}");
    }

    #[test]
    fn a_thread_keeps_its_stripe_and_threads_are_spread() {
        let counts = Striped::new(|| Mutex::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 * count() {
                scope.spawn(|| {
                    let first = counts.mine();
                    *first.lock().unwrap() += 1;
                    assert!(std::ptr::eq(first, counts.mine()));
                });
            }
        });
        let used: Vec<usize> = counts.all().map(|count| *count.lock().unwrap()).collect();
        assert_eq!(used.len(), count());
        assert_eq!(used.iter().sum::<usize>(), 4 * count());
        // Other tests' threads may be dealt in between, but no stripe is left out for long.
        assert!(used.iter().filter(|&&threads| threads > 0).count() * 2 > count());
    }
}
