//! Login sessions, and the line of refresh tokens that carries one on.

use super::{BoxFuture, Page, PageRequest, StoreError, Unpublished};
use crate::principal::{SessionId, TenantId, UserId};
use crate::session::TokenDigest;
use crate::time::Timestamp;

/// One login of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionRecord {
    /// The session's id, the `sid` of its access tokens.
    pub id: SessionId,
    /// Who logged in.
    pub user: UserId,
    /// The tenant that was logged in to; `None` for a login to all that the user belongs to.
    pub tenant: Option<TenantId>,
    /// The application that was logged in with, the `client_id` of its access tokens.
    pub client: Box<str>,
    /// What the user recognises the session by, such as the browser's name. May be empty.
    pub label: Box<str>,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When the session was last carried on.
    pub last_used_at: Timestamp,
    /// When the session ends if it is not carried on before; never after `expires_at`.
    pub idle_expires_at: Timestamp,
    /// When the session ends in any case. Never moves, and no token of the session outlives it.
    pub expires_at: Timestamp,
    /// When the session was ended early; `idle_expires_at` where whoever ended it has no clock, as the removal of a member
    /// from the session's tenant.
    pub ended_at: Option<Timestamp>,
}

impl SessionRecord {
    /// A session that begins `now` and ends at `expires_at`, however idle.
    #[must_use]
    pub fn new(
        id: SessionId,
        user: UserId,
        client: impl Into<Box<str>>,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            id,
            user,
            tenant: None,
            client: client.into(),
            label: "".into(),
            created_at: now,
            last_used_at: now,
            idle_expires_at: expires_at,
            expires_at,
            ended_at: None,
        }
    }

    /// Whether the session goes on at this time: neither ended nor expired. At the very second of an expiry it is over.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.idle_expires_at && now < self.expires_at
    }
}

/// What a store knows of a refresh token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RefreshRecord {
    /// The session that it was issued in, live or not.
    pub session: SessionRecord,
    /// Where the token stands in the session's line.
    pub place: RefreshPlace,
}

impl RefreshRecord {
    /// A token of a session.
    #[must_use]
    pub const fn new(session: SessionRecord, place: RefreshPlace) -> Self {
        Self { session, place }
    }
}

/// Where a refresh token stands in its session's line.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshPlace {
    /// The youngest one: not used so far.
    Current,
    /// The parent of the youngest one, which nobody has used so far.
    Parent {
        /// The child, sealed so that only who presents the parent can open it.
        sealed_child: Box<[u8]>,
        /// Until when the parent is answered with the child once more.
        grace_ends_at: Timestamp,
    },
    /// An older one, or the parent of one that was used. Presented again it is reuse.
    Spent,
}

impl std::fmt::Debug for RefreshPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Current => "Current",
            Self::Parent { .. } => "Parent(redacted)",
            Self::Spent => "Spent",
        })
    }
}

/// A step in a session's line: the current token is replaced by its child.
#[derive(Clone)]
#[non_exhaustive]
pub struct RefreshRotation<'a> {
    /// The session.
    pub session: &'a SessionId,
    /// The token that was presented.
    pub parent: TokenDigest,
    /// The one that takes its place.
    pub child: TokenDigest,
    /// The child's text, sealed under a key that only the parent's text gives.
    pub sealed_child: &'a [u8],
    /// Until when the parent is answered with the child once more.
    pub grace_ends_at: Timestamp,
    /// Now, in whole seconds.
    pub now: Timestamp,
    /// When the session ends if it is not carried on again. A store cuts it to the session's `expires_at`.
    pub idle_expires_at: Timestamp,
}

impl<'a> RefreshRotation<'a> {
    /// A step without grace, in a session that ends by its `expires_at` alone.
    #[must_use]
    pub const fn new(
        session: &'a SessionId,
        parent: TokenDigest,
        child: TokenDigest,
        now: Timestamp,
    ) -> Self {
        Self {
            session,
            parent,
            child,
            sealed_child: &[],
            grace_ends_at: now,
            now,
            idle_expires_at: Timestamp::MAX,
        }
    }
}

impl std::fmt::Debug for RefreshRotation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshRotation")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// Which sessions of a user are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionFilter<'a> {
    /// All of them.
    All,
    /// This one, if it is the user's.
    One(&'a SessionId),
    /// All but this one.
    Except(&'a SessionId),
    /// Those that were opened for this tenant.
    InTenant(&'a TenantId),
}

/// What became of a session that was to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenOutcome {
    /// It is open.
    Opened,
    /// The id or the token is known already; try others.
    IdTaken,
    /// The user's revocation epoch is another by now. What the login was judged by, such as a password, may be so too.
    EpochOver,
}

/// Where login sessions live.
///
/// A session that ends before its time also ends its access tokens: in the same step it is noted as
/// [`RevocationStore::end_session`](super::RevocationStore::end_session) does, until the session's `expires_at`.
pub trait SessionStore: Send + Sync {
    /// Opens a session, with the first token of its line where it is to be carried on. A store cuts `idle_expires_at` to the
    /// session's `expires_at`.
    ///
    /// With an `epoch`, only if that still is the user's, judged and done in one step: a login by a password that is changed
    /// meanwhile is then either ended by that change or not opened at all.
    fn open_session(
        &self,
        session: SessionRecord,
        first: Option<TokenDigest>,
        epoch: Option<u64>,
    ) -> BoxFuture<'_, Result<OpenOutcome, StoreError>>;

    /// The session with this id, live or not.
    fn session<'a>(
        &'a self,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<SessionRecord>, StoreError>>;

    /// What is known of a refresh token, in one read. Tokens stay known until their session is
    /// [forgotten](Self::forget_sessions), so that reuse is seen however late it comes.
    fn find_refresh<'a>(
        &'a self,
        token: &'a TokenDigest,
    ) -> BoxFuture<'a, Result<Option<RefreshRecord>, StoreError>>;

    /// Replaces the current token, in one step and only if `parent` still is the current one and the session is live.
    /// Answers whether it was done: of several who come with one token at once it is done for one, and for none whose child
    /// is known already. What the grandparent's row held of the parent is deleted in the same step.
    fn rotate_refresh<'a>(
        &'a self,
        rotation: RefreshRotation<'a>,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// The user's live sessions, the oldest first.
    fn live_sessions<'a>(
        &'a self,
        user: &'a UserId,
        now: Timestamp,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<SessionRecord>, StoreError>>;

    /// Ends those of the user's live sessions that are meant, in one step. Answers which. The user is published too, so that
    /// a second call also tells of what the first one did not come to publish.
    fn end_sessions<'a>(
        &'a self,
        user: &'a UserId,
        which: SessionFilter<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<Vec<SessionId>>, StoreError>>;

    /// Deletes sealed children whose grace has ended, and sessions with all their tokens that ended at least `keep_secs`
    /// ago, by themselves or early. Answers how many sessions.
    fn forget_sessions(
        &self,
        now: Timestamp,
        keep_secs: u64,
    ) -> BoxFuture<'_, Result<u64, StoreError>>;
}
