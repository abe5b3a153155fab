//! The queue of mails, and the task that delivers them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::carrier::{Carrier, Undelivered};
use super::letter::Composer;
use gatewright_issuer::Mail;

/// The most mails that wait at a time.
const CAPACITY: usize = 2_048;
/// How many are carried at a time.
const AT_A_TIME: usize = 4;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(120);
/// How long to wait after the first attempt that failed; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// For how long a mail is tried (RFC 5321 §4.5.4.1: at least four to five days).
const GIVE_UP_AFTER: Duration = Duration::from_secs(5 * 86_400);
/// How long mails that wait still have when the server ends.
const DRAIN: Duration = Duration::from_secs(10);

/// Takes mails. Cheap to clone: all clones share the queue.
#[derive(Clone)]
pub(crate) struct Mailer {
    queue: UnboundedSender<Queued>,
    /// What keeps the queue bounded: a mail has its place until it is done with.
    places: Arc<Semaphore>,
    counts: Arc<Counts>,
}

/// What became of mails, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MailStats {
    /// Taken by the server, or written.
    pub(crate) delivered: u64,
    /// Refused for good, or for nobody.
    pub(crate) refused: u64,
    /// Tried for as long as is worth it.
    pub(crate) given_up: u64,
    /// Not even queued: too many waited, or the server was ending.
    pub(crate) dropped: u64,
    /// Attempts that failed and were, or will be, made again.
    pub(crate) failed_attempts: u64,
    /// Mails that wait now.
    pub(crate) waiting: u64,
}

#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    refused: AtomicU64,
    given_up: AtomicU64,
    dropped: AtomicU64,
    failed_attempts: AtomicU64,
}

/// A mail in its place.
struct Queued {
    mail: Mail,
    _place: OwnedSemaphorePermit,
}

/// Mails that nobody delivers yet.
pub(crate) struct Queue {
    mails: UnboundedReceiver<Queued>,
    counts: Arc<Counts>,
}

impl Mailer {
    /// A mailer, and what it puts mails into.
    pub(crate) fn new() -> (Self, Queue) {
        let (queue, mails) = mpsc::unbounded_channel();
        let counts = Arc::<Counts>::default();
        let mailer = Self {
            queue,
            places: Arc::new(Semaphore::new(CAPACITY)),
            counts: Arc::clone(&counts),
        };
        (mailer, Queue { mails, counts })
    }

    /// What became of mails so far.
    pub(crate) fn stats(&self) -> MailStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &*self.counts;
        let waiting = CAPACITY.saturating_sub(self.places.available_permits());
        MailStats {
            delivered: read(&counts.delivered),
            refused: read(&counts.refused),
            given_up: read(&counts.given_up),
            dropped: read(&counts.dropped),
            failed_attempts: read(&counts.failed_attempts),
            waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
        }
    }
}

impl gatewright_issuer::Mailer for Mailer {
    /// Queues a mail and returns at once. Where there is no place for it, it is dropped, and counted.
    fn send(&self, mail: Mail) {
        let kind = mail.kind();
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        let queued = place.and_then(|place| {
            let queued = Queued {
                mail,
                _place: place,
            };
            self.queue.send(queued).ok()
        });
        if queued.is_none() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            tracing::error!(kind, "a mail was dropped: the queue takes no more");
        }
    }
}

/// The task that delivers.
pub(crate) struct Delivery {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Queue {
    /// Begins to deliver.
    pub(crate) fn deliver(self, composer: Composer, carrier: impl Carrier) -> Delivery {
        let (stop, stopped) = watch::channel(false);
        let post = Arc::new(Post {
            composer,
            carrier,
            counts: self.counts,
            turns: Semaphore::new(AT_A_TIME),
            failing: AtomicBool::new(false),
        });
        Delivery {
            task: tokio::spawn(run(self.mails, post, stopped)),
            stop,
        }
    }
}

impl Delivery {
    /// Takes no more mails, and tries those that wait once more and for a few seconds.
    pub(crate) async fn finish(mut self) {
        self.stop.send_replace(true);
        match timeout(DRAIN, &mut self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the task of mails failed"),
            Err(_) => {
                self.task.abort();
                tracing::error!("mails that could not be delivered are lost");
            }
        }
    }
}

async fn run<C: Carrier>(
    mut mails: UnboundedReceiver<Queued>,
    post: Arc<Post<C>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut under_way = JoinSet::new();
    let (stopped, mut stopping) = (stop.clone(), false);
    loop {
        tokio::select! {
            queued = mails.recv() => match queued {
                Some(queued) => {
                    under_way.spawn(Arc::clone(&post).deliver(queued, stopped.clone()));
                }
                None => break,
            },
            Some(ended) = under_way.join_next() => tell(ended),
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                mails.close();
                stopping = true;
            }
        }
    }
    while let Some(ended) = under_way.join_next().await {
        tell(ended);
    }
}

