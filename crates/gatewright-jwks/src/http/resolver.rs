//! Names to addresses, and which of these are connected to.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use gatewright_core::store::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::address::is_public;

/// How many names the operating system is asked for at once. It takes a thread for each, and as long as the name's servers
/// do, whether or not somebody still waits: without a bound, whoever configures names that never resolve would take all
/// threads that the runtime has for such work.
static LOOK_UPS: Semaphore = Semaphore::const_new(32);

/// Looks up the addresses of hosts. Whatever it answers, only public addresses are connected to, but for the hosts that
/// the operator [allows](crate::AllowedHosts).
pub trait Resolver: Send + Sync + fmt::Debug + 'static {
    /// The addresses of a host, best first.
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Asks the operating system, as every other program on the machine does, for at most 32 names at once.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        Box::pin(in_turn(&LOOK_UPS, move || {
            let found = (host.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        }))
    }
}

/// Does blocking work in a slot, which is free again when the work is over and not when nobody waits for it any more.
async fn in_turn<T: Send + 'static>(
    slots: &'static Semaphore,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let slot = slots.acquire().await.map_err(io::Error::other)?;
    spawn_blocking(move || {
        let _slot = slot;
        work()
    })
    .await?
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use futures_util::future::poll_immediate;

    use super::*;

    #[tokio::test]
    async fn who_goes_away_leaves_no_slot_before_the_work_is_over() {
        static SLOTS: Semaphore = Semaphore::const_new(1);
        let (release, released) = channel::<()>();
        let hanging = move || {
            let _ = released.recv();
            Ok(())
        };
        let mut first = Box::pin(in_turn(&SLOTS, hanging));
        assert!(poll_immediate(&mut first).await.is_none());
        drop(first);
        assert_eq!(SLOTS.available_permits(), 0);
        let second = in_turn(&SLOTS, || Ok(7));
        release.send(()).unwrap();
        assert_eq!(second.await.unwrap(), 7);
        assert_eq!(SLOTS.available_permits(), 1);
    }
}
