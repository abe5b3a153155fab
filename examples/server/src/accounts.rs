//! Accounts and tenants that the operator makes: nobody's mail is asked.

use gatewright_core::principal::{Tenant, TenantId, TenantKind, UserId};
use gatewright_core::store::{
    Account, AccountStore, InsertOutcome, MembershipStore, PageRequest, TenantRef,
};
use gatewright_sqlx::SqliteStore;
use sqlx::Row as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::realms::{FIRST_PLAN, HANDLE, ORG, WORKSPACE};
use crate::start::{Foundation, password_policy};
use crate::web;

/// The longest slug of a workspace, in bytes.
const MAX_SLUG: usize = 64;

/// An account to be made, verified from the start.
pub(crate) struct NewUser<'a> {
    pub(crate) email: &'a str,
    pub(crate) password: Zeroizing<String>,
    pub(crate) workspace: &'a str,
    /// The handle and its plan.
    pub(crate) handle: Option<(&'a str, &'a str)>,
    /// The org.
    pub(crate) org: Option<&'a str>,
    pub(crate) platform_admin: bool,
}

/// What was made.
pub(crate) struct CreatedUser {
    pub(crate) user: UserId,
    pub(crate) workspace: TenantId,
    pub(crate) handle: Option<TenantId>,
    pub(crate) org: Option<TenantId>,
}

/// Makes a verified account with its workspace, in which it is the administrator, and perhaps a handle, of which it is the
/// owner, and an org, of which it is the administrator too.
///
/// # Errors
/// [`Failure`]: what is wrong with the request, or that a name is taken. Nothing was made then.
pub(crate) async fn create(
    foundation: &Foundation,
    new: NewUser<'_>,
) -> Result<CreatedUser, Failure> {
    let store = &foundation.store;
    check(&new)?;
    if store.account_by_email(new.email).await?.is_some() {
        return Err(Failure::new("an account has this mail address already"));
    }
    let tenants = [
        Some((&WORKSPACE, new.workspace)),
        new.handle.map(|(slug, _)| (&HANDLE, slug)),
        new.org.map(|slug| (&ORG, slug)),
    ];
    for (kind, slug) in tenants.into_iter().flatten() {
        if tenant_id(store, kind, slug).await?.is_some() {
            return Err(Failure::new(format!("the {kind} `{slug}` exists already")));
        }
    }

    let password = foundation
        .passwords
        .hash(new.password.as_bytes())?
        .await
        .ok_or_else(|| Failure::new("the password could not be hashed"))?;
    let user = UserId::new(Uuid::now_v7().to_string())?;
    let mut account = Account::new(user.clone(), new.email, foundation.now());
    account.verified = true;
    account.platform_admin = new.platform_admin;
    account.password = Some(password);
    if store.insert_account(account).await? != InsertOutcome::Inserted {
        return Err(Failure::new("an account has this mail address already"));
    }
    let workspace = found(
        foundation,
        &WORKSPACE,
        new.workspace,
        FIRST_PLAN,
        &user,
        "admin",
    )
    .await?;
    let handle = match new.handle {
        Some((slug, plan)) => Some(found(foundation, &HANDLE, slug, plan, &user, "owner").await?),
        None => None,
    };
    let org = match new.org {
        Some(slug) => Some(found(foundation, &ORG, slug, FIRST_PLAN, &user, "admin").await?),
        None => None,
    };
    Ok(CreatedUser {
        user,
        workspace,
        handle,
        org,
    })
}

/// The id of the tenant with this slug.
///
/// # Errors
/// [`Failure`] where the database does not answer.
pub(crate) async fn tenant_id(
    store: &SqliteStore,
    kind: &TenantKind,
    slug: &str,
) -> Result<Option<TenantId>, Failure> {
    let row = sqlx::query("SELECT id FROM tenants WHERE kind = $1 AND slug = $2")
        .bind(kind.as_str())
        .bind(slug)
        .fetch_optional(store.pool())
        .await?;
    match row {
        Some(row) => Ok(Some(TenantId::new(row.try_get::<String, _>("id")?)?)),
        None => Ok(None),
    }
}

