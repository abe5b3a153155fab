//! The commands, one file each.

mod key;
mod migrate;
mod policy;
mod signing_key;
mod token;
mod user;
mod visitor_key;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use gatewright_core::gate::Coherence;
use gatewright_sqlx::{DEAD_AFTER, SqliteOptions};

use crate::config::{Flags, ServeFlags, Settings};
use crate::failure::Failure;
use crate::serve::{self, DemoWish};
use crate::start::Foundation;
use crate::telemetry;

/// The reference server of Gatewright.
///
/// Every setting can also be given as an environment variable (GATEWRIGHT_LISTEN for --listen) or in a TOML file
/// (listen = "..."); a flag wins over a variable, and a variable over the file.
#[derive(Debug, Parser)]
#[command(name = "gatewright-server", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT
    Serve {
        #[command(flatten)]
        flags: Box<ServeFlags>,
        /// Work in a temporary database with a user, a key and a token to try
        #[arg(long)]
        demo: bool,
        /// Write what the demonstration made to this file, as JSON
        #[arg(long, value_name = "FILE", requires = "demo")]
        demo_out: Option<PathBuf>,
    },
    /// Make accounts
    #[command(subcommand)]
    User(user::Command),
    /// Mint, list, rotate and revoke API keys of a workspace
    #[command(subcommand)]
    Key(key::Command),
    /// Rotate and list the keys that sign access tokens
    #[command(subcommand)]
    SigningKey(signing_key::Command),
    /// Replace the keys that seal the cookies of visitors
    #[command(subcommand)]
    VisitorKey(visitor_key::Command),
    /// Bring the database's schema up to date
    Migrate,
    /// Look at credentials
    #[command(subcommand)]
    Token(token::Command),
    /// Print the route table: every route, and who may call it
    Policy(policy::Options),
    /// Print the OpenAPI document
    Openapi {
        /// The URL that the server is reached at [default: http://127.0.0.1:8080]
        #[arg(long, value_name = "URL")]
        public_url: Option<String>,
    },
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// [`Failure`], to be shown to the operator.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Self { flags, command } = self;
        let serve_flags = match &command {
            Command::Serve { flags, .. } => ServeFlags::clone(flags),
            Command::Openapi { public_url } => ServeFlags {
                public_url: public_url.clone(),
                ..ServeFlags::default()
            },
            _ => ServeFlags::default(),
        };
        let settings = Settings::load(&flags, &serve_flags)?;
        match command {
            Command::Serve { demo, demo_out, .. } => {
                if demo && flags.database.is_some() {
                    return Err(Failure::new(
                        "--demo works in a temporary database and takes no --database",
                    ));
                }
                telemetry::init_log(settings.log);
                serve::run(settings, demo.then_some(DemoWish { out: demo_out })).await
            }
            Command::User(command) => user::run(command, &settings).await,
            Command::Key(command) => key::run(command, &settings).await,
            Command::SigningKey(command) => signing_key::run(command, settings).await,
            Command::VisitorKey(command) => visitor_key::run(command, &settings).await,
            Command::Migrate => migrate::run(&settings).await,
            Command::Token(token::Command::Inspect(options)) => {
                let database = flags.database.is_some();
                token::run(options, database.then_some(settings)).await
            }
            Command::Policy(options) => policy::run(options).await,
            Command::Openapi { .. } => policy::openapi(settings.public_url).await,
        }
    }
}

/// Opens the database that the settings name. Whoever changes it through this must [`settle`] before telling so.
async fn open(settings: &Settings, create: bool) -> Result<Foundation, Failure> {
    let path = &settings.database;
    if !create && !path.exists() {
        return Err(Failure::new(format!(
            "there is no database {}",
            path.display()
        )));
    }
    let options = SqliteOptions::file(path);
    Ok(Foundation::open(&options, path, Coherence::Strict).await?)
}

/// Returns once every running server on the database has made its caches forget what was changed here.
async fn settle(foundation: Foundation) -> Result<(), Failure> {
    let known = foundation.store.acknowledged(DEAD_AFTER).await;
    foundation.close().await;
    known.map(drop).map_err(|error| {
        Failure::new("the change is made, but servers may not know yet").because(error)
    })
}
