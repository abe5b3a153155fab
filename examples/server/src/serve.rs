//! `serve`: from the first socket to the last answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware;
use gatewright_core::gate::Coherence;
use gatewright_sqlx::SqliteOptions;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower_service::Service as _;

use crate::background::{Background, Coherent, MAX_SILENCE_SECS, Pulse};
use crate::config::{Limits, SealingSource, Settings};
use crate::demo::Demo;
use crate::failure::Failure;
use crate::provider_login::ProviderLogin;
use crate::start::{self, Foundation};
use crate::telemetry::{self, Metrics};
use crate::{ops, output, routes};

/// How long requests that have begun may still take when the server is asked to end.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a connection may take to send the head of its next request, idle ones included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at a time. Those beyond wait in the system's queue, where they take nothing of this process.
const MAX_CONNECTIONS: usize = 8_192;

/// How often the process was asked to end.
type Stop = watch::Receiver<u32>;

/// Whether to serve a demonstration, and where to write what it made.
pub(crate) struct DemoWish {
    pub(crate) out: Option<PathBuf>,
}

/// Serves until the process is asked to end.
///
/// # Errors
/// [`Failure`], saying what could not be started.
pub(crate) async fn run(settings: Settings, demo: Option<DemoWish>) -> Result<(), Failure> {
    // First of all, so that a port that is taken costs no database.
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
        Failure::new(format!("cannot listen on {}", settings.listen)).because(error)
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::new("the address listened on is not known").because(error))?;
    let public_url = settings
        .public_url
        .unwrap_or_else(|| format!("http://{address}"));
    // From here on a signal drains instead of killing.
    let stop = stop_signal()?;

    let directory = match demo {
        Some(_) => Some(
            private_directory()
                .map_err(|error| Failure::new("no temporary folder can be made").because(error))?,
        ),
        None => None,
    };
    let (database, sealing_source) = match &directory {
        Some(directory) => (
            directory.path().join("gatewright.db"),
            SealingSource::Beside,
        ),
        None => (settings.database, settings.sealing),
    };

    let options = SqliteOptions::file(&database);
    let coherence = Coherence::Bounded {
        max_silence_secs: MAX_SILENCE_SECS,
    };
    let foundation = Foundation::open(&options, &database, coherence).await?;
    let sealing = start::sealing(sealing_source, &database)?;
    let post = start::mail(settings.mail, demo.is_some(), &database, &public_url)?;
    let limits = settings.limits == Limits::Plan;
    let mut app = foundation
        .app(
            sealing,
            &public_url,
            limits,
            settings.idp_hosts,
            Arc::new(post.mailer.clone()),
        )
        .await?;
    app.proxies = settings.proxies;
    let metrics = Arc::new(
        Metrics::new(
            app.gate.clone(),
            app.passwords.clone(),
            Arc::clone(&foundation.audit),
            post.mailer.clone(),
        )
        .map_err(|error| Failure::new("the metrics could not be set up").because(error))?,
    );
    // Before any provider's keys are fetched.
    metrics.take_in();
    if let Some(login) = settings.login {
        app.provider = Some(Arc::new(ProviderLogin::new(&app, login)?));
    }

    let demo = match demo {
        Some(wish) => Some((
            Demo::create(&foundation, &app, &public_url).await?,
            wish.out,
        )),
        None => None,
    };
    let (guarded, table) = routes::router(app.clone())
        .map_err(|errors| Failure::new(format!("the routes are wrong:\n{errors}")))?;
    let pulse = Arc::new(Pulse::new());
    let router = guarded
        .merge(ops::router(Arc::clone(&metrics), Arc::clone(&pulse)))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&metrics),
            telemetry::observe,
        ));

    // Before anything runs that would have to be ended. The socket listens already, so whoever reads the file may call.
    if let Some((demo, Some(path))) = &demo {
        demo.write(path).map_err(|error| {
            Failure::new(format!("{} cannot be written", path.display())).because(error)
        })?;
    }
    let coherent = Coherent::join(&app, Arc::clone(&pulse)).await?;
    let background = Background::start(coherent, metrics);
    let server = tokio::spawn(serve(listener, router, stop, Arc::clone(&pulse)));

    let database = directory.is_none().then_some(&*database);
    output::print(&format!(
        "{table}{}",
        banner(
            address,
            &public_url,
            database,
            post.folder.as_deref(),
            limits
        )
    ));
    if let Some((demo, _)) = &demo {
        output::print(&demo.curls());
    }

    let served = server.await;
    // In this order: what is still under way may mail something, and leaves events for the audit trail.
    app.under_way.finish().await;
    post.delivery.finish().await;
    background.finish().await;
    drop(app);
    foundation.close().await;
    served.map_err(|error| Failure::new("the server failed").because(error))?;
    tracing::info!("ended");
    Ok(())
}

