//! SQL for the shards of the stream, and how they are read.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use super::rows::json;
use crate::domain::{Instance, Shard};

/// Notes the shards that a stream lists. What is known is left alone, and its readers are not disturbed.
pub async fn note_shards(
    conn: &mut MySqlConnection,
    stream: &str,
    shards: &[Shard],
) -> DbResult<()> {
    let known = sqlx::query!(
        r#"SELECT shard_id, closed AS "closed: bool" FROM stream_shards WHERE stream = ?"#,
        stream
    );
    let known = known.fetch_all(&mut *conn).await?.into_iter();
    let known: HashMap<String, bool> = known.map(|row| (row.shard_id, row.closed)).collect();
    let news = shards.iter().filter(|shard| {
        let known_closed = known.get(&shard.id);
        known_closed.is_none_or(|known_closed| shard.is_closed && !known_closed)
    });
    let news: Vec<&Shard> = news.collect();
    if news.is_empty() {
        return Ok(());
    }
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
            closed BOOLEAN PATH '$.is_closed'
        )) AS new
        ON DUPLICATE KEY UPDATE closed = stream_shards.closed OR VALUES(closed)
        "#,
        stream,
        json(&news)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets shards that the stream does not list any more, once they were read to their end.
///
/// What was not, is gone unread: it ends too, and somebody is to know. Ids ascend, so one that comes after all that
/// are listed is new: the list may be older than others' knowledge. Those that stay are left alone: whoever reads one
/// may hold it for long.
pub async fn retire_shards(
    conn: &mut MySqlConnection,
    stream: &str,
    listed: &[Shard],
) -> DbResult<()> {
    let listed: BTreeSet<&str> = listed.iter().map(|shard| shard.id.as_str()).collect();
    let newest = listed.last().copied().unwrap_or_default();
    let known = sqlx::query!(
        r#"
        SELECT
            shard_id,
            ended_at IS NULL AS "is_unread!: bool",
            COALESCE(ended_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY AND trimmed_at IS NULL, FALSE) AS "is_old!: bool"
        FROM stream_shards
        WHERE stream = ?
        "#,
        stream
    );
    let mut known = known.fetch_all(&mut *conn).await?;
    known.retain(|shard| !listed.contains(shard.shard_id.as_str()));
    let gone = known.iter().filter(|shard| shard.is_unread);
    let gone = gone.map(|shard| shard.shard_id.as_str());
    let gone: Vec<&str> = gone.filter(|id| *id < newest).collect();
    let old = known.iter().filter(|shard| shard.is_old);
    let old: Vec<&str> = old.map(|shard| shard.shard_id.as_str()).collect();
    if !gone.is_empty() {
        end_unread(conn, stream, &gone).await?;
    }
    if !old.is_empty() {
        forget_shards(conn, stream, &old).await?;
    }
    Ok(())
}

async fn end_unread(conn: &mut MySqlConnection, stream: &str, shards: &[&str]) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(128) CHARACTER SET ascii PATH '$')) AS gone
        STRAIGHT_JOIN stream_shards AS s FORCE INDEX (PRIMARY)
            ON s.stream = ? AND s.shard_id = gone.id COLLATE ascii_bin
        SET
            s.ended_at = UTC_TIMESTAMP(6),
            s.trimmed_at = UTC_TIMESTAMP(6),
            s.closed = TRUE,
            s.owner = NULL,
            s.lease_until = NULL,
            s.epoch = s.epoch + 1
        WHERE s.ended_at IS NULL
        "#,
        json(&shards),
        stream
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn forget_shards(conn: &mut MySqlConnection, stream: &str, shards: &[&str]) -> DbResult<()> {
    sqlx::query!(
        r#"
        DELETE s
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(128) CHARACTER SET ascii PATH '$')) AS old
        STRAIGHT_JOIN stream_shards AS s FORCE INDEX (PRIMARY)
            ON s.stream = ? AND s.shard_id = old.id COLLATE ascii_bin
        "#,
        json(&shards),
        stream
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
    pub shard: Shard,
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

/// How many shards are listed at most.
const LISTED: i64 = 1_000;

/// Lists the shards that are known, in the order in which they came to be; of more than 1,000, those that are read or
/// will be, those that lost something, and the newest of the others.
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
        ORDER BY (s.ended_at IS NULL OR s.trimmed_at IS NOT NULL) DESC, s.shard_id DESC
        LIMIT ?
        "#,
        LISTED
    );
    let mut rows = rows.fetch_all(conn).await?;
    rows.sort_by(|a, b| a.shard_id.cmp(&b.shard_id));
    let shards = rows.into_iter().map(|row| ShardLine {
        stream: row.stream,
        shard: Shard {
            id: row.shard_id,
            parent: row.parent,
            adjacent_parent: row.adjacent_parent,
            first_hash: row.first_hash,
            last_hash: row.last_hash,
            is_closed: row.closed,
        },
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
    Ok(StreamLag {
        shards: lag.shards,
        unread: lag.unread,
        behind_ms: lag.behind_ms.max(0),
        trimmed: has_trimmed(conn).await?,
    })
}

/// Whether records were gone before they were read, and nobody has seen that yet.
pub async fn has_trimmed(conn: &mut MySqlConnection) -> DbResult<bool> {
    let any = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM stream_shards WHERE trimmed_at IS NOT NULL) AS "any!: bool""#
    );
    Ok(any.fetch_one(conn).await?)
}
