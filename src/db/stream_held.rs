//! SQL for records that came before an earlier movement of their bean, and wait for it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::{json, numbers};
use crate::domain::BeanId;

/// A record that waits for an earlier one of its bean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldRecord {
    pub bean: i64,
    pub sequence_number: String,
    /// The stream's name, `@` and when it was made.
    pub stream: String,
    pub shard: String,
    pub first: i64,
    pub record: String,
}

/// How many records that wait are looked at again at once, of all beans together.
const HELD_AT_ONCE: i64 = 1_000;

/// Lists the records of beans that wait for an earlier one, each bean's in the order of its movements. If there are too
/// many, each bean has its first ones: one of which many wait keeps no other waiting.
pub async fn list_held(conn: &mut MySqlConnection, beans: &[BeanId]) -> DbResult<Vec<HeldRecord>> {
    let rows = sqlx::query_as!(
        HeldRecord,
        r#"
        SELECT
            h.bean_id AS "bean!: i64",
            h.sequence_number AS "sequence_number!: String",
            h.stream AS "stream!: String",
            h.shard_id AS "shard!: String",
            h.first_sequence AS "first!: i64",
            h.record AS "record!: String"
        FROM (
            SELECT
                waiting.bean_id,
                waiting.sequence_number,
                ROW_NUMBER() OVER (PARTITION BY waiting.bean_id ORDER BY waiting.first_sequence) AS turn
            FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
            STRAIGHT_JOIN stream_held AS waiting ON waiting.bean_id = wanted.id
        ) AS turns
        JOIN stream_held AS h ON h.bean_id = turns.bean_id AND h.sequence_number = turns.sequence_number
        ORDER BY turns.turn, h.bean_id
        LIMIT ?
        "#,
        numbers(beans),
        HELD_AT_ONCE
    );
    Ok(rows.fetch_all(conn).await?)
}

/// So many records in a statement: with 30 KiB each they have about 4 MiB, and servers take 16 or more.
const KEPT_AT_ONCE: usize = 100;

/// Keeps records until the earlier ones of their beans have come.
pub async fn insert_held(conn: &mut MySqlConnection, held: &[HeldRecord]) -> DbResult<()> {
    for held in held.chunks(KEPT_AT_ONCE) {
        insert(conn, held).await?;
    }
    Ok(())
}

async fn insert(conn: &mut MySqlConnection, held: &[HeldRecord]) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO stream_held (bean_id, sequence_number, stream, shard_id, first_sequence, record, held_at)
        SELECT new.bean, new.sequence_number, new.stream, new.shard, new.first, new.record, UTC_TIMESTAMP(6)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            sequence_number VARCHAR(128) PATH '$.sequence_number',
            stream VARCHAR(160) PATH '$.stream',
            shard VARCHAR(128) PATH '$.shard',
            first BIGINT PATH '$.first',
            record MEDIUMTEXT PATH '$.record' ERROR ON ERROR
        )) AS new
        ON DUPLICATE KEY UPDATE stream_held.bean_id = stream_held.bean_id
        "#,
        json(&held)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Drops records that wait no more.
pub async fn delete_held(conn: &mut MySqlConnection, held: &[(i64, String)]) -> DbResult<()> {
    if held.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        DELETE h
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$[0]',
            number VARCHAR(128) CHARACTER SET ascii PATH '$[1]'
        )) AS gone
        STRAIGHT_JOIN stream_held AS h
            ON h.bean_id = gone.bean AND h.sequence_number = gone.number COLLATE ascii_bin
        "#,
        json(&held)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts records aside that wait for movements which the ledger does not have: what waits for them waits for ever.
pub async fn put_impossible_aside(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO parked_records (stream, shard_id, sequence_number, partition_key, reason, record, parked_at)
        SELECT
            h.stream, h.shard_id, h.sequence_number, CONCAT(h.bean_id),
            'it has movements that the ledger does not have', LEFT(h.record, 65536), UTC_TIMESTAMP(6)
        FROM stream_held AS h
        JOIN beans AS b ON b.id = h.bean_id
        WHERE h.first_sequence > b.last_movement
        ON DUPLICATE KEY UPDATE parked_records.id = parked_records.id
        "#
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        DELETE h
        FROM stream_held AS h
        JOIN beans AS b ON b.id = h.bean_id
        WHERE h.first_sequence > b.last_movement
        "#
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists beans of which a record waits although nothing before it is missing any more; at most 100.
pub async fn list_ready(conn: &mut MySqlConnection) -> DbResult<Vec<BeanId>> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT DISTINCT h.bean_id
        FROM stream_held AS h
        JOIN stream_beans AS w ON w.bean_id = h.bean_id
        WHERE h.first_sequence - 1 <= w.seen
        ORDER BY h.bean_id
        LIMIT 100
        "#
    );
    let ids = ids.fetch_all(conn).await?;
    Ok(ids.into_iter().map(BeanId).collect())
}

/// Counts the beans of which a movement has been missing for a minute: after a reshard, one that is late comes by itself.
pub async fn count_gaps(conn: &mut MySqlConnection) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"
        SELECT COUNT(DISTINCT bean_id) AS "count!: i64"
        FROM stream_held
        WHERE held_at < UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE
        "#
    );
    Ok(count.fetch_one(conn).await?)
}

/// A bean whose records wait for an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBean {
    pub bean: BeanId,
    pub name: String,
    /// It is not on the list any more.
    pub is_removed: bool,
    /// The newest movement that was counted; `None` if the stream has not begun to tell of it.
    pub seen: Option<i64>,
    /// The first movement that waits.
    pub first: i64,
    pub records: i64,
    pub since: DateTime<Utc>,
}

/// Lists the beans whose records wait, those that wait longest first; at most 100.
pub async fn list_held_beans(conn: &mut MySqlConnection) -> DbResult<Vec<HeldBean>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            h.bean_id AS "bean_id!: i64",
            b.product_name,
            b.removed_at IS NOT NULL AS "is_removed!: bool",
            w.seen AS "seen?: i64",
            MIN(h.first_sequence) AS "first!: i64",
            COUNT(*) AS "records!: i64",
            MIN(h.held_at) AS "since!: DateTime<Utc>"
        FROM stream_held AS h
        JOIN beans AS b ON b.id = h.bean_id
        LEFT JOIN stream_beans AS w ON w.bean_id = h.bean_id
        GROUP BY h.bean_id, b.product_name, b.removed_at, w.seen
        ORDER BY MIN(h.held_at), h.bean_id
        LIMIT 100
        "#
    )
    .fetch_all(conn)
    .await?;
    let beans = rows.into_iter().map(|row| HeldBean {
        bean: BeanId(row.bean_id),
        name: row.product_name,
        is_removed: row.is_removed,
        seen: row.seen,
        first: row.first,
        records: row.records,
        since: row.since,
    });
    Ok(beans.collect())
}
