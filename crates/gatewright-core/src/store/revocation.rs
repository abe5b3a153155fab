//! What ends a signed token before its `exp`.
//!
//! A JWT cannot be taken back, so each one names what it depends on, and every use asks whether that still stands: the
//! *epoch* of its user or client (a counter that logging out everywhere, a password change or a removal
//! raises; a token says which epoch it was issued in), its session, and its own `jti`.

use super::{BoxFuture, StoreError, Unpublished};
use crate::principal::{SessionId, UserId};
use crate::time::Timestamp;

/// What one token depends on.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TokenRef<'a> {
    /// The user, for a person's token.
    pub user: Option<&'a str>,
    /// The client, for a machine's token.
    pub client: Option<&'a str>,
    /// The login session.
    pub session: Option<&'a str>,
    /// The token itself.
    pub jti: Option<&'a str>,
}

impl<'a> TokenRef<'a> {
    /// A person's token.
    #[must_use]
    pub const fn user(user: &'a str, session: Option<&'a str>, jti: Option<&'a str>) -> Self {
        Self {
            user: Some(user),
            client: None,
            session,
            jti,
        }
    }

    /// A machine's token.
    #[must_use]
    pub const fn client(client: &'a str, jti: Option<&'a str>) -> Self {
        Self {
            user: None,
            client: Some(client),
            session: None,
            jti,
        }
    }
}

/// How things stand with what a token depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenStanding {
    /// The epoch of the token's user or client; tokens of any other epoch are refused. 0 before the first raise.
    pub epoch: u64,
    /// Whether the session was ended.
    pub session_ended: bool,
    /// Whether the token itself was denied.
    pub denied: bool,
}

impl TokenStanding {
    /// A standing.
    #[must_use]
    pub const fn new(epoch: u64, session_ended: bool, denied: bool) -> Self {
        Self {
            epoch,
            session_ended,
            denied,
        }
    }
}

/// Where revocations of signed tokens live.
pub trait RevocationStore: Send + Sync {
    /// How things stand with the token, in one read.
    fn standing<'a>(
        &'a self,
        token: TokenRef<'a>,
    ) -> BoxFuture<'a, Result<TokenStanding, StoreError>>;

    /// Refuses every token that the user holds now. Answers the new epoch.
    fn raise_user_epoch<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Unpublished<u64>, StoreError>>;

    /// Refuses every token that the client holds now. Answers the new epoch.
    fn raise_client_epoch<'a>(
        &'a self,
        client: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<u64>, StoreError>>;

    /// Refuses every token of the session. The note is kept until `keep_until`, the latest `exp` that such a token has.
    fn end_session<'a>(
        &'a self,
        session: &'a SessionId,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<()>, StoreError>>;

    /// Refuses one token. The note is kept until `keep_until`, the token's `exp`.
    fn deny_token<'a>(
        &'a self,
        jti: &'a str,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<()>, StoreError>>;

    /// Drops the notes whose time has passed. Answers how many.
    fn forget_revocations(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>>;
}
