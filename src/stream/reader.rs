//! Reads one shard, page by page, for as long as its lease is ours.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::apply::{ApplyError, ReadPage, apply_page};
use crate::clock::Clock;
use crate::db::stream_leases::Lease;
use crate::db::{self, DbError, DbResult, Pool};
use crate::messaging::ServiceError;
use crate::messaging::kinesis::{DataStream, Page, READ_LIMIT, ReadError, Start};

/// Between two reads of a shard that has more: Kinesis answers five a second, whoever asks.
pub(super) const CATCH_UP_INTERVAL: Duration = Duration::from_millis(250);

/// Between two reads of a shard that has no more: what AWS advises (API Reference, `GetRecords`).
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What one step came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A page was applied.
    Read {
        /// How many records it had.
        records: usize,
        /// Whether more wait.
        has_more: bool,
    },
    /// There is nothing after this: the shard is finished.
    Ended,
    /// Another instance reads the shard now.
    Fenced,
    /// The shard was read too fast.
    Throttled,
    /// The iterator was too old. The next step asks for another one, from the checkpoint.
    IteratorExpired,
    /// Records were gone before they were read. The next step goes on at the oldest one that is kept.
    Trimmed,
}

/// Why a step failed; it can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Reads one shard.
#[derive(Debug)]
pub struct ShardReader<S> {
    stream: Arc<S>,
    pool: Pool,
    clock: Arc<dyn Clock>,
    zone: Tz,
    lease: Lease,
    /// Where to read on.
    iterator: Option<String>,
    /// How many records are asked for: fewer after an answer that did not arrive. Kinesis gives 10 MiB at most, the
    /// embedded one as much as is asked for.
    most: usize,
}

impl<S: DataStream> ShardReader<S> {
    pub fn new(stream: Arc<S>, pool: Pool, clock: Arc<dyn Clock>, zone: Tz, lease: Lease) -> Self {
        Self {
            stream,
            pool,
            clock,
            zone,
            lease,
            iterator: None,
            most: READ_LIMIT,
        }
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Reads a page and applies it.
    ///
    /// # Errors
    /// The stream or the database failed. The same page comes again.
    pub async fn step(&mut self) -> Result<Step, StepError> {
        let asked = self.most;
        let page = match self.read().await {
            Ok(page) => page,
            Err(StepError::Read(ReadError::Throttled)) => return Ok(Step::Throttled),
            Err(StepError::Read(ReadError::Expired)) => {
                self.iterator = None;
                return Ok(Step::IteratorExpired);
            }
            Err(StepError::Read(ReadError::Trimmed)) => return Ok(self.begin_at_oldest().await?),
            Err(error) => return Err(error),
        };
        let is_end = page.next.is_none();
        let read = ReadPage {
            records: &page.records,
            behind_ms: behind(&page, asked, self.clock.now()),
            is_end,
        };
        let applied = apply_page(&self.pool, &self.lease, &read, self.zone).await;
        match applied {
            Ok(()) => {}
            Err(ApplyError::Fenced) => return Ok(Step::Fenced),
            Err(ApplyError::Db(error)) => {
                // What is in memory may be further on than what was applied.
                self.iterator = None;
                return Err(error.into());
            }
        }
        self.iterator = page.next;
        if is_end {
            return Ok(Step::Ended);
        }
        Ok(Step::Read {
            records: page.records.len(),
            has_more: page.behind_ms > 0 || !page.records.is_empty(),
        })
    }

    async fn read(&mut self) -> Result<Page, StepError> {
        let iterator = if let Some(iterator) = &self.iterator {
            iterator
        } else {
            let checkpoint = self.checkpoint().await?;
            let start = checkpoint
                .as_deref()
                .map_or(Start::TrimHorizon, Start::AfterSequenceNumber);
            let shard = &self.lease.shard;
            let iterator = self.stream.shard_iterator(shard, start).await?;
            self.iterator.insert(iterator)
        };
        let page = self.stream.get_records(iterator, self.most).await;
        match &page {
            Ok(_) => self.most = (self.most * 2).min(READ_LIMIT),
            Err(ReadError::Service(ServiceError::Unreachable { .. })) => {
                self.most = (self.most / 4).max(1);
            }
            Err(_) => {}
        }
        Ok(page?)
    }

    async fn checkpoint(&self) -> DbResult<Option<String>> {
        let mut conn = self.pool.acquire().await?;
        db::stream_leases::find_checkpoint(&mut conn, &self.lease).await
    }

    /// The place to read on from is gone. What is left is read, and somebody is told.
    async fn begin_at_oldest(&mut self) -> DbResult<Step> {
        self.iterator = None;
        let lease = &self.lease;
        let is_ours = db::in_transaction(&self.pool, async |tx| {
            let is_ours = db::stream_leases::lock_lease(tx, lease).await?;
            if is_ours {
                db::stream_leases::note_trimmed(tx, lease).await?;
            }
            Ok::<_, DbError>(is_ours)
        })
        .await?;
        if !is_ours {
            return Ok(Step::Fenced);
        }
        tracing::error!(
            "records of the stream were gone before they were read; beans that miss some wait"
        );
        Ok(Step::Trimmed)
    }
}

/// How far the shard's reader is behind once it has this page: as the stream says, or as its newest record tells. A full
/// page suggests that there are more, even if the stream says that nobody is behind: the embedded one always does.
fn behind(page: &Page, asked: usize, now: DateTime<Utc>) -> i64 {
    let newest = page
        .records
        .iter()
        .filter_map(|record| record.arrived_at)
        .max();
    let age = newest.map_or(0, |newest| (now - newest).num_milliseconds().max(0));
    match page.behind_ms {
        0 if page.records.len() < asked => 0,
        0 => age,
        told => told,
    }
}
