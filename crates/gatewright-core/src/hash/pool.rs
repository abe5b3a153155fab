//! The hashing pool: a fixed number of threads, a bounded queue.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use zeroize::Zeroizing;

use super::answer::{Answer, pair};
use super::phc::Phc;
use super::settings::Argon2Settings;
use super::stored::SecretHash;
use super::worker::{self, Job};

/// How large a [`HashPool`] is.
#[derive(Clone, Copy, Debug)]
pub struct PoolConfig {
    settings: Argon2Settings,
    threads: NonZeroUsize,
    queue: usize,
    max_memory_kib: u32,
}

impl PoolConfig {
    /// A pool whose new hashes have `settings`: as many threads as the machine has cores (at most 4), a queue of 64,
    /// stored hashes verified up to 64 MiB.
    #[must_use]
    pub fn new(settings: Argon2Settings) -> Self {
        const AT_MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
        let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            settings,
            threads: cores.min(AT_MOST),
            queue: 64,
            max_memory_kib: 64 * 1024,
        }
    }

    /// The number of threads. Each keeps the memory of one hash of the pool's settings.
    #[must_use]
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads;
        self
    }

    /// How many jobs may wait; beyond that a job is refused with [`QueueFull`]. With 0 every job is refused.
    #[must_use]
    pub fn with_queue(mut self, jobs: usize) -> Self {
        self.queue = jobs;
        self
    }

    /// The most memory, in KiB, that a stored hash may ask of one thread. The pool's own settings are always
    /// allowed, and nothing above 128 MiB is.
    #[must_use]
    pub fn with_max_memory_kib(mut self, kib: u32) -> Self {
        self.max_memory_kib = kib;
        self
    }
}

/// Argon2id on threads of its own, and every other proof by hash with it.
///
/// A hash takes tens of milliseconds and 19 MiB, so the number of those that run at once is fixed, and what waits
/// is bounded: an overload is answered at once and can't take the memory of the machine. Each thread reuses its
/// memory and clears it after each job; so are the copies of secrets. Cloning gives another handle; when the last
/// one is dropped, waiting jobs answer `None` and the threads end.
#[derive(Clone, Debug)]
pub struct HashPool(Arc<Handle>);

/// Closes the pool when the last handle goes; the threads hold [`Shared`] only.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl HashPool {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`PoolError`] when the system refuses a thread; those already started end.
    pub fn start(config: PoolConfig) -> Result<Self, PoolError> {
        let shared = Arc::new(Shared {
            settings: config.settings,
            capacity: config.queue,
            max_memory_kib: config.max_memory_kib.max(config.settings.memory_kib()),
            queue: Mutex::new(Queue {
                jobs: VecDeque::with_capacity(config.queue.min(1024)),
                open: true,
            }),
            arrived: Condvar::new(),
            counters: Counters::default(),
        });
        let pool = Self(Arc::new(Handle(Arc::clone(&shared))));
        for number in 0..config.threads.get() {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("argon2-{number}"))
                .spawn(move || worker::run(&shared))
                .map_err(PoolError)?;
        }
        Ok(pool)
    }

    /// Compares `secret` with a stored hash, in constant time once it is computed.
    ///
    /// The answer is `None`, without any work, when the stored hash asks for more memory than the pool allows.
    /// `stored` is a [`Phc`] or a [`SecretHash`].
    ///
    /// # Errors
    ///
    /// [`QueueFull`] when as many jobs wait as may.
    pub fn verify(
        &self,
        stored: impl Into<SecretHash>,
        secret: &[u8],
    ) -> Result<Answer<bool>, QueueFull> {
        self.submit_verify(stored.into(), secret, false)
    }

    /// As [`verify`](Self::verify), but the answer is `false` whatever comes out.
    pub(super) fn verify_in_vain(
        &self,
        phc: &Phc,
        secret: &[u8],
    ) -> Result<Answer<bool>, QueueFull> {
        self.submit_verify(phc.into(), secret, true)
    }

    fn submit_verify(
        &self,
        hash: SecretHash,
        secret: &[u8],
        always_false: bool,
    ) -> Result<Answer<bool>, QueueFull> {
        let shared = self.shared();
        if let SecretHash::Argon2id(phc) = &hash
            && phc.settings().memory_kib() > shared.max_memory_kib
        {
            shared.counters.failed.fetch_add(1, Ordering::Relaxed);
            return Ok(Answer::none());
        }
        let (promise, answer) = pair();
        shared.submit(Job::Verify {
            hash,
            secret: Zeroizing::new(secret.to_vec()),
            always_false,
            promise,
        })?;
        Ok(answer)
    }

    /// Hashes `secret` with a new random salt under the pool's settings.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] when as many jobs wait as may.
    pub fn hash(&self, secret: &[u8]) -> Result<Answer<Phc>, QueueFull> {
        let (promise, answer) = pair();
        self.shared().submit(Job::Hash {
            secret: Zeroizing::new(secret.to_vec()),
            promise,
        })?;
        Ok(answer)
    }

    /// As [`hash`](Self::hash), for work that can wait: `None` when half of the queue is taken, so that proofs keep
    /// their places.
    pub(crate) fn hash_if_calm(&self, secret: &[u8]) -> Option<Answer<Phc>> {
        let shared = self.shared();
        if shared.lock().jobs.len() > shared.capacity / 2 {
            return None;
        }
        self.hash(secret).ok()
    }

    /// The settings of new hashes.
    #[must_use]
    pub fn settings(&self) -> Argon2Settings {
        self.shared().settings
    }

    /// What the pool has done so far, for metrics. The numbers are read one by one.
    #[must_use]
    pub fn stats(&self) -> HashStats {
        let shared = self.shared();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HashStats {
            verifications: read(&shared.counters.verifications),
            imported: read(&shared.counters.imported),
            hashes: read(&shared.counters.hashes),
            queued: shared.lock().jobs.len(),
            refused: read(&shared.counters.refused),
            skipped: read(&shared.counters.skipped),
            failed: read(&shared.counters.failed),
        }
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.0.lock();
            queue.open = false;
            std::mem::take(&mut queue.jobs)
        };
        self.0.arrived.notify_all();
        // Outside the lock: promises that are dropped wake whoever waits for them.
        drop(waiting);
    }
}

