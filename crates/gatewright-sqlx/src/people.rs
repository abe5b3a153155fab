//! What was mailed to people, and who they are elsewhere.

use gatewright_core::hash::Phc;
use gatewright_core::principal::{TenantId, UserId};
use gatewright_core::session::TokenDigest;
use gatewright_core::store::{
    AcceptOutcome, BoxFuture, ChangeKey, InsertOutcome, Invite, InviteStore, LinkedLogin,
    LinkedLoginStore, MailedPurpose, MailedToken, MailedTokenStore, Page, PageRequest, StoreError,
    UnlinkOutcome, Unpublished,
};
use gatewright_core::time::Timestamp;

use crate::dialect::{Arg, Columns, Dialect};
use crate::store::SqlStore;
use crate::tenant::tenant;

const PUT_MAILED: &str =
    "INSERT INTO mailed_tokens (digest, purpose, user_id, password, expires_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
pub(crate) const SPEND_MAILED: &str = "DELETE FROM mailed_tokens
    WHERE digest = $1 AND purpose = $2 AND expires_at > $3 RETURNING user_id, password, expires_at";
pub(crate) const STRIP_MAILED: &str = "UPDATE mailed_tokens SET password = NULL
    WHERE user_id = $1 AND purpose = $2 AND password IS NOT NULL";
pub(crate) const VOID_MAILED: &str =
    "DELETE FROM mailed_tokens WHERE user_id = $1 AND purpose = $2";
pub(crate) const FORGET_MAILED: &str = "DELETE FROM mailed_tokens WHERE expires_at <= $1";

pub(crate) const INVITES: &str = "SELECT t.id, t.kind, t.slug, t.plan,
        i.id, i.email, i.role, i.inviter, i.created_at, i.expires_at, i.seq
    FROM invites i JOIN tenants t ON t.id = i.tenant
    WHERE i.tenant = $1 AND i.seq > $2 ORDER BY i.seq LIMIT $3";
pub(crate) const INVITE: &str = "SELECT t.id, t.kind, t.slug, t.plan,
        i.id, i.email, i.role, i.inviter, i.created_at, i.expires_at, i.seq
    FROM invites i JOIN tenants t ON t.id = i.tenant
    WHERE i.digest = $1 AND i.expires_at > $2";
// An earlier invite with the same id or token stays, so that the insertion trips over it.
pub(crate) const REPLACE_INVITE: &str =
    "DELETE FROM invites WHERE tenant = $1 AND email = $2 AND id <> $3 AND digest <> $4";
const ADD_INVITE: &str =
    "INSERT INTO invites (tenant, email, id, digest, role, inviter, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
pub(crate) const WITHDRAW_INVITE: &str = "DELETE FROM invites WHERE id = $2 AND tenant = $1";
pub(crate) const SPEND_INVITE: &str =
    "DELETE FROM invites WHERE digest = $1 AND expires_at > $2 RETURNING tenant, role";
pub(crate) const JOIN_TENANT: &str =
    "INSERT INTO memberships (tenant, user_id, role, kind, slug, email)
    SELECT t.id, $2, $3, t.kind, t.slug, COALESCE((SELECT email FROM accounts WHERE id = $2), '')
    FROM tenants t WHERE t.id = $1
    ON CONFLICT (tenant, user_id) DO NOTHING";
pub(crate) const FORGET_INVITES: &str = "DELETE FROM invites WHERE expires_at <= $1";

pub(crate) const LINK: &str = "SELECT id, user_id, issuer, subject, email, linked_at, seq
    FROM linked_logins WHERE issuer = $1 AND subject = $2";
pub(crate) const LINKS: &str = "SELECT id, user_id, issuer, subject, email, linked_at, seq
    FROM linked_logins WHERE user_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
const ADD_LINK: &str = "INSERT INTO linked_logins (id, user_id, issuer, subject, email, linked_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
// In Postgres the account's links would have to be locked first.
pub(crate) const UNLINK: &str = "DELETE FROM linked_logins WHERE user_id = $1 AND id = $2
    AND (EXISTS (SELECT 1 FROM accounts WHERE id = $1 AND password IS NOT NULL)
        OR EXISTS (SELECT 1 FROM linked_logins o WHERE o.user_id = $1 AND o.id <> $2))";
pub(crate) const OWN_LINK: &str = "SELECT 1 FROM linked_logins WHERE user_id = $1 AND id = $2";

