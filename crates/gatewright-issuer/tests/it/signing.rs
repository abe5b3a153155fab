//! The life of signing keys, on one node and on several.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use gatewright_core::jwt::Algorithm;
use gatewright_core::store::{
    BoxFuture, KeyStore, MemoryStore, StoreError, StoredSigningKey, StoredTagKey,
};
use gatewright_core::time::Timestamp;
use gatewright_issuer::{KeyLifetimes, SealingKey, SigningKeys, SigningKeysError};
use tokio::sync::oneshot;

use crate::world::NOW;

/// Published so long before it signs, and kept so long after.
const LEAD: u64 = 600;
const LONGEST: u64 = 3_600;

async fn open(store: Arc<dyn KeyStore>, now: Timestamp) -> Result<SigningKeys, SigningKeysError> {
    let sealing = SealingKey::new(&[7; 32]).unwrap();
    let lifetimes = KeyLifetimes::new(LEAD, LONGEST);
    SigningKeys::open(store, sealing, Algorithm::EdDsa, lifetimes, now).await
}

fn active(keys: &SigningKeys, now: Timestamp) -> String {
    keys.active(now).unwrap().kid().to_owned()
}

/// The key ids that verify now, sorted.
fn live(keys: &SigningKeys) -> Vec<String> {
    let set = keys.live().load();
    let mut kids: Vec<String> = set.iter().map(|key| key.kid().unwrap().into()).collect();
    kids.sort();
    kids
}

fn sorted<const N: usize>(kids: [&String; N]) -> Vec<String> {
    let mut kids = kids.map(Clone::clone).to_vec();
    kids.sort();
    kids
}

