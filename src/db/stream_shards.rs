//! SQL for the shards of the stream: who reads each, and how far. Leases go by the database's clock alone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use super::rows::json;
use crate::domain::Instance;

/// A shard, as the stream lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedShard {
    pub id: String,
    pub parent: Option<String>,
    pub adjacent_parent: Option<String>,
    pub first_hash: String,
    pub last_hash: String,
    /// Nothing more is put into it.
    pub closed: bool,
}

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

/// Notes the shards that a stream lists.
pub async fn note_shards(
    conn: &mut MySqlConnection,
    stream: &str,
    shards: &[ListedShard],
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO stream_shards (
            stream, shard_id, parent, adjacent_parent, first_hash, last_hash, closed, listed_at
        )
        SELECT
            ?, new.id, new.parent, new.adjacent_parent, new.first_hash, new.last_hash, new.closed, UTC_TIMESTAMP(6)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            id VARCHAR(128) PATH '$.id',
            parent VARCHAR(128) PATH '$.parent',
            adjacent_parent VARCHAR(128) PATH '$.adjacent_parent',
            first_hash VARCHAR(39) PATH '$.first_hash',
            last_hash VARCHAR(39) PATH '$.last_hash',
            closed BOOLEAN PATH '$.closed'
        )) AS new
        ON DUPLICATE KEY UPDATE closed = VALUES(closed)
        "#,
        stream,
        json(&shards)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets shards that the stream does not list any more, once they were read to their end.
///
/// What was not, is gone unread: it ends too, and somebody is to know. Ids ascend, so one that comes after all that are listed is new: the
/// list may be older than others' knowledge.
pub async fn retire_shards(
    conn: &mut MySqlConnection,
    stream: &str,
    listed: &[ListedShard],
) -> DbResult<()> {
    let ids: Vec<&str> = listed.iter().map(|shard| shard.id.as_str()).collect();
    let newest = ids.iter().max().copied().unwrap_or_default();
    let ids = json(&ids);
    sqlx::query!(
        r#"
        DELETE FROM stream_shards
        WHERE stream = ? AND ended_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY AND trimmed_at IS NULL
            AND shard_id NOT IN (
                SELECT listed.id COLLATE ascii_bin
                FROM JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(128) CHARACTER SET ascii PATH '$')) AS listed
            )
        "#,
        stream,
        ids
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        UPDATE stream_shards
        SET
            ended_at = UTC_TIMESTAMP(6),
            trimmed_at = UTC_TIMESTAMP(6),
            closed = TRUE,
            owner = NULL,
            lease_until = NULL,
            epoch = epoch + 1
        WHERE stream = ? AND ended_at IS NULL AND shard_id < ?
            AND shard_id NOT IN (
                SELECT listed.id COLLATE ascii_bin
                FROM JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(128) CHARACTER SET ascii PATH '$')) AS listed
            )
        "#,
        stream,
        newest,
        ids
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether shards of another stream are known that nobody reads any more: this one was made anew or has another name.
pub async fn has_left_streams(conn: &mut MySqlConnection, stream: &str) -> DbResult<bool> {
    let any = sqlx::query_scalar!(
        r#"
        SELECT
            EXISTS (SELECT 1 FROM stream_shards WHERE stream <> ?)
            AND NOT EXISTS (SELECT 1 FROM stream_shards WHERE stream <> ? AND lease_until > UTC_TIMESTAMP(6)) AS "any!: bool"
        "#,
        stream,
        stream
    );
    Ok(any.fetch_one(conn).await?)
}

/// Forgets the shards of all streams but one. Whoever does so has the movements that nobody has read put on this one.
pub async fn forget_left_streams(conn: &mut MySqlConnection, stream: &str) -> DbResult<()> {
    sqlx::query!("DELETE FROM stream_shards WHERE stream <> ?", stream)
        .execute(conn)
        .await?;
    Ok(())
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
        FOR UPDATE
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

/// Notes how far a shard has been read. Whoever notes it has locked the lease.
pub async fn note_progress(
    conn: &mut MySqlConnection,
    lease: &Lease,
    progress: &Progress<'_>,
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
            lease_until = IF(?, NULL, lease_until)
        WHERE stream = ? AND shard_id = ?
        "#,
        progress.checkpoint,
        progress.movements,
        progress.behind_ms,
        progress.behind_ms == 0,
        progress.is_end,
        progress.is_end,
        progress.is_end,
        lease.stream,
        lease.shard
    )
    .execute(conn)
    .await?;
    Ok(())
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

/// Notes that somebody knows of all records that went unread.
pub async fn dismiss_trimmed(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!("UPDATE stream_shards SET trimmed_at = NULL WHERE trimmed_at IS NOT NULL")
        .execute(conn)
        .await?;
    Ok(())
}

/// A shard, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardLine {
    /// The stream's name, `@` and when it was made.
    pub stream: String,
    pub id: String,
    pub parent: Option<String>,
    pub adjacent_parent: Option<String>,
    pub first_hash: String,
    pub last_hash: String,
    pub closed: bool,
    /// Who reads it, if somebody does.
    pub owner: Option<Instance>,
    pub checkpoint: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
    pub behind_ms: Option<i64>,
    /// How long ago it was last read, in milliseconds.
    pub unread_ms: Option<i64>,
    pub movements: i64,
    pub trimmed_at: Option<DateTime<Utc>>,
    /// Whether a shard that it came from has not been read to its end.
    pub waits: bool,
}

