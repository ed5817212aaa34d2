//! SQL for the ledger of stock movements.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{code, datetime, hex, json};
use super::{DbError, DbResult};
use crate::domain::{BeanId, Movement, MovementKind, ShortText, UpdateId};

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
    /// Who booked it by hand, by name.
    pub by: Option<String>,
    /// Why, in somebody's words.
    pub reason: Option<String>,
    /// The movement that it takes back, by its place.
    pub undoes: Option<i64>,
    /// The movement that takes it back.
    pub undone_by: Option<i64>,
    /// When the bags moved or were counted.
    pub occurred_at: DateTime<Utc>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<i64>,
    #[serde(serialize_with = "datetime")]
    occurred_at: Option<DateTime<Utc>>,
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
            update_id: movement.cause.update.map(|id| hex(id.0)),
            reason: movement.cause.why.as_ref().map(ShortText::as_str),
            account_id: movement.cause.by.map(|account| account.0),
            undoes: movement.cause.undoes,
            occurred_at: Some(movement.occurred_at),
        })
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO stock_movements (
            bean_id, sequence, kind, change_by, quantity_after, update_id, reason, account_id, undoes,
            occurred_at, created_at
        )
        SELECT
            new.bean_id,
            new.sequence,
            new.kind,
            new.change_by,
            new.quantity_after,
            UNHEX(new.update_id),
            new.reason,
            new.account_id,
            new.undoes,
            new.occurred_at,
            ?
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean_id BIGINT PATH '$.bean_id',
            sequence BIGINT PATH '$.sequence',
            kind VARCHAR(16) PATH '$.kind',
            change_by BIGINT PATH '$.change_by',
            quantity_after BIGINT PATH '$.quantity_after',
            update_id CHAR(32) PATH '$.update_id',
            reason VARCHAR(500) PATH '$.reason' ERROR ON ERROR,
            account_id BIGINT PATH '$.account_id',
            undoes BIGINT PATH '$.undoes',
            occurred_at DATETIME(6) PATH '$.occurred_at'
        )) AS new
        "#,
        now,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts a bean's movements: their sequence has no gaps.
pub async fn count_movements(conn: &mut MySqlConnection, bean: BeanId) -> DbResult<i64> {
    let count = sqlx::query_scalar!("SELECT last_movement FROM beans WHERE id = ?", bean.0);
    Ok(count.fetch_optional(conn).await?.unwrap_or(0))
}

struct MovementLineRow {
    sequence: i64,
    kind: String,
    change_by: i64,
    quantity_after: i64,
    update_id: Option<Uuid>,
    account_name: Option<String>,
    reason: Option<String>,
    undoes: Option<i64>,
    undone_by: Option<i64>,
    occurred_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

impl TryFrom<MovementLineRow> for MovementLine {
    type Error = DbError;

    fn try_from(row: MovementLineRow) -> DbResult<Self> {
        Ok(Self {
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
            by: row.account_name,
            reason: row.reason,
            undoes: row.undoes,
            undone_by: row.undone_by,
            occurred_at: row.occurred_at,
            created_at: row.created_at,
        })
    }
}

/// The movements of a bean, with what a condition, an order and a limit say.
macro_rules! query_movements {
    ($rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            MovementLineRow,
            r#"
            SELECT
                m.sequence AS "sequence!",
                m.kind AS "kind!",
                m.change_by AS "change_by!",
                m.quantity_after AS "quantity_after!",
                m.update_id AS "update_id: Uuid",
                a.name AS account_name,
                m.reason,
                m.undoes,
                u.sequence AS "undone_by?",
                COALESCE(m.occurred_at, m.created_at) AS "occurred_at!: DateTime<Utc>",
                m.created_at AS "created_at!: DateTime<Utc>"
            FROM stock_movements AS m
            LEFT JOIN accounts AS a ON a.id = m.account_id
            LEFT JOIN stock_movements AS u ON u.bean_id = m.bean_id AND u.undoes = m.sequence
            WHERE m.bean_id = ? "#
                + $rest,
            $($argument),+
        )
    };
}

