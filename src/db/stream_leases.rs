//! SQL for who reads each shard of the stream, and how far. Leases go by the database's clock alone.

use std::time::Duration;

use sqlx::MySqlConnection;

use super::DbResult;
use crate::domain::Instance;

/// A shard that an instance reads until it ends, or until another one takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub stream: String,
    pub shard: String,
    pub owner: Instance,
    /// The fencing token: raised whenever the shard changes hands, and writes with an older one are rejected.
    pub epoch: i64,
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Notes that an instance reads a stream; gives how many do.
pub async fn note_worker(
    conn: &mut MySqlConnection,
    stream: &str,
    instance: Instance,
    silent_after: Duration,
) -> DbResult<i64> {
    sqlx::query!(
        r#"
        INSERT INTO stream_workers (instance, stream, seen_at)
        VALUES (?, ?, UTC_TIMESTAMP(6))
        ON DUPLICATE KEY UPDATE stream = VALUES(stream), seen_at = UTC_TIMESTAMP(6)
        "#,
        instance.0,
        stream
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM stream_workers WHERE seen_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY")
        .execute(&mut *conn)
        .await?;
    let count = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "count!: i64"
        FROM stream_workers
        WHERE stream = ? AND seen_at > UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND
        "#,
        stream,
        microseconds(silent_after)
    );
    Ok(count.fetch_one(conn).await?)
}

