//! What was mailed to people, and who they are elsewhere.

use std::collections::HashMap;

use super::tenants::Tenants;
use super::{MemoryStore, NoSuchTenant, State};
use crate::principal::{TenantId, UserId};
use crate::session::TokenDigest;
use crate::store::{
    AcceptOutcome, BoxFuture, ChangeKey, InsertOutcome, Invite, InviteStore, LinkedLogin,
    LinkedLoginStore, MailedPurpose, MailedToken, MailedTokenStore, Page, PageRequest, StoreError,
    UnlinkOutcome, Unpublished,
};
use crate::time::Timestamp;

/// Mailed tokens, invites and links, each by what a stranger presents. A sequence number is never given twice, so a cursor
/// stays true while rows go.
#[derive(Default)]
pub(super) struct People {
    mailed: HashMap<TokenDigest, MailedToken>,
    invites: HashMap<TokenDigest, Row<Invite>>,
    links: HashMap<(Box<str>, Box<str>), Row<LinkedLogin>>,
    last: u64,
}

/// A record and its place in the order of insertion.
struct Row<T> {
    sequence: u64,
    record: T,
}

impl People {
    fn row<T>(&mut self, record: T) -> Row<T> {
        self.last += 1;
        Row {
            sequence: self.last,
            record,
        }
    }

    fn invite(&mut self, invite: Invite, digest: TokenDigest) -> InsertOutcome {
        let mut invites = self.invites.values();
        if self.invites.contains_key(&digest) || invites.any(|row| row.record.id == invite.id) {
            return InsertOutcome::IdTaken;
        }
        self.invites.retain(|_, row| {
            row.record.tenant.id() != invite.tenant.id() || row.record.email != invite.email
        });
        let row = self.row(invite);
        self.invites.insert(digest, row);
        InsertOutcome::Inserted
    }

    fn good_invite(&self, digest: &TokenDigest, now: Timestamp) -> Option<&Invite> {
        let row = self.invites.get(digest)?;
        (now < row.record.expires_at).then_some(&row.record)
    }

    fn link(&mut self, link: LinkedLogin) -> InsertOutcome {
        let subject = (link.issuer.clone(), link.subject.clone());
        let mut links = self.links.values();
        if self.links.contains_key(&subject) || links.any(|row| row.record.id == link.id) {
            return InsertOutcome::IdTaken;
        }
        let row = self.row(link);
        self.links.insert(subject, row);
        InsertOutcome::Inserted
    }

    fn unlink(&mut self, user: &UserId, id: &str, has_password: bool) -> UnlinkOutcome {
        let links = self.links.iter();
        let mut own = links.filter(|(_, row)| row.record.user == *user);
        let Some((subject, _)) = own.clone().find(|(_, row)| *row.record.id == *id) else {
            return UnlinkOutcome::NoSuchLink;
        };
        if !has_password && own.all(|(_, row)| *row.record.id == *id) {
            return UnlinkOutcome::LastWayIn;
        }
        let subject = subject.clone();
        self.links.remove(&subject);
        UnlinkOutcome::Unlinked
    }
}

impl State {
    fn accept(
        &mut self,
        digest: &TokenDigest,
        user: &UserId,
        now: Timestamp,
    ) -> Result<AcceptOutcome, StoreError> {
        let Some(invite) = self.people.good_invite(digest, now) else {
            return Ok(AcceptOutcome::NoSuchInvite);
        };
        let outcome = if self.tenants.role(invite.tenant.id(), user).is_some() {
            AcceptOutcome::AlreadyMember
        } else {
            self.tenants.put(invite.tenant.id(), user, &invite.role)?;
            AcceptOutcome::Joined
        };
        self.people.invites.remove(digest);
        Ok(outcome)
    }
}

impl MailedTokenStore for MemoryStore {
    fn put_mailed_token(&self, token: MailedToken) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            state.people.mailed.entry(token.digest).or_insert(token);
            Ok(())
        })
    }

    fn spend_mailed_token<'a>(
        &'a self,
        digest: &'a TokenDigest,
        purpose: MailedPurpose,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<MailedToken>, StoreError>> {
        Box::pin(async move {
            let mailed = &mut self.write().people.mailed;
            let good = mailed
                .get(digest)
                .is_some_and(|token| token.purpose == purpose && now < token.expires_at);
            Ok(if good { mailed.remove(digest) } else { None })
        })
    }

    fn strip_mailed_passwords<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            let tokens = state.people.mailed.values_mut();
            let meant = tokens.filter(|token| token.user == *user && token.purpose == purpose);
            Ok(meant.filter_map(|token| token.password.take()).count() as u64)
        })
    }

    fn void_mailed_tokens<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let mailed = &mut self.write().people.mailed;
            Ok(keep(mailed, |token| {
                token.user != *user || token.purpose != purpose
            }))
        })
    }

    fn forget_mailed_tokens(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mailed = &mut self.write().people.mailed;
            Ok(keep(mailed, |token| now < token.expires_at))
        })
    }
}

