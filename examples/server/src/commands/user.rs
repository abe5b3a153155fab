//! `user create`

use std::io::Read as _;

use zeroize::Zeroizing;

use super::{open, settle};
use crate::accounts::{self, NewUser};
use crate::config::Settings;
use crate::failure::Failure;
use crate::output;
use crate::realms::FIRST_PLAN;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a verified account with its workspace
    Create(Create),
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// The mail address to log in with
    #[arg(long)]
    email: String,
    /// The name of the new workspace, in which the user is the administrator
    #[arg(long)]
    workspace: String,
    /// A handle to make as well, of which the user is the owner
    #[arg(long, value_name = "NAME")]
    handle: Option<String>,
    /// An org to make as well, of which the user is the administrator
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Read the password (8 to 128 characters, not a common one) from standard input, up to the end of the line
    #[arg(long, required = true)]
    password_stdin: bool,
    /// Let the user stand above the roles of every tenant
    #[arg(long)]
    platform_admin: bool,
}

pub(super) async fn run(command: Command, settings: &Settings) -> Result<(), Failure> {
    let Command::Create(wish) = command;
    let password = read_password()?;
    let foundation = open(settings, true).await?;
    let created = accounts::create(
        &foundation,
        NewUser {
            email: &wish.email,
            password,
            workspace: &wish.workspace,
            handle: wish.handle.as_deref().map(|slug| (slug, FIRST_PLAN)),
            org: wish.org.as_deref(),
            platform_admin: wish.platform_admin,
        },
    )
    .await;
    match created {
        Ok(created) => {
            settle(foundation).await?;
            output::print(&format!("Created the user {}\n", created.user));
            Ok(())
        }
        Err(failure) => {
            foundation.close().await;
            Err(failure)
        }
    }
}

/// The first line of standard input, without its end. More than one line is a mistake that would otherwise be found at
/// the first login.
fn read_password() -> Result<Zeroizing<String>, Failure> {
    // Room for everything at once: a string that grows leaves copies behind.
    const MOST: usize = 1024;
    let mut text = Zeroizing::new(String::with_capacity(MOST));
    std::io::stdin()
        .lock()
        .take(MOST as u64)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new("the password cannot be read").because(error))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r']) {
        return Err(Failure::new("the password must be one line"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}