/// A folder that its owner alone can look into, and that is removed at the end.
fn private_directory() -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("gatewright-demo-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

fn banner(
    address: SocketAddr,
    public_url: &str,
    database: Option<&Path>,
    mail: Option<&Path>,
    limits: bool,
) -> String {
    let mut lines = format!("\nListening on http://{address}\n");
    if public_url != format!("http://{address}") {
        lines.push_str(&format!("Reached at {public_url}\n"));
    }
    match database.map(Path::display) {
        Some(path) => lines.push_str(&format!("Database: {path}\n")),
        None => lines.push_str("Database: temporary, removed at the end\n"),
    }
    if let Some(folder) = mail {
        lines.push_str(&format!(
            "Mail is only written down: {}\n",
            folder.display()
        ));
    }
    if !limits {
        lines.push_str("Rate limits are OFF: for load tests only\n");
    }
    lines
}

/// Answers requests until `stop`, then lets those that have begun come to their end, until they have had their time or
/// `stop` is said again.
async fn serve(listener: TcpListener, router: Router, mut stop: Stop, pulse: Arc<Pulse>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = said(&mut stop, 1) => break,
            Some(ended) = connections.join_next() => {
                tell(ended);
                continue;
            }
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connect(stream, peer, router.clone(), stop.clone()));
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Most likely no file is left to open; connections that end give theirs back.
                tracing::error!(%error, "no connection can be accepted");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
    pulse.drain();
    drop(listener);
    tracing::info!("draining");
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            tell(ended);
        }
    };
    let cut_off = tokio::select! {
        () = drained => false,
        () = sleep(DRAIN) => true,
        () = said(&mut stop, 2) => true,
    };
    if cut_off {
        tracing::warn!("requests that had begun were cut off");
        // Not only forgotten: what is written down and closed next must not be used any more.
        connections.shutdown().await;
    }
}

fn tell(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}

/// Serves one connection, from `stop` on no more than the request that has begun.
async fn connect(stream: TcpStream, peer: SocketAddr, router: Router, mut stop: Stop) {
    // Answers are small and whole; there is nothing to wait for.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection kept its delay");
    }
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        async move {
            let mut request: Request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            Ok::<_, Infallible>(
                router
                    .call(request)
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = said(&mut stop, 1) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

fn is_about_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Returns once the process was asked to end so often, or nobody is left to ask.
async fn said(stop: &mut Stop, often: u32) {
    let _guard_is_dropped = stop.wait_for(|times| *times >= often).await.is_ok();
}

/// Counts SIGTERM and SIGINT.
fn stop_signal() -> Result<Stop, Failure> {
    let (stop, stopped) = watch::channel(0);
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| Failure::new("signals cannot be heard").because(error))?;
    tokio::spawn(async move {
        loop {
            #[cfg(unix)]
            let terminated = terminate.recv();
            #[cfg(not(unix))]
            let terminated = std::future::pending::<Option<()>>();
            tokio::select! {
                _ = terminated => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            stop.send_modify(|times| *times += 1);
        }
    });
    Ok(stopped)
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    const REQUEST: &[u8] = b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n";

    /// A server whose only route says that it was reached, and answers once it is let go.
    struct Waiting {
        address: SocketAddr,
        stop: watch::Sender<u32>,
        reached: Arc<Notify>,
        let_go: Arc<Notify>,
        server: JoinHandle<()>,
    }

    async fn waiting() -> Waiting {
        let (reached, let_go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (say, wait) = (Arc::clone(&reached), Arc::clone(&let_go));
        let handler = async move || {
            say.notify_one();
            wait.notified().await;
            "done"
        };
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(0);
        let router = Router::new().route("/wait", get(handler));
        let server = tokio::spawn(serve(listener, router, stopped, Arc::new(Pulse::new())));
        Waiting {
            address,
            stop,
            reached,
            let_go,
            server,
        }
    }

    #[tokio::test]
    async fn what_has_begun_is_answered_and_nothing_else_begins() {
        let server = waiting().await;
        let mut idle = TcpStream::connect(server.address).await.unwrap();
        let mut busy = TcpStream::connect(server.address).await.unwrap();
        busy.write_all(REQUEST).await.unwrap();
        server.reached.notified().await;
        server.stop.send_replace(1);
        let mut nothing = Vec::new();
        idle.read_to_end(&mut nothing).await.unwrap();
        assert!(nothing.is_empty(), "an idle connection is closed at once");
        assert!(!server.server.is_finished());
        server.let_go.notify_one();
        let mut answer = String::new();
        busy.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        server.server.await.unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }

    #[tokio::test]
    async fn a_second_signal_cuts_off_what_has_begun() {
        let server = waiting().await;
        let mut busy = TcpStream::connect(server.address).await.unwrap();
        busy.write_all(REQUEST).await.unwrap();
        server.reached.notified().await;
        server.stop.send_replace(1);
        server.stop.send_replace(2);
        server.server.await.unwrap();
        let mut answer = Vec::new();
        let _reset_or_closed = busy.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
        assert_eq!(
            Arc::strong_count(&server.let_go),
            1,
            "the handler and its router are gone"
        );
    }
}
