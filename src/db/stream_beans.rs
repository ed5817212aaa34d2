//! SQL for each bean's stock as the stream tells it: the second witness.

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

/// Locks those of some beans that nobody else has locked; gives which. A reader may stand still for long with some.
pub async fn lock_free(conn: &mut MySqlConnection, beans: &[BeanId]) -> DbResult<Vec<BeanId>> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT b.bean_id AS "id!: i64"
        FROM (
            SELECT id FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS listed
        ) AS wanted
        STRAIGHT_JOIN stream_beans AS b FORCE INDEX (PRIMARY) ON b.bean_id = wanted.id
        FOR UPDATE SKIP LOCKED
        "#,
        numbers(beans)
    );
    let ids = ids.fetch_all(conn).await?;
    Ok(ids.into_iter().map(BeanId).collect())
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
