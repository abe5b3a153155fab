//! Login sessions and their lines of refresh tokens.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use super::{MemoryStore, State};
use crate::principal::{SessionId, UserId};
use crate::session::TokenDigest;
use crate::store::{
    BoxFuture, ChangeKey, OpenOutcome, Page, PageRequest, RefreshPlace, RefreshRecord,
    RefreshRotation, SessionFilter, SessionRecord, SessionStore, StoreError, Unpublished,
};
use crate::time::Timestamp;

/// Sessions by the order in which they were opened, and what finds them.
#[derive(Default)]
pub(super) struct Sessions {
    /// The last number that was given; never given again, so a cursor never loses its place.
    last: u64,
    rows: BTreeMap<u64, Session>,
    by_id: HashMap<SessionId, u64>,
    of_user: HashMap<UserId, BTreeSet<u64>>,
    by_token: HashMap<TokenDigest, u64>,
}

struct Session {
    record: SessionRecord,
    /// The line, the youngest token last.
    tokens: Vec<TokenDigest>,
    /// What the parent of the youngest token holds of it.
    grace: Option<Grace>,
}

struct Grace {
    sealed_child: Box<[u8]>,
    ends_at: Timestamp,
}

impl Session {
    fn place(&self, token: &TokenDigest) -> RefreshPlace {
        let mut youngest = self.tokens.iter().rev();
        if youngest.next() == Some(token) {
            return RefreshPlace::Current;
        }
        match &self.grace {
            Some(grace) if youngest.next() == Some(token) => RefreshPlace::Parent {
                sealed_child: grace.sealed_child.clone(),
                grace_ends_at: grace.ends_at,
            },
            _ => RefreshPlace::Spent,
        }
    }

    /// When the session ended, or will end if nothing happens.
    fn ends_at(&self) -> Timestamp {
        let ended_at = self.record.ended_at.unwrap_or(Timestamp::MAX);
        ended_at.min(self.record.idle_expires_at)
    }
}

impl Sessions {
    fn get(&self, id: &SessionId) -> Option<&Session> {
        self.rows.get(self.by_id.get(id)?)
    }

    fn open(&mut self, mut record: SessionRecord, first: Option<TokenDigest>) -> OpenOutcome {
        let known = first.is_some_and(|token| self.by_token.contains_key(&token));
        if known || self.by_id.contains_key(&record.id) {
            return OpenOutcome::IdTaken;
        }
        record.idle_expires_at = record.idle_expires_at.min(record.expires_at);
        self.last += 1;
        self.by_id.insert(record.id.clone(), self.last);
        let of_user = self.of_user.entry(record.user.clone()).or_default();
        of_user.insert(self.last);
        self.by_token.extend(first.map(|token| (token, self.last)));
        let session = Session {
            record,
            tokens: first.into_iter().collect(),
            grace: None,
        };
        self.rows.insert(self.last, session);
        OpenOutcome::Opened
    }

    fn find(&self, token: &TokenDigest) -> Option<RefreshRecord> {
        let session = self.rows.get(self.by_token.get(token)?)?;
        Some(RefreshRecord::new(
            session.record.clone(),
            session.place(token),
        ))
    }

    fn rotate(&mut self, rotation: &RefreshRotation<'_>) -> bool {
        if self.by_token.contains_key(&rotation.child) {
            return false;
        }
        let Some(place) = self.by_id.get(rotation.session) else {
            return false;
        };
        let session = self.rows.get_mut(place).filter(|session| {
            session.record.is_live(rotation.now) && session.tokens.last() == Some(&rotation.parent)
        });
        let Some(session) = session else {
            return false;
        };
        session.tokens.push(rotation.child);
        self.by_token.insert(rotation.child, *place);
        session.grace = Some(Grace {
            sealed_child: rotation.sealed_child.into(),
            ends_at: rotation.grace_ends_at,
        });
        let record = &mut session.record;
        record.last_used_at = record.last_used_at.max(rotation.now);
        record.idle_expires_at = rotation.idle_expires_at.min(record.expires_at);
        true
    }

    fn live(&self, user: &UserId, now: Timestamp, request: &PageRequest) -> Page<SessionRecord> {
        let after = match request.after() {
            None => Bound::Unbounded,
            // What is no cursor of ours is a place after the last row.
            Some(cursor) => Bound::Excluded(cursor.as_str().parse().unwrap_or(u64::MAX)),
        };
        let rows = self
            .of_user
            .get(user)
            .into_iter()
            .flat_map(|places| places.range((after, Bound::Unbounded)))
            .filter_map(|place| Some((*place, &self.rows.get(place)?.record)))
            .filter(|(_, record)| record.is_live(now))
            .take(request.limit() as usize + 1)
            .map(|(place, record)| (place, record.clone()))
            .collect();
        Page::cut(rows, request, |(place, _)| place.to_string()).map(|(_, record)| record)
    }

