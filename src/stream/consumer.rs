//! The stream's consumer: finds shards, takes its share of them, and reads each until it ends.
//!
//! Any number of instances share the shards by leases in the database, and by the database's clock alone. A shard that
//! was split or merged is read to its end before those that it became; an instance that falls silent loses its shards
//! after fifteen seconds, and whatever it still does then has no effect.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::apply::count_what_waited;
use super::foretell::foretell;
use super::reader::{BETWEEN_LOOKS, BETWEEN_PAGES, ShardReader, Step, StepError};
use super::relay::stream_again;
use crate::backoff;
use crate::clock::Clock;
use crate::db::stream_shards::{Lease, ListedShard};
use crate::db::{self, DbResult, Pool};
use crate::domain::Instance;
use crate::messaging::kinesis::{Shard, Stream};
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// How long a shard stays an instance's that says nothing more.
const LEASE: Duration = Duration::from_secs(15);

/// How often leases are renewed and shards taken.
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// How often the stream is asked for its shards; also whenever one ends.
const DISCOVER_AFTER: Duration = Duration::from_mins(1);

/// Reads a stream.
#[derive(Debug)]
pub struct StreamConsumer<S> {
    stream: Arc<S>,
    /// The stream's name, which its shards are kept under with when it was made.
    name: String,
    pool: Pool,
    clock: Arc<dyn Clock>,
    /// Where a day of the café begins.
    zone: Tz,
    instance: Instance,
    shutdown: Shutdown,
    /// A shard ended or was lost: there may be others to take.
    changed: Arc<Notify>,
}

/// A shard that is read.
#[derive(Debug)]
struct Reading {
    lease: Lease,
    stop: CancellationToken,
}

/// What is read, by shard, and what the stream said last.
#[derive(Debug, Default)]
struct Work {
    stream: Option<String>,
    discovered: Option<Instant>,
    reading: BTreeMap<String, Reading>,
    tasks: TaskTracker,
}

