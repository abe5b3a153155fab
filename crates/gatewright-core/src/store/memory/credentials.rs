//! Credentials with random secrets.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::tenants::Tenants;
use super::{MemoryStore, NoSuchTenant};
use crate::credential::SecretKind;
use crate::hash::SecretHash;
use crate::principal::TenantId;
use crate::store::{
    BoxFuture, ChangeKey, CredentialFilter, CredentialRecord, CredentialStore, InsertOutcome,
    NewCredential, Page, PageRequest, RevokeOutcome, RotateOutcome, Rotation, StoreError,
    StoredSecret, Unpublished, Use,
};
use crate::time::Timestamp;

/// Rows by the order in which they were inserted, and where each public id is among them. Rows are never deleted, so a
/// public id is never used twice and a cursor never loses its place.
#[derive(Default)]
pub(super) struct Credentials {
    rows: BTreeMap<u64, CredentialRecord>,
    by_id: HashMap<SecretKind, HashMap<Box<str>, u64>>,
}

impl Credentials {
    fn get(&self, kind: SecretKind, id: &str) -> Option<&CredentialRecord> {
        self.rows.get(self.by_id.get(&kind)?.get(id)?)
    }

    fn get_mut(&mut self, kind: SecretKind, id: &str) -> Option<&mut CredentialRecord> {
        self.rows.get_mut(self.by_id.get(&kind)?.get(id)?)
    }

    /// The credential, for a caller who may only see what `tenant` has.
    fn of_tenant(
        &mut self,
        tenant: &TenantId,
        kind: SecretKind,
        id: &str,
    ) -> Option<&mut CredentialRecord> {
        self.get_mut(kind, id)
            .filter(|row| row.tenant.id() == tenant)
    }

    fn insert(&mut self, record: CredentialRecord) -> InsertOutcome {
        let sequence = self.rows.last_key_value().map_or(1, |(last, _)| last + 1);
        let ids = self.by_id.entry(record.kind).or_default();
        if ids.contains_key(record.id.as_str()) {
            return InsertOutcome::IdTaken;
        }
        ids.insert(record.id.as_str().into(), sequence);
        self.rows.insert(sequence, record);
        InsertOutcome::Inserted
    }

    fn page(
        &self,
        tenants: &Tenants,
        tenant: &TenantId,
        filter: &CredentialFilter,
        request: &PageRequest,
    ) -> Page<CredentialRecord> {
        let after = match request.after() {
            None => Bound::Unbounded,
            // What is no cursor of ours is a place after the last row.
            Some(cursor) => Bound::Excluded(cursor.as_str().parse().unwrap_or(u64::MAX)),
        };
        let rows = self
            .rows
            .range((after, Bound::Unbounded))
            .filter(|(_, row)| row.tenant.id() == tenant && admits(filter, row))
            .take(request.limit() as usize + 1)
            .map(|(sequence, row)| (*sequence, joined(row, tenants)))
            .collect();
        Page::cut(rows, request, |(sequence, _)| sequence.to_string()).map(|(_, row)| row)
    }
}

impl CredentialStore for MemoryStore {
    fn find<'a>(
        &'a self,
        kind: SecretKind,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<CredentialRecord>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            Ok(state
                .credentials
                .get(kind, id)
                .map(|row| joined(row, &state.tenants)))
        })
    }

    fn insert(
        &self,
        new: NewCredential,
    ) -> BoxFuture<'_, Result<Unpublished<InsertOutcome>, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            let tenant = state.tenants.get(&new.tenant).cloned();
            let tenant = tenant.ok_or_else(|| StoreError::unavailable(NoSuchTenant))?;
            let key = changed(new.kind, new.id.as_str());
            let outcome = state.credentials.insert(CredentialRecord {
                kind: new.kind,
                id: new.id,
                tenant,
                owner: new.owner,
                name: new.name,
                scopes: new.scopes,
                secrets: vec![StoredSecret {
                    ends_at: None,
                    ..new.secret
                }],
                created_at: new.created_at,
                not_before: new.not_before,
                expires_at: new.expires_at,
                revoked_at: None,
                last_used_at: None,
            });
            Ok(match outcome {
                InsertOutcome::Inserted => Unpublished::new(outcome, key),
                InsertOutcome::IdTaken => Unpublished::unchanged(outcome),
            })
        })
    }

    fn list<'a>(
        &'a self,
        tenant: &'a TenantId,
        filter: &'a CredentialFilter,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<CredentialRecord>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            Ok(state.credentials.page(&state.tenants, tenant, filter, page))
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
            let mut state = self.write();
            let Some(row) = state.credentials.of_tenant(tenant, kind, id) else {
                return Ok(Unpublished::unchanged(RevokeOutcome::NotFound));
            };
            let outcome = if row.revoked_at.is_some() {
                RevokeOutcome::AlreadyRevoked
            } else {
                row.revoked_at = Some(at);
                row.secrets.truncate(1);
                RevokeOutcome::Revoked
            };
            // Published the second time too: whoever revoked first may not have come to it yet, and this caller
            // is also told that the credential is dead.
            Ok(Unpublished::new(outcome, changed(kind, id)))
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
            let mut state = self.write();
            let Some(row) = state.credentials.of_tenant(tenant, kind, id) else {
                return Ok(Unpublished::unchanged(RotateOutcome::NotFound));
            };
            let expires_at = row.expires_at.unwrap_or(Timestamp::MAX);
            if row.revoked_at.is_some() || expires_at <= rotation.at {
                return Ok(Unpublished::unchanged(RotateOutcome::NotLive));
            }
            row.secrets.truncate(1);
            for replaced in &mut row.secrets {
                replaced.ends_at = Some(rotation.grace_ends_at.min(expires_at));
            }
            let current = StoredSecret {
                ends_at: None,
                ..rotation.secret
            };
            row.secrets.insert(0, current);
            Ok(Unpublished::new(RotateOutcome::Rotated, changed(kind, id)))
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
            let mut state = self.write();
            let standing = state.credentials.get_mut(kind, id).and_then(|row| {
                row.secrets
                    .iter_mut()
                    .find(|secret| secret.hash.as_str() == old.as_str())
            });
            Ok(match standing {
                None => Unpublished::unchanged(false),
                Some(secret) => {
                    secret.hash = new.hash;
                    secret.tag = new.tag;
                    Unpublished::new(true, changed(kind, id))
                }
            })
        })
    }

    fn touch<'a>(&'a self, uses: &'a [Use]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            for used in uses {
                if let Some(row) = state.credentials.get_mut(used.kind, used.id.as_str()) {
                    row.last_used_at = row.last_used_at.max(Some(used.at));
                }
            }
            Ok(())
        })
    }
}

fn admits(filter: &CredentialFilter, row: &CredentialRecord) -> bool {
    filter.kind.is_none_or(|kind| kind == row.kind)
        && filter
            .owner
            .as_ref()
            .is_none_or(|owner| *owner == row.owner)
}

/// The record with its tenant as it is now; the row keeps the one it was minted under.
fn joined(row: &CredentialRecord, tenants: &Tenants) -> CredentialRecord {
    let mut record = row.clone();
    if let Some(tenant) = tenants.get(record.tenant.id()) {
        record.tenant = tenant.clone();
    }
    record
}

fn changed(kind: SecretKind, id: &str) -> Vec<ChangeKey> {
    vec![ChangeKey::Credential(kind, id.into())]
}
