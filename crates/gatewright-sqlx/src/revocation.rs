//! What ends signed tokens early.

use gatewright_core::principal::{SessionId, UserId};
use gatewright_core::store::{
    BoxFuture, ChangeKey, RevocationStore, StoreError, TokenRef, TokenStanding, Unpublished,
};
use gatewright_core::time::Timestamp;

use crate::dialect::{Columns, Dialect};
use crate::store::{SqlStore, Write};

pub(crate) const STANDING: &str = "SELECT
    COALESCE((SELECT epoch FROM epochs WHERE kind = $1 AND id = $2), 0),
    (SELECT COUNT(*) FROM ended_sessions WHERE id = $3),
    (SELECT COUNT(*) FROM denied_tokens WHERE jti = $4)";

pub(crate) const USER_EPOCH: &str = "SELECT epoch FROM epochs WHERE kind = 'user' AND id = $1";

const RAISE: &str = "INSERT INTO epochs (kind, id, epoch) VALUES ($1, $2, 1)
    ON CONFLICT (kind, id) DO UPDATE SET epoch = epochs.epoch + 1 RETURNING epoch";

// A second note never shortens the first.
pub(crate) const END_SESSION: &str = "INSERT INTO ended_sessions (id, keep_until) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET keep_until = excluded.keep_until
    WHERE ended_sessions.keep_until < excluded.keep_until";

const DENY_TOKEN: &str = "INSERT INTO denied_tokens (jti, keep_until) VALUES ($1, $2)
    ON CONFLICT (jti) DO UPDATE SET keep_until = excluded.keep_until
    WHERE denied_tokens.keep_until < excluded.keep_until";

pub(crate) const FORGET_SESSIONS: &str = "DELETE FROM ended_sessions WHERE keep_until < $1";
pub(crate) const FORGET_TOKENS: &str = "DELETE FROM denied_tokens WHERE keep_until < $1";

impl<D: Dialect> RevocationStore for SqlStore<D> {
    fn standing<'a>(
        &'a self,
        token: TokenRef<'a>,
    ) -> BoxFuture<'a, Result<TokenStanding, StoreError>> {
        Box::pin(async move {
            let (kind, holder) = match (token.user, token.client) {
                (Some(user), _) => ("user", Some(user)),
                (None, client) => ("client", client),
            };
            let args = [
                kind.into(),
                holder.into(),
                token.session.into(),
                token.jti.into(),
            ];
            let row = self.read_first(STANDING, &args).await?;
            let row = row.ok_or(StoreError::Corrupt("epochs.epoch"))?;
            let mut columns = Columns::<D>::of(&row);
            Ok(TokenStanding::new(
                columns.number("epochs.epoch")?,
                columns.flag("ended_sessions.id")?,
                columns.flag("denied_tokens.jti")?,
            ))
        })
    }

    fn raise_user_epoch<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Unpublished<u64>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let epoch = raise_user_epoch(&mut write, user).await?;
            write
                .publish(epoch, vec![ChangeKey::User(user.as_str().into())])
                .await
        })
    }

    fn raise_client_epoch<'a>(
        &'a self,
        client: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<u64>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let epoch = raise(&mut write, "client", client).await?;
            write
                .publish(epoch, vec![ChangeKey::Client(client.into())])
                .await
        })
    }

    fn end_session<'a>(
        &'a self,
        session: &'a SessionId,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<()>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let args = [session.as_str().into(), keep_until.into()];
            write.execute(END_SESSION, &args).await?;
            write
                .publish((), vec![ChangeKey::Session(session.as_str().into())])
                .await
        })
    }

    fn deny_token<'a>(
        &'a self,
        jti: &'a str,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<()>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            write
                .execute(DENY_TOKEN, &[jti.into(), keep_until.into()])
                .await?;
            write.publish((), vec![ChangeKey::Token(jti.into())]).await
        })
    }

    fn forget_revocations(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let sessions = write.execute(FORGET_SESSIONS, &[now.into()]).await?;
            let tokens = write.execute(FORGET_TOKENS, &[now.into()]).await?;
            write.commit().await?;
            Ok(sessions + tokens)
        })
    }
}

/// The user's epoch within a transaction that does more.
pub(crate) async fn user_epoch<D: Dialect>(
    write: &mut Write<D>,
    user: &UserId,
) -> Result<u64, StoreError> {
    let rows = write.fetch(USER_EPOCH, &[user.as_str().into()]).await?;
    rows.first()
        .map_or(Ok(0), |row| Columns::<D>::of(row).number("epochs.epoch"))
}

pub(crate) async fn raise_user_epoch<D: Dialect>(
    write: &mut Write<D>,
    user: &UserId,
) -> Result<u64, StoreError> {
    raise(write, "user", user.as_str()).await
}

async fn raise<D: Dialect>(write: &mut Write<D>, kind: &str, id: &str) -> Result<u64, StoreError> {
    let rows = write.fetch(RAISE, &[kind.into(), id.into()]).await?;
    let row = rows.first().ok_or(StoreError::Corrupt("epochs.epoch"))?;
    Columns::<D>::of(row).number("epochs.epoch")
}