    fn forget(&mut self, now: Timestamp, keep_secs: u64) -> u64 {
        for session in self.rows.values_mut() {
            session.grace.take_if(|grace| grace.ends_at <= now);
        }
        let Some(until) = now.checked_sub(keep_secs) else {
            return 0;
        };
        let mut forgotten = 0;
        for (place, session) in self
            .rows
            .extract_if(.., |_, session| session.ends_at() <= until)
        {
            forgotten += 1;
            self.by_id.remove(&session.record.id);
            for token in &session.tokens {
                self.by_token.remove(token);
            }
            if let Some(places) = self.of_user.get_mut(&session.record.user) {
                places.remove(&place);
                if places.is_empty() {
                    self.of_user.remove(&session.record.user);
                }
            }
        }
        forgotten
    }
}

impl State {
    /// Ends those of the user's sessions that are meant and live, and their access tokens with them. Without a clock at hand
    /// (`now` is `None`) a session counts as live until somebody ended it, and as ended when it would have ended by itself.
    pub(super) fn end_sessions(
        &mut self,
        user: &UserId,
        which: SessionFilter<'_>,
        now: Option<Timestamp>,
    ) -> Vec<SessionId> {
        let mut ended = Vec::new();
        for place in self.sessions.of_user.get(user).into_iter().flatten() {
            let Some(session) = self.sessions.rows.get_mut(place) else {
                continue;
            };
            let record = &mut session.record;
            let live = now.map_or(record.ended_at.is_none(), |now| record.is_live(now));
            if live && is_meant(record, which) {
                record.ended_at = Some(now.unwrap_or(record.idle_expires_at));
                self.revocations
                    .end_session(record.id.as_str(), record.expires_at);
                ended.push(record.id.clone());
            }
        }
        ended
    }
}

impl SessionStore for MemoryStore {
    fn open_session(
        &self,
        session: SessionRecord,
        first: Option<TokenDigest>,
        epoch: Option<u64>,
    ) -> BoxFuture<'_, Result<OpenOutcome, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            let current = state.revocations.user_epoch(session.user.as_str());
            if epoch.is_some_and(|epoch| epoch != current) {
                return Ok(OpenOutcome::EpochOver);
            }
            Ok(state.sessions.open(session, first))
        })
    }

    fn session<'a>(
        &'a self,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<SessionRecord>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            Ok(state.sessions.get(session).map(|row| row.record.clone()))
        })
    }

    fn find_refresh<'a>(
        &'a self,
        token: &'a TokenDigest,
    ) -> BoxFuture<'a, Result<Option<RefreshRecord>, StoreError>> {
        Box::pin(async move { Ok(self.read().sessions.find(token)) })
    }

    fn rotate_refresh<'a>(
        &'a self,
        rotation: RefreshRotation<'a>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.write().sessions.rotate(&rotation)) })
    }

    fn live_sessions<'a>(
        &'a self,
        user: &'a UserId,
        now: Timestamp,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<SessionRecord>, StoreError>> {
        Box::pin(async move { Ok(self.read().sessions.live(user, now, page)) })
    }

    fn end_sessions<'a>(
        &'a self,
        user: &'a UserId,
        which: SessionFilter<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<Vec<SessionId>>, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            let ended = state.end_sessions(user, which, Some(now));
            // Whoever ended the others may not have published that yet; each token of the user's hears of this.
            let mut keys = vec![ChangeKey::User(user.as_str().into())];
            keys.extend(ended.iter().map(session_changed));
            Ok(Unpublished::new(ended, keys))
        })
    }

    fn forget_sessions(
        &self,
        now: Timestamp,
        keep_secs: u64,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.write().sessions.forget(now, keep_secs)) })
    }
}

fn is_meant(record: &SessionRecord, which: SessionFilter<'_>) -> bool {
    match which {
        SessionFilter::All => true,
        SessionFilter::One(id) => record.id == *id,
        SessionFilter::Except(id) => record.id != *id,
        SessionFilter::InTenant(tenant) => record.tenant.as_ref() == Some(tenant),
    }
}

pub(super) fn session_changed(session: &SessionId) -> ChangeKey {
    ChangeKey::Session(session.as_str().into())
}