/// Counters of a [`HashPool`] since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashStats {
    /// Verifications that were computed, whatever came out.
    pub verifications: u64,
    /// How many of these were of hashes that another system made.
    pub imported: u64,
    /// New hashes that were computed.
    pub hashes: u64,
    /// Jobs that wait now.
    pub queued: usize,
    /// Jobs that a full queue refused.
    pub refused: u64,
    /// Jobs that nobody waited for any more when their turn came.
    pub skipped: u64,
    /// Jobs that could not be computed: no memory, no random bytes, a stored hash beyond the limits, a bug.
    pub failed: u64,
}

/// The queue is full; the caller may come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hashing pool is busy")]
#[non_exhaustive]
pub struct QueueFull;

/// The system refused to start a thread.
#[derive(Debug, thiserror::Error)]
#[error("a hashing thread could not be started")]
pub struct PoolError(#[source] std::io::Error);

/// What handles and threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Argon2Settings,
    pub(super) counters: Counters,
    capacity: usize,
    max_memory_kib: u32,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) verifications: AtomicU64,
    pub(super) imported: AtomicU64,
    pub(super) hashes: AtomicU64,
    pub(super) failed: AtomicU64,
    refused: AtomicU64,
    skipped: AtomicU64,
}

struct Queue {
    jobs: VecDeque<Job>,
    open: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("jobs", &self.jobs.len())
            .field("open", &self.open)
            .finish()
    }
}

