//! `beanstock status`: how much there is to do, and since when.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::config::MessagingSettings;
use crate::db::{self, Connection, DbResult, Pool};
use crate::messaging::sqs::{self, Depth, SqsQueue};
use crate::messaging::{DEAD_LETTERS, ServiceError, UPDATES};

/// The state of the whole system.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Updates that were ever accepted or first seen in the queue.
    pub accepted: i64,
    /// Updates whose effect is in the stock.
    pub applied: i64,
    /// Updates that a newer count had overtaken.
    pub superseded: i64,
    /// Updates without a final state yet.
    pub waiting: i64,
    /// Seconds since the oldest of those was accepted; 0 if none waits, so that a metric has a
    /// value at each measurement.
    pub oldest_waiting_seconds: i64,
    pub oldest_waiting_since: Option<String>,
    /// Seconds since the oldest update in the outbox that is not on the topic was accepted; 0 if
    /// all are.
    pub oldest_unpublished_seconds: i64,
    /// Seconds since the oldest alert happened that has not reached the topic of alerts, a webhook or the mail server; 0 if
    /// all have.
    pub oldest_unsent_alert_seconds: i64,
    /// Dead letters that wait for somebody.
    pub dead_letters: i64,
    /// How the stream of stock movements stands; absent without `STREAM_NAME`.
    pub stream: Option<StreamStatus>,
    /// What the queue says; absent if none is set or it does not answer.
    pub queue: Option<QueueStatus>,
    /// What the dead-letter queue says.
    pub dead_letter_queue: Option<QueueStatus>,
}

/// How the stream of stock movements stands.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StreamStatus {
    /// Movements that are not on the stream yet.
    pub unstreamed: i64,
    /// Seconds since the oldest of those was booked; 0 if there are none.
    pub oldest_unstreamed_seconds: i64,
    /// Seconds by which the consumer is behind the stream, on the shard where it is furthest behind; while no shard is
    /// known, since when something has been there that it has not seen.
    pub behind_seconds: i64,
    /// Shards that nobody reads.
    pub unread_shards: i64,
    /// Beans of which a movement has been missing for a minute.
    pub held_beans: i64,
    /// Records that nobody can read and nobody has looked at.
    pub parked_records: i64,
}

/// What SQS says about a queue; it calls these numbers approximate.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct QueueStatus {
    /// Messages ready to be received.
    pub visible: i64,
    /// Messages received and not deleted yet.
    pub in_flight: i64,
}

impl From<Depth> for QueueStatus {
    fn from(depth: Depth) -> Self {
        Self {
            visible: depth.visible,
            in_flight: depth.in_flight,
        }
    }
}

impl Status {
    /// Asks the queue how deep it is, and its dead-letter queue, which is found as `serve` finds it.
    ///
    /// # Errors
    /// A queue does not answer; what the database says is worth knowing all the same.
    pub async fn read_depths(
        &mut self,
        messaging: &MessagingSettings,
        aws: &Aws,
    ) -> Result<(), ServiceError> {
        let sqs = aws::sqs_client(&aws.sqs, Duration::ZERO);
        let at = |url: &str| SqsQueue::new(sqs.clone(), url.to_owned(), messaging.visibility());
        let mut dead_letters = messaging.queue(DEAD_LETTERS).map(str::to_owned);
        if let Some(url) = messaging.queue(UPDATES) {
            let queue = at(url);
            self.queue = Some(queue.depth().await?.into());
            if dead_letters.is_none()
                && let Some(redrive) = queue.redrive().await?
            {
                dead_letters = Some(sqs::find_url(&sqs, &redrive.dead_letter_queue_arn).await?);
            }
        }
        if let Some(url) = dead_letters {
            self.dead_letter_queue = Some(at(&url).depth().await?.into());
        }
        Ok(())
    }
}

/// Reads the database's part of the status.
///
/// Without the name of a stream nobody reads one, and what is known of its shards is old.
pub async fn read_status(
    pool: &Pool,
    stream: Option<&str>,
    now: DateTime<Utc>,
) -> DbResult<Status> {
    let mut conn = pool.acquire().await?;
    let counts = db::update_counts::count_updates(&mut conn).await?;
    let oldest = counts.oldest_waiting;
    let unpublished = db::outbox::find_oldest_unpublished(&mut conn).await?;
    let unsent = db::announcements::find_oldest_unsent(&mut conn).await?;
    let age =
        |since: Option<DateTime<Utc>>| since.map_or(0, |since| (now - since).num_seconds().max(0));
    Ok(Status {
        accepted: counts.accepted,
        applied: counts.applied,
        superseded: counts.superseded,
        waiting: counts.waiting,
        oldest_waiting_seconds: age(oldest),
        oldest_waiting_since: oldest.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        oldest_unpublished_seconds: age(unpublished),
        oldest_unsent_alert_seconds: age(unsent),
        dead_letters: db::dead_letters::count_open(&mut conn).await?,
        stream: match stream {
            Some(_) => Some(read_stream(&mut conn, now).await?),
            None => None,
        },
        queue: None,
        dead_letter_queue: None,
    })
}

async fn read_stream(conn: &mut Connection, now: DateTime<Utc>) -> DbResult<StreamStatus> {
    let lag = db::stream_shards::find_lag(conn).await?;
    let unseen = match lag.shards {
        // Nobody has ever found the stream; then only the relay's side tells.
        0 => db::stream_marks::find_oldest_unseen(conn).await?,
        _ => None,
    };
    let unstreamed = db::stream_marks::count_unstreamed(conn).await?;
    let age = |since: DateTime<Utc>| (now - since).num_seconds().max(0);
    Ok(StreamStatus {
        unstreamed: unstreamed.movements,
        oldest_unstreamed_seconds: unstreamed.since.map_or(0, age),
        behind_seconds: unseen.map_or(lag.behind_ms / 1_000, age),
        unread_shards: lag.unread,
        held_beans: db::stream_held::count_gaps(conn).await?,
        parked_records: db::parked_records::count_parked(conn).await?,
    })
}
