//! Keeps pollers from receiving while the database is away.
//!
//! Every receive counts towards the limit after which a message is dead-lettered. If pollers went
//! on receiving during an outage, good messages would use that limit up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::backoff;
use crate::db::{self, DbResult, Pool};

/// After how many returns in a row without any work done nothing more is logged.
const QUIET_AFTER: u32 = 3;

/// Shared by the pollers of a process: closed while the database works, open while it does not.
#[derive(Debug, Clone)]
pub struct Breaker {
    pool: Pool,
    open: watch::Sender<bool>,
    /// How often it was closed since a batch was last applied: a database may take the probe and
    /// refuse the work, and then it is asked less and less often.
    returns: Arc<AtomicU32>,
    /// Only one poller asks; the others wait for its answer.
    probing: Arc<Mutex<()>>,
}

impl Breaker {
    /// Starts closed.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            open: watch::Sender::new(false),
            returns: Arc::default(),
            probing: Arc::default(),
        }
    }

    /// Whether the database is believed to be away.
    pub fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Opens it, after the database failed.
    pub fn open(&self, error: &(dyn std::error::Error + 'static)) {
        if !self.open.send_replace(true) && self.returns.load(Ordering::Relaxed) < QUIET_AFTER {
            tracing::warn!(
                error = crate::telemetry::chain(error),
                "the database is away; receiving stops until it is back"
            );
        }
    }

    /// Notes that the database did its work.
    pub fn worked(&self) {
        self.returns.store(0, Ordering::Relaxed);
    }

    fn close(&self) {
        self.open.send_replace(false);
        if self.returns.fetch_add(1, Ordering::Relaxed) < QUIET_AFTER {
            tracing::info!("the database is back; receiving goes on");
        }
    }

    /// Waits until the database works again. Returns false if `stop` is cancelled first.
    pub async fn closed(&self, stop: &CancellationToken) -> bool {
        let mut failures = self.returns.load(Ordering::Relaxed);
        while self.is_open() {
            let _one_probe = tokio::select! {
                guard = self.probing.lock() => guard,
                () = stop.cancelled() => return false,
            };
            if !self.is_open() {
                break;
            }
            let probe = tokio::select! {
                probe = self.probe_after(backoff::before_probe(failures)) => probe,
                // Cutting a transaction short closes its connection, so this is safe.
                () = stop.cancelled() => return false,
            };
            match probe {
                Ok(()) => self.close(),
                Err(_) => failures += 1,
            }
        }
        true
    }

    async fn probe_after(&self, pause: Duration) -> DbResult<()> {
        tokio::time::sleep(pause).await;
        db::probe_writer(&self.pool).await
    }
}
