//! The flags, each of which is a setting.

use super::login::LoginFlags;
use super::mail::MailFlags;
use super::proxies::ProxyFlags;
use super::told::Named;
use super::{ALLOW_IDP_HOST, DATABASE, LIMITS, LISTEN, LOG, PUBLIC_URL, SEALING_KEY_FILE};

/// The flags of every command.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct Flags {
    /// The database: sqlite:PATH, or a path [default: sqlite:./gatewright.db]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// A file with the key (32 bytes in base64) that seals the signing keys [default: beside the database]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) sealing_key_file: Option<String>,
    /// A configuration file in TOML
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<String>,
    /// The form of the log: text or json [default: text]
    #[arg(long, global = true, value_name = "FORM")]
    pub(crate) log: Option<String>,
}

impl Flags {
    pub(super) const fn named(&self) -> [Named<'_>; 3] {
        [
            (DATABASE, &self.database),
            (SEALING_KEY_FILE, &self.sealing_key_file),
            (LOG, &self.log),
        ]
    }
}

/// The flags of `serve` alone.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct ServeFlags {
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// The URL that the server is reached at [default: http:// and the address it listens on]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// plan: as each tenant's plan says; off: none, for load tests [default: plan]
    #[arg(long, value_name = "WHICH")]
    pub(crate) limits: Option<String>,
    #[command(flatten)]
    pub(crate) proxies: ProxyFlags,
    /// Hosts that orgs may name as identity providers without TLS or on a private network, such as 127.0.0.1:9000; several
    /// with commas between [default: none]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) allow_idp_host: Option<String>,
    #[command(flatten)]
    pub(crate) mail: MailFlags,
    #[command(flatten)]
    pub(crate) login: LoginFlags,
}

impl ServeFlags {
    pub(super) fn named(&self) -> impl Iterator<Item = Named<'_>> {
        let own = [
            (LISTEN, &self.listen),
            (PUBLIC_URL, &self.public_url),
            (LIMITS, &self.limits),
            (ALLOW_IDP_HOST, &self.allow_idp_host),
        ];
        own.into_iter()
            .chain(self.proxies.named())
            .chain(self.mail.named())
            .chain(self.login.named())
    }
}
