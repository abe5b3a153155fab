//! `key mint|list|revoke|rotate`: API keys of a workspace.

use std::fmt::Write as _;
use std::sync::Arc;

use gatewright_core::credential::SecretKind;
use gatewright_core::principal::TenantId;
use gatewright_core::scope::ScopeSet;
use gatewright_core::session::{VisitorKey, VisitorKeys};
use gatewright_core::store::{
    AccountStore, CredentialFilter, CredentialRecord, CredentialStore, PageRequest,
};
use gatewright_issuer::{Authority, MintRequest, RotationGrace};

use super::{open, settle};
use crate::accounts;
use crate::config::Settings;
use crate::failure::Failure;
use crate::output;
use crate::realms::{Realms, WORKSPACE};
use crate::start::Foundation;

/// The brand of a workspace's keys.
const BRAND: &str = "tnx";
const DAY_SECS: u64 = 86_400;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Mint a key. The key alone goes to standard output, once
    Mint(Mint),
    /// List the keys of a workspace
    List(Place),
    /// Revoke a key; running servers refuse it once this returns
    Revoke(Named),
    /// Give a key a new secret, which alone goes to standard output
    Rotate(Rotate),
}

#[derive(Debug, clap::Args)]
pub(super) struct Mint {
    /// On whose account: the mail address of a member
    #[arg(long)]
    email: String,
    /// The workspace; may be left out where the user belongs to just one
    #[arg(long)]
    workspace: Option<String>,
    /// What the key is called
    #[arg(long)]
    name: String,
    /// What it may do, separated by spaces or commas
    #[arg(long, default_value = "*")]
    scopes: String,
    /// When it expires; never if not said
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    expires_in_days: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The workspace
    #[arg(long)]
    workspace: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// The key's public part: abcd1234 of tnx_abcd1234_...
    prefix: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    named: Named,
    /// For how long the old secret is still honoured, in seconds (0 to 86400)
    #[arg(long, value_name = "SECS", default_value_t = 3_600)]
    grace: u64,
}

pub(super) async fn run(command: Command, settings: &Settings) -> Result<(), Failure> {
    let foundation = open(settings, false).await?;
    // What was changed is told only once running servers know of it.
    let changed = !matches!(command, Command::List(_));
    let told = match &command {
        Command::Mint(wish) => mint(&foundation, wish).await,
        Command::List(place) => list(&foundation, place).await,
        Command::Revoke(named) => revoke(&foundation, named).await,
        Command::Rotate(wish) => rotate(&foundation, wish).await,
    };
    match told {
        Ok(told) => {
            let settled = if changed {
                settle(foundation).await
            } else {
                foundation.close().await;
                Ok(())
            };
            // A secret is not shown again, so it is shown even where the servers could not be waited for.
            if settled.is_ok() || told.is_secret {
                output::print(&told.out);
                output::print_aside(&told.aside);
            }
            settled
        }
        Err(failure) => {
            foundation.close().await;
            Err(failure)
        }
    }
}

/// What goes to standard output, and what is only for the eyes.
struct Told {
    out: String,
    aside: String,
    is_secret: bool,
}

async fn mint(foundation: &Foundation, wish: &Mint) -> Result<Told, Failure> {
    let store = &foundation.store;
    let owner = store
        .account_by_email(&wish.email)
        .await?
        .ok_or_else(|| Failure::new("no account has this mail address"))?
        .id;
    let tenant = accounts::workspace_of(store, &owner, wish.workspace.as_deref()).await?;
    let scopes = ScopeSet::parse(&wish.scopes.replace(',', " "))
        .map_err(|error| Failure::new("--scopes is malformed").because(error))?;
    let expires_at = wish
        .expires_in_days
        .map(|days| foundation.now().saturating_add(days * DAY_SECS));
    let realms = realms()?;
    // A key is judged by the scopes written into it, so what one scope implies is written there too.
    let scopes = realms.catalog.closure(&scopes);
    let request = MintRequest::new(BRAND, tenant.id().clone(), owner, scopes)
        .named(&wish.name)
        .expiring_at(expires_at);
    let minted = foundation
        .issuer(&realms)
        .mint(request, &Authority::operator())
        .await?;
    let expiry = minted
        .expires_at
        .map_or_else(|| "never".to_owned(), output::time);
    Ok(Told {
        out: format!("{}\n", minted.secret.expose()),
        aside: format!(
            "Minted {} in {}; scopes: {}; expires: {expiry}\n",
            minted.id,
            tenant.slug(),
            minted.scopes,
        ),
        is_secret: true,
    })
}

