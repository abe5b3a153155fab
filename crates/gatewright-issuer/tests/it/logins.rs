//! People who log in, over a store that can be made to misbehave.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use gatewright_core::credential::Secret;
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::principal::{SessionId, UserId};
use gatewright_core::session::TokenDigest;
use gatewright_core::store::{
    BoxFuture, MemoryStore, OpenOutcome, Page, PageRequest, RefreshPlace, RefreshRecord,
    RefreshRotation, SessionFilter, SessionRecord, SessionStore, StoreError, Unpublished,
};
use gatewright_core::time::Timestamp;
use gatewright_issuer::{CarriedSession, Grant, NewSession, SessionTerms, Sessions};

use crate::world::{Events, World};

pub(crate) const IDLE: u64 = 1_000;
pub(crate) const ABSOLUTE: u64 = 3_000;
pub(crate) const GRACE: u64 = 10;
pub(crate) const AUDIENCE: &str = "https://api.example";

/// A world in which people log in.
pub(crate) struct Logins {
    pub(crate) world: World,
    pub(crate) store: Arc<Wayward>,
    pub(crate) sessions: Sessions,
}

impl Logins {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let store = Arc::new(Wayward::over(world.store.memory.clone()));
        let sessions = sessions(&world, &store);
        Self {
            world,
            store,
            sessions,
        }
    }

    /// Alice's browser.
    pub(crate) fn alice(&self) -> NewSession {
        NewSession::new(self.world.alice.clone(), "app").labelled("Firefox")
    }

    pub(crate) async fn opened(&self) -> CarriedSession {
        self.sessions.open(self.alice()).await.unwrap()
    }

    /// The child of a token, or why there is none.
    pub(crate) async fn child(&self, token: &str) -> Result<String, Cause> {
        let carried = self.sessions.refresh(token.as_bytes(), None).await;
        carried
            .map(|carried| carried.refresh.expose().to_owned())
            .map_err(cause)
    }

    pub(crate) async fn live(&self, user: &UserId) -> Vec<SessionId> {
        let page = PageRequest::new(None, 100).unwrap();
        let listed = self.sessions.list(user, &page).await.unwrap();
        listed.items.into_iter().map(|session| session.id).collect()
    }

    /// An access token of the session, for Acme.
    pub(crate) fn access(&self, session: &SessionRecord) -> Secret {
        let grant = Grant::of_session(session, AUDIENCE, 0).in_tenant(self.world.acme.clone());
        let issued = self.world.tokens.issue(&grant, self.world.now());
        issued.unwrap().access_token
    }
}

/// Sessions as another process on the same store would hold them.
pub(crate) fn sessions(world: &World, store: &Arc<Wayward>) -> Sessions {
    let terms = SessionTerms::builder()
        .idle_secs(IDLE)
        .absolute_secs(ABSOLUTE)
        .grace_secs(GRACE)
        .build();
    Sessions::new(
        world.gate.clone(),
        Arc::<Wayward>::clone(store),
        Arc::<Events>::clone(&world.events),
    )
    .with_terms(terms.unwrap())
}

pub(crate) fn cause(error: AuthError) -> Cause {
    error.cause().unwrap()
}

/// A store in memory that pauses, fails, loses races and spoils rows on demand.
pub(crate) struct Wayward {
    memory: MemoryStore,
    pub(crate) is_down: AtomicBool,
    /// So many of the next rotations are said to be lost.
    pub(crate) lost_rotations: AtomicU32,
    pub(crate) spoils_children: AtomicBool,
    /// For how many turns the next calls wait, before and after each.
    pub(crate) pauses: Mutex<VecDeque<u8>>,
}

impl Wayward {
    fn over(memory: MemoryStore) -> Self {
        Self {
            memory,
            is_down: AtomicBool::new(false),
            lost_rotations: AtomicU32::new(0),
            spoils_children: AtomicBool::new(false),
            pauses: Mutex::default(),
        }
    }

    async fn pause(&self) {
        let turns = self.pauses.lock().unwrap().pop_front().unwrap_or(0);
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        call: BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            if self.is_down.load(SeqCst) {
                return Err(StoreError::unavailable(std::io::Error::other("down")));
            }
            self.pause().await;
            let answer = call.await;
            self.pause().await;
            answer
        })
    }
}

impl SessionStore for Wayward {
    fn open_session(
        &self,
        session: SessionRecord,
        first: Option<TokenDigest>,
        epoch: Option<u64>,
    ) -> BoxFuture<'_, Result<OpenOutcome, StoreError>> {
        self.answer(self.memory.open_session(session, first, epoch))
    }

    fn session<'a>(
        &'a self,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<SessionRecord>, StoreError>> {
        self.answer(self.memory.session(session))
    }

    fn find_refresh<'a>(
        &'a self,
        token: &'a TokenDigest,
    ) -> BoxFuture<'a, Result<Option<RefreshRecord>, StoreError>> {
        let found = self.memory.find_refresh(token);
        self.answer(Box::pin(async move {
            let mut found = found.await?;
            if let Some(RefreshRecord {
                place: RefreshPlace::Parent { sealed_child, .. },
                ..
            }) = &mut found
                && self.spoils_children.load(SeqCst)
            {
                sealed_child[0] ^= 1;
            }
            Ok(found)
        }))
    }

    fn rotate_refresh<'a>(
        &'a self,
        rotation: RefreshRotation<'a>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let left = |count: u32| count.checked_sub(1);
        if self.lost_rotations.try_update(SeqCst, SeqCst, left).is_ok() {
            return self.answer(Box::pin(async { Ok(false) }));
        }
        self.answer(self.memory.rotate_refresh(rotation))
    }

    fn live_sessions<'a>(
        &'a self,
        user: &'a UserId,
        now: Timestamp,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<SessionRecord>, StoreError>> {
        self.answer(self.memory.live_sessions(user, now, page))
    }

    fn end_sessions<'a>(
        &'a self,
        user: &'a UserId,
        which: SessionFilter<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<Vec<SessionId>>, StoreError>> {
        self.answer(self.memory.end_sessions(user, which, now))
    }

    fn forget_sessions(
        &self,
        now: Timestamp,
        keep_secs: u64,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.answer(self.memory.forget_sessions(now, keep_secs))
    }
}
