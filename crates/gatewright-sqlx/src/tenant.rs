//! Tenants and their members.

use gatewright_core::principal::{Tenant, TenantId, TenantKind, UserId};
use gatewright_core::store::{
    Account, BoxFuture, ChangeKey, InsertOutcome, Member, Membership, MembershipStore, Page,
    PageRequest, RemoveOutcome, RoleOutcome, StoreError, TenantRef, Unpublished,
};

use crate::dialect::{Columns, Dialect};
use crate::session::{end_sessions_of_member, session_changed};
use crate::store::SqlStore;

// A tenant, the user's role in it, and whether the user stands above roles.
pub(crate) const BY_ID: &str = "SELECT t.id, t.kind, t.slug, t.plan, m.role,
        (SELECT COUNT(*) FROM accounts a WHERE a.id = $2 AND a.platform_admin = 1)
    FROM tenants t LEFT JOIN memberships m ON m.tenant = t.id AND m.user_id = $2
    WHERE t.id = $1";
pub(crate) const BY_SLUG: &str = "SELECT t.id, t.kind, t.slug, t.plan, m.role,
        (SELECT COUNT(*) FROM accounts a WHERE a.id = $2 AND a.platform_admin = 1)
    FROM tenants t LEFT JOIN memberships m ON m.tenant = t.id AND m.user_id = $2
    WHERE t.kind = $1 AND t.slug = $3";

pub(crate) const MEMBERSHIPS: &str = "SELECT t.id, t.kind, t.slug, t.plan, m.role
    FROM memberships m JOIN tenants t ON t.id = m.tenant
    WHERE m.user_id = $1 AND m.kind = $2 AND m.slug > $3
    ORDER BY m.slug LIMIT $4";

// The user's id settles the order of members who have no account, and so no address.
pub(crate) const MEMBERS: &str = "SELECT user_id, email, role FROM memberships
    WHERE tenant = $1 AND (email, user_id) > ($2, $3)
    ORDER BY email, user_id LIMIT $4";

const ADD_TENANT: &str =
    "INSERT INTO tenants (id, kind, slug, plan) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
pub(crate) const SET_PLAN: &str = "UPDATE tenants SET plan = $2 WHERE id = $1";

pub(crate) const ROLE: &str = "SELECT role FROM memberships WHERE tenant = $1 AND user_id = $2";
const PUT_MEMBER: &str = "INSERT INTO memberships (tenant, user_id, role, kind, slug, email)
    SELECT t.id, $2, $3, t.kind, t.slug, COALESCE((SELECT email FROM accounts WHERE id = $2), '')
    FROM tenants t WHERE t.id = $1
    ON CONFLICT (tenant, user_id) DO UPDATE SET role = excluded.role";
// Another member with the role; in Postgres the rows would have to be locked first.
pub(crate) const OTHERS_WITH_ROLE: &str =
    "SELECT user_id FROM memberships WHERE tenant = $1 AND role = $2 AND user_id <> $3 LIMIT 1";
pub(crate) const REMOVE_MEMBER: &str = "DELETE FROM memberships WHERE tenant = $1 AND user_id = $2";

/// A membership refers to a tenant that does not exist.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("there is no such tenant")]
struct NoSuchTenant;