/// The workspace to work in: the one named, or the only one that the user belongs to.
///
/// # Errors
/// [`Failure`] where there is none, or several of which none was named.
pub(crate) async fn workspace_of(
    store: &SqliteStore,
    user: &UserId,
    slug: Option<&str>,
) -> Result<Tenant, Failure> {
    if let Some(slug) = slug {
        let place = store
            .membership(user, TenantRef::Slug(&WORKSPACE, slug))
            .await?;
        return place.map(|place| place.tenant).ok_or_else(|| {
            Failure::new(format!(
                "there is no workspace `{slug}` that this user belongs to"
            ))
        });
    }
    let mut places = store
        .memberships(user, &WORKSPACE, &PageRequest::first())
        .await?
        .items;
    match (places.pop(), places.is_empty()) {
        (Some(place), true) => Ok(place.tenant),
        (None, _) => Err(Failure::new("this user belongs to no workspace")),
        (Some(_), false) => Err(Failure::new(
            "this user belongs to several workspaces; say which with --workspace",
        )),
    }
}

async fn found(
    foundation: &Foundation,
    kind: &TenantKind,
    slug: &str,
    plan: &str,
    first: &UserId,
    role: &str,
) -> Result<TenantId, Failure> {
    let id = TenantId::new(Uuid::now_v7().to_string())?;
    let tenant = Tenant::new(id.clone(), kind.clone(), slug, plan);
    let created = foundation.store.create_tenant(tenant, first, role).await?;
    match foundation.gate.changes().publish(created) {
        InsertOutcome::Inserted => Ok(id),
        _ => Err(Failure::new(format!(
            "the {kind} `{slug}` was made by somebody else just now; the account exists, without it"
        ))),
    }
}

fn check(new: &NewUser<'_>) -> Result<(), Failure> {
    if web::email("email", new.email).is_err() {
        return Err(Failure::new("--email is no mail address"));
    }
    let policy = password_policy().with_words([new.email]);
    policy.accept(new.password.clone())?;
    if !is_slug(new.workspace) {
        return Err(Failure::new(format!(
            "--workspace must be 1 to {MAX_SLUG} of a-z, 0-9, `-` and `_`, and begin with a letter or digit"
        )));
    }
    let wrong_handle = new
        .handle
        .is_some_and(|(slug, _)| web::slug("handle", slug).is_err());
    if wrong_handle {
        return Err(Failure::new("--handle must be 3 to 40 of a-z, 0-9 and -"));
    }
    if new.org.is_some_and(|slug| web::slug("org", slug).is_err()) {
        return Err(Failure::new("--org must be 3 to 40 of a-z, 0-9 and -"));
    }
    Ok(())
}

fn is_slug(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= MAX_SLUG
        && text.bytes().next().is_some_and(plain)
        && text
            .bytes()
            .all(|byte| plain(byte) || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new<'a>(email: &'a str, password: &str, workspace: &'a str) -> NewUser<'a> {
        NewUser {
            email,
            password: Zeroizing::new(password.to_owned()),
            workspace,
            handle: None,
            org: None,
            platform_admin: false,
        }
    }

    #[test]
    fn says_what_is_wrong_before_anything_is_made() {
        const GOOD: &str = "three brown cows";
        check(&new("a@b", GOOD, "acme-1")).unwrap();
        for email in ["", "a", "@b", "a@", "a b@c", "a@b\n"] {
            assert!(check(&new(email, GOOD, "acme")).is_err(), "{email:?}");
        }
        for password in [
            "1234567",
            &"x".repeat(129),
            "password",
            "Gatewright1",
            "somebody2026",
        ] {
            let new = new("somebody@b", password, "acme");
            assert!(check(&new).is_err(), "{password}");
        }
        // Characters count, not bytes.
        check(&new("a@b", &"ü".repeat(128), "acme")).unwrap();
        for slug in ["", "-a", "Acme", "a/b", "a b", &"a".repeat(65)] {
            assert!(check(&new("a@b", GOOD, slug)).is_err(), "{slug:?}");
        }
    }
}