#[tokio::test]
async fn nodes_that_start_at_once_end_with_one_key() {
    for _ in 0..8 {
        let store = Arc::new(MemoryStore::new());
        let nodes: Vec<_> = (0..4)
            .map(|_| {
                let racing = Arc::new(Racing::over(Arc::clone(&store), 4));
                tokio::spawn(open(racing, NOW))
            })
            .collect();
        let mut kids = Vec::new();
        for node in nodes {
            let keys = node.await.unwrap().unwrap();
            kids.push((active(&keys, NOW), live(&keys)));
        }
        assert!(kids.windows(2).all(|pair| pair[0] == pair[1]), "{kids:?}");
        assert_eq!(store.signing_keys().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_key_is_published_then_signs_then_its_predecessor_is_retired() {
    let store = Arc::new(MemoryStore::new());
    let keys = open(Arc::<MemoryStore>::clone(&store), NOW).await.unwrap();
    let other_node = open(Arc::<MemoryStore>::clone(&store), NOW).await.unwrap();
    let first = active(&keys, NOW);
    let second = keys.rotate(NOW).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(live(&keys), sorted([&first, &second]));
    assert_eq!(keys.jwks(NOW)["keys"].as_array().unwrap().len(), 2);
    assert_eq!(live(&other_node), sorted([&first]));
    other_node.reload(NOW).await.unwrap();
    assert_eq!(live(&other_node), sorted([&first, &second]));

    for keys in [&keys, &other_node] {
        assert_eq!(active(keys, NOW + LEAD - 1), first);
        assert_eq!(active(keys, NOW + LEAD), second);
    }
    let end = NOW + LEAD + LONGEST;
    keys.reload(end - 1).await.unwrap();
    assert_eq!(live(&keys), sorted([&first, &second]));
    keys.reload(end).await.unwrap();
    assert_eq!(live(&keys), sorted([&second]));
    assert_eq!(keys.jwks(end)["keys"].as_array().unwrap().len(), 1);
    assert_eq!(active(&keys, end), second);
}

#[tokio::test]
async fn what_verifies_is_replaced_only_when_it_changes() {
    let keys = open(Arc::new(MemoryStore::new()), NOW).await.unwrap();
    let generation = keys.live().generation();
    keys.reload(NOW + 1).await.unwrap();
    assert_eq!(keys.live().generation(), generation);
    keys.rotate(NOW + 1).await.unwrap();
    assert_eq!(keys.live().generation(), generation + 1);
}

#[tokio::test]
async fn a_retired_key_verifies_nothing_and_a_successor_signs_at_once() {
    let store = Arc::new(MemoryStore::new());
    let keys = open(Arc::<MemoryStore>::clone(&store), NOW).await.unwrap();
    let other_node = open(Arc::<MemoryStore>::clone(&store), NOW).await.unwrap();
    let leaked = active(&keys, NOW);
    keys.retire(&leaked, NOW).await.unwrap();
    let successor = active(&keys, NOW);
    assert_ne!(successor, leaked);
    assert_eq!(live(&keys), sorted([&successor]));
    other_node.reload(NOW).await.unwrap();
    assert_eq!(live(&other_node), sorted([&successor]));
    let reopened = open(store, NOW).await.unwrap();
    assert_eq!(active(&reopened, NOW), successor);

    let again = keys.retire(&leaked, NOW).await.unwrap_err();
    assert!(matches!(again, SigningKeysError::UnknownKey));
    assert_eq!(live(&keys), sorted([&successor]));
}

#[tokio::test]
async fn retiring_the_key_to_come_leaves_a_successor_to_come() {
    let keys = open(Arc::new(MemoryStore::new()), NOW).await.unwrap();
    let first = active(&keys, NOW);
    let leaked = keys.rotate(NOW).await.unwrap();
    keys.retire(&leaked, NOW + 1).await.unwrap();
    assert!(!live(&keys).contains(&leaked));
    assert_eq!(active(&keys, NOW + 1), first);
    let later = NOW + 10 * (LEAD + LONGEST);
    keys.reload(later).await.unwrap();
    assert!(keys.active(later).is_some(), "somebody signs for ever");
}

#[tokio::test]
async fn retiring_a_superseded_key_changes_nothing_else() {
    let keys = open(Arc::new(MemoryStore::new()), NOW).await.unwrap();
    let first = active(&keys, NOW);
    let second = keys.rotate(NOW).await.unwrap();
    let now = NOW + LEAD;
    keys.retire(&first, now).await.unwrap();
    assert_eq!(live(&keys), sorted([&second]));
    assert_eq!(active(&keys, now), second);
}

#[tokio::test]
async fn a_retired_key_stays_so_whatever_other_nodes_do_meanwhile() {
    let store = Arc::new(MemoryStore::new());
    let keys = open(Arc::<MemoryStore>::clone(&store), NOW).await.unwrap();
    let first = active(&keys, NOW);
    let second = keys.rotate(NOW).await.unwrap();
    let now = NOW + LEAD;
    // The other node reads the keys, then the first one is retired, then it writes.
    let (racing, go_on) = Racing::paused(Arc::clone(&store));
    let racing = Arc::new(racing);
    let other_node = open(Arc::<Racing>::clone(&racing), now).await.unwrap();
    racing.is_armed.store(true, Ordering::SeqCst);
    let rotation = async {
        let third = other_node.rotate(now).await.unwrap();
        assert_eq!(live(&other_node), sorted([&second, &third]));
    };
    let retirement = async {
        keys.retire(&first, now).await.unwrap();
        go_on.send(()).unwrap();
    };
    tokio::join!(rotation, retirement);
    let stored = store.signing_keys().await.unwrap();
    assert!(stored.iter().all(|key| key.kid != first));
}

#[tokio::test]
async fn a_reload_that_began_before_a_change_does_not_undo_it() {
    let store = Arc::new(MemoryStore::new());
    let (racing, go_on) = Racing::paused(store);
    let racing = Arc::new(racing);
    let keys = open(Arc::<Racing>::clone(&racing), NOW).await.unwrap();
    let leaked = active(&keys, NOW);
    racing.is_armed.store(true, Ordering::SeqCst);
    let reload = async { keys.reload(NOW).await.unwrap() };
    let retirement = async {
        keys.retire(&leaked, NOW).await.unwrap();
        go_on.send(()).unwrap();
    };
    tokio::join!(reload, retirement);
    assert!(!live(&keys).contains(&leaked));
    assert_ne!(active(&keys, NOW), leaked);
}

#[tokio::test]
async fn endless_contention_is_an_error_and_changes_nothing() {
    let store = Arc::new(MemoryStore::new());
    let racing = Arc::new(Racing::over(store, 0));
    let keys = open(Arc::<Racing>::clone(&racing), NOW).await.unwrap();
    let before = live(&keys);
    racing.refusals.store(3, Ordering::SeqCst);
    keys.rotate(NOW).await.unwrap();
    assert_eq!(live(&keys).len(), 2);
    racing.refusals.store(u32::MAX, Ordering::SeqCst);
    let error = keys.rotate(NOW).await.unwrap_err();
    assert!(matches!(error, SigningKeysError::Contended));
    let error = keys.retire(&before[0], NOW).await.unwrap_err();
    assert!(matches!(error, SigningKeysError::Contended));
    assert_eq!(live(&keys).len(), 2);
}

#[tokio::test]
async fn another_sealing_key_opens_nothing() {
    let store = Arc::new(MemoryStore::new());
    open(Arc::<MemoryStore>::clone(&store), NOW).await.unwrap();
    let other = SealingKey::new(&[8; 32]).unwrap();
    let lifetimes = KeyLifetimes::new(LEAD, LONGEST);
    let opened = SigningKeys::open(
        Arc::<MemoryStore>::clone(&store),
        other,
        Algorithm::EdDsa,
        lifetimes,
        NOW,
    );
    let error = opened.await.unwrap_err();
    assert!(matches!(error, SigningKeysError::Seal(_)));
    assert_eq!(store.signing_keys().await.unwrap().len(), 1, "left alone");
}

#[tokio::test]
async fn no_private_key_is_stored_in_the_clear() {
    let store = Arc::new(MemoryStore::new());
    let keys = open(Arc::<MemoryStore>::clone(&store), NOW).await.unwrap();
    let private = keys.active(NOW).unwrap().to_pkcs8_der().unwrap();
    let stored = store.signing_keys().await.unwrap();
    for part in private.windows(16) {
        let is_part = |window: &[u8]| window == part;
        assert!(!stored[0].sealed.windows(16).any(is_part));
    }
}

#[tokio::test]
async fn of_two_keys_of_one_second_the_successor_signs_after_reading_them_again() {
    let store = Arc::new(MemoryStore::new());
    let sealing = || SealingKey::new(&[7; 32]).unwrap();
    let at_once = KeyLifetimes::new(0, LONGEST);
    for _ in 0..8 {
        let node = |store| SigningKeys::open(store, sealing(), Algorithm::EdDsa, at_once, NOW);
        let keys = node(Arc::<MemoryStore>::clone(&store)).await.unwrap();
        let second = keys.rotate(NOW).await.unwrap();
        // As a store may order keys that were published in one second.
        let mut stored = store.signing_keys().await.unwrap();
        stored.reverse();
        let kids: Vec<String> = stored.iter().map(|key| key.kid.clone()).collect();
        assert!(store.replace_signing_keys(&kids, stored).await.unwrap());
        keys.reload(NOW).await.unwrap();
        assert_eq!(active(&keys, NOW), second);
    }
}

/// A store whose answers come late, or that is always changed by somebody else first.
struct Racing {
    store: Arc<MemoryStore>,
    /// After how many turns of the scheduler a reading is answered.
    delay: usize,
    is_armed: AtomicBool,
    /// What the next armed reading waits for.
    resume: Mutex<Option<oneshot::Receiver<()>>>,
    /// So many replacements find the keys changed.
    refusals: AtomicU32,
}

impl Racing {
    fn over(store: Arc<MemoryStore>, delay: usize) -> Self {
        Self {
            store,
            delay,
            is_armed: AtomicBool::new(false),
            resume: Mutex::default(),
            refusals: AtomicU32::new(0),
        }
    }

    fn paused(store: Arc<MemoryStore>) -> (Self, oneshot::Sender<()>) {
        let (go_on, resume) = oneshot::channel();
        let racing = Self::over(store, 0);
        *racing.resume.lock().unwrap() = Some(resume);
        (racing, go_on)
    }
}

impl KeyStore for Racing {
    fn signing_keys(&self) -> BoxFuture<'_, Result<Vec<StoredSigningKey>, StoreError>> {
        Box::pin(async move {
            let read = self.store.signing_keys().await;
            for _ in 0..self.delay {
                tokio::task::yield_now().await;
            }
            if self.is_armed.swap(false, Ordering::SeqCst) {
                let resume = self.resume.lock().unwrap().take();
                resume.unwrap().await.unwrap();
            }
            read
        })
    }

    fn replace_signing_keys<'a>(
        &'a self,
        expected: &'a [String],
        keys: Vec<StoredSigningKey>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let order = Ordering::SeqCst;
        let left = |count: u32| count.checked_sub(1);
        if self.refusals.try_update(order, order, left).is_ok() {
            return Box::pin(async { Ok(false) });
        }
        self.store.replace_signing_keys(expected, keys)
    }

    fn tag_keys(&self) -> BoxFuture<'_, Result<Vec<StoredTagKey>, StoreError>> {
        self.store.tag_keys()
    }

    fn insert_tag_key(&self, key: StoredTagKey) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.store.insert_tag_key(key)
    }
}