impl<D: Dialect> MembershipStore for SqlStore<D> {
    fn membership<'a>(
        &'a self,
        user: &'a UserId,
        tenant: TenantRef<'a>,
    ) -> BoxFuture<'a, Result<Option<Membership>, StoreError>> {
        Box::pin(async move {
            let user = user.as_str();
            let row = match tenant {
                TenantRef::Id(id) => {
                    self.read_first(BY_ID, &[id.as_str().into(), user.into()])
                        .await?
                }
                TenantRef::Slug(kind, slug) => {
                    let args = [kind.as_str().into(), user.into(), slug.into()];
                    self.read_first(BY_SLUG, &args).await?
                }
                // A way to name tenants that is younger than this store names none of its own.
                _ => return Ok(None),
            };
            let Some(row) = row else {
                return Ok(None);
            };
            let mut columns = Columns::<D>::of(&row);
            let tenant = self::tenant(&mut columns)?;
            let role = columns.text_or_null("memberships.role")?;
            let admin = columns.flag("accounts.platform_admin")?;
            let role = if admin {
                Some(Account::PLATFORM_ADMIN)
            } else {
                role
            };
            Ok(role.map(|role| Membership::new(tenant, role)))
        })
    }

    fn memberships<'a>(
        &'a self,
        user: &'a UserId,
        kind: &'a TenantKind,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<Membership>, StoreError>> {
        Box::pin(async move {
            let after = page.after().map_or("", |cursor| cursor.as_str());
            let args = [
                user.as_str().into(),
                kind.as_str().into(),
                after.into(),
                (page.limit() + 1).into(),
            ];
            let rows = self.read(MEMBERSHIPS, &args).await?;
            let memberships = rows
                .iter()
                .map(|row| {
                    let mut columns = Columns::<D>::of(row);
                    let tenant = tenant(&mut columns)?;
                    Ok(Membership::new(tenant, columns.text("memberships.role")?))
                })
                .collect::<Result<_, StoreError>>()?;
            Ok(Page::cut(memberships, page, |row: &Membership| {
                row.tenant.slug().to_owned()
            }))
        })
    }

    fn members<'a>(
        &'a self,
        tenant: &'a TenantId,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<Member>, StoreError>> {
        Box::pin(async move {
            // No address and no id holds a line feed.
            let after = page.after().map_or("", |cursor| cursor.as_str());
            let (email, user) = after.split_once('\n').unwrap_or((after, ""));
            let args = [
                tenant.as_str().into(),
                email.into(),
                user.into(),
                (page.limit() + 1).into(),
            ];
            let rows = self.read(MEMBERS, &args).await?;
            let members = rows.iter().map(member::<D>).collect::<Result<_, _>>()?;
            Ok(Page::cut(members, page, |row: &Member| {
                format!("{}\n{}", row.email, row.user)
            }))
        })
    }

    fn create_tenant<'a>(
        &'a self,
        tenant: Tenant,
        first: &'a UserId,
        role: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<InsertOutcome>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let id = tenant.id().as_str();
            let args = [
                id.into(),
                tenant.kind().as_str().into(),
                tenant.slug().into(),
                tenant.plan().into(),
            ];
            if write.execute(ADD_TENANT, &args).await? == 0 {
                return Ok(Unpublished::unchanged(InsertOutcome::IdTaken));
            }
            let args = [id.into(), first.as_str().into(), role.into()];
            write.execute(PUT_MEMBER, &args).await?;
            let keys = vec![changed(first)];
            write.publish(InsertOutcome::Inserted, keys).await
        })
    }

    fn put_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let place = [tenant.as_str().into(), user.as_str().into()];
            let new = write.fetch(ROLE, &place).await?.is_empty();
            let args = [tenant.as_str().into(), user.as_str().into(), role.into()];
            if write.execute(PUT_MEMBER, &args).await? == 0 {
                return Err(StoreError::unavailable(NoSuchTenant));
            }
            write.publish(new, vec![changed(user)]).await
        })
    }

    fn change_role<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
        keep: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<RoleOutcome>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let (id, user_id) = (tenant.as_str(), user.as_str());
            let rows = write.fetch(ROLE, &[id.into(), user_id.into()]).await?;
            let outcome = match rows.first() {
                None => RoleOutcome::Added,
                Some(row) => {
                    let held = Columns::<D>::of(row).text("memberships.role")?.to_owned();
                    let others = [id.into(), keep.into(), user_id.into()];
                    if held == keep
                        && role != keep
                        && write.fetch(OTHERS_WITH_ROLE, &others).await?.is_empty()
                    {
                        return Ok(Unpublished::unchanged(RoleOutcome::LastOfRole));
                    }
                    RoleOutcome::Changed
                }
            };
            let args = [id.into(), user_id.into(), role.into()];
            if write.execute(PUT_MEMBER, &args).await? == 0 {
                return Err(StoreError::unavailable(NoSuchTenant));
            }
            write.publish(outcome, vec![changed(user)]).await
        })
    }

    fn remove_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        keep: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<RemoveOutcome>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let (tenant, id) = (tenant.as_str(), user.as_str());
            let rows = write.fetch(ROLE, &[tenant.into(), id.into()]).await?;
            let Some(row) = rows.first() else {
                // Whoever removed the user first may not have published that yet.
                return write
                    .publish(RemoveOutcome::NotAMember, vec![changed(user)])
                    .await;
            };
            if Columns::<D>::of(row).text("memberships.role")? == keep {
                let args = [tenant.into(), keep.into(), id.into()];
                if write.fetch(OTHERS_WITH_ROLE, &args).await?.is_empty() {
                    return Ok(Unpublished::unchanged(RemoveOutcome::LastOfRole));
                }
            }
            write
                .execute(REMOVE_MEMBER, &[tenant.into(), id.into()])
                .await?;
            let ended = end_sessions_of_member(&mut write, tenant, id).await?;
            let mut keys = vec![changed(user)];
            keys.extend(ended.iter().map(session_changed));
            write.publish(RemoveOutcome::Removed, keys).await
        })
    }

    fn set_plan<'a>(
        &'a self,
        tenant: &'a TenantId,
        plan: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let id = tenant.as_str();
            if write.execute(SET_PLAN, &[id.into(), plan.into()]).await? == 0 {
                return Ok(Unpublished::unchanged(false));
            }
            write
                .publish(true, vec![ChangeKey::Tenant(id.into())])
                .await
        })
    }
}

/// The columns of a tenant: id, kind, slug, plan.
pub(crate) fn tenant<D: Dialect>(columns: &mut Columns<'_, D>) -> Result<Tenant, StoreError> {
    Ok(Tenant::new(
        columns.parse("tenants.id", TenantId::new)?,
        TenantKind::new(columns.text("tenants.kind")?.to_owned()),
        columns.text("tenants.slug")?,
        columns.text("tenants.plan")?,
    ))
}

fn member<D: Dialect>(row: &D::Row) -> Result<Member, StoreError> {
    let mut columns = Columns::<D>::of(row);
    Ok(Member::new(
        columns.parse("memberships.user_id", UserId::new)?,
        columns.text("memberships.email")?,
        columns.text("memberships.role")?,
    ))
}

fn changed(user: &UserId) -> ChangeKey {
    ChangeKey::User(user.as_str().into())
}