impl<D: Dialect> MailedTokenStore for SqlStore<D> {
    fn put_mailed_token(&self, token: MailedToken) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let args = [
                digest(&token.digest),
                token.purpose.as_str().into(),
                token.user.as_str().into(),
                token.password.as_ref().map(Phc::as_str).into(),
                token.expires_at.into(),
            ];
            write.execute(PUT_MAILED, &args).await?;
            write.commit().await
        })
    }

    fn spend_mailed_token<'a>(
        &'a self,
        digest: &'a TokenDigest,
        purpose: MailedPurpose,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<MailedToken>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let args = [self::digest(digest), purpose.as_str().into(), now.into()];
            let rows = write.fetch(SPEND_MAILED, &args).await?;
            let Some(row) = rows.first() else {
                return Ok(None);
            };
            // Read before it is committed: a row that cannot be read is not spent.
            let mut columns = Columns::<D>::of(row);
            let user = columns.parse("mailed_tokens.user_id", UserId::new)?;
            let password = columns
                .text_or_null("mailed_tokens.password")?
                .map(|hash| {
                    hash.parse()
                        .map_err(|_| StoreError::Corrupt("mailed_tokens.password"))
                })
                .transpose()?;
            let expires_at = columns.number("mailed_tokens.expires_at")?;
            let mut token = MailedToken::new(*digest, purpose, user, expires_at);
            token.password = password;
            write.commit().await?;
            Ok(Some(token))
        })
    }

    fn strip_mailed_passwords<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let args = [user.as_str().into(), purpose.as_str().into()];
            self.change(STRIP_MAILED, &args).await
        })
    }

    fn void_mailed_tokens<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let args = [user.as_str().into(), purpose.as_str().into()];
            self.change(VOID_MAILED, &args).await
        })
    }

    fn forget_mailed_tokens(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { self.change(FORGET_MAILED, &[now.into()]).await })
    }
}

impl<D: Dialect> InviteStore for SqlStore<D> {
    fn insert_invite(
        &self,
        invite: Invite,
        digest: TokenDigest,
    ) -> BoxFuture<'_, Result<InsertOutcome, StoreError>> {
        Box::pin(async move {
            let email = invite.email.to_lowercase();
            let args = [
                invite.tenant.id().as_str().into(),
                email.as_str().into(),
                (&*invite.id).into(),
                self::digest(&digest),
                (&*invite.role).into(),
                invite.inviter.as_str().into(),
                invite.created_at.into(),
                invite.expires_at.into(),
            ];
            let mut write = self.write().await?;
            let (names, _) = args.split_at(4);
            write.execute(REPLACE_INVITE, names).await?;
            if write.execute(ADD_INVITE, &args).await? == 0 {
                return Ok(InsertOutcome::IdTaken);
            }
            write.commit().await?;
            Ok(InsertOutcome::Inserted)
        })
    }

    fn invites<'a>(
        &'a self,
        tenant: &'a TenantId,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<Invite>, StoreError>> {
        Box::pin(async move {
            let args = [
                tenant.as_str().into(),
                after(page).into(),
                (page.limit() + 1).into(),
            ];
            let rows = self.read(INVITES, &args).await?;
            cut(&rows, page, invite::<D>)
        })
    }

    fn invite_by_token<'a>(
        &'a self,
        digest: &'a TokenDigest,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Invite>, StoreError>> {
        Box::pin(async move {
            let args = [self::digest(digest), now.into()];
            let row = self.read_first(INVITE, &args).await?;
            Ok(row.as_ref().map(invite::<D>).transpose()?.map(|row| row.0))
        })
    }

    fn withdraw_invite<'a>(
        &'a self,
        tenant: &'a TenantId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let args = [tenant.as_str().into(), id.into()];
            Ok(self.change(WITHDRAW_INVITE, &args).await? > 0)
        })
    }

    fn accept_invite<'a>(
        &'a self,
        digest: &'a TokenDigest,
        user: &'a UserId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<AcceptOutcome>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let args = [self::digest(digest), now.into()];
            let rows = write.fetch(SPEND_INVITE, &args).await?;
            let Some(row) = rows.first() else {
                return Ok(Unpublished::unchanged(AcceptOutcome::NoSuchInvite));
            };
            let mut columns = Columns::<D>::of(row);
            let tenant = columns.text("invites.tenant")?;
            let role = columns.text("invites.role")?;
            let args = [tenant.into(), user.as_str().into(), role.into()];
            let outcome = match write.execute(JOIN_TENANT, &args).await? {
                0 => AcceptOutcome::AlreadyMember,
                _ => AcceptOutcome::Joined,
            };
            // A member's too: whoever made the user one may not have published that yet.
            let keys = vec![ChangeKey::User(user.as_str().into())];
            write.publish(outcome, keys).await
        })
    }

    fn forget_invites(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { self.change(FORGET_INVITES, &[now.into()]).await })
    }
}

