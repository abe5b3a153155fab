//! Credentials with random secrets.

use gatewright_core::credential::SecretKind;
use gatewright_core::hash::{GuardTag, SecretHash};
use gatewright_core::principal::{CredentialId, TenantId, UserId};
use gatewright_core::scope::Scope;
use gatewright_core::store::{
    BoxFuture, ChangeKey, CredentialFilter, CredentialRecord, CredentialStore, InsertOutcome,
    NewCredential, Page, PageRequest, RevokeOutcome, RotateOutcome, Rotation, StoreError,
    StoredSecret, Unpublished, Use,
};
use gatewright_core::time::Timestamp;

use crate::dialect::{Arg, Columns, Dialect};
use crate::store::SqlStore;
use crate::tenant::tenant;
use crate::words::{parse_secret_kind, secret_kind};

/// A query for whole records: all have the same columns, in the order in which [`record`] reads them.
macro_rules! select_records {
    ($rest:literal) => {
        concat!(
            "SELECT c.seq, c.kind, c.id, t.id, t.kind, t.slug, t.plan, c.owner, c.name, c.scopes,
                c.hash, c.tag, c.previous_hash, c.previous_tag, c.previous_ends_at,
                c.created_at, c.not_before, c.expires_at, c.revoked_at, c.last_used_at
            FROM credentials c JOIN tenants t ON t.id = c.tenant ",
            $rest
        )
    };
}

pub(crate) const FIND: &str = select_records!("WHERE c.kind = $1 AND c.id = $2");
// One query for each filter: an optional condition inside one query would read without its index.
pub(crate) const LIST: &str =
    select_records!("WHERE c.tenant = $1 AND c.seq > $2 ORDER BY c.seq LIMIT $3");
pub(crate) const LIST_KIND: &str =
    select_records!("WHERE c.tenant = $1 AND c.seq > $2 AND c.kind = $4 ORDER BY c.seq LIMIT $3");
pub(crate) const LIST_OWNER: &str =
    select_records!("WHERE c.tenant = $1 AND c.seq > $2 AND c.owner = $4 ORDER BY c.seq LIMIT $3");
pub(crate) const LIST_OWNER_AND_KIND: &str = select_records!(
    "WHERE c.tenant = $1 AND c.seq > $2 AND c.owner = $4 AND c.kind = $5 ORDER BY c.seq LIMIT $3"
);

const ADD: &str = "INSERT INTO credentials
    (kind, id, tenant, owner, name, scopes, hash, tag, created_at, not_before, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (kind, id) DO NOTHING";

pub(crate) const STATE: &str =
    "SELECT revoked_at, expires_at FROM credentials WHERE kind = $1 AND id = $2 AND tenant = $3";

pub(crate) const REVOKE: &str = "UPDATE credentials
    SET revoked_at = $3, previous_hash = NULL, previous_tag = NULL, previous_ends_at = NULL
    WHERE kind = $1 AND id = $2";

// The right-hand sides are read before the row is written: the current secret moves over, an older one is gone.
pub(crate) const ROTATE: &str = "UPDATE credentials
    SET previous_hash = hash, previous_tag = tag, previous_ends_at = $3, hash = $4, tag = $5
    WHERE kind = $1 AND id = $2";

pub(crate) const SWAP: &str =
    "UPDATE credentials SET hash = $4, tag = $5 WHERE kind = $1 AND id = $2 AND hash = $3";
pub(crate) const SWAP_PREVIOUS: &str =
    "UPDATE credentials SET previous_hash = $4, previous_tag = $5
    WHERE kind = $1 AND id = $2 AND previous_hash = $3";

pub(crate) const TOUCH: &str = "UPDATE credentials SET last_used_at = $3
    WHERE kind = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)";

impl<D: Dialect> CredentialStore for SqlStore<D> {
    fn find<'a>(
        &'a self,
        kind: SecretKind,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<CredentialRecord>, StoreError>> {
        Box::pin(async move {
            let Some(kind) = secret_kind(kind) else {
                return Ok(None);
            };
            let row = self.read_first(FIND, &[kind.into(), id.into()]).await?;
            Ok(row
                .as_ref()
                .map(record::<D>)
                .transpose()?
                .map(|(_, record)| record))
        })
    }

