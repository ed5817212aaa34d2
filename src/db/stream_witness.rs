//! SQL for what the stream told of each bean: the second witness of the stock.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::{datetime, json, numbers};
use crate::domain::BeanId;

/// A bean, as the stream told so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WitnessedBean {
    pub bean: i64,
    /// The movement of the snapshot that its story begins with, and the bags then.
    pub base_sequence: i64,
    pub base_quantity: i64,
    /// The newest movement that was counted.
    pub seen: i64,
    /// Bags by the snapshot and all changes since.
    pub quantity: i64,
    #[serde(serialize_with = "datetime")]
    pub since: Option<DateTime<Utc>>,
    /// Sizes of its latest movements by kind, in JSON.
    pub usual: String,
}

/// Locks what is known of beans, in the order of their numbers. The table function is wrapped, because `MySQL` tries to
/// lock it too and fails (3569).
pub async fn lock_witnessed(
    conn: &mut MySqlConnection,
    beans: &[BeanId],
) -> DbResult<Vec<WitnessedBean>> {
    let rows = sqlx::query_as!(
        WitnessedBean,
        r#"
        SELECT
            b.bean_id AS "bean!: i64",
            b.base_sequence AS "base_sequence!: i64",
            b.base_quantity AS "base_quantity!: i64",
            b.seen AS "seen!: i64",
            b.quantity AS "quantity!: i64",
            b.since AS "since: DateTime<Utc>",
            b.usual AS "usual!: String"
        FROM (
            SELECT id FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS listed
        ) AS wanted
        STRAIGHT_JOIN stream_beans AS b FORCE INDEX (PRIMARY) ON b.bean_id = wanted.id
        FOR UPDATE
        "#,
        numbers(beans)
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Lists those among numbers that are a bean's.
pub async fn list_existing(conn: &mut MySqlConnection, beans: &[BeanId]) -> DbResult<Vec<BeanId>> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT b.id AS "id!: i64"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        STRAIGHT_JOIN beans AS b ON b.id = wanted.id
        "#,
        numbers(beans)
    );
    let ids = ids.fetch_all(conn).await?;
    Ok(ids.into_iter().map(BeanId).collect())
}

/// Adds beans that the stream has begun to tell of.
///
/// # Errors
/// Another reader has begun with one of them meanwhile.
pub async fn insert_witnessed(conn: &mut MySqlConnection, beans: &[WitnessedBean]) -> DbResult<()> {
    if beans.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO stream_beans (bean_id, base_sequence, base_quantity, seen, quantity, since, usual, seen_at)
        SELECT
            new.bean, new.base_sequence, new.base_quantity, new.seen, new.quantity, new.since, new.usual,
            UTC_TIMESTAMP(6)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            base_sequence BIGINT PATH '$.base_sequence',
            base_quantity BIGINT PATH '$.base_quantity',
            seen BIGINT PATH '$.seen',
            quantity BIGINT PATH '$.quantity',
            since DATETIME(6) PATH '$.since',
            usual VARCHAR(1000) PATH '$.usual' ERROR ON ERROR
        )) AS new
        "#,
        json(&beans)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves beans on that the caller has locked.
pub async fn set_witnessed(conn: &mut MySqlConnection, beans: &[WitnessedBean]) -> DbResult<()> {
    if beans.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            seen BIGINT PATH '$.seen',
            quantity BIGINT PATH '$.quantity',
            usual VARCHAR(1000) PATH '$.usual' ERROR ON ERROR
        )) AS new
        STRAIGHT_JOIN stream_beans AS b FORCE INDEX (PRIMARY) ON b.bean_id = new.bean
        SET b.seen = new.seen, b.quantity = new.quantity, b.usual = new.usual, b.seen_at = UTC_TIMESTAMP(6)
        "#,
        json(&beans)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Movements of a bean that came in one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    pub bean: i64,
    pub first: i64,
    pub last: i64,
    /// By how many bags each changed the stock, in JSON.
    pub changes: String,
    pub shard: String,
    pub sequence_number: String,
}

