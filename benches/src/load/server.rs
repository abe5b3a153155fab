//! The server: one thread, a free port.

use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

/// A router served on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves this on a free port of 127.0.0.1, to requests that come with the peer's address.
    ///
    /// # Errors
    ///
    /// An I/O error where there is no port or no thread.
    pub fn start(router: Router) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("server".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let Ok(listener) = TcpListener::from_std(listener) else {
                        return;
                    };
                    // A response goes out when it is written: that is what a benchmark of one request at a time asks for.
                    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
                        let _ = stream.set_nodelay(true);
                    });
                    let service = router.into_make_service_with_connect_info::<SocketAddr>();
                    tokio::select! {
                        _ = axum::serve(listener, service) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::StatusCode;
    use axum::routing::get;

    use super::super::drive;
    use super::*;

    const TIME: Duration = Duration::from_millis(50);

    #[test]
    fn a_server_answers_and_stops() {
        let served = Served::start(Router::new().route("/", get(async || "links"))).unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        assert!(drive(served.address(), request, TIME).unwrap() > 0.0);
        let address = served.address();
        drop(served);
        assert!(drive(address, request, TIME).is_err());
    }

    #[test]
    fn an_answer_that_is_no_200_ends_the_run() {
        let refusing = get(async || (StatusCode::UNAUTHORIZED, "no"));
        let served = Served::start(Router::new().route("/", refusing)).unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let error = drive(served.address(), request, TIME).unwrap_err();
        assert_eq!(error.to_string(), "the status 401");
    }
}
