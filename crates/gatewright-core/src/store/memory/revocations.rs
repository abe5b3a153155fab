//! What ended before its time.

use std::collections::HashMap;

use super::MemoryStore;
use crate::principal::{SessionId, UserId};
use crate::store::{
    BoxFuture, ChangeKey, RevocationStore, StoreError, TokenRef, TokenStanding, Unpublished,
};
use crate::time::Timestamp;

/// Epochs, which stay for ever, and notes, which stay as long as the tokens they refuse.
#[derive(Default)]
pub(super) struct Revocations {
    users: HashMap<Box<str>, u64>,
    clients: HashMap<Box<str>, u64>,
    sessions: HashMap<Box<str>, Timestamp>,
    tokens: HashMap<Box<str>, Timestamp>,
}

impl Revocations {
    pub(super) fn raise_user(&mut self, user: &str) -> u64 {
        raise(&mut self.users, user)
    }

    pub(super) fn user_epoch(&self, user: &str) -> u64 {
        self.users.get(user).copied().unwrap_or(0)
    }

    pub(super) fn end_session(&mut self, session: &str, keep_until: Timestamp) {
        note(&mut self.sessions, session, keep_until);
    }

    fn standing(&self, token: TokenRef<'_>) -> TokenStanding {
        let user = token.user.and_then(|user| self.users.get(user));
        let client = token.client.and_then(|client| self.clients.get(client));
        TokenStanding::new(
            user.or(client).copied().unwrap_or(0),
            token
                .session
                .is_some_and(|session| self.sessions.contains_key(session)),
            token.jti.is_some_and(|jti| self.tokens.contains_key(jti)),
        )
    }
}

impl RevocationStore for MemoryStore {
    fn standing<'a>(
        &'a self,
        token: TokenRef<'a>,
    ) -> BoxFuture<'a, Result<TokenStanding, StoreError>> {
        Box::pin(async move { Ok(self.read().revocations.standing(token)) })
    }

    fn raise_user_epoch<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Unpublished<u64>, StoreError>> {
        Box::pin(async move {
            let epoch = self.write().revocations.raise_user(user.as_str());
            Ok(Unpublished::new(
                epoch,
                vec![ChangeKey::User(user.as_str().into())],
            ))
        })
    }

    fn raise_client_epoch<'a>(
        &'a self,
        client: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<u64>, StoreError>> {
        Box::pin(async move {
            let epoch = raise(&mut self.write().revocations.clients, client);
            Ok(Unpublished::new(
                epoch,
                vec![ChangeKey::Client(client.into())],
            ))
        })
    }

    fn end_session<'a>(
        &'a self,
        session: &'a SessionId,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<()>, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            state.revocations.end_session(session.as_str(), keep_until);
            Ok(Unpublished::new(
                (),
                vec![ChangeKey::Session(session.as_str().into())],
            ))
        })
    }

    fn deny_token<'a>(
        &'a self,
        jti: &'a str,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<()>, StoreError>> {
        Box::pin(async move {
            note(&mut self.write().revocations.tokens, jti, keep_until);
            Ok(Unpublished::new((), vec![ChangeKey::Token(jti.into())]))
        })
    }

    fn forget_revocations(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            let notes = &mut state.revocations;
            let before = notes.sessions.len() + notes.tokens.len();
            notes.sessions.retain(|_, keep_until| *keep_until >= now);
            notes.tokens.retain(|_, keep_until| *keep_until >= now);
            Ok((before - notes.sessions.len() - notes.tokens.len()) as u64)
        })
    }
}

fn raise(epochs: &mut HashMap<Box<str>, u64>, id: &str) -> u64 {
    let epoch = epochs.entry(id.into()).or_insert(0);
    *epoch = epoch.saturating_add(1);
    *epoch
}

/// Notes `id`; a second note never shortens the first.
fn note(notes: &mut HashMap<Box<str>, Timestamp>, id: &str, keep_until: Timestamp) {
    let kept = notes.entry(id.into()).or_insert(keep_until);
    *kept = keep_until.max(*kept);
}