/// Forgets an instance that stops.
pub async fn forget_worker(conn: &mut MySqlConnection, instance: Instance) -> DbResult<()> {
    sqlx::query!("DELETE FROM stream_workers WHERE instance = ?", instance.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The shards there are to read now, and those of them that nobody reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readable {
    pub number: usize,
    pub free: Vec<String>,
}

/// Lists what can be read: a shard that was split or merged comes before those that it became.
pub async fn list_readable(conn: &mut MySqlConnection, stream: &str) -> DbResult<Readable> {
    let rows = sqlx::query!(
        r#"
        SELECT s.shard_id, s.owner IS NULL OR s.lease_until < UTC_TIMESTAMP(6) AS "is_free!: bool"
        FROM stream_shards AS s
        WHERE s.stream = ? AND s.ended_at IS NULL
            AND NOT EXISTS (
                SELECT 1
                FROM stream_shards AS p
                WHERE p.stream = s.stream AND p.shard_id IN (s.parent, s.adjacent_parent) AND p.ended_at IS NULL
            )
        ORDER BY s.shard_id
        "#,
        stream
    )
    .fetch_all(conn)
    .await?;
    Ok(Readable {
        number: rows.len(),
        free: rows
            .into_iter()
            .filter(|row| row.is_free)
            .map(|row| row.shard_id)
            .collect(),
    })
}

/// Takes a shard that nobody reads; `None` if somebody was faster.
///
/// One whose last owner stands still in a transaction is not waited for: the server ends that after ninety seconds of
/// silence (`wait_timeout`), and only then it is free.
pub async fn take_shard(
    conn: &mut MySqlConnection,
    stream: &str,
    shard: &str,
    owner: Instance,
    lease: Duration,
) -> DbResult<Option<Lease>> {
    let epoch = sqlx::query_scalar!(
        r#"
        SELECT epoch
        FROM stream_shards
        WHERE stream = ? AND shard_id = ? AND ended_at IS NULL
            AND (owner IS NULL OR lease_until < UTC_TIMESTAMP(6))
        FOR UPDATE SKIP LOCKED
        "#,
        stream,
        shard
    );
    let Some(epoch) = epoch.fetch_optional(&mut *conn).await? else {
        return Ok(None);
    };
    sqlx::query!(
        r#"
        UPDATE stream_shards
        SET owner = ?, epoch = epoch + 1, lease_until = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
        WHERE stream = ? AND shard_id = ?
        "#,
        owner.0,
        microseconds(lease),
        stream,
        shard
    )
    .execute(conn)
    .await?;
    Ok(Some(Lease {
        stream: stream.to_owned(),
        shard: shard.to_owned(),
        owner,
        epoch: epoch + 1,
    }))
}

/// Keeps a shard for longer. One that another instance has taken stays that one's.
pub async fn renew_lease(
    conn: &mut MySqlConnection,
    lease: &Lease,
    until: Duration,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE stream_shards
        SET lease_until = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
        WHERE stream = ? AND shard_id = ? AND owner = ? AND epoch = ?
        "#,
        microseconds(until),
        lease.stream,
        lease.shard,
        lease.owner.0,
        lease.epoch
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a shard up for others to take.
pub async fn release_lease(conn: &mut MySqlConnection, lease: &Lease) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE stream_shards
        SET owner = NULL, lease_until = NULL
        WHERE stream = ? AND shard_id = ? AND owner = ? AND epoch = ?
        "#,
        lease.stream,
        lease.shard,
        lease.owner.0,
        lease.epoch
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a shard is still the owner's, and stays so until the end of the transaction.
pub async fn lock_lease(conn: &mut MySqlConnection, lease: &Lease) -> DbResult<bool> {
    let held = sqlx::query_scalar!(
        r#"
        SELECT 1 AS "held!: i64"
        FROM stream_shards
        WHERE stream = ? AND shard_id = ? AND owner = ? AND epoch = ? AND ended_at IS NULL
        FOR UPDATE
        "#,
        lease.stream,
        lease.shard,
        lease.owner.0,
        lease.epoch
    );
    Ok(held.fetch_optional(conn).await?.is_some())
}

/// How far a shard has been read; `None` if nothing has been yet.
pub async fn find_checkpoint(
    conn: &mut MySqlConnection,
    lease: &Lease,
) -> DbResult<Option<String>> {
    let checkpoint = sqlx::query_scalar!(
        "SELECT checkpoint FROM stream_shards WHERE stream = ? AND shard_id = ?",
        lease.stream,
        lease.shard
    );
    Ok(checkpoint.fetch_optional(conn).await?.flatten())
}

/// What a read of a shard came to.
#[derive(Debug, Clone, Default)]
pub struct Progress<'a> {
    /// The sequence number of the last record; `None` if there was none.
    pub checkpoint: Option<&'a str>,
    /// How many movements were read.
    pub movements: i64,
    /// How far behind the newest record this is, in milliseconds; 0 at the end.
    pub behind_ms: i64,
    /// Whether that was the last of the shard.
    pub is_end: bool,
}

/// Notes how far a shard has been read, and keeps it for longer. Whoever notes it has locked the lease.
pub async fn note_progress(
    conn: &mut MySqlConnection,
    lease: &Lease,
    progress: &Progress<'_>,
    until: Duration,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE stream_shards
        SET
            checkpoint = COALESCE(?, checkpoint),
            movements = movements + ?,
            behind_ms = ?,
            read_at = UTC_TIMESTAMP(6),
            at_end_at = IF(?, UTC_TIMESTAMP(6), at_end_at),
            ended_at = IF(?, UTC_TIMESTAMP(6), NULL),
            owner = IF(?, NULL, owner),
            lease_until = IF(?, NULL, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND)
        WHERE stream = ? AND shard_id = ?
        "#,
        progress.checkpoint,
        progress.movements,
        progress.behind_ms,
        progress.behind_ms == 0,
        progress.is_end,
        progress.is_end,
        progress.is_end,
        microseconds(until),
        lease.stream,
        lease.shard
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a shard was read and had nothing new; gives whether it is still the owner's.
pub async fn note_nothing_new(
    conn: &mut MySqlConnection,
    lease: &Lease,
    behind_ms: i64,
) -> DbResult<bool> {
    let noted = sqlx::query!(
        r#"
        UPDATE stream_shards
        SET
            behind_ms = ?,
            read_at = UTC_TIMESTAMP(6),
            at_end_at = IF(?, UTC_TIMESTAMP(6), at_end_at)
        WHERE stream = ? AND shard_id = ? AND owner = ? AND epoch = ? AND ended_at IS NULL
        "#,
        behind_ms,
        behind_ms == 0,
        lease.stream,
        lease.shard,
        lease.owner.0,
        lease.epoch
    )
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() > 0)
}

/// Notes that records of a shard are gone before they were read, and that it is read from the oldest on.
pub async fn note_trimmed(conn: &mut MySqlConnection, lease: &Lease) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE stream_shards
        SET trimmed_at = UTC_TIMESTAMP(6), checkpoint = NULL
        WHERE stream = ? AND shard_id = ?
        "#,
        lease.stream,
        lease.shard
    )
    .execute(conn)
    .await?;
    Ok(())
}