impl InviteStore for MemoryStore {
    fn insert_invite(
        &self,
        mut invite: Invite,
        digest: TokenDigest,
    ) -> BoxFuture<'_, Result<InsertOutcome, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            if state.tenants.get(invite.tenant.id()).is_none() {
                return Err(StoreError::unavailable(NoSuchTenant));
            }
            invite.email = invite.email.to_lowercase();
            Ok(state.people.invite(invite, digest))
        })
    }

    fn invites<'a>(
        &'a self,
        tenant: &'a TenantId,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<Invite>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            let listed = oldest_first(&state.people.invites, page, |invite| {
                invite.tenant.id() == tenant
            });
            Ok(listed.map(|invite| joined(invite, &state.tenants)))
        })
    }

    fn invite_by_token<'a>(
        &'a self,
        digest: &'a TokenDigest,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Invite>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            let invite = state.people.good_invite(digest, now);
            Ok(invite.map(|invite| joined(invite, &state.tenants)))
        })
    }

    fn withdraw_invite<'a>(
        &'a self,
        tenant: &'a TenantId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let invites = &mut self.write().people.invites;
            let withdrawn = keep(invites, |row| {
                row.record.tenant.id() != tenant || *row.record.id != *id
            });
            Ok(withdrawn > 0)
        })
    }

    fn accept_invite<'a>(
        &'a self,
        digest: &'a TokenDigest,
        user: &'a UserId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<AcceptOutcome>, StoreError>> {
        Box::pin(async move {
            let outcome = self.write().accept(digest, user, now)?;
            Ok(match outcome {
                AcceptOutcome::NoSuchInvite => Unpublished::unchanged(outcome),
                // Whoever made the user a member may not have published that yet.
                AcceptOutcome::Joined | AcceptOutcome::AlreadyMember => {
                    Unpublished::new(outcome, vec![ChangeKey::User(user.as_str().into())])
                }
            })
        })
    }

    fn forget_invites(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let invites = &mut self.write().people.invites;
            Ok(keep(invites, |row| now < row.record.expires_at))
        })
    }
}

impl LinkedLoginStore for MemoryStore {
    fn linked_login<'a>(
        &'a self,
        issuer: &'a str,
        subject: &'a str,
    ) -> BoxFuture<'a, Result<Option<LinkedLogin>, StoreError>> {
        Box::pin(async move {
            let subject = (issuer.into(), subject.into());
            let state = self.read();
            Ok(state
                .people
                .links
                .get(&subject)
                .map(|row| row.record.clone()))
        })
    }

    fn link_login(
        &self,
        mut link: LinkedLogin,
    ) -> BoxFuture<'_, Result<InsertOutcome, StoreError>> {
        Box::pin(async move {
            link.email = link.email.to_lowercase();
            Ok(self.write().people.link(link))
        })
    }

    fn linked_logins<'a>(
        &'a self,
        user: &'a UserId,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<LinkedLogin>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            let listed = oldest_first(&state.people.links, page, |link| link.user == *user);
            Ok(listed.map(Clone::clone))
        })
    }

    fn unlink_login<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<UnlinkOutcome, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            let has_password = state.accounts.has_password(user);
            Ok(state.people.unlink(user, id, has_password))
        })
    }
}

/// Keeps the rows that are `wanted`. Answers how many went.
fn keep<K, V>(rows: &mut HashMap<K, V>, wanted: impl Fn(&V) -> bool) -> u64 {
    let before = rows.len();
    rows.retain(|_, row| wanted(row));
    (before - rows.len()) as u64
}

/// The page of those rows that are `meant`.
fn oldest_first<'a, K, T>(
    rows: &'a HashMap<K, Row<T>>,
    request: &PageRequest,
    meant: impl Fn(&T) -> bool,
) -> Page<&'a T> {
    // What is no cursor of ours is a place after the last row.
    let after = request
        .after()
        .map_or(0, |cursor| cursor.as_str().parse().unwrap_or(u64::MAX));
    let mut rows: Vec<&Row<T>> = rows
        .values()
        .filter(|row| row.sequence > after && meant(&row.record))
        .collect();
    rows.sort_unstable_by_key(|row| row.sequence);
    Page::cut(rows, request, |row| row.sequence.to_string()).map(|row| &row.record)
}

/// The invite with its tenant as it is now.
fn joined(invite: &Invite, tenants: &Tenants) -> Invite {
    let mut invite = invite.clone();
    if let Some(tenant) = tenants.get(invite.tenant.id()) {
        invite.tenant = tenant.clone();
    }
    invite
}
