//! Work that no request waits for: writing down last uses, and storing newer hashes.

use std::sync::{Mutex, PoisonError};

use super::record::{LiveSecret, Record};
use super::shared::Shared;
use crate::credential::SecretKind;
use crate::hash::{Answer, GuardTag, Phc, SecretHash};
use crate::principal::CredentialId;
use crate::store::{StoreError, StoredSecret, Use};

/// Hashes that may wait to be stored; beyond that a rehash waits for the secret's next use.
const MAX_REHASHES: usize = 256;
/// Last uses written in one call of the store.
const BATCH: usize = 500;

/// A newer hash of a proven secret, being computed by the pool.
pub(super) struct Rehash {
    kind: SecretKind,
    id: CredentialId,
    old: SecretHash,
    tag: Option<GuardTag>,
    new: NewHash,
}

enum NewHash {
    Awaited(Answer<Phc>),
    Known(Phc),
}

/// What one round of upkeep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upkeep {
    /// Last uses written.
    pub uses: usize,
    /// Hashes replaced by newer ones.
    pub rehashed: usize,
    /// How many of these hashes another system had made.
    pub migrated: usize,
}

impl Shared {
    /// Has a proven secret hashed anew if its hash or its guard tag is out of date; a tag is when it was made with another
    /// key than the current one, or for a text that is not `taggable`.
    pub(super) fn refresh_hash_later(
        &self,
        record: &Record,
        secret: &LiveSecret,
        text: &[u8],
        taggable: bool,
    ) {
        let tag = taggable.then(|| self.tags.tag(text));
        if secret.tag == tag && !secret.hash.needs_rehash(&self.pool.settings()) {
            return;
        }
        let mut rehashes = self.rehashes.lock().unwrap_or_else(PoisonError::into_inner);
        // What finds no room is asked for again by the secret's next use.
        if rehashes.len() >= MAX_REHASHES {
            record.usage.miss_renewal(secret);
        } else if let Some(new) = self.pool.hash_if_calm(text) {
            rehashes.push(Rehash {
                kind: record.usage.kind(),
                id: record.usage.id().clone(),
                old: secret.hash.clone(),
                tag,
                new: NewHash::Awaited(new),
            });
        } else {
            record.usage.miss_renewal(secret);
        }
    }

    /// Asks again for a newer hash that found no room at an earlier use.
    #[inline]
    pub(super) fn catch_up_renewal(
        &self,
        record: &Record,
        secret: &LiveSecret,
        text: &[u8],
        taggable: bool,
    ) {
        if record.usage.take_missed_renewal(secret) {
            self.refresh_hash_later(record, secret, text, taggable);
        }
    }

    pub(super) async fn upkeep(&self) -> Result<Upkeep, StoreError> {
        // One that fails does not keep the other from being done.
        let uses = self.flush_uses().await;
        let (rehashed, migrated) = self.store_rehashes().await?;
        Ok(Upkeep {
            rehashed,
            migrated,
            uses: uses?,
        })
    }

    /// How many were stored, and how many of these replace a hash that another system made.
    async fn store_rehashes(&self) -> Result<(usize, usize), StoreError> {
        let mut waiting = Waiting::take_from(&self.rehashes);
        let (mut stored, mut migrated) = (0, 0);
        while let Some(rehash) = waiting.list.last_mut() {
            let new = match &mut rehash.new {
                NewHash::Known(new) => Some(new.clone()),
                NewHash::Awaited(answer) => answer.await,
            };
            if let Some(new) = new {
                rehash.new = NewHash::Known(new.clone());
                let secret = StoredSecret::new(new, rehash.tag);
                let swapped = self
                    .credentials
                    .swap_hash(rehash.kind, rehash.id.as_str(), &rehash.old, secret)
                    .await?;
                let swapped = self.changes.publish(swapped);
                stored += usize::from(swapped);
                migrated += usize::from(swapped && rehash.old.is_imported());
            }
            waiting.list.pop();
        }
        Ok((stored, migrated))
    }

    async fn flush_uses(&self) -> Result<usize, StoreError> {
        let mut waiting = Waiting::take_from(&self.used);
        let mut written = 0;
        while !waiting.list.is_empty() {
            let start = waiting.list.len().saturating_sub(BATCH);
            let batch = waiting.list.get(start..).unwrap_or_default();
            // The note goes first: a use from here on is noted anew, and at worst written twice.
            let uses: Vec<Use> = batch
                .iter()
                .map(|usage| {
                    usage.forget();
                    usage.to_write()
                })
                .collect();
            self.credentials.touch(&uses).await?;
            waiting.list.truncate(start);
            written += uses.len();
        }
        Ok(written)
    }
}

/// Work taken off its list. What is not done when this is dropped, because the store failed or the round was cancelled,
/// goes back.
struct Waiting<'a, T> {
    list: Vec<T>,
    home: &'a Mutex<Vec<T>>,
}

impl<'a, T> Waiting<'a, T> {
    fn take_from(home: &'a Mutex<Vec<T>>) -> Self {
        let list = std::mem::take(&mut *home.lock().unwrap_or_else(PoisonError::into_inner));
        Self { list, home }
    }
}

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        if !self.list.is_empty() {
            let mut home = self.home.lock().unwrap_or_else(PoisonError::into_inner);
            home.append(&mut self.list);
        }
    }
}
