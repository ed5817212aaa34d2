//! A proxy in front of several servers, which can lose its connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Gives each connection to the next of its servers.
pub(crate) struct Proxy {
    pub(crate) origin: String,
    targets: watch::Sender<Vec<SocketAddr>>,
    connected: watch::Sender<CancellationToken>,
    _stop: DropGuard,
}

impl Proxy {
    /// Listens; who connects before there are servers is turned away.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (targets, connected) = (
            watch::Sender::new(Vec::new()),
            watch::Sender::new(CancellationToken::new()),
        );
        let stop = CancellationToken::new();
        let serving = serve(listener, targets.subscribe(), connected.subscribe());
        tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
        Self {
            origin: format!("http://{address}"),
            targets,
            connected,
            _stop: stop.drop_guard(),
        }
    }

    /// Passes connections on to these servers, in turn.
    pub(crate) fn lead_to(&self, targets: Vec<SocketAddr>) {
        self.targets.send_replace(targets);
    }

    /// Cuts all connections; nobody is let through until it leads somewhere again.
    pub(crate) fn cut(&self) {
        self.targets.send_replace(Vec::new());
        self.connected
            .send_replace(CancellationToken::new())
            .cancel();
    }
}

async fn serve(
    listener: TcpListener,
    targets: watch::Receiver<Vec<SocketAddr>>,
    connected: watch::Receiver<CancellationToken>,
) {
    let turn = Arc::new(AtomicUsize::new(0));
    while let Ok((mut client, _)) = listener.accept().await {
        let targets = targets.borrow().clone();
        let cut = connected.borrow().clone();
        let turn = Arc::clone(&turn);
        tokio::spawn(cut.run_until_cancelled_owned(async move {
            if targets.is_empty() {
                return;
            }
            let target = targets[turn.fetch_add(1, Ordering::Relaxed) % targets.len()];
            let mut server = TcpStream::connect(target).await.unwrap();
            copy_bidirectional(&mut client, &mut server).await.ok();
        }));
    }
}