impl<S: Stream> StreamConsumer<S> {
    pub fn new(
        stream: S,
        name: String,
        pool: Pool,
        clock: Arc<dyn Clock>,
        zone: Tz,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            stream: Arc::new(stream),
            name,
            pool,
            clock,
            zone,
            instance: Instance::this(),
            shutdown,
            changed: Arc::default(),
        }
    }

    /// Reads under another instance's name; for several in one process.
    #[must_use]
    pub fn named(self, instance: Instance) -> Self {
        Self { instance, ..self }
    }

    /// Reads until stopping begins, and gives its shards up then.
    pub async fn run(&self) {
        const WHAT: &str = "looking after the shards of the stream";
        let mut streak = Streak::default();
        let mut work = Work::default();
        while !self.shutdown.soft.is_cancelled() {
            let pause = match self.look_after(&mut work).await {
                Ok(()) => {
                    streak.succeeded(WHAT);
                    LOOK_AFTER
                }
                Err(error) => {
                    let failures = streak.failed(WHAT, &error);
                    backoff::before_probe(failures)
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                slept = self.shutdown.sleep(pause) => if slept.is_err() { break },
            }
        }
        self.stop(work).await;
    }

    async fn stop(&self, work: Work) {
        for reading in work.reading.values() {
            reading.stop.cancel();
        }
        work.tasks.close();
        work.tasks.wait().await;
        if let Ok(mut conn) = self.pool.acquire().await {
            // Others notice by themselves, if later.
            db::stream_shards::forget_worker(&mut conn, self.instance)
                .await
                .ok();
        }
    }

    /// Renews what is read, finds shards, and takes or gives up some.
    async fn look_after(&self, work: &mut Work) -> Result<(), StepError> {
        let workers = {
            let mut conn = self.pool.acquire().await?;
            db::stream_shards::note_worker(&mut conn, self.instance, LEASE).await?
        };
        self.renew(work).await?;
        let is_due = work
            .discovered
            .is_none_or(|at| at.elapsed() >= DISCOVER_AFTER);
        if is_due
            || work
                .reading
                .values()
                .any(|reading| reading.stop.is_cancelled())
        {
            work.stream = Some(self.discover().await?);
            work.discovered = Some(Instant::now());
        }
        work.reading
            .retain(|_, reading| !reading.stop.is_cancelled());
        count_what_waited(&self.pool, self.zone).await?;
        foretell(&self.pool, &*self.clock, self.zone).await?;
        self.share(work, workers).await?;
        Ok(())
    }

    async fn renew(&self, work: &Work) -> DbResult<()> {
        let mut conn = self.pool.acquire().await?;
        for reading in work.reading.values() {
            db::stream_shards::renew_lease(&mut conn, &reading.lease, LEASE).await?;
        }
        Ok(())
    }

    /// Notes the stream's shards; gives what they are kept under.
    ///
    /// # Errors
    /// The stream or the database does not answer.
    pub async fn discover(&self) -> Result<String, StepError> {
        let description = self.stream.describe().await?;
        let made = description.created_at.timestamp_millis();
        let stream = format!("{}@{made}", self.name);
        let shards = self.stream.shards().await?;
        let shards: Vec<ListedShard> = shards.into_iter().map(listed).collect();
        let is_new = {
            let mut conn = self.pool.acquire().await?;
            db::stream_shards::has_left_streams(&mut conn, &stream).await?
        };
        if is_new {
            tracing::warn!(
                stream = self.name,
                "the stream was made anew: what it lacks is put on it again"
            );
            self.begin_anew(&stream).await?;
        }
        db::in_transaction(&self.pool, async |tx| {
            db::stream_shards::note_shards(tx, &stream, &shards).await?;
            db::stream_shards::retire_shards(tx, &stream, &shards).await
        })
        .await?;
        Ok(stream)
    }

    async fn begin_anew(&self, stream: &str) -> DbResult<()> {
        db::in_transaction(&self.pool, async |tx| {
            db::stream_shards::forget_left_streams(tx, stream).await
        })
        .await?;
        stream_again(&self.pool, false).await
    }

    /// Takes free shards up to a fair share, and gives up what is above it.
    async fn share(&self, work: &mut Work, workers: i64) -> Result<(), StepError> {
        let Some(stream) = work.stream.clone() else {
            return Ok(());
        };
        let mut conn = self.pool.acquire().await?;
        let readable = db::stream_shards::list_readable(&mut conn, &stream).await?;
        drop(conn);
        let workers = usize::try_from(workers).unwrap_or(1).max(1);
        let share = readable.number.div_ceil(workers);
        let above = work.reading.len().saturating_sub(share);
        for reading in work.reading.values().take(above) {
            reading.stop.cancel();
        }
        let mut free = readable.free;
        // Instances that look at the same time do not all want the same.
        fastrand::shuffle(&mut free);
        for shard in free {
            if work.reading.len() >= share || work.reading.contains_key(&shard) {
                continue;
            }
            let taken = db::in_transaction(&self.pool, async |tx| {
                db::stream_shards::take_shard(tx, &stream, &shard, self.instance, LEASE).await
            });
            if let Some(lease) = taken.await? {
                let reading = self.read(lease, work);
                work.reading.insert(shard, reading);
            }
        }
        Ok(())
    }

    fn read(&self, lease: Lease, work: &Work) -> Reading {
        let stop = self.shutdown.soft.child_token();
        let reader = ShardReader::new(
            Arc::clone(&self.stream),
            self.pool.clone(),
            Arc::clone(&self.clock),
            self.zone,
            lease.clone(),
        );
        let reading = Reading {
            lease,
            stop: stop.clone(),
        };
        let (pool, changed) = (self.pool.clone(), Arc::clone(&self.changed));
        work.tasks.spawn(async move {
            // However it ends, the shard is not read any more.
            let _ended = stop.clone().drop_guard();
            let lease = reader.lease().clone();
            read_until(reader, &stop).await;
            if let Ok(mut conn) = pool.acquire().await {
                // Without this, the lease runs out.
                db::stream_shards::release_lease(&mut conn, &lease)
                    .await
                    .ok();
            }
            stop.cancel();
            changed.notify_one();
        });
        reading
    }
}

/// Reads a shard until it ends, is another's, or is to be given up.
async fn read_until<S: Stream>(mut reader: ShardReader<S>, stop: &CancellationToken) {
    const WHAT: &str = "reading the stream";
    let mut streak = Streak::default();
    while !stop.is_cancelled() {
        let pause = match reader.step().await {
            Ok(Step::Ended | Step::Fenced) => return,
            Ok(Step::Read { has_more: true, .. }) => {
                streak.succeeded(WHAT);
                BETWEEN_PAGES
            }
            Ok(Step::Read { .. }) => {
                streak.succeeded(WHAT);
                BETWEEN_LOOKS
            }
            // Not a failure: others read as well.
            Ok(Step::Throttled) => BETWEEN_LOOKS.mul_f64(1.0 + fastrand::f64()),
            Err(error) => backoff::after_failed_receive(streak.failed(WHAT, &error)),
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn listed(shard: Shard) -> ListedShard {
    ListedShard {
        id: shard.id,
        parent: shard.parent,
        adjacent_parent: shard.adjacent_parent,
        first_hash: shard.hashes.0,
        last_hash: shard.hashes.1,
        closed: shard.is_closed,
    }
}