impl<D: Dialect> LinkedLoginStore for SqlStore<D> {
    fn linked_login<'a>(
        &'a self,
        issuer: &'a str,
        subject: &'a str,
    ) -> BoxFuture<'a, Result<Option<LinkedLogin>, StoreError>> {
        Box::pin(async move {
            let args = [issuer.into(), subject.into()];
            let row = self.read_first(LINK, &args).await?;
            Ok(row.as_ref().map(link::<D>).transpose()?.map(|row| row.0))
        })
    }

    fn link_login(&self, link: LinkedLogin) -> BoxFuture<'_, Result<InsertOutcome, StoreError>> {
        Box::pin(async move {
            let email = link.email.to_lowercase();
            let args = [
                (&*link.id).into(),
                link.user.as_str().into(),
                (&*link.issuer).into(),
                (&*link.subject).into(),
                email.as_str().into(),
                link.linked_at.into(),
            ];
            Ok(match self.change(ADD_LINK, &args).await? {
                0 => InsertOutcome::IdTaken,
                _ => InsertOutcome::Inserted,
            })
        })
    }

    fn linked_logins<'a>(
        &'a self,
        user: &'a UserId,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<LinkedLogin>, StoreError>> {
        Box::pin(async move {
            let args = [
                user.as_str().into(),
                after(page).into(),
                (page.limit() + 1).into(),
            ];
            let rows = self.read(LINKS, &args).await?;
            cut(&rows, page, link::<D>)
        })
    }

    fn unlink_login<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<UnlinkOutcome, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let args = [user.as_str().into(), id.into()];
            if write.execute(UNLINK, &args).await? > 0 {
                write.commit().await?;
                return Ok(UnlinkOutcome::Unlinked);
            }
            let own = write.fetch(OWN_LINK, &args).await?;
            Ok(if own.is_empty() {
                UnlinkOutcome::NoSuchLink
            } else {
                UnlinkOutcome::LastWayIn
            })
        })
    }
}

impl<D: Dialect> SqlStore<D> {
    /// A transaction of one statement that no cache hears of. Answers how many rows it changed.
    async fn change(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        let mut write = self.write().await?;
        let changed = write.execute(sql, args).await?;
        write.commit().await?;
        Ok(changed)
    }
}

fn digest(digest: &TokenDigest) -> Arg<'_> {
    digest.as_bytes().as_slice().into()
}

/// The number of the row after which the page begins. What is no cursor of ours is a place after the last row.
fn after(page: &PageRequest) -> u64 {
    page.after()
        .map_or(0, |cursor| cursor.as_str().parse().unwrap_or(u64::MAX))
}

/// The page of rows that each bring their number along.
fn cut<R, T>(
    rows: &[R],
    page: &PageRequest,
    read: impl Fn(&R) -> Result<(T, u64), StoreError>,
) -> Result<Page<T>, StoreError> {
    let rows = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page::cut(rows, page, |(_, seq): &(T, u64)| seq.to_string()).map(|(record, _)| record))
}

fn invite<D: Dialect>(row: &D::Row) -> Result<(Invite, u64), StoreError> {
    let mut columns = Columns::<D>::of(row);
    let tenant = tenant(&mut columns)?;
    let id = columns.text("invites.id")?;
    let email = columns.text("invites.email")?;
    let role = columns.text("invites.role")?;
    let inviter = columns.parse("invites.inviter", UserId::new)?;
    let created_at = columns.number("invites.created_at")?;
    let expires_at = columns.number("invites.expires_at")?;
    let invite = Invite::new(id, tenant, email, role, inviter, created_at, expires_at);
    Ok((invite, columns.number("invites.seq")?))
}

fn link<D: Dialect>(row: &D::Row) -> Result<(LinkedLogin, u64), StoreError> {
    let mut columns = Columns::<D>::of(row);
    let id = columns.text("linked_logins.id")?;
    let user = columns.parse("linked_logins.user_id", UserId::new)?;
    let issuer = columns.text("linked_logins.issuer")?;
    let subject = columns.text("linked_logins.subject")?;
    let email = columns.text("linked_logins.email")?;
    let linked_at = columns.number("linked_logins.linked_at")?;
    let link = LinkedLogin::new(id, user, issuer, subject, email, linked_at);
    Ok((link, columns.number("linked_logins.seq")?))
}
