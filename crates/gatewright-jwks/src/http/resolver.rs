//! Names to addresses, and which of these are connected to.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use gatewright_core::store::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::is_public;

/// Looks up the addresses of hosts. Whatever it answers, only public addresses are connected to, but for the hosts that
/// the operator [allows](crate::AllowedHosts).
pub trait Resolver: Send + Sync + fmt::Debug + 'static {
    /// The addresses of a host, best first.
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Asks the operating system, as every other program on the machine does.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Judges the addresses at the moment of connecting: a name that was judged earlier may lead elsewhere by now.
#[derive(Clone, Debug)]
pub(super) struct Guarded {
    pub(super) resolver: Arc<dyn Resolver>,
    /// For the hosts that the operator allows.
    pub(super) takes_private: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let resolving = self.resolver.resolve(name.as_str());
        let takes_private = self.takes_private;
        Box::pin(async move {
            let mut found = resolving.await?;
            let any = !found.is_empty();
            found.retain(|address| takes_private || is_public(*address));
            if any && found.is_empty() {
                return Err(NoPublicAddress.into());
            }
            // The client puts the URL's port in place of 0.
            let found = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

/// All addresses of a host were dropped. Found again among the sources of the client's error.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the host has no public address")]
pub(super) struct NoPublicAddress;
