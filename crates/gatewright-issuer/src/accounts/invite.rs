//! Invitations to a tenant.

use std::net::IpAddr;

use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::principal::{Mode, Principal, Subject, Tenant, TenantId, UserId, Verified};
use gatewright_core::role::Roles;
use gatewright_core::session::RefreshToken;
use gatewright_core::store::{AcceptOutcome, Account, InsertOutcome, Invite, TenantRef};

use super::address::{display_name, mail_address};
use super::{Accounts, ID_LENGTH, Mail, NewPassword, new_user_id, read_token};
use crate::credential::{internal, store_failed};

/// How long an invitation is good: seven days.
const INVITE_SECS: u64 = 7 * 24 * 3_600;

/// An invitation that was accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AcceptedInvite {
    /// Who is a member now.
    pub user: UserId,
    /// Of this tenant.
    pub tenant: Tenant,
    /// The role that was offered, unless they were a member before: then they keep theirs, and this is `None`.
    pub role: Option<Box<str>>,
}

impl Accounts {
    /// Invites an address to the tenant of the caller's request, with a role on the tenant's ladder, and mails the token.
    /// An earlier invitation of the same address to the same tenant is void.
    ///
    /// # Errors
    /// `validation_error` for what is no mail address or no role that can be offered; `insufficient_role` for a role above
    /// the caller's own, `insufficient_scope` for a key that may not do all that the role may; `rate_limited` after too
    /// many invitations of one address to the tenant, or by the caller to whomever; `temporarily_unavailable` when the store cannot answer.
    pub async fn invite(
        &self,
        by: &Verified<Principal>,
        roles: &Roles,
        email: &str,
        role: &str,
        source: Option<IpAddr>,
    ) -> Result<Invite, AuthError> {
        let email = mail_address(email)?;
        // Only the operator makes platform administrators.
        let rank = roles.rank(role).filter(|_| role != Account::PLATFORM_ADMIN);
        let rank = rank.ok_or_else(|| {
            AuthError::new(ErrorCode::ValidationError)
                .with_message("There is no such role to offer")
        })?;
        let denied = |cause: Cause| {
            let denied = AuditEvent::new(AuditKind::Denied, self.now()).by(by);
            self.audit.record(denied.from(source).because(cause));
            Err(cause.into())
        };
        let (Some(inviter), Some(tenant)) = (by.user(), by.tenant()) else {
            return denied(Cause::MissingRole);
        };
        // A key may be allowed less than its owner is, and a member could mint one that is allowed more.
        let is_within = || by.scopes().missing(roles.permissions(rank)).is_empty();
        if by.mode() != Mode::Jwt && !is_within() {
            return denied(Cause::MissingScope);
        }
        if !self.may_offer(inviter, tenant.id(), roles, role).await? {
            return denied(Cause::MissingRole);
        }
        let account = self.store.account(inviter).await.map_err(store_failed)?;
        let account = account.ok_or_else(|| AuthError::new(ErrorCode::InternalError))?;
        self.limits.invitation(inviter, self.nanos())?;
        // By tenant, or one would use up what another may send.
        let kind = format!("invite to {}", tenant.id());
        self.limits
            .mail(&kind, &email, self.nanos())
            .map_err(|secs| AuthError::from(Cause::RateLimited).with_retry_after(secs))?;

        let (now, token) = (self.now(), RefreshToken::generate().map_err(internal)?);
        let id = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH).map_err(internal)?;
        let ends = now.saturating_add(INVITE_SECS);
        let (tenant, inviter) = (tenant.clone(), inviter.clone());
        let invite = Invite::new(
            format!("inv_{id}"),
            tenant,
            &email,
            role,
            inviter,
            now,
            ends,
        );
        let inserted = self.store.insert_invite(invite.clone(), token.digest());
        if inserted.await.map_err(store_failed)? != InsertOutcome::Inserted {
            return Err(AuthError::new(ErrorCode::InternalError));
        }
        let event = AuditEvent::new(AuditKind::Invited, now).by(by);
        self.audit.record(event.target(&*invite.id).from(source));
        self.mailer.send(Mail::Invite {
            to: email,
            tenant: invite.tenant.clone(),
            by_email: account.email,
            by_name: account.name,
            role: invite.role.clone(),
            token,
        });
        Ok(invite)
    }

    /// Takes an invitation of the caller's tenant back.
    ///
    /// # Errors
    /// `not_found` where the tenant has no such invitation; `temporarily_unavailable` when the store cannot answer.
    pub async fn withdraw_invite(
        &self,
        by: &Verified<Principal>,
        id: &str,
        source: Option<IpAddr>,
    ) -> Result<(), AuthError> {
        let missing = || AuthError::new(ErrorCode::NotFound);
        let tenant = by.tenant().ok_or_else(missing)?;
        let withdrawn = self.store.withdraw_invite(tenant.id(), id).await;
        if !withdrawn.map_err(store_failed)? {
            return Err(missing());
        }
        let event = AuditEvent::new(AuditKind::InviteWithdrawn, self.now()).by(by);
        self.audit.record(event.target(id).from(source));
        Ok(())
    }

    /// Accepts an invitation: whoever has the token has proven the address. Its account becomes a member; an address
    /// without an account gets one, of this name and password, and an account that was unverified is verified with this
    /// password. The password of a verified account stays as it is, whatever is given.
    ///
    /// The inviter's role is judged again: an invitation by somebody who has left, or stands below the role that was
    /// offered, is worth nothing.
    ///
    /// # Errors
    /// `invalid_link` for a token that is unknown, has expired, was withdrawn or spent, or whose inviter may not offer the
    /// role any more; `validation_error` where a password is needed and none is given, for one made of the address or the
    /// name, and for what is no name; `temporarily_unavailable` when the store or the hashing pool cannot answer. A token
    /// is spent by success alone.
    pub async fn accept_invite(
        &self,
        token: &str,
        roles: &Roles,
        name: &str,
        password: Option<NewPassword>,
        source: Option<IpAddr>,
    ) -> Result<AcceptedInvite, AuthError> {
        let name = display_name(name)?;
        let digest = read_token(token)?.digest();
        let found = self.store.invite_by_token(&digest, self.now()).await;
        let invite = found
            .map_err(store_failed)?
            .ok_or(Cause::MailedTokenInvalid)?;
        let tenant = invite.tenant.id();
        let inviter = &invite.inviter;
        if !self.may_offer(inviter, tenant, roles, &invite.role).await? {
            return Err(Cause::MailedTokenInvalid.into());
        }
        let user = self.invited(&invite.email, name, password, source).await?;
        let told = self.tell_if_dropped(&user);
        let accepted = self.store.accept_invite(&digest, &user, self.now());
        let accepted = accepted.await.map_err(store_failed)?;
        let outcome = self.gate.changes().publish(accepted);
        told.done();
        let role = match outcome {
            AcceptOutcome::Joined => Some(invite.role),
            AcceptOutcome::AlreadyMember => None,
            _ => return Err(Cause::MailedTokenInvalid.into()),
        };
        if role.is_some() {
            let event = AuditEvent::new(AuditKind::RoleChanged, self.now())
                .subject(Subject::User(user.clone()))
                .tenant(tenant.clone())
                .target(user.as_str())
                .from(source);
            self.audit.record(event);
        }
        Ok(AcceptedInvite {
            user,
            tenant: invite.tenant,
            role,
        })
    }

    /// Whether the user holds this role in the tenant, or a higher one, at this moment.
    async fn may_offer(
        &self,
        user: &UserId,
        tenant: &TenantId,
        roles: &Roles,
        role: &str,
    ) -> Result<bool, AuthError> {
        let held = self.store.membership(user, TenantRef::Id(tenant)).await;
        let held = held.map_err(store_failed)?;
        Ok(held.is_some_and(|held| roles.at_least(&held.role, role)))
    }

    /// The verified account of an address that its holder has proven, made or verified where need be.
    async fn invited(
        &self,
        email: &str,
        name: String,
        password: Option<NewPassword>,
        source: Option<IpAddr>,
    ) -> Result<UserId, AuthError> {
        let found = self.find(email).await?;
        if let Some(account) = found.as_ref().filter(|account| account.verified) {
            return Ok(account.id.clone());
        }
        let password = password.ok_or_else(|| {
            AuthError::new(ErrorCode::ValidationError)
                .with_message("The address has no account yet: choose a password")
        })?;
        password.suits(&[email, &name])?;
        let hash = self.hash(&password).await?;
        let account = match found {
            Some(account) => account,
            None => {
                let mut account = Account::new(new_user_id()?, email, self.now());
                account.name.clone_from(&name);
                account.verified = true;
                account.password = Some(hash.clone());
                let inserted = self.store.insert_account(account.clone()).await;
                if inserted.map_err(store_failed)? == InsertOutcome::Inserted {
                    self.record(AuditKind::SignedUp, &account.id, source);
                    self.record(AuditKind::AddressVerified, &account.id, source);
                    return Ok(account.id);
                }
                let existing = self.find(email).await?;
                existing.ok_or_else(|| AuthError::new(ErrorCode::InternalError))?
            }
        };
        if self.activate(&account, Some(hash)).await? {
            if !name.is_empty() {
                // The name so far is whose sign-up it was, whoever that was.
                let named = self.store.set_name(&account.id, &name).await;
                named.map_err(store_failed)?;
            }
            self.record(AuditKind::AddressVerified, &account.id, source);
        }
        Ok(account.id)
    }
}
