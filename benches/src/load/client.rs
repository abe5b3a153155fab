//! The client: so many connections that each send a request when the one before was answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::JoinSet;

use super::response::Response;

/// How many connections are kept alive.
pub const CONNECTIONS: usize = 32;

/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends `request` over and over for this long, and answers how many were answered with 200 in a second.
///
/// Connections are made, and each used once, before the clock starts.
///
/// # Errors
///
/// An I/O error, also for any other answer.
pub fn drive(address: SocketAddr, request: &[u8], time: Duration) -> io::Result<f64> {
    let request: Arc<[u8]> = request.into();
    let client = std::thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            tokio::time::timeout(time + PATIENCE, all(address, request, time))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    });
    let joined = client.join();
    joined.map_err(|_| io::Error::other("the client broke down"))?
}

async fn all(address: SocketAddr, request: Arc<[u8]>, time: Duration) -> io::Result<f64> {
    let mut ready = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let request = Arc::clone(&request);
        ready.spawn(async move {
            let mut connection = Connection::open(address).await?;
            connection.call(&request).await?;
            Ok::<_, io::Error>(connection)
        });
    }
    let mut connections = Vec::new();
    while let Some(connection) = ready.join_next().await {
        connections.push(connection??);
    }
    let until = Instant::now() + time;
    let mut running = JoinSet::new();
    for mut connection in connections {
        let request = Arc::clone(&request);
        running.spawn(async move {
            let mut answered = 0_u32;
            loop {
                connection.call(&request).await?;
                if Instant::now() >= until {
                    return Ok::<_, io::Error>(answered);
                }
                answered += 1;
            }
        });
    }
    let mut answered = 0.0;
    while let Some(count) = running.join_next().await {
        answered += f64::from(count??);
    }
    Ok(answered / time.as_secs_f64())
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = Vec::with_capacity(4096);
        Ok(Self { stream, buffer })
    }

    async fn call(&mut self, request: &[u8]) -> io::Result<()> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(Response { status, length }) =
                Response::read(&self.buffer).map_err(io::Error::other)?
            else {
                continue;
            };
            // One request at a time: nothing may follow its answer.
            return match (status, length == self.buffer.len()) {
                (200, true) => Ok(()),
                (200, false) => Err(io::Error::other("an answer to no request")),
                (status, _) => Err(io::Error::other(format!("the status {status}"))),
            };
        }
    }
}
