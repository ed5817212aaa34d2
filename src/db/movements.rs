//! SQL for the ledger of stock movements.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use super::rows::{code, hex, json};
use crate::domain::{BeanId, Cause, Movement, MovementKind, UpdateId};

/// A movement as the bean's page lists it.
#[derive(Debug, Clone)]
pub struct MovementLine {
    /// Its place in the bean's ledger.
    pub sequence: i64,
    /// What kind of change it is.
    pub kind: MovementKind,
    /// By how many bags.
    pub change_by: i64,
    pub quantity_after: i64,
    /// The update that caused it, if one did.
    pub update: Option<UpdateId>,
    /// Why, in somebody's words.
    pub reason: Option<String>,
    /// When it was booked, by the database’s clock.
    pub created_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct MovementRow<'a> {
    bean_id: i64,
    sequence: i64,
    kind: &'static str,
    change_by: i64,
    quantity_after: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Appends movements to the ledgers of beans that the caller has locked.
pub async fn insert_movements(
    conn: &mut MySqlConnection,
    movements: &[Movement],
    now: DateTime<Utc>,
) -> DbResult<()> {
    if movements.is_empty() {
        return Ok(());
    }
    let rows: Vec<MovementRow<'_>> = movements
        .iter()
        .map(|movement| MovementRow {
            bean_id: movement.bean.0,
            sequence: movement.sequence,
            kind: movement.kind.code(),
            change_by: movement.change_by,
            quantity_after: movement.quantity_after,
            update_id: match &movement.cause {
                Cause::Update(id) => Some(hex(id.0)),
                Cause::Person(_) | Cause::Itself => None,
            },
            reason: match &movement.cause {
                Cause::Person(reason) => Some(reason.as_str()),
                Cause::Update(_) | Cause::Itself => None,
            },
        })
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO stock_movements (
            bean_id, sequence, kind, change_by, quantity_after, update_id, reason, created_at
        )
        SELECT
            new.bean_id,
            new.sequence,
            new.kind,
            new.change_by,
            new.quantity_after,
            UNHEX(new.update_id),
            new.reason,
            ?
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean_id BIGINT PATH '$.bean_id',
            sequence BIGINT PATH '$.sequence',
            kind VARCHAR(16) PATH '$.kind',
            change_by BIGINT PATH '$.change_by',
            quantity_after BIGINT PATH '$.quantity_after',
            update_id CHAR(32) PATH '$.update_id',
            reason VARCHAR(500) PATH '$.reason' ERROR ON ERROR
        )) AS new
        "#,
        now,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts a bean's movements.
pub async fn count_movements(conn: &mut MySqlConnection, bean: BeanId) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "count!: i64" FROM stock_movements WHERE bean_id = ?"#,
        bean.0
    );
    Ok(count.fetch_one(conn).await?)
}

/// Lists a bean's movements, newest first.
pub async fn list_movements(
    conn: &mut MySqlConnection,
    bean: BeanId,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<MovementLine>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            sequence,
            kind,
            change_by,
            quantity_after,
            update_id AS "update_id: Uuid",
            reason,
            created_at AS "created_at: DateTime<Utc>"
        FROM stock_movements
        WHERE bean_id = ?
        ORDER BY sequence DESC
        LIMIT ? OFFSET ?
        "#,
        bean.0,
        limit,
        offset
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(MovementLine {
                sequence: row.sequence,
                kind: code(
                    "stock_movements",
                    "kind",
                    &row.kind,
                    MovementKind::from_code,
                )?,
                change_by: row.change_by,
                quantity_after: row.quantity_after,
                update: row.update_id.map(UpdateId),
                reason: row.reason,
                created_at: row.created_at,
            })
        })
        .collect()
}
