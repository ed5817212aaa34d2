//! The stream's relay: puts every movement on the stream, in the order of its bean's ledger.
//!
//! The ledger is its own outbox: a mark for each bean says how far it is on the stream. Some beans are leased in a
//! short transaction, what follows their marks is put on the stream outside of any, and then the marks move. If the
//! relay dies in between, the lease runs out and the same is put there again; its readers count it once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;

use super::next_records::{Ready, read_records};
use super::record::MOST_MOVEMENTS;
use crate::backoff;
use crate::clock::Clock;
use crate::db::stream_marks::{DueBean, LeasedMark, MarkMoved};
use crate::db::{self, DbError, DbResult, Pool};
use crate::domain::{BeanId, WATCHED_DAYS};
use crate::messaging::ServiceError;
use crate::messaging::kinesis::{DataStream, MAX_RECORDS, NewRecord};
use crate::shutdown::{Shutdown, Stopping};
use crate::telemetry::Streak;

/// How long a relay has to put on the stream what it leased. With all of the SDK's attempts a call takes 25 s.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// Between two looks into the ledger, so that many movements of a busy minute share a record.
const PAUSE: Duration = Duration::from_millis(50);

/// Between two looks that found nothing, however many commits there are: each looks at all beans.
const CALM: Duration = Duration::from_millis(200);

/// How rarely the ledger is looked at when nothing is found and no commit of this process says otherwise.
const IDLE: Duration = Duration::from_secs(2);

/// What one round came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streamed {
    /// Records that the stream took.
    pub records: usize,
    /// Movements in them.
    pub movements: usize,
    /// Records that it did not take; they are tried again later.
    pub refused: usize,
    /// Whether there is more to be put on the stream at once.
    pub has_more: bool,
}

