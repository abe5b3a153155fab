//! Login sessions and their lines of refresh tokens.

use gatewright_core::principal::{SessionId, TenantId, UserId};
use gatewright_core::session::TokenDigest;
use gatewright_core::store::{
    BoxFuture, ChangeKey, OpenOutcome, Page, PageRequest, RefreshPlace, RefreshRecord,
    RefreshRotation, SessionFilter, SessionRecord, SessionStore, StoreError, Unpublished,
};
use gatewright_core::time::Timestamp;

use crate::dialect::{Arg, Columns, Dialect};
use crate::revocation::{END_SESSION, user_epoch};
use crate::store::{SqlStore, Write};

/// A query for whole records: all begin with the same columns, in the order in which [`record`] reads them.
macro_rules! select_records {
    ($rest:literal) => {
        concat!(
            "SELECT s.seq, s.id, s.user_id, s.tenant, s.client, s.label, s.created_at, s.last_used_at,
                s.idle_expires_at, s.expires_at, s.ended_at",
            $rest
        )
    };
}

/// Ends live sessions of a user; `$2` is now. A session's `idle_expires_at` is never after its `expires_at`.
macro_rules! end {
    ($which:literal) => {
        concat!(
            "UPDATE sessions SET ended_at = $2
            WHERE user_id = $1 AND ended_at IS NULL AND idle_expires_at > $2",
            $which,
            " RETURNING id, expires_at"
        )
    };
}

const OPEN: &str =
    "INSERT INTO sessions (id, user_id, tenant, client, label, created_at, last_used_at,
        idle_expires_at, expires_at, ended_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING seq";
pub(crate) const BY_ID: &str = select_records!(" FROM sessions s WHERE s.id = $1");
pub(crate) const BY_TOKEN: &str = select_records!(
    ", t.place, t.grace_ends_at, t.sealed_child
    FROM refresh_tokens t JOIN sessions s ON s.seq = t.session WHERE t.digest = $1"
);
pub(crate) const LIVE: &str = select_records!(
    " FROM sessions s
    WHERE s.user_id = $1 AND s.seq > $2 AND s.ended_at IS NULL AND s.idle_expires_at > $3
    ORDER BY s.seq LIMIT $4"
);

// A rotation, in its order. The first step also locks the session's row where rows have locks, so that whoever comes with
// the same token waits.
pub(crate) const CARRY_ON: &str = "UPDATE sessions SET
        last_used_at = CASE WHEN last_used_at < $2 THEN $2 ELSE last_used_at END,
        idle_expires_at = CASE WHEN expires_at < $3 THEN expires_at ELSE $3 END
    WHERE id = $1 AND ended_at IS NULL AND idle_expires_at > $2 RETURNING seq";
pub(crate) const SPEND_PARENT: &str =
    "UPDATE refresh_tokens SET place = NULL, sealed_child = NULL, grace_ends_at = NULL
    WHERE session = $1 AND place = 'parent'";
pub(crate) const REPLACE: &str =
    "UPDATE refresh_tokens SET place = 'parent', sealed_child = $3, grace_ends_at = $4
    WHERE digest = $1 AND session = $2 AND place = 'current'";
const ADD_TOKEN: &str = "INSERT INTO refresh_tokens (digest, session, place)
    VALUES ($1, $2, 'current') ON CONFLICT DO NOTHING";

pub(crate) const END_ALL: &str = end!("");
pub(crate) const END_ONE: &str = end!(" AND id = $3");
pub(crate) const END_OTHERS: &str = end!(" AND id <> $3");
pub(crate) const END_IN_TENANT: &str = end!(" AND tenant = $3");
// Without a clock at hand: as ended when it would have ended by itself.
pub(crate) const END_MEMBER: &str = "UPDATE sessions SET ended_at = idle_expires_at
    WHERE user_id = $1 AND ended_at IS NULL AND tenant = $2 RETURNING id, expires_at";

pub(crate) const END_GRACE: &str =
    "UPDATE refresh_tokens SET place = NULL, sealed_child = NULL, grace_ends_at = NULL
    WHERE grace_ends_at <= $1";
// What ended early and what ended by itself are found by an index each.
pub(crate) const DROP_TOKENS_ENDED: &str =
    "DELETE FROM refresh_tokens WHERE session IN (SELECT seq FROM sessions WHERE ended_at <= $1)";
pub(crate) const DROP_TOKENS_IDLE: &str = "DELETE FROM refresh_tokens
    WHERE session IN (SELECT seq FROM sessions WHERE idle_expires_at <= $1)";
pub(crate) const DROP_ENDED: &str = "DELETE FROM sessions WHERE ended_at <= $1";
pub(crate) const DROP_IDLE: &str = "DELETE FROM sessions WHERE idle_expires_at <= $1";