fn tell(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a mail's task failed");
    }
}

/// What all mails on their way share.
struct Post<C> {
    composer: Composer,
    carrier: C,
    counts: Arc<Counts>,
    turns: Semaphore,
    /// Whether the last attempt failed, so that an outage fills no log.
    failing: AtomicBool,
}

impl<C: Carrier> Post<C> {
    /// Tries until the mail is delivered, or never will be. One mail that is refused holds up no other.
    async fn deliver(self: Arc<Self>, queued: Queued, mut stop: watch::Receiver<bool>) {
        let Queued { mail, _place } = queued;
        let kind = mail.kind();
        let letter = match self.composer.compose(&mail, C::CODING) {
            Ok(letter) => Arc::new(letter),
            Err(error) => {
                add(&self.counts.refused);
                tracing::warn!(kind, %error, "a mail was not sent");
                return;
            }
        };
        drop(mail);
        let until = Instant::now() + GIVE_UP_AFTER;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.attempt(&letter).await {
                Ok(()) => {
                    add(&self.counts.delivered);
                    if self.failing.swap(false, Ordering::Relaxed) {
                        tracing::info!("mail is delivered again");
                    }
                    tracing::debug!(kind, "a mail was delivered");
                    return;
                }
                Err(Undelivered::Refused(code)) => {
                    add(&self.counts.refused);
                    tracing::warn!(kind, code, "a mail was refused");
                    return;
                }
                Err(Undelivered::NotNow(why)) => {
                    add(&self.counts.failed_attempts);
                    if self.failing.swap(true, Ordering::Relaxed) {
                        tracing::debug!(kind, why, "a mail is not delivered");
                    } else {
                        tracing::error!(kind, why, "mail is not delivered; it will be tried again");
                    }
                }
            }
            if Instant::now() + pause > until {
                add(&self.counts.given_up);
                tracing::error!(kind, "a mail was given up");
                return;
            }
            if *stop.borrow() {
                sleep(FIRST_PAUSE).await;
                continue;
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn attempt(&self, letter: &Arc<super::letter::Letter>) -> Result<(), Undelivered> {
        // It is never closed.
        let _turn = self.turns.acquire().await;
        let carried = timeout(ATTEMPT, self.carrier.carry(letter)).await;
        carried.unwrap_or_else(|_| Err(Undelivered::NotNow("no answer in time".to_owned())))
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::letter::tests::{TOKEN, composer, verify};
    use super::super::letter::{Coding, Letter};
    use super::super::smtp::{Smtp, SmtpUrl};
    use gatewright_issuer::Mailer as _;

    use super::*;
    use crate::mailbox::{SmtpServer, free_port};

    /// Answers as it is told, by recipient, and keeps what it took.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>, Arc<Mutex<Option<Undelivered>>>);

    impl Told {
        fn took(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }

        fn answer(&self, answer: Option<Undelivered>) {
            *self.1.lock().unwrap() = answer;
        }
    }

    impl Carrier for Told {
        const CODING: Coding = Coding::Plain;

        async fn carry(&self, letter: &Arc<Letter>) -> Result<(), Undelivered> {
            if let Some(error) = self.1.lock().unwrap().clone() {
                return Err(error);
            }
            let to = letter.envelope.to()[0].to_string();
            self.0.lock().unwrap().push(to);
            Ok(())
        }
    }

    fn outage() -> Option<Undelivered> {
        Some(Undelivered::NotNow("out of reach".to_owned()))
    }

    async fn until(what: impl Fn() -> bool) {
        for _ in 0..5_000 {
            if what() {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("it never came to that");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_days_loses_nothing() {
        let (mailer, queue) = Mailer::new();
        let carrier = Told::default();
        carrier.answer(outage());
        let delivery = queue.deliver(composer(), carrier.clone());
        for number in 0..20 {
            mailer.send(verify(&format!("u{number}@example.org")));
        }
        sleep(Duration::from_secs(4 * 86_400)).await;
        let stats = mailer.stats();
        assert_eq!((stats.waiting, stats.delivered), (20, 0));
        // 1 + 2 + … + 256 seconds, then every 300: neither a flood nor a silence.
        let attempts = stats.failed_attempts / 20;
        assert!((1_100..1_200).contains(&attempts), "{attempts}");
        carrier.answer(None);
        sleep(LONGEST_PAUSE).await;
        until(|| mailer.stats().waiting == 0).await;
        let mut took = carrier.took();
        took.sort();
        took.dedup();
        assert_eq!((took.len(), mailer.stats().delivered), (20, 20));
        delivery.finish().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_works_is_given_up_after_days() {
        let (mailer, queue) = Mailer::new();
        let carrier = Told::default();
        carrier.answer(outage());
        let delivery = queue.deliver(composer(), carrier.clone());
        mailer.send(verify("you@example.org"));
        sleep(GIVE_UP_AFTER + LONGEST_PAUSE).await;
        let stats = mailer.stats();
        assert_eq!((stats.given_up, stats.waiting), (1, 0));
        delivery.finish().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_final_and_so_is_no_address() {
        let (mailer, queue) = Mailer::new();
        let carrier = Told::default();
        carrier.answer(Some(Undelivered::Refused(550)));
        let delivery = queue.deliver(composer(), carrier.clone());
        mailer.send(verify("you@example.org"));
        mailer.send(verify("you@example.org\r\nBcc: them@example.org"));
        until(|| mailer.stats().waiting == 0).await;
        assert_eq!(mailer.stats().refused, 2);
        carrier.answer(None);
        mailer.send(verify("them@example.org"));
        until(|| mailer.stats().delivered == 1).await;
        assert_eq!(carrier.took(), ["them@example.org"]);
        delivery.finish().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_and_says_what_it_dropped() {
        let (mailer, queue) = Mailer::new();
        let carrier = Told::default();
        carrier.answer(outage());
        let delivery = queue.deliver(composer(), carrier.clone());
        for _ in 0..CAPACITY + 3 {
            mailer.send(verify("you@example.org"));
        }
        sleep(Duration::from_secs(30)).await;
        let stats = mailer.stats();
        assert_eq!((stats.waiting, stats.dropped), (CAPACITY as u64, 3));
        carrier.answer(None);
        until(|| mailer.stats().waiting == 0).await;
        mailer.send(verify("you@example.org"));
        until(|| mailer.stats().delivered == CAPACITY as u64 + 1).await;
        delivery.finish().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_drains_what_waits_and_waits_for_no_outage() {
        let (mailer, queue) = Mailer::new();
        let carrier = Told::default();
        carrier.answer(outage());
        let delivery = queue.deliver(composer(), carrier.clone());
        mailer.send(verify("a@example.org"));
        // By now it would be minutes until the next attempt.
        sleep(Duration::from_secs(600)).await;
        carrier.answer(None);
        mailer.send(verify("b@example.org"));
        let began = Instant::now();
        delivery.finish().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        let mut took = carrier.took();
        took.sort();
        assert_eq!(took, ["a@example.org", "b@example.org"]);
        mailer.send(verify("c@example.org"));
        assert_eq!(mailer.stats().dropped, 1);

        let (mailer, queue) = Mailer::new();
        carrier.answer(outage());
        let delivery = queue.deliver(composer(), carrier);
        mailer.send(verify("a@example.org"));
        let began = Instant::now();
        delivery.finish().await;
        assert_eq!(began.elapsed(), DRAIN);
    }

    #[tokio::test]
    async fn mail_reaches_an_smtp_server_that_comes_up_late() {
        let port = free_port();
        let url = SmtpUrl::parse(&format!("smtp://127.0.0.1:{port}")).unwrap();
        let (mailer, queue) = Mailer::new();
        let delivery = queue.deliver(composer(), Smtp::new(&url).unwrap());
        for to in ["a@example.org", "b@example.org"] {
            mailer.send(verify(to));
        }
        until(|| mailer.stats().failed_attempts >= 2).await;
        let mut server = SmtpServer::start_on(port);
        for to in ["a@example.org", "b@example.org"] {
            assert_eq!(server.mail_to(to).await.token(), TOKEN);
        }
        until(|| mailer.stats().waiting == 0).await;
        assert_eq!(mailer.stats().delivered, 2);
        delivery.finish().await;
    }
}
