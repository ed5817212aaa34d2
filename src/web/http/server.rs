//! The website's connections: how many are accepted, how long they may take, and how they are closed.
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
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::connections::{ConnectionLimits, InProgress, Slot, Slots};
use super::ingress::Ingress;
use super::streaming::Streaming;

/// How long a server waits, and for how many.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// How long the headers of a request may take from their first byte on or, on a new connection,
    /// from its beginning.
    pub headers: Duration,
    /// How long a connection may rest between requests.
    ///
    /// It must not be closed under a load balancer that is about to use it: those of AWS let one rest
    /// for 60 s ("Troubleshoot your Application Load Balancers", 502), nginx for as long.
    pub idle: Duration,
    /// How many may be connected.
    pub connections: ConnectionLimits,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(8),
            idle: Duration::from_secs(75),
            connections: ConnectionLimits::default(),
        }
    }
}

/// Running out of descriptors passes; asking again at once would only burn time.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// What a server serves.
pub(crate) struct Site {
    pub(crate) pages: Router,
    /// What connections get that are beyond the limits.
    pub(crate) probes: Router,
    /// Says whose connections are a proxy's.
    pub(crate) ingress: Ingress,
    /// Connections run on it.
    pub(crate) tasks: TaskTracker,
}

/// Serves until `stop` resolves and the requests in progress are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    site: Site,
    limits: ServerLimits,
    stop: impl Future<Output = ()>,
) {
    take_all_descriptors();
    let connections = GracefulShutdown::new();
    let slots = Slots::new(limits.connections);
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
        let Some(slot) = slots.admit(address, site.ingress.trusts(address)) else {
            continue;
        };
        let routes = if slot.probes_only {
            &site.probes
        } else {
            &site.pages
        };
        let connection = connection(routes, stream, visitor, (&slot, &slots), limits);
        let connection = connections.watch(connection);
        site.tasks
            .spawn(hold_slot(connection, slot, Arc::clone(&slots)));
    }
    drop(listener);
    connections.shutdown().await;
}

/// Takes as many descriptors as the system allows: pages that are kept up to date may need some thousand, and
/// a process often begins with 1,024.
fn take_all_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, descriptors = limit.current, "the site has few descriptors");
    }
}

/// The place is held while the connection is open.
async fn hold_slot(
    connection: impl Future<Output = hyper::Result<()>>,
    slot: Arc<Slot>,
    slots: Arc<Slots>,
) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = slot.leave.cancelled() => tracing::debug!("a resting connection made room"),
    }
    slots.release(&slot);
}

fn connection(
    site: &Router,
    stream: TcpStream,
    visitor: SocketAddr,
    (slot, slots): (&Arc<Slot>, &Arc<Slots>),
    limits: ServerLimits,
) -> http1::Connection<TokioIo<Watched>, Attended> {
    // Answers are written in one piece; waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "connection keeps its delay");
    }
    let stream = Watched::new(stream, Arc::clone(slot), limits.headers);
    let attended = Attended {
        site: site.clone(),
        slot: Arc::clone(slot),
        slots: Arc::clone(slots),
        visitor,
    };
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .serve_connection(TokioIo::new(stream), attended)
}

/// The site as one connection sees it.
struct Attended {
    site: Router,
    slot: Arc<Slot>,
    slots: Arc<Slots>,
    visitor: SocketAddr,
}

impl Service<Request<Incoming>> for Attended {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (site, visit) = (self.site.clone(), InProgress::begin(&self.slot));
        let (slot, slots) = (Arc::clone(&self.slot), Arc::clone(&self.slots));
        request.extensions_mut().insert(ConnectInfo(self.visitor));
        Box::pin(async move {
            let response = site.oneshot(request).await?;
            if response.extensions().get::<Streaming>().is_some() {
                slots.release(&slot);
            }
            Ok(response.map(|body| visit.until_sent(body)))
        })
    }
}

/// A connection that breaks off when the headers of a request take too long. hyper has one limit for
/// them and for the rest before them, which must be long.
struct Watched {
    stream: TcpStream,
    slot: Arc<Slot>,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    /// Which request's headers are waited for, if any of them has arrived.
    waiting_for: Option<u64>,
}

impl Watched {
    fn new(stream: TcpStream, slot: Arc<Slot>, limit: Duration) -> Self {
        Self {
            stream,
            slot,
            limit,
            deadline: Box::pin(tokio::time::sleep(limit)),
            // A new connection is there to ask something.
            waiting_for: Some(0),
        }
    }

    /// Whether the headers that have begun to arrive are still not all there.
    fn waits(&self) -> bool {
        !self.slot.is_busy() && self.waiting_for == Some(self.slot.requests())
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            if !self.waits() && !self.slot.is_busy() {
                let deadline = Instant::now() + self.limit;
                self.deadline.as_mut().reset(deadline);
                self.waiting_for = Some(self.slot.requests());
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

/// A client that disconnects before it is accepted is no failure; anything else is.
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