    fn insert(
        &self,
        new: NewCredential,
    ) -> BoxFuture<'_, Result<Unpublished<InsertOutcome>, StoreError>> {
        Box::pin(async move {
            let kind = known(new.kind)?;
            let scopes = new.scopes.to_string();
            let args = [
                kind.into(),
                new.id.as_str().into(),
                new.tenant.as_str().into(),
                new.owner.as_str().into(),
                new.name.as_str().into(),
                scopes.as_str().into(),
                new.secret.hash.as_str().into(),
                new.secret.tag.map(GuardTag::to_u64).into(),
                new.created_at.into(),
                new.not_before.into(),
                new.expires_at.into(),
            ];
            let mut write = self.write().await?;
            if write.execute(ADD, &args).await? == 0 {
                return Ok(Unpublished::unchanged(InsertOutcome::IdTaken));
            }
            let key = changed(new.kind, new.id.as_str());
            write.publish(InsertOutcome::Inserted, key).await
        })
    }

    fn list<'a>(
        &'a self,
        tenant: &'a TenantId,
        filter: &'a CredentialFilter,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<CredentialRecord>, StoreError>> {
        Box::pin(async move {
            // What is no cursor of ours is a place after the last row.
            let after = page.after().map_or(0, |cursor| {
                cursor.as_str().parse::<u64>().unwrap_or(u64::MAX)
            });
            let mut args = vec![
                tenant.as_str().into(),
                after.into(),
                (page.limit() + 1).into(),
            ];
            let kind = filter.kind.map(known).transpose()?;
            args.extend(filter.owner.as_ref().map(|owner| Arg::from(owner.as_str())));
            args.extend(kind.map(Arg::from));
            let sql = match (&filter.owner, kind) {
                (None, None) => LIST,
                (None, Some(_)) => LIST_KIND,
                (Some(_), None) => LIST_OWNER,
                (Some(_), Some(_)) => LIST_OWNER_AND_KIND,
            };
            let rows = self.read(sql, &args).await?;
            let records = rows.iter().map(record::<D>).collect::<Result<_, _>>()?;
            let page = Page::cut(records, page, |(seq, _): &(u64, CredentialRecord)| {
                seq.to_string()
            });
            Ok(page.map(|(_, record)| record))
        })
    }

    fn revoke<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<RevokeOutcome>, StoreError>> {
        Box::pin(async move {
            let word = known(kind)?;
            let mut write = self.write().await?;
            let rows = write
                .fetch(STATE, &[word.into(), id.into(), tenant.as_str().into()])
                .await?;
            let Some(row) = rows.first() else {
                return Ok(Unpublished::unchanged(RevokeOutcome::NotFound));
            };
            let revoked_at: Option<Timestamp> =
                Columns::<D>::of(row).number_or_null("credentials.revoked_at")?;
            let outcome = if revoked_at.is_some() {
                RevokeOutcome::AlreadyRevoked
            } else {
                write
                    .execute(REVOKE, &[word.into(), id.into(), at.into()])
                    .await?;
                RevokeOutcome::Revoked
            };
            // Published the second time too: whoever revoked first may not have come to it yet, and this caller is
            // also told that the credential is dead.
            write.publish(outcome, changed(kind, id)).await
        })
    }

    fn rotate<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        rotation: Rotation,
    ) -> BoxFuture<'a, Result<Unpublished<RotateOutcome>, StoreError>> {
        Box::pin(async move {
            let word = known(kind)?;
            let mut write = self.write().await?;
            let rows = write
                .fetch(STATE, &[word.into(), id.into(), tenant.as_str().into()])
                .await?;
            let Some(row) = rows.first() else {
                return Ok(Unpublished::unchanged(RotateOutcome::NotFound));
            };
            let mut columns = Columns::<D>::of(row);
            let revoked_at: Option<Timestamp> = columns.number_or_null("credentials.revoked_at")?;
            let expires_at = columns
                .number_or_null("credentials.expires_at")?
                .unwrap_or(Timestamp::MAX);
            if revoked_at.is_some() || expires_at <= rotation.at {
                return Ok(Unpublished::unchanged(RotateOutcome::NotLive));
            }
            let args = [
                word.into(),
                id.into(),
                rotation.grace_ends_at.min(expires_at).into(),
                rotation.secret.hash.as_str().into(),
                rotation.secret.tag.map(GuardTag::to_u64).into(),
            ];
            write.execute(ROTATE, &args).await?;
            write
                .publish(RotateOutcome::Rotated, changed(kind, id))
                .await
        })
    }

    fn swap_hash<'a>(
        &'a self,
        kind: SecretKind,
        id: &'a str,
        old: &'a SecretHash,
        new: StoredSecret,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>> {
        Box::pin(async move {
            let args = [
                known(kind)?.into(),
                id.into(),
                old.as_str().into(),
                new.hash.as_str().into(),
                new.tag.map(GuardTag::to_u64).into(),
            ];
            let mut write = self.write().await?;
            if write.execute(SWAP, &args).await? == 0
                && write.execute(SWAP_PREVIOUS, &args).await? == 0
            {
                return Ok(Unpublished::unchanged(false));
            }
            write.publish(true, changed(kind, id)).await
        })
    }

    fn touch<'a>(&'a self, uses: &'a [Use]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if uses.is_empty() {
                return Ok(());
            }
            let mut write = self.write().await?;
            for used in uses {
                let args = [
                    known(used.kind)?.into(),
                    used.id.as_str().into(),
                    used.at.into(),
                ];
                write.execute(TOUCH, &args).await?;
            }
            write.commit().await
        })
    }
}

