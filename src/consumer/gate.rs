//! The gate before every receive: closed while the database is away and when stopping begins.
//!
//! Every receive counts towards the limit after which a message is dead-lettered. If consumers went
//! on receiving during an outage, good messages would use that limit up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::backoff;
use crate::db::{self, DbResult, Pool};
use crate::shutdown::Stopping;
use crate::telemetry;

/// After how many returns in a row without any work done nothing more is logged.
const QUIET_AFTER: u32 = 3;

/// One for all consumers of a process. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Gate {
    pool: Pool,
    closed: watch::Sender<bool>,
    /// How often it was opened again since a batch was last handled: a database may take the probe and
    /// refuse the work, and then it is asked less and less often.
    returns: Arc<AtomicU32>,
    /// Only one consumer asks, the others wait for its answer. It holds how often it got none in a row.
    probing: Arc<Mutex<u32>>,
}

impl Gate {
    /// Starts open.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            closed: watch::Sender::new(false),
            returns: Arc::default(),
            probing: Arc::default(),
        }
    }

    /// Whether the database is believed to be away.
    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Closes it, after the database failed.
    pub fn close(&self, error: &(dyn std::error::Error + 'static)) {
        if !self.closed.send_replace(true) && self.returns.load(Ordering::Relaxed) < QUIET_AFTER {
            tracing::warn!(
                error = telemetry::chain(error),
                "the database is away; receiving stops until it is back"
            );
        }
    }

    /// Notes that the database did its work.
    pub fn worked(&self) {
        self.returns.store(0, Ordering::Relaxed);
    }

    fn open(&self) {
        self.closed.send_replace(false);
        if self.returns.fetch_add(1, Ordering::Relaxed) < QUIET_AFTER {
            tracing::info!("the database is back; receiving goes on");
        }
    }

    /// Waits until the gate is open.
    ///
    /// # Errors
    /// `stop` is or was cancelled first.
    pub async fn pass(&self, stop: &CancellationToken) -> Result<(), Stopping> {
        while self.is_closed() {
            let mut failures = tokio::select! {
                failures = self.probing.lock() => failures,
                () = stop.cancelled() => return Err(Stopping),
            };
            if !self.is_closed() {
                break;
            }
            let pause = backoff::before_probe(*failures + self.returns.load(Ordering::Relaxed));
            let probe = tokio::select! {
                probe = self.probe_after(pause) => probe,
                // Cutting a transaction short closes its connection, so this is safe.
                () = stop.cancelled() => return Err(Stopping),
            };
            match probe {
                Ok(()) => {
                    *failures = 0;
                    self.open();
                }
                Err(_) => *failures += 1,
            }
        }
        if stop.is_cancelled() {
            return Err(Stopping);
        }
        Ok(())
    }

    async fn probe_after(&self, pause: Duration) -> DbResult<()> {
        tokio::time::sleep(pause).await;
        db::probe_writer(&self.pool).await
    }
}