impl Shared {
    fn submit(&self, job: Job) -> Result<(), QueueFull> {
        {
            let mut queue = self.lock();
            if queue.jobs.len() >= self.capacity {
                // Callers that gave up must not keep others out.
                let before = queue.jobs.len();
                queue.jobs.retain(|waiting| !waiting.is_abandoned());
                self.count_skipped(before - queue.jobs.len());
            }
            if queue.jobs.len() >= self.capacity {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                return Err(QueueFull);
            }
            queue.jobs.push_back(job);
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// The next job that somebody waits for; `None` when the pool has closed.
    pub(super) fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            match queue.jobs.pop_front() {
                Some(job) if job.is_abandoned() => self.count_skipped(1),
                Some(job) => return Some(job),
                None if !queue.open => return None,
                None => {
                    queue = self
                        .arrived
                        .wait(queue)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn count_skipped(&self, jobs: usize) {
        self.counters
            .skipped
            .fetch_add(jobs as u64, Ordering::Relaxed);
    }

    /// The queue is sound after a panic: nothing that can panic happens between two changes of it.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;

    fn one_thread(queue: usize) -> HashPool {
        let config = PoolConfig::new(Argon2Settings::insecure_for_tests())
            .with_threads(NonZeroUsize::MIN)
            .with_queue(queue);
        HashPool::start(config).unwrap()
    }

    /// Occupies the only thread until the returned sender is dropped.
    fn occupy(pool: &HashPool) -> (mpsc::Sender<()>, Answer<()>) {
        let (release, until) = mpsc::channel();
        let (promise, answer) = pair();
        pool.shared().submit(Job::Block(until, promise)).unwrap();
        while pool.stats().queued > 0 {
            thread::yield_now();
        }
        (release, answer)
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_recovers() {
        let pool = one_thread(2);
        let (release, blocked) = occupy(&pool);
        let first = pool.hash(b"a").unwrap();
        let second = pool.hash(b"b").unwrap();
        assert_eq!(pool.hash(b"c").err(), Some(QueueFull));
        assert_eq!(pool.stats().refused, 1);
        assert_eq!(pool.stats().queued, 2);

        drop(release);
        assert_eq!(blocked.await, Some(()));
        assert!(first.await.is_some() && second.await.is_some());
        assert!(pool.hash(b"c").unwrap().await.is_some());
        assert_eq!((pool.stats().hashes, pool.stats().queued), (3, 0));
    }

    #[tokio::test]
    async fn abandoned_jobs_are_skipped() {
        let pool = one_thread(8);
        let (release, _blocked) = occupy(&pool);
        drop(pool.hash(b"nobody waits").unwrap());
        let kept = pool.hash(b"somebody waits").unwrap();
        drop(release);
        assert!(kept.await.is_some());
        assert_eq!((pool.stats().hashes, pool.stats().skipped), (1, 1));
    }

    #[tokio::test]
    async fn abandoned_jobs_make_room_in_a_full_queue() {
        let pool = one_thread(1);
        let (release, _blocked) = occupy(&pool);
        drop(pool.hash(b"nobody waits").unwrap());
        let kept = pool.hash(b"somebody waits").unwrap();
        assert_eq!((pool.stats().refused, pool.stats().skipped), (0, 1));
        drop(release);
        assert!(kept.await.is_some());
    }

    #[tokio::test]
    async fn what_can_wait_leaves_half_of_the_queue_to_others() {
        let pool = one_thread(4);
        let (release, _blocked) = occupy(&pool);
        let waiting: Vec<_> = (0..9).filter_map(|_| pool.hash_if_calm(b"a")).collect();
        assert_eq!(waiting.len(), 3);
        let urgent = pool.hash(b"b").unwrap();
        assert_eq!(pool.stats().refused, 0);
        drop(release);
        assert!(urgent.await.is_some());
        assert!(pool.hash_if_calm(b"c").unwrap().await.is_some());
    }

    #[tokio::test]
    async fn an_answer_wakes_whoever_polled_last() {
        let pool = one_thread(8);
        let (release, _blocked) = occupy(&pool);
        let mut answer = pool.hash(b"secret").unwrap();
        let first = Pin::new(&mut answer).poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending());
        // The one who polled first is gone; the test would hang if he alone were woken.
        let task = tokio::spawn(answer);
        tokio::task::yield_now().await;
        drop(release);
        assert!(task.await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_panic_answers_none_and_the_thread_goes_on() {
        let pool = one_thread(8);
        let (promise, answer) = pair();
        pool.shared().submit(Job::Panic(promise)).unwrap();
        assert_eq!(answer.await, None);
        assert!(pool.hash(b"after").unwrap().await.is_some());
        assert_eq!(pool.stats().failed, 1);
    }

    #[tokio::test]
    async fn the_last_handle_ends_the_threads_and_answers_none() {
        let pool = one_thread(8);
        let shared = Arc::downgrade(&pool.0.0);
        let (release, blocked) = occupy(&pool);
        let waiting = pool.hash(b"waits").unwrap();

        let other = pool.clone();
        drop(pool);
        assert_eq!(other.stats().queued, 1);
        drop(other);
        assert!(waiting.await.is_none());

        drop(release);
        assert_eq!(blocked.await, Some(()));
        // The thread owns the last reference; the test would hang if it stayed.
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