/// Lists a bean's movements, newest first.
pub async fn list_movements(
    conn: &mut MySqlConnection,
    bean: BeanId,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<MovementLine>> {
    // Sequences have no gaps, so that no page is further away than another.
    let rows = query_movements!(
        "AND m.sequence <= (SELECT last_movement FROM beans WHERE id = ?) - ? ORDER BY m.sequence DESC LIMIT ?",
        bean.0,
        bean.0,
        offset,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(MovementLine::try_from).collect()
}

/// Finds a movement by its place in a bean's ledger.
pub async fn find_movement(
    conn: &mut MySqlConnection,
    bean: BeanId,
    sequence: i64,
) -> DbResult<Option<MovementLine>> {
    let row = query_movements!("AND m.sequence = ?", bean.0, sequence)
        .fetch_optional(conn)
        .await?;
    row.map(MovementLine::try_from).transpose()
}

/// Lists the newest counts of a bean that were not taken back, at most two.
pub async fn list_newest_counts(
    conn: &mut MySqlConnection,
    bean: BeanId,
) -> DbResult<Vec<MovementLine>> {
    let rows = query_movements!(
        "AND m.kind = 'count' AND u.sequence IS NULL ORDER BY m.sequence DESC LIMIT 2",
        bean.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(MovementLine::try_from).collect()
}

/// Sums up by how many bags a bean's stock changed after a moment, by when the bags moved.
pub async fn sum_since(
    conn: &mut MySqlConnection,
    bean: BeanId,
    moment: DateTime<Utc>,
) -> DbResult<i64> {
    // Nothing is booked before it has happened, so the key narrows it down.
    let sum = sqlx::query_scalar!(
        r#"
        SELECT CAST(COALESCE(SUM(change_by), 0) AS SIGNED) AS "sum!: i64"
        FROM stock_movements
        WHERE bean_id = ? AND created_at > ? AND COALESCE(occurred_at, created_at) > ?
        "#,
        bean.0,
        moment,
        moment
    );
    Ok(sum.fetch_one(conn).await?)
}

/// How often and by how many bags a bean's stock changed in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSum {
    pub kind: MovementKind,
    pub number: i64,
    pub change_by: i64,
}

/// Sums up a bean's movements by what they were, in the order in which each kind came first: together they are
/// its stock.
pub async fn sum_by_kind(conn: &mut MySqlConnection, bean: BeanId) -> DbResult<Vec<KindSum>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            kind,
            COUNT(*) AS "number!: i64",
            CAST(SUM(change_by) AS SIGNED) AS "change_by!: i64"
        FROM stock_movements
        WHERE bean_id = ?
        GROUP BY kind
        ORDER BY MIN(sequence)
        "#,
        bean.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = code(
                "stock_movements",
                "kind",
                &row.kind,
                MovementKind::from_code,
            )?;
            Ok(KindSum {
                kind,
                number: row.number,
                change_by: row.change_by,
            })
        })
        .collect()
}

/// A bean's stock at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockThen {
    /// What the books said at that moment; `None` before the bean was added.
    pub booked: Option<i64>,
    /// What is known today: all that had moved by then, whenever it was booked.
    pub known: i64,
}

/// Tells how many bags of a bean there were at a moment.
pub async fn find_stock_at(
    conn: &mut MySqlConnection,
    bean: BeanId,
    moment: DateTime<Utc>,
) -> DbResult<StockThen> {
    let then = sqlx::query_as!(
        StockThen,
        r#"
        SELECT
            (
                SELECT m.quantity_after
                FROM stock_movements AS m
                WHERE m.bean_id = ? AND m.created_at <= ?
                ORDER BY m.sequence DESC
                LIMIT 1
            ) AS "booked: i64",
            (
                SELECT CAST(COALESCE(SUM(m.change_by), 0) AS SIGNED)
                FROM stock_movements AS m
                WHERE m.bean_id = ? AND COALESCE(m.occurred_at, m.created_at) <= ?
            ) AS "known!: i64"
        "#,
        bean.0,
        moment,
        bean.0,
        moment
    );
    Ok(then.fetch_one(conn).await?)
}
