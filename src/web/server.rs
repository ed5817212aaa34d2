//! The website's connections: who is waited for, how long, and how they end.
//!
//! `axum::serve` waits for ever for the headers of a request, so a visitor who sends half of one
//! holds a descriptor that the database and the queue need too.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::state::AppState;

/// How long the headers of the next request may take.
///
/// A connection must not be closed under a load balancer that is about to use it: those of AWS let one rest for 60 s ("Troubleshoot your
/// Application Load Balancers", 502), nginx for as long.
pub const HEADERS_WITHIN: Duration = Duration::from_secs(75);

/// More than a café's proxies open; each takes a descriptor, of which a process often has 1,024.
const MAX_CONNECTIONS: usize = 512;

/// Running out of descriptors passes; asking again at once would only burn time.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Serves the site until `stop` resolves and the requests in hand are answered. Who takes longer
/// than `headers_within` to ask (again) is not waited for.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    headers_within: Duration,
    stop: impl Future<Output = ()>,
) {
    let tasks = state.tasks.clone();
    let site = super::router(state);
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, visitor)) => {
                let connection =
                    connections.watch(connection(&site, stream, visitor, headers_within));
                tasks.spawn(see_to_its_end(connection, place));
            }
            Err(error) => pause(&error).await,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// The place is held while the connection is open.
async fn see_to_its_end<P>(connection: impl Future<Output = hyper::Result<()>>, _place: P) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn connection(
    site: &Router,
    stream: TcpStream,
    visitor: SocketAddr,
    headers_within: Duration,
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    // Answers are written in one piece; waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "connection keeps its delay");
    }
    let site = site.clone().layer(Extension(ConnectInfo(visitor)));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(headers_within)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(site))
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