/// A record and its place in lists.
fn record<D: Dialect>(row: &D::Row) -> Result<(u64, CredentialRecord), StoreError> {
    let mut columns = Columns::<D>::of(row);
    let seq = columns.number("credentials.seq")?;
    let kind = columns.parse("credentials.kind", |word| parse_secret_kind(word).ok_or(()))?;
    let id = columns.parse("credentials.id", CredentialId::new)?;
    let tenant = tenant(&mut columns)?;
    let owner = columns.parse("credentials.owner", UserId::new)?;
    let name = columns.text("credentials.name")?.to_owned();
    // Not `ScopeSet::parse`: how many scopes a stranger may send is no limit on what was stored.
    let scopes = columns.parse("credentials.scopes", |text| {
        text.split_terminator(' ')
            .map(str::parse::<Scope>)
            .collect::<Result<_, _>>()
    })?;
    let secret = StoredSecret::new(
        columns.parse("credentials.hash", str::parse::<SecretHash>)?,
        columns
            .number_or_null("credentials.tag")?
            .map(tag)
            .transpose()?,
    );
    let previous_hash = columns.text_or_null("credentials.previous_hash")?;
    let previous_tag = columns
        .number_or_null("credentials.previous_tag")?
        .map(tag)
        .transpose()?;
    let previous_ends_at = columns.number_or_null("credentials.previous_ends_at")?;
    let created_at = columns.number("credentials.created_at")?;

    let mut minted = NewCredential::new(kind, id, tenant.id().clone(), owner, secret, created_at);
    minted.name = name;
    minted.scopes = scopes;
    minted.not_before = columns.number_or_null("credentials.not_before")?;
    minted.expires_at = columns.number_or_null("credentials.expires_at")?;
    let mut record = CredentialRecord::new(minted, tenant);
    record.revoked_at = columns.number_or_null("credentials.revoked_at")?;
    record.last_used_at = columns.number_or_null("credentials.last_used_at")?;
    if let Some(hash) = previous_hash {
        let hash: SecretHash = hash
            .parse()
            .map_err(|_| StoreError::Corrupt("credentials.previous_hash"))?;
        let mut previous = StoredSecret::new(hash, previous_tag);
        // A replaced secret without an end would be a second current one.
        previous.ends_at =
            Some(previous_ends_at.ok_or(StoreError::Corrupt("credentials.previous_ends_at"))?);
        record.secrets.push(previous);
    }
    Ok((seq, record))
}

fn tag(stored: u64) -> Result<GuardTag, StoreError> {
    GuardTag::from_u64(stored).ok_or(StoreError::Corrupt("credentials.tag"))
}

/// The word for `kind`, where a row is meant to be written or listed.
fn known(kind: SecretKind) -> Result<&'static str, StoreError> {
    secret_kind(kind).ok_or(StoreError::Corrupt("credentials.kind"))
}

fn changed(kind: SecretKind, id: &str) -> Vec<ChangeKey> {
    vec![ChangeKey::Credential(kind, id.into())]
}