/// Adds movements that were counted.
pub async fn insert_runs(conn: &mut MySqlConnection, runs: &[Run]) -> DbResult<()> {
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO stream_runs (bean_id, first_sequence, last_sequence, changes, shard_id, sequence_number)
        SELECT new.bean, new.first, new.last, new.changes, new.shard, new.sequence_number
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            first BIGINT PATH '$.first',
            last BIGINT PATH '$.last',
            changes TEXT PATH '$.changes' ERROR ON ERROR,
            shard VARCHAR(128) PATH '$.shard',
            sequence_number VARCHAR(128) PATH '$.sequence_number'
        )) AS new
        "#,
        json(&runs)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes movements that came again.
pub async fn insert_repeats(conn: &mut MySqlConnection, repeats: &[Run]) -> DbResult<()> {
    if repeats.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO stream_repeats (sequence_number, shard_id, bean_id, first_sequence, last_sequence, changes, seen_at)
        SELECT new.sequence_number, new.shard, new.bean, new.first, new.last, new.changes, UTC_TIMESTAMP(6)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            first BIGINT PATH '$.first',
            last BIGINT PATH '$.last',
            changes TEXT PATH '$.changes' ERROR ON ERROR,
            shard VARCHAR(128) PATH '$.shard',
            sequence_number VARCHAR(128) PATH '$.sequence_number'
        )) AS new
        ON DUPLICATE KEY UPDATE stream_repeats.bean_id = stream_repeats.bean_id
        "#,
        json(&repeats)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A record that waits for an earlier one of its bean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldRecord {
    pub bean: i64,
    pub sequence_number: String,
    pub shard: String,
    pub first: i64,
    pub record: String,
}

/// How many records that wait are looked at again at once, of all beans together.
const HELD_AT_ONCE: i64 = 1_000;

/// Lists the records of beans that wait for an earlier one, in the order of their movements.
pub async fn list_held(conn: &mut MySqlConnection, beans: &[BeanId]) -> DbResult<Vec<HeldRecord>> {
    let rows = sqlx::query_as!(
        HeldRecord,
        r#"
        SELECT
            h.bean_id AS "bean!: i64",
            h.sequence_number AS "sequence_number!: String",
            h.shard_id AS "shard!: String",
            h.first_sequence AS "first!: i64",
            h.record AS "record!: String"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        STRAIGHT_JOIN stream_held AS h ON h.bean_id = wanted.id
        ORDER BY h.first_sequence
        LIMIT ?
        "#,
        numbers(beans),
        HELD_AT_ONCE
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Keeps records until the earlier ones of their beans have come.
pub async fn insert_held(conn: &mut MySqlConnection, held: &[HeldRecord]) -> DbResult<()> {
    if held.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO stream_held (bean_id, sequence_number, shard_id, first_sequence, record, held_at)
        SELECT new.bean, new.sequence_number, new.shard, new.first, new.record, UTC_TIMESTAMP(6)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            sequence_number VARCHAR(128) PATH '$.sequence_number',
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

/// Counts the beans whose records wait for an earlier one.
pub async fn count_held_beans(conn: &mut MySqlConnection) -> DbResult<i64> {
    let count =
        sqlx::query_scalar!(r#"SELECT COUNT(DISTINCT bean_id) AS "count!: i64" FROM stream_held"#);
    Ok(count.fetch_one(conn).await?)
}

/// A bean whose records wait for an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBean {
    pub bean: BeanId,
    pub name: String,
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
            w.seen AS "seen?: i64",
            MIN(h.first_sequence) AS "first!: i64",
            COUNT(*) AS "records!: i64",
            MIN(h.held_at) AS "since!: DateTime<Utc>"
        FROM stream_held AS h
        JOIN beans AS b ON b.id = h.bean_id
        LEFT JOIN stream_beans AS w ON w.bean_id = h.bean_id
        GROUP BY h.bean_id, b.product_name, w.seen
        ORDER BY MIN(h.held_at), h.bean_id
        LIMIT 100
        "#
    )
    .fetch_all(conn)
    .await?;
    let beans = rows.into_iter().map(|row| HeldBean {
        bean: BeanId(row.bean_id),
        name: row.product_name,
        seen: row.seen,
        first: row.first,
        records: row.records,
        since: row.since,
    });
    Ok(beans.collect())
}