struct ShardRow {
    stream: String,
    shard_id: String,
    parent: Option<String>,
    adjacent_parent: Option<String>,
    first_hash: String,
    last_hash: String,
    closed: bool,
    owner: Option<Uuid>,
    checkpoint: Option<String>,
    ended_at: Option<DateTime<Utc>>,
    behind_ms: Option<i64>,
    unread_ms: Option<i64>,
    movements: i64,
    trimmed_at: Option<DateTime<Utc>>,
    waits: bool,
}

/// Lists all shards that are known, in the order in which they came to be; at most 1,000.
pub async fn list_shards(conn: &mut MySqlConnection) -> DbResult<Vec<ShardLine>> {
    let rows = sqlx::query_as!(
        ShardRow,
        r#"
        SELECT
            s.stream,
            s.shard_id,
            s.parent,
            s.adjacent_parent,
            s.first_hash,
            s.last_hash,
            s.closed AS "closed: bool",
            IF(s.lease_until > UTC_TIMESTAMP(6), s.owner, NULL) AS "owner: Uuid",
            s.checkpoint,
            s.ended_at AS "ended_at: DateTime<Utc>",
            s.behind_ms,
            TIMESTAMPDIFF(MICROSECOND, s.read_at, UTC_TIMESTAMP(6)) DIV 1000 AS "unread_ms: i64",
            s.movements,
            s.trimmed_at AS "trimmed_at: DateTime<Utc>",
            s.ended_at IS NULL AND EXISTS (
                SELECT 1
                FROM stream_shards AS p
                WHERE p.stream = s.stream AND p.shard_id IN (s.parent, s.adjacent_parent) AND p.ended_at IS NULL
            ) AS "waits!: bool"
        FROM stream_shards AS s
        ORDER BY s.shard_id
        LIMIT 1000
        "#
    )
    .fetch_all(conn)
    .await?;
    let shards = rows.into_iter().map(|row| ShardLine {
        stream: row.stream,
        id: row.shard_id,
        parent: row.parent,
        adjacent_parent: row.adjacent_parent,
        first_hash: row.first_hash,
        last_hash: row.last_hash,
        closed: row.closed,
        owner: row.owner.map(Instance),
        checkpoint: row.checkpoint,
        ended_at: row.ended_at,
        behind_ms: row.behind_ms,
        unread_ms: row.unread_ms,
        movements: row.movements,
        trimmed_at: row.trimmed_at,
        waits: row.waits,
    });
    Ok(shards.collect())
}

/// How far the consumers are behind the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StreamLag {
    /// How many shards there are to read.
    pub shards: i64,
    /// How many of them nobody reads.
    pub unread: i64,
    /// How far the one that is furthest behind is, in milliseconds: by its records, or by when it was last read.
    pub behind_ms: i64,
    /// Whether records were gone before they were read.
    pub trimmed: bool,
}

/// A shard is read every second; only a longer silence counts as lag.
const SILENCE_TOLERATED_MS: i64 = 5_000;

/// Tells how far the consumers are behind the stream.
pub async fn find_lag(conn: &mut MySqlConnection) -> DbResult<StreamLag> {
    let lag = sqlx::query!(
        r#"
        SELECT
            COUNT(*) AS "shards!: i64",
            CAST(COALESCE(SUM(s.owner IS NULL OR s.lease_until < UTC_TIMESTAMP(6)), 0) AS SIGNED) AS "unread!: i64",
            CAST(COALESCE(MAX(GREATEST(
                COALESCE(s.behind_ms, 0),
                TIMESTAMPDIFF(MICROSECOND, COALESCE(s.read_at, s.listed_at), UTC_TIMESTAMP(6)) DIV 1000 - ?
            )), 0) AS SIGNED) AS "behind_ms!: i64"
        FROM stream_shards AS s
        WHERE s.ended_at IS NULL
            AND NOT EXISTS (
                SELECT 1
                FROM stream_shards AS p
                WHERE p.stream = s.stream AND p.shard_id IN (s.parent, s.adjacent_parent) AND p.ended_at IS NULL
            )
        "#,
        SILENCE_TOLERATED_MS
    )
    .fetch_one(&mut *conn)
    .await?;
    let trimmed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM stream_shards WHERE trimmed_at IS NOT NULL) AS "any!: bool""#
    );
    Ok(StreamLag {
        shards: lag.shards,
        unread: lag.unread,
        behind_ms: lag.behind_ms.max(0),
        trimmed: trimmed.fetch_one(conn).await?,
    })
}