/// Why a round put nothing on the stream. What it leased is tried again later.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error(transparent)]
    Put(#[from] ServiceError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Puts movements on a stream.
#[derive(Debug)]
pub struct StreamRelay<S> {
    stream: S,
    pool: Pool,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    /// The bean to go on after, so that beans with small numbers do not come before all others each time.
    after: AtomicI64,
}

impl<S: DataStream> StreamRelay<S> {
    pub fn new(stream: S, pool: Pool, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Self {
        Self {
            stream,
            pool,
            clock,
            shutdown,
            after: AtomicI64::new(0),
        }
    }

    /// Puts movements on the stream until stopping begins.
    pub async fn run(&self) {
        const WHAT: &str = "putting movements on the stream";
        let mut streak = Streak::default();
        let mut commits = self.pool.watch_commits();
        while !self.shutdown.soft.is_cancelled() {
            commits.mark_unchanged();
            let rested = match self.relay_once().await {
                // A round in which nothing was due says nothing of the stream.
                Ok(streamed) if streamed.records == 0 => self.rest(streamed, &mut commits).await,
                Ok(streamed) => {
                    streak.succeeded(WHAT);
                    self.rest(streamed, &mut commits).await
                }
                Err(error) => {
                    let failures = streak.failed(WHAT, &error);
                    self.shutdown.sleep(backoff::before_probe(failures)).await
                }
            };
            if rested.is_err() {
                return;
            }
        }
    }

    /// Goes on soon while there is something, or when something is committed; else waits a little.
    async fn rest(
        &self,
        streamed: Streamed,
        commits: &mut watch::Receiver<()>,
    ) -> Result<(), Stopping> {
        if streamed.has_more && streamed.refused == 0 {
            return Ok(());
        }
        if streamed.records > 0 {
            return self.shutdown.sleep(PAUSE).await;
        }
        self.shutdown.sleep(CALM).await?;
        tokio::select! {
            Ok(()) = commits.changed() => Ok(()),
            slept = self.shutdown.sleep(IDLE) => slept,
        }
    }

    /// Puts the next movements of up to 500 beans on the stream, in one call.
    ///
    /// # Errors
    /// The stream took nothing, or the database failed. What was put on the stream meanwhile is put there again later.
    pub async fn relay_once(&self) -> Result<Streamed, RelayError> {
        let due = self.list_due().await?;
        if due.is_empty() {
            return Ok(Streamed::default());
        }
        let leased = self.lease(&due).await?;
        let ready = read_records(&self.pool, &leased, &due).await?;
        let put = self.put(&ready).await;
        // A call that fails has taken nothing that is known of.
        let refused = put
            .as_ref()
            .map_or_else(|_| (0..ready.len()).collect(), Clone::clone);
        let mut moved = moved(&ready, &refused);
        moved.extend(unused(&leased, &ready));
        db::in_transaction(&self.pool, async |tx| {
            db::stream_marks::move_marks(tx, &moved).await
        })
        .await?;
        put?;
        let taken = ready.iter().enumerate();
        let taken = taken.filter(|(place, _)| !refused.contains(place));
        let is_full = |ready: &Ready| ready.movements == MOST_MOVEMENTS || ready.movements == 0;
        Ok(Streamed {
            records: ready.len() - refused.len(),
            movements: taken.map(|(_, ready)| ready.movements).sum(),
            refused: refused.len(),
            has_more: due.len() == MAX_RECORDS || ready.iter().any(is_full),
        })
    }

    /// Finds beans with something for the stream, from where the last round ended.
    async fn list_due(&self) -> DbResult<Vec<DueBean>> {
        let most = i64::try_from(MAX_RECORDS).unwrap_or(i64::MAX);
        let mut conn = self.pool.acquire().await?;
        let after = self.after.swap(0, Ordering::Relaxed);
        let mut due = db::stream_marks::list_due(&mut conn, BeanId(after), most).await?;
        if due.is_empty() && after > 0 {
            due = db::stream_marks::list_due(&mut conn, BeanId(0), most).await?;
        }
        if due.len() == MAX_RECORDS {
            self.after
                .store(due.last().map_or(0, |last| last.bean.0), Ordering::Relaxed);
        }
        Ok(due)
    }

    /// Leases the beans that no other relay has.
    async fn lease(&self, due: &[DueBean]) -> DbResult<Vec<LeasedMark>> {
        let beans: Vec<BeanId> = due.iter().map(|due| due.bean).collect();
        let since = self.clock.now() - TimeDelta::days(WATCHED_DAYS);
        db::in_transaction(&self.pool, async |tx| {
            db::stream_marks::insert_marks(tx, &beans, since).await?;
            db::stream_marks::lease_marks(tx, &beans, LEASE).await
        })
        .await
    }

    /// Puts records on the stream; gives the places of those it did not take.
    async fn put(&self, ready: &[Ready]) -> Result<Vec<usize>, ServiceError> {
        if ready.is_empty() {
            return Ok(Vec::new());
        }
        let records: Vec<NewRecord> = ready.iter().map(|ready| ready.record.clone()).collect();
        self.stream.put_records(&records).await
    }
}

/// Where marks are after a call.
fn moved(ready: &[Ready], refused: &[usize]) -> Vec<MarkMoved> {
    let moved = ready.iter().enumerate().map(|(place, ready)| {
        let mark = &ready.mark;
        let was_taken = !refused.contains(&place);
        let attempts = u32::try_from(mark.attempts).unwrap_or_default();
        let pause = if was_taken {
            Duration::ZERO
        } else {
            backoff::before_streamed_again(attempts)
        };
        MarkMoved {
            bean: mark.bean.0,
            epoch: mark.epoch,
            streamed: was_taken.then_some(ready.up_to),
            was_tried: true,
            pause: i64::try_from(pause.as_micros()).unwrap_or(i64::MAX),
        }
    });
    moved.collect()
}

/// Beans that were leased for nothing: another relay had been faster, or the call was full.
fn unused(leased: &[LeasedMark], ready: &[Ready]) -> Vec<MarkMoved> {
    let used: HashSet<BeanId> = ready.iter().map(|ready| ready.mark.bean).collect();
    let unused = leased.iter().filter(|mark| !used.contains(&mark.bean));
    let unused = unused.map(|mark| MarkMoved {
        bean: mark.bean.0,
        epoch: mark.epoch,
        streamed: None,
        was_tried: false,
        pause: 0,
    });
    unused.collect()
}
