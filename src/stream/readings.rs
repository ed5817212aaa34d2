//! What one instance reads of a stream: its shards, the tasks that read them, and those that failed a while ago.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::task::{self, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::backoff;
use crate::db::stream_leases::Lease;
use crate::telemetry::Streak;

/// A shard that is read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) lease: Lease,
    pub(super) stop: CancellationToken,
    pub(super) task: task::Id,
}

/// How the reading of a shard ended: with so many failures in a row.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) lease: Lease,
    pub(super) streak: Streak,
}

/// What is read, by shard, and which stream that is.
#[derive(Debug, Default)]
pub(super) struct Readings {
    pub(super) stream: Option<String>,
    pub(super) discovered: Option<Instant>,
    /// Whether something ended since.
    pub(super) has_changed: bool,
    pub(super) shards: BTreeMap<String, Reading>,
    pub(super) tasks: JoinSet<Ended>,
    /// The shards that were given up because of failures, until they are read again.
    pub(super) failing: BTreeMap<String, Failing>,
}

/// A shard that is left alone for a while.
#[derive(Debug)]
pub(super) struct Failing {
    pub(super) streak: Streak,
    until: Instant,
}

impl Readings {
    pub(super) fn stop(&self) {
        for reading in self.shards.values() {
            reading.stop.cancel();
        }
    }

    /// Notes that a shard is not read any more. One that failed is left alone for a while: it would fail again at once.
    pub(super) fn note_ended(&mut self, joined: Result<(task::Id, Ended), JoinError>) {
        self.has_changed = true;
        let task = match &joined {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        self.shards.retain(|_, reading| reading.task != task);
        // The lease of one that panicked runs out.
        let Ok((_, Ended { lease, streak })) = joined else {
            return;
        };
        // Another stream has shards with the same ids.
        let is_current = self.stream.as_ref() == Some(&lease.stream);
        if is_current && streak.failures() > 0 {
            let until = Instant::now() + backoff::after_failed_receive(streak.failures());
            let failing = Failing { streak, until };
            self.failing.insert(lease.shard, failing);
        }
    }

    pub(super) fn is_left_alone(&self, shard: &str) -> bool {
        let failing = self.failing.get(shard);
        failing.is_some_and(|failing| failing.until > Instant::now())
    }
}

impl Drop for Readings {
    /// Whoever begins anew after a panic is to find no reader of before. They end by themselves: aborted, they would
    /// leave their transactions to the server.
    fn drop(&mut self) {
        self.stop();
        self.tasks.detach_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Instance;

    const STREAM: &str = "stock_movements@1";

    fn lease(stream: &str) -> Lease {
        Lease {
            stream: stream.to_owned(),
            shard: "shardId-000000000000".to_owned(),
            owner: Instance(uuid::Uuid::from_u128(1)),
            epoch: 1,
        }
    }

    fn readings() -> Readings {
        let mut readings = Readings::default();
        readings.stream = Some(STREAM.to_owned());
        readings
    }

    /// Has a shard read that fails so often.
    async fn read(readings: &mut Readings, stream: &str, failures: u32) {
        let lease = lease(stream);
        let (shard, ended) = (lease.shard.clone(), lease.clone());
        let task = readings.tasks.spawn(async move {
            let mut failed = Streak::default();
            for _ in 0..failures {
                failed.failed("reading", &std::io::Error::other("refused"));
            }
            Ended {
                lease: ended,
                streak: failed,
            }
        });
        let reading = Reading {
            lease,
            stop: CancellationToken::new(),
            task: task.id(),
        };
        readings.shards.insert(shard, reading);
        let joined = readings.tasks.join_next_with_id().await.unwrap();
        readings.note_ended(joined);
        assert!(readings.shards.is_empty() && readings.has_changed);
    }

    #[tokio::test]
    async fn a_shard_that_failed_is_left_alone_for_a_while_and_its_failures_are_counted_on() {
        let mut readings = readings();

        read(&mut readings, STREAM, 31).await;

        let failing = readings.failing.get_mut("shardId-000000000000").unwrap();
        assert_eq!(failing.streak.failures(), 31);
        failing.until = Instant::now() + std::time::Duration::from_secs(9);
        assert!(readings.is_left_alone("shardId-000000000000"));
        assert!(!readings.is_left_alone("shardId-000000000001"));
        let failing = readings.failing.get_mut("shardId-000000000000").unwrap();
        failing.until = Instant::now();
        assert!(!readings.is_left_alone("shardId-000000000000"));
    }

    #[tokio::test]
    async fn a_shard_that_was_read_to_its_end_or_is_of_another_stream_is_free_at_once() {
        let mut readings = readings();

        read(&mut readings, STREAM, 0).await;
        read(&mut readings, "stock_movements@2", 3).await;

        assert!(readings.failing.is_empty());
    }

    #[tokio::test]
    async fn a_reader_that_panicked_is_not_counted_any_more() {
        let mut readings = readings();
        let task = readings.tasks.spawn(async { panic!("as a defect would") });
        let reading = Reading {
            lease: lease(STREAM),
            stop: CancellationToken::new(),
            task: task.id(),
        };
        readings
            .shards
            .insert("shardId-000000000000".to_owned(), reading);

        let joined = readings.tasks.join_next_with_id().await.unwrap();
        readings.note_ended(joined);

        assert!(readings.shards.is_empty());
    }
}