impl<D: Dialect> SessionStore for SqlStore<D> {
    fn open_session(
        &self,
        session: SessionRecord,
        first: Option<TokenDigest>,
        epoch: Option<u64>,
    ) -> BoxFuture<'_, Result<OpenOutcome, StoreError>> {
        Box::pin(async move {
            let args = [
                session.id.as_str().into(),
                session.user.as_str().into(),
                session.tenant.as_ref().map(TenantId::as_str).into(),
                (&*session.client).into(),
                (&*session.label).into(),
                session.created_at.into(),
                session.last_used_at.into(),
                session.idle_expires_at.min(session.expires_at).into(),
                session.expires_at.into(),
                session.ended_at.into(),
            ];
            let mut write = self.write().await?;
            // In Postgres the epoch's row would have to be locked first.
            if let Some(epoch) = epoch
                && user_epoch(&mut write, &session.user).await? != epoch
            {
                return Ok(OpenOutcome::EpochOver);
            }
            let rows = write.fetch(OPEN, &args).await?;
            let Some(row) = rows.first() else {
                return Ok(OpenOutcome::IdTaken);
            };
            if let Some(first) = first {
                let seq: u64 = Columns::<D>::of(row).number("sessions.seq")?;
                let args = [digest(&first), seq.into()];
                if write.execute(ADD_TOKEN, &args).await? == 0 {
                    return Ok(OpenOutcome::IdTaken);
                }
            }
            write.commit().await?;
            Ok(OpenOutcome::Opened)
        })
    }

    fn session<'a>(
        &'a self,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<SessionRecord>, StoreError>> {
        Box::pin(async move {
            let row = self.read_first(BY_ID, &[session.as_str().into()]).await?;
            let row = row.map(|row| record(&mut Columns::<D>::of(&row)));
            Ok(row.transpose()?.map(|(_, record)| record))
        })
    }

    fn find_refresh<'a>(
        &'a self,
        token: &'a TokenDigest,
    ) -> BoxFuture<'a, Result<Option<RefreshRecord>, StoreError>> {
        Box::pin(async move {
            let row = self.read_first(BY_TOKEN, &[digest(token)]).await?;
            row.as_ref().map(refresh_record::<D>).transpose()
        })
    }

    fn rotate_refresh<'a>(
        &'a self,
        rotation: RefreshRotation<'a>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let args = [
                rotation.session.as_str().into(),
                rotation.now.into(),
                rotation.idle_expires_at.into(),
            ];
            let mut write = self.write().await?;
            let rows = write.fetch(CARRY_ON, &args).await?;
            let Some(row) = rows.first() else {
                return Ok(false);
            };
            let seq: u64 = Columns::<D>::of(row).number("sessions.seq")?;
            write.execute(SPEND_PARENT, &[seq.into()]).await?;
            let replace = [
                digest(&rotation.parent),
                seq.into(),
                rotation.sealed_child.into(),
                rotation.grace_ends_at.into(),
            ];
            let add = [digest(&rotation.child), seq.into()];
            // Dropped before its end, the transaction leaves everything as it was.
            if write.execute(REPLACE, &replace).await? == 0
                || write.execute(ADD_TOKEN, &add).await? == 0
            {
                return Ok(false);
            }
            write.commit().await?;
            Ok(true)
        })
    }

    fn live_sessions<'a>(
        &'a self,
        user: &'a UserId,
        now: Timestamp,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<SessionRecord>, StoreError>> {
        Box::pin(async move {
            // What is no cursor of ours is a place after the last row.
            let after = page.after().map_or(0, |cursor| {
                cursor.as_str().parse::<u64>().unwrap_or(u64::MAX)
            });
            let args = [
                user.as_str().into(),
                after.into(),
                now.into(),
                (page.limit() + 1).into(),
            ];
            let rows = self.read(LIVE, &args).await?;
            let rows = rows
                .iter()
                .map(|row| record(&mut Columns::<D>::of(row)))
                .collect::<Result<_, _>>()?;
            let page = Page::cut(rows, page, |(seq, _): &(u64, SessionRecord)| {
                seq.to_string()
            });
            Ok(page.map(|(_, record)| record))
        })
    }

    fn end_sessions<'a>(
        &'a self,
        user: &'a UserId,
        which: SessionFilter<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<Vec<SessionId>>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let ended = end_sessions(&mut write, user, which, now).await?;
            // Whoever ended the others may not have published that yet; each token of the user's hears of this.
            let mut keys = vec![ChangeKey::User(user.as_str().into())];
            keys.extend(ended.iter().map(session_changed));
            write.publish(ended, keys).await
        })
    }

    fn forget_sessions(
        &self,
        now: Timestamp,
        keep_secs: u64,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            write.execute(END_GRACE, &[now.into()]).await?;
            let mut forgotten = 0;
            if let Some(until) = now.checked_sub(keep_secs) {
                let until = [until.into()];
                write.execute(DROP_TOKENS_ENDED, &until).await?;
                write.execute(DROP_TOKENS_IDLE, &until).await?;
                forgotten += write.execute(DROP_ENDED, &until).await?;
                forgotten += write.execute(DROP_IDLE, &until).await?;
            }
            write.commit().await?;
            Ok(forgotten)
        })
    }
}