async fn list(foundation: &Foundation, place: &Place) -> Result<Told, Failure> {
    let tenant = workspace(foundation, place).await?;
    let filter = CredentialFilter::kind(SecretKind::ApiKey);
    let mut out = format!(
        "{:<12} {:<24} {:<20} {:<20} {:<20} {:<20} SCOPES\n",
        "PREFIX", "NAME", "CREATED", "LAST USED", "EXPIRES", "REVOKED"
    );
    let mut next = None;
    loop {
        let page = PageRequest::new(next, PageRequest::MAX_LIMIT).unwrap_or(PageRequest::first());
        let keys = foundation.store.list(&tenant, &filter, &page).await?;
        for key in &keys.items {
            row(&mut out, key)?;
        }
        next = keys.next;
        if next.is_none() {
            return Ok(Told {
                out,
                aside: String::new(),
                is_secret: false,
            });
        }
    }
}

fn row(out: &mut String, key: &CredentialRecord) -> std::fmt::Result {
    let time = |at: Option<u64>| at.map_or_else(|| "-".to_owned(), output::time);
    // A name is somebody's own choice and must not steer the terminal.
    let name = key.name.escape_debug().to_string();
    writeln!(
        out,
        "{:<12} {name:<24} {:<20} {:<20} {:<20} {:<20} {}",
        key.id.as_str(),
        output::time(key.created_at),
        time(key.last_used_at),
        time(key.expires_at),
        time(key.revoked_at),
        key.scopes,
    )
}

async fn revoke(foundation: &Foundation, named: &Named) -> Result<Told, Failure> {
    let tenant = workspace(foundation, &named.place).await?;
    foundation
        .issuer(&realms()?)
        .revoke(SecretKind::ApiKey, &tenant, &named.prefix, None)
        .await?;
    Ok(Told {
        out: format!("Revoked {}\n", named.prefix),
        aside: String::new(),
        is_secret: false,
    })
}

async fn rotate(foundation: &Foundation, wish: &Rotate) -> Result<Told, Failure> {
    let grace = RotationGrace::from_secs(wish.grace).ok_or_else(|| {
        Failure::new(format!(
            "--grace is 0 to {} seconds",
            RotationGrace::MAX_SECS
        ))
    })?;
    let tenant = workspace(foundation, &wish.named.place).await?;
    let rotated = foundation
        .issuer(&realms()?)
        .rotate(
            BRAND,
            &tenant,
            &wish.named.prefix,
            grace,
            &Authority::operator(),
        )
        .await?;
    Ok(Told {
        out: format!("{}\n", rotated.secret.expose()),
        aside: format!(
            "The old secret is honoured until {}\n",
            output::time(rotated.old_secret_ends_at)
        ),
        is_secret: true,
    })
}

async fn workspace(foundation: &Foundation, place: &Place) -> Result<TenantId, Failure> {
    accounts::tenant_id(&foundation.store, &WORKSPACE, &place.workspace)
        .await?
        .ok_or_else(|| Failure::new(format!("there is no workspace `{}`", place.workspace)))
}

/// The scopes that may be granted depend on no key and no URL, so a command needs neither.
fn realms() -> Result<Realms, Failure> {
    let visitors = VisitorKeys::new(VisitorKey::generate(1)?, [])?;
    Ok(Realms::new(
        &Arc::default(),
        "http://127.0.0.1",
        false,
        visitors,
    )?)
}
