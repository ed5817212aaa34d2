//! The stream's consumer: finds shards, takes its share of them, and reads each until it ends.
//!
//! Instances share the shards by leases in the database, timed by the database's clock alone. A lease that is not renewed
//! for fifteen seconds may be taken by another instance; that raises the shard's fencing token, and what its last owner
//! still does is rejected. A shard that was split or merged is read to its end before those that it became.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono_tz::Tz;

use super::apply::LEASE;
use super::reader::{ShardReader, StepError};
use super::readings::{Ended, Reading, Readings};
use super::shard_task::read_shard;
use crate::backoff;
use crate::clock::Clock;
use crate::db::stream_leases::Lease;
use crate::db::stream_marks::Rewind;
use crate::db::{self, DbResult, Pool};
use crate::domain::Instance;
use crate::messaging::kinesis::{DataStream, ReadError};
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// How often shards are taken and given up.
const COORDINATE_EVERY: Duration = Duration::from_secs(5);

/// How often the stream is asked for its shards; also whenever one ends. An account may ask twenty times a second
/// (Kinesis quota, `DescribeStreamSummary`).
const DISCOVER_EVERY: Duration = Duration::from_secs(20);

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
}

impl<S: DataStream> StreamConsumer<S> {
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
        }
    }

    /// Reads under another instance's name; for several in one process.
    #[must_use]
    pub fn named(self, instance: Instance) -> Self {
        Self { instance, ..self }
    }

    /// Reads until stopping begins, and gives its shards up then.
    pub async fn run(&self) {
        const WHAT: &str = "sharing the shards of the stream";
        let mut streak = Streak::default();
        let mut readings = Readings::default();
        while !self.shutdown.soft.is_cancelled() {
            let pause = match self.coordinate(&mut readings).await {
                Ok(()) => {
                    streak.succeeded(WHAT);
                    COORDINATE_EVERY
                }
                Err(error) => {
                    let failures = streak.failed(WHAT, &error);
                    backoff::after_failed_receive(failures)
                }
            };
            tokio::select! {
                Some(joined) = readings.tasks.join_next_with_id() => readings.note_ended(joined),
                slept = self.shutdown.sleep(pause) => if slept.is_err() { break },
            }
        }
        self.stop(readings).await;
    }

    async fn stop(&self, mut readings: Readings) {
        readings.stop();
        while readings.tasks.join_next().await.is_some() {}
        if let Ok(mut conn) = self.pool.acquire().await {
            // Others notice by themselves, if later.
            db::stream_leases::forget_worker(&mut conn, self.instance)
                .await
                .ok();
        }
    }

    /// Finds shards, and takes or gives up some. Only an instance that the stream answers counts as one of its readers.
    async fn coordinate(&self, readings: &mut Readings) -> Result<(), StepError> {
        while let Some(joined) = readings.tasks.try_join_next_with_id() {
            readings.note_ended(joined);
        }
        let is_due = readings
            .discovered
            .is_none_or(|at| at.elapsed() >= DISCOVER_EVERY);
        if is_due || readings.has_changed {
            let stream = self.discover().await?;
            // Under the same name, another stream has shards with the same ids.
            let of_others = readings
                .shards
                .values()
                .filter(|reading| reading.lease.stream != stream);
            of_others.for_each(|reading| reading.stop.cancel());
            if readings.stream.as_ref() != Some(&stream) {
                readings.failing.clear();
            }
            readings.stream = Some(stream);
            readings.discovered = Some(Instant::now());
            readings.has_changed = false;
        }
        let Some(stream) = readings.stream.clone() else {
            return Ok(());
        };
        let workers = {
            let mut conn = self.pool.acquire().await?;
            db::stream_leases::note_worker(&mut conn, &stream, self.instance, LEASE).await?
        };
        self.share(readings, &stream, workers).await
    }

    /// Notes the stream's shards; gives what they are kept under.
    ///
    /// # Errors
    /// The stream or the database does not answer.
    pub async fn discover(&self) -> Result<String, StepError> {
        let description = self.stream.describe().await.map_err(ReadError::from)?;
        let made = description.created_at.timestamp_millis();
        let stream = format!("{}@{made}", self.name);
        let shards = self.stream.list_shards().await.map_err(ReadError::from)?;
        let is_new = {
            let mut conn = self.pool.acquire().await?;
            db::stream_shards::has_left_streams(&mut conn, &stream).await?
        };
        if is_new {
            tracing::warn!(
                stream = self.name,
                "the stream is another one than before: what nobody has read is put on it"
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

    /// Forgets the shards of the stream before, and has what nobody has read put on this one: both or neither.
    async fn begin_anew(&self, stream: &str) -> DbResult<()> {
        db::in_transaction(&self.pool, async |tx| {
            db::stream_shards::forget_left_streams(tx, stream).await?;
            db::stream_marks::rewind_marks(tx, Rewind::All).await
        })
        .await
    }

    /// Takes free shards up to a fair share, and gives up what is above it.
    async fn share(
        &self,
        readings: &mut Readings,
        stream: &str,
        workers: i64,
    ) -> Result<(), StepError> {
        let readable = {
            let mut conn = self.pool.acquire().await?;
            db::stream_leases::list_readable(&mut conn, stream).await?
        };
        let workers = usize::try_from(workers).unwrap_or(1).max(1);
        let share = readable.number.div_ceil(workers);
        let above = readings.shards.len().saturating_sub(share);
        for reading in readings.shards.values().take(above) {
            reading.stop.cancel();
        }
        let mut free = readable.free;
        // One that is not free is read by another instance, or has ended.
        readings.failing.retain(|shard, _| free.contains(shard));
        // Instances that look at the same time do not all want the same.
        fastrand::shuffle(&mut free);
        for shard in free {
            let is_read = readings.shards.contains_key(&shard);
            if readings.shards.len() >= share || is_read || readings.is_left_alone(&shard) {
                continue;
            }
            let taken = db::in_transaction(&self.pool, async |tx| {
                db::stream_leases::take_shard(tx, stream, &shard, self.instance, LEASE).await
            });
            if let Some(lease) = taken.await? {
                let reading = self.read(lease, readings);
                readings.shards.insert(shard, reading);
            }
        }
        Ok(())
    }

    fn read(&self, lease: Lease, readings: &mut Readings) -> Reading {
        let stop = self.shutdown.soft.child_token();
        let reader = ShardReader::new(
            Arc::clone(&self.stream),
            self.pool.clone(),
            Arc::clone(&self.clock),
            self.zone,
            lease.clone(),
        );
        let failing = readings.failing.remove(&lease.shard);
        let mut streak = failing.map(|failing| failing.streak).unwrap_or_default();
        let (pool, stopped) = (self.pool.clone(), stop.clone());
        let task = readings.tasks.spawn(async move {
            let lease = reader.lease().clone();
            read_shard(reader, &mut streak, &stopped).await;
            if let Ok(mut conn) = pool.acquire().await {
                // Without this, the lease runs out.
                db::stream_leases::release_lease(&mut conn, &lease)
                    .await
                    .ok();
            }
            Ended { lease, streak }
        });
        Reading {
            lease,
            stop,
            task: task.id(),
        }
    }
}
