//! The website's connections: who is let in, who is waited for, how long, and how they end.
//!
//! `axum::serve` waits for ever for the headers of a request, so a visitor who sends half of one
//! holds a descriptor that the database and the queue need too.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tower::ServiceExt as _;

use super::guests::{Guest, Guests, Room, Visit};
use super::state::AppState;

/// Whom to wait for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long the headers of a request may take from their first byte on or, on a new connection,
    /// from its beginning.
    pub headers: Duration,
    /// How long a connection may rest between requests.
    ///
    /// It must not be closed under a load balancer that is about to use it: those of AWS let one rest
    /// for 60 s ("Troubleshoot your Application Load Balancers", 502), nginx for as long.
    pub rest: Duration,
    /// How many may be connected.
    pub room: Room,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(8),
            rest: Duration::from_secs(75),
            room: Room::default(),
        }
    }
}

/// Running out of descriptors passes; asking again at once would only burn time.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Serves the site until `stop` resolves and the requests in hand are answered.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    let (tasks, front) = (state.tasks.clone(), state.front.clone());
    let probes = super::probes(state.clone());
    let site = super::router(state);
    let connections = GracefulShutdown::new();
    let guests = Guests::new(patience.room);
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, visitor) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause(&error).await;
                continue;
            }
        };
        let address = visitor.ip().to_canonical();
        let Some(guest) = guests.admit(address, front.trusts(address)) else {
            continue;
        };
        let site = if guest.probes_only { &probes } else { &site };
        let connection = connection(site, stream, visitor, &guest, patience);
        let connection = connections.watch(connection);
        tasks.spawn(see_to_its_end(connection, guest, Arc::clone(&guests)));
    }
    drop(listener);
    connections.shutdown().await;
}

/// The place is held while the connection is open.
async fn see_to_its_end(
    connection: impl Future<Output = hyper::Result<()>>,
    guest: Arc<Guest>,
    guests: Arc<Guests>,
) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = guest.leave.cancelled() => tracing::debug!("a resting connection made room"),
    }
    guests.see_off(&guest);
}

fn connection(
    site: &Router,
    stream: TcpStream,
    visitor: SocketAddr,
    guest: &Arc<Guest>,
    patience: Patience,
) -> http1::Connection<TokioIo<Watched>, Attended> {
    // Answers are written in one piece; waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "connection keeps its delay");
    }
    let stream = Watched::new(stream, Arc::clone(guest), patience.headers);
    let attended = Attended {
        site: site.clone(),
        guest: Arc::clone(guest),
        visitor,
    };
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.rest)
        .serve_connection(TokioIo::new(stream), attended)
}

/// The site as one guest meets it.
struct Attended {
    site: Router,
    guest: Arc<Guest>,
    visitor: SocketAddr,
}

impl Service<Request<Incoming>> for Attended {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (site, visit) = (self.site.clone(), Visit::begin(&self.guest));
        request.extensions_mut().insert(ConnectInfo(self.visitor));
        Box::pin(async move {
            let response = site.oneshot(request).await?;
            Ok(response.map(|body| visit.until_sent(body)))
        })
    }
}

/// A connection that breaks off when the headers of a request take too long. hyper has one limit for
/// them and for the rest before them, which must be long.
struct Watched {
    stream: TcpStream,
    guest: Arc<Guest>,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    /// Which request's headers are waited for, if any of them has arrived.
    waiting_for: Option<u64>,
}

impl Watched {
    fn new(stream: TcpStream, guest: Arc<Guest>, limit: Duration) -> Self {
        Self {
            stream,
            guest,
            limit,
            deadline: Box::pin(tokio::time::sleep(limit)),
            // A new connection is there to ask something.
            waiting_for: Some(0),
        }
    }

    /// Whether the headers that have begun to arrive are still not all there.
    fn waits(&self) -> bool {
        !self.guest.is_busy() && self.waiting_for == Some(self.guest.requests())
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            if !self.waits() && !self.guest.is_busy() {
                let deadline = Instant::now() + self.limit;
                self.deadline.as_mut().reset(deadline);
                self.waiting_for = Some(self.guest.requests());
            }
            return Poll::Ready(read);
        }
        if self.waits() {
            ready!(self.deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A visitor who left before being let in is no trouble; other failures are.
async fn pause(error: &io::Error) {
    let visitor_left = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    );
    if !visitor_left {
        tracing::warn!(%error, "a connection could not be accepted");
        tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
    }
}
