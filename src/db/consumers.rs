//! SQL for the consumers that run, as they say themselves.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use crate::domain::Instance;

/// What a consumer says of itself. Its moments are told by how many microseconds ago they were, because only
/// the database's clock is everybody's.
#[derive(Debug, Clone)]
pub struct Sign<'a> {
    /// The process it belongs to.
    pub instance: Instance,
    /// The code of its queue's role.
    pub queue: &'a str,
    pub is_fifo: bool,
    pub version: &'a str,
    pub started_ago: i64,
    pub received_ago: Option<i64>,
    pub failed_ago: Option<i64>,
    /// The failure in words, up to 500 characters.
    pub failure: Option<&'a str>,
    pub in_hand: i32,
}

/// Notes that a consumer runs.
pub async fn note_consumer(conn: &mut MySqlConnection, sign: &Sign<'_>) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO consumers (
            instance, queue, version, started_at, seen_at, last_receive_at, last_error_at, last_error, in_hand,
            is_fifo
        )
        VALUES (
            ?, ?, ?,
            UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND,
            UTC_TIMESTAMP(6),
            UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND,
            UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND,
            ?, ?, ?
        )
        ON DUPLICATE KEY UPDATE
            seen_at = VALUES(seen_at),
            last_receive_at = VALUES(last_receive_at),
            last_error_at = VALUES(last_error_at),
            last_error = VALUES(last_error),
            in_hand = VALUES(in_hand)
        "#,
        sign.instance.0,
        sign.queue,
        sign.version,
        sign.started_ago,
        sign.received_ago,
        sign.failed_ago,
        sign.failure,
        sign.in_hand,
        sign.is_fifo
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets a consumer that has stopped.
pub async fn forget_consumer(
    conn: &mut MySqlConnection,
    instance: Instance,
    queue: &str,
) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM consumers WHERE instance = ? AND queue = ?",
        instance.0,
        queue
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets the consumers that have been silent for a day: nobody wonders any more what became of them.
pub async fn forget_silent_consumers(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!("DELETE FROM consumers WHERE seen_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY")
        .execute(conn)
        .await?;
    Ok(())
}

/// A consumer, as it last said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerLine {
    pub instance: Instance,
    /// The code of its queue's role.
    pub queue: String,
    /// Whether messages of a group wait for each other there.
    pub is_fifo: bool,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    /// For how long it has been silent since, by the database's clock.
    pub silent_seconds: i64,
    /// When the queue last answered it.
    pub last_receive_at: Option<DateTime<Utc>>,
    pub last_error_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub in_hand: i32,
}

/// A consumer that has been silent for so many seconds is taken to be gone; it says every five that it runs.
const SILENT_AFTER: i64 = 20;

impl ConsumerLine {
    /// Whether it is taken to be gone.
    pub fn is_silent(&self) -> bool {
        self.silent_seconds >= SILENT_AFTER
    }
}

/// Lists the consumers that ran within the last day, those seen last first; at most 200.
pub async fn list_consumers(conn: &mut MySqlConnection) -> DbResult<Vec<ConsumerLine>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            instance AS "instance: Uuid",
            queue,
            version,
            started_at AS "started_at: DateTime<Utc>",
            seen_at AS "seen_at: DateTime<Utc>",
            TIMESTAMPDIFF(SECOND, seen_at, UTC_TIMESTAMP(6)) AS "silent_seconds!: i64",
            last_receive_at AS "last_receive_at: DateTime<Utc>",
            last_error_at AS "last_error_at: DateTime<Utc>",
            last_error,
            in_hand,
            is_fifo AS "is_fifo: bool"
        FROM consumers
        ORDER BY seen_at DESC
        LIMIT 200
        "#
    );
    let rows = rows.fetch_all(conn).await?;
    let line = rows.into_iter().map(|row| ConsumerLine {
        instance: Instance(row.instance),
        queue: row.queue,
        is_fifo: row.is_fifo,
        version: row.version,
        started_at: row.started_at,
        seen_at: row.seen_at,
        silent_seconds: row.silent_seconds,
        last_receive_at: row.last_receive_at,
        last_error_at: row.last_error_at,
        last_error: row.last_error,
        in_hand: row.in_hand,
    });
    Ok(line.collect())
}
