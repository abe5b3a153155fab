//! The change feed: how one process hears what another one changed.
//!
//! Every transaction that changes what a cache may hold also writes the change's key into the table `changes`. A process
//! that caches [joins](SqlStore::join) as a *node* and polls; after it made its caches forget, it writes down how
//! far it has read. So whoever changed something can [wait](SqlStore::acknowledged) until every node that is alive
//! has heard of it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatewright_core::store::{ChangeKey, Changes, StoreError};

use crate::dialect::{Columns, Dialect};
use crate::store::{SqlStore, Write};
use crate::words;

const NOTE: &str = "INSERT INTO changes (kind, id, at) VALUES ($1, $2, $3)";
pub(crate) const LATEST: &str = "SELECT COALESCE(MAX(seq), 0) FROM changes";
pub(crate) const AFTER: &str =
    "SELECT seq, kind, id FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2";

const JOIN: &str = "INSERT INTO nodes (position, heartbeat)
    VALUES ((SELECT COALESCE(MAX(seq), 0) FROM changes), $1) RETURNING id, position";
pub(crate) const ACKNOWLEDGE: &str = "UPDATE nodes SET position = $2, heartbeat = $3 WHERE id = $1";
const LEAVE: &str = "DELETE FROM nodes WHERE id = $1";
// A heartbeat of the future was left behind by a clock that was set back since: as silent as one of the past, or a node
// that died before would be waited for until that time comes. Living nodes correct theirs with their next poll.
const ALIVE: &str = "SELECT COUNT(*), COUNT(CASE WHEN position < $3 THEN 1 END) FROM nodes
    WHERE heartbeat BETWEEN $1 AND $2";
const OTHERS: &str = "SELECT COUNT(*) FROM nodes WHERE id <> $3 AND heartbeat BETWEEN $1 AND $2";

const DROP_NODES: &str = "DELETE FROM nodes WHERE heartbeat NOT BETWEEN $1 AND $2";
// The newest change stays, so that its number is still there to begin from.
const DROP_CHANGES: &str = "DELETE FROM changes WHERE at < $1
    AND seq <= (SELECT COALESCE(MIN(position), 9223372036854775807) FROM nodes)
    AND seq < (SELECT MAX(seq) FROM changes)";

/// The most changes that one poll reads at a time.
const BATCH: u32 = 1_000;
/// How long changes and silent nodes are kept, in milliseconds.
const KEPT_MS: u64 = 3_600_000;
/// How often a node drops what is too old, in milliseconds.
const PRUNE_MS: u64 = 600_000;
/// How often somebody who waits looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How often a node that hears of no change still says that it is alive.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// After how long a silent node counts as dead, unless the caller knows better: longer than a busy database keeps a
/// heartbeat waiting. Nodes compare heartbeats by the machine's clock; after a jump of it each is alive again with its
/// next poll.
pub const DEAD_AFTER: Duration = Duration::from_secs(10);

/// Writes `keys` into the feed, in the transaction that changes them.
pub(crate) async fn note<D: Dialect>(
    write: &mut Write<D>,
    keys: &[ChangeKey],
) -> Result<(), StoreError> {
    let now = clock_ms();
    for key in keys {
        let (kind, id) = words::change(key);
        write
            .execute(NOTE, &[kind.into(), id.into(), now.into()])
            .await?;
    }
    Ok(())
}