/// Ends sessions within a transaction that does more, and notes them so that their access tokens end too.
pub(crate) async fn end_sessions<D: Dialect>(
    write: &mut Write<D>,
    user: &UserId,
    which: SessionFilter<'_>,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let (sql, which) = match which {
        SessionFilter::All => (END_ALL, None),
        SessionFilter::One(id) => (END_ONE, Some(id.as_str())),
        SessionFilter::Except(id) => (END_OTHERS, Some(id.as_str())),
        SessionFilter::InTenant(tenant) => (END_IN_TENANT, Some(tenant.as_str())),
        // Fail closed on a filter that is younger than this store.
        _ => return Err(StoreError::unavailable(UnknownFilter)),
    };
    let mut args = vec![user.as_str().into(), now.into()];
    args.extend(which.map(Arg::from));
    let ended = write.fetch(sql, &args).await?;
    note_ended(write, &ended).await
}

/// Ends the sessions that a member opened for the tenant, within the transaction that ends the membership.
pub(crate) async fn end_sessions_of_member<D: Dialect>(
    write: &mut Write<D>,
    tenant: &str,
    user: &str,
) -> Result<Vec<SessionId>, StoreError> {
    let ended = write
        .fetch(END_MEMBER, &[user.into(), tenant.into()])
        .await?;
    note_ended(write, &ended).await
}

async fn note_ended<D: Dialect>(
    write: &mut Write<D>,
    ended: &[D::Row],
) -> Result<Vec<SessionId>, StoreError> {
    let mut ids = Vec::with_capacity(ended.len());
    for row in ended {
        let mut columns = Columns::<D>::of(row);
        let id = columns.parse("sessions.id", SessionId::new)?;
        let expires_at: Timestamp = columns.number("sessions.expires_at")?;
        let args = [id.as_str().into(), expires_at.into()];
        write.execute(END_SESSION, &args).await?;
        ids.push(id);
    }
    Ok(ids)
}

pub(crate) fn session_changed(session: &SessionId) -> ChangeKey {
    ChangeKey::Session(session.as_str().into())
}

/// A record and its place in lists.
fn record<D: Dialect>(columns: &mut Columns<'_, D>) -> Result<(u64, SessionRecord), StoreError> {
    let seq = columns.number("sessions.seq")?;
    let id = columns.parse("sessions.id", SessionId::new)?;
    let user = columns.parse("sessions.user_id", UserId::new)?;
    let tenant = columns
        .text_or_null("sessions.tenant")?
        .map(|id| TenantId::new(id).map_err(|_| StoreError::Corrupt("sessions.tenant")))
        .transpose()?;
    let client = columns.text("sessions.client")?;
    let label = columns.text("sessions.label")?;
    let created_at = columns.number("sessions.created_at")?;
    let last_used_at = columns.number("sessions.last_used_at")?;
    let idle_expires_at = columns.number("sessions.idle_expires_at")?;
    let expires_at = columns.number("sessions.expires_at")?;
    let mut record = SessionRecord::new(id, user, client, created_at, expires_at);
    record.tenant = tenant;
    record.label = label.into();
    record.last_used_at = last_used_at;
    record.idle_expires_at = idle_expires_at;
    record.ended_at = columns.number_or_null("sessions.ended_at")?;
    Ok((seq, record))
}

fn refresh_record<D: Dialect>(row: &D::Row) -> Result<RefreshRecord, StoreError> {
    let mut columns = Columns::<D>::of(row);
    let (_, session) = record(&mut columns)?;
    let place = match columns.text_or_null("refresh_tokens.place")? {
        None => RefreshPlace::Spent,
        Some("current") => RefreshPlace::Current,
        Some("parent") => RefreshPlace::Parent {
            grace_ends_at: columns.number("refresh_tokens.grace_ends_at")?,
            sealed_child: columns.bytes("refresh_tokens.sealed_child")?.into(),
        },
        Some(_) => return Err(StoreError::Corrupt("refresh_tokens.place")),
    };
    Ok(RefreshRecord::new(session, place))
}

fn digest(token: &TokenDigest) -> Arg<'_> {
    Arg::Bytes(token.as_bytes())
}

/// Sessions were meant in a way that this version does not know.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("these sessions are named in a way that this store does not know")]
struct UnknownFilter;