impl<D: Dialect> SqlStore<D> {
    /// Takes part in the feed: from here on what any process changes makes `changes` forget, at the next
    /// [`poll`](ChangeFeed::poll). Everything cached before is forgotten now.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    pub async fn join(&self, changes: Changes) -> Result<ChangeFeed<D>, StoreError> {
        let place = register(self).await?;
        changes.raise(&ChangeKey::Everything);
        let mut feed = ChangeFeed {
            store: self.clone(),
            changes,
            place,
            pruned_at: 0,
        };
        feed.prune_sometimes().await?;
        Ok(feed)
    }

    /// Writes a change into the feed that was made past this store, in tables of the service's own.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    pub async fn announce(&self, change: &ChangeKey) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        note(&mut write, std::slice::from_ref(change)).await?;
        write.commit().await
    }

    /// How many nodes spoke within `dead_after`. With more than one, a cache that must not be late reads every time.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    pub async fn live_nodes(&self, dead_after: Duration) -> Result<u64, StoreError> {
        Ok(self.alive(dead_after, 0).await?.0)
    }

    /// Waits until every live node has made its caches forget what was changed before this call, by whichever process,
    /// and answers how many nodes those are. A node that is silent for longer than `dead_after` is not waited for,
    /// so this returns even if a node dies meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    pub async fn acknowledged(&self, dead_after: Duration) -> Result<u64, StoreError> {
        let latest = match self.read_first(LATEST, &[]).await? {
            Some(row) => Columns::<D>::of(&row).number("changes.seq")?,
            None => 0,
        };
        loop {
            let (nodes, behind) = self.alive(dead_after, latest).await?;
            if behind == 0 {
                return Ok(nodes);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// How many nodes are alive, and how many of those have not read as far as `position`.
    async fn alive(&self, dead_after: Duration, position: u64) -> Result<(u64, u64), StoreError> {
        let (since, until) = around_now(dead_after);
        let args = [since.into(), until.into(), position.into()];
        let row = self.read_first(ALIVE, &args).await?;
        let row = row.ok_or(StoreError::Corrupt("nodes.id"))?;
        let mut columns = Columns::<D>::of(&row);
        Ok((
            columns.number("nodes.id")?,
            columns.number("nodes.position")?,
        ))
    }
}

/// One process's place in the feed.
///
/// Poll it often, some tens of milliseconds apart: a poll that finds nothing is one indexed read, and once in a
/// [`HEARTBEAT`] one write. While polls fail, this process hears nothing, and its caches must not be trusted for longer
/// than the service says.
pub struct ChangeFeed<D: Dialect> {
    store: SqlStore<D>,
    changes: Changes,
    place: Place,
    pruned_at: u64,
}

/// A node's row.
struct Place {
    node: u64,
    position: u64,
    heartbeat: u64,
}

impl<D: Dialect> ChangeFeed<D> {
    /// Makes the caches forget what was changed since the last poll, then acknowledges it. Answers how many changes
    /// there were, those of this process included.
    ///
    /// A node that was silent for so long that it was given up has lost its place: it joins anew, and forgets everything.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer. What was read by then is forgotten already, and will be once
    /// more by the next poll; nothing is lost.
    pub async fn poll(&mut self) -> Result<usize, StoreError> {
        let (heard, position) = self.forget_changed().await?;
        let now = clock_ms();
        // A clock that was set back must not silence this node.
        let due = now.abs_diff(self.place.heartbeat) >= millis(HEARTBEAT);
        if position != self.place.position || due {
            self.acknowledge(position, now).await?;
            self.prune_sometimes().await?;
        }
        Ok(heard)
    }

    /// How many other nodes spoke within `dead_after`. Unlike [`live_nodes`](SqlStore::live_nodes) it never takes another
    /// node for this one, whose own heartbeat may be late.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    pub async fn others(&self, dead_after: Duration) -> Result<u64, StoreError> {
        let (since, until) = around_now(dead_after);
        let args = [since.into(), until.into(), self.place.node.into()];
        let row = self.store.read_first(OTHERS, &args).await?;
        let row = row.ok_or(StoreError::Corrupt("nodes.id"))?;
        Columns::<D>::of(&row).number("nodes.id")
    }

    /// Leaves the feed, so that nobody waits for this process any more.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer; the node then counts as dead before long.
    pub async fn leave(self) -> Result<(), StoreError> {
        let mut write = self.store.write().await?;
        write.execute(LEAVE, &[self.place.node.into()]).await?;
        write.commit().await
    }

    /// Answers how many changes there were and the position after the last one.
    async fn forget_changed(&self) -> Result<(usize, u64), StoreError> {
        let (mut heard, mut position) = (0, self.place.position);
        loop {
            let rows = self
                .store
                .read(AFTER, &[position.into(), BATCH.into()])
                .await?;
            for row in &rows {
                let mut columns = Columns::<D>::of(row);
                position = columns.number("changes.seq")?;
                let key =
                    words::parse_change(columns.text("changes.kind")?, columns.text("changes.id")?);
                self.changes.raise(&key);
            }
            heard += rows.len();
            if rows.len() < BATCH as usize {
                return Ok((heard, position));
            }
        }
    }

    async fn acknowledge(&mut self, position: u64, now: u64) -> Result<(), StoreError> {
        let mut write = self.store.write().await?;
        let args = [self.place.node.into(), position.into(), now.into()];
        let known = write.execute(ACKNOWLEDGE, &args).await? > 0;
        write.commit().await?;
        if known {
            self.place.position = position;
            self.place.heartbeat = now;
        } else {
            self.place = register(&self.store).await?;
            self.changes.raise(&ChangeKey::Everything);
        }
        Ok(())
    }

    /// Drops silent nodes, and changes that are old and that every node has read.
    async fn prune_sometimes(&mut self) -> Result<(), StoreError> {
        let now = clock_ms();
        if now.abs_diff(self.pruned_at) < PRUNE_MS {
            return Ok(());
        }
        let (since, until) = (now.saturating_sub(KEPT_MS), now.saturating_add(KEPT_MS));
        let mut write = self.store.write().await?;
        write
            .execute(DROP_NODES, &[since.into(), until.into()])
            .await?;
        write.execute(DROP_CHANGES, &[since.into()]).await?;
        write.commit().await?;
        self.pruned_at = now;
        Ok(())
    }
}

impl<D: Dialect> fmt::Debug for ChangeFeed<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeFeed")
            .field("node", &self.place.node)
            .field("position", &self.place.position)
            .finish_non_exhaustive()
    }
}

/// Makes a node that has read everything so far. Whoever calls it forgets everything afterwards.
async fn register<D: Dialect>(store: &SqlStore<D>) -> Result<Place, StoreError> {
    let heartbeat = clock_ms();
    let mut write = store.write().await?;
    let rows = write.fetch(JOIN, &[heartbeat.into()]).await?;
    let row = rows.first().ok_or(StoreError::Corrupt("nodes.id"))?;
    let mut columns = Columns::<D>::of(row);
    let place = Place {
        node: columns.number("nodes.id")?,
        position: columns.number("nodes.position")?,
        heartbeat,
    };
    write.commit().await?;
    Ok(place)
}

/// Milliseconds since the Unix epoch. The machine's clock and no injected one: processes compare these among each other.
fn clock_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, millis)
}

/// The heartbeats of nodes that are no longer silent than this.
fn around_now(silence: Duration) -> (u64, u64) {
    let (now, silence) = (clock_ms(), millis(silence));
    (now.saturating_sub(silence), now.saturating_add(silence))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
