//! SQL for how far each bean's movements are on the stream.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{code, json, numbers};
use super::{DbError, DbResult};
use crate::domain::{BeanId, MovementKind, SupplierId};

/// A bean with movements that are not on the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueBean {
    pub bean: BeanId,
    pub supplier: SupplierId,
}

/// A bean whose movements one relay puts on the stream for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeasedMark {
    pub bean: BeanId,
    /// The movement as of which its first record gives its stock.
    pub snapshot_at: i64,
    /// The newest movement on the stream; `None` until the first record is.
    pub streamed: Option<i64>,
    pub epoch: i64,
    /// How often in a row the stream has not taken it.
    pub attempts: i32,
}

/// Lists beans whose numbers come after one, in that order, that have movements to be put on the stream and that no
/// other relay has. Locks nothing.
pub async fn list_due(
    conn: &mut MySqlConnection,
    after: BeanId,
    limit: i64,
) -> DbResult<Vec<DueBean>> {
    let rows = sqlx::query!(
        r#"
        SELECT b.id, b.supplier_id
        FROM beans AS b
        LEFT JOIN stream_marks AS m ON m.bean_id = b.id
        WHERE b.id > ?
            AND b.last_movement > COALESCE(m.streamed, -1)
            AND (m.due_at IS NULL OR m.due_at <= UTC_TIMESTAMP(6))
        ORDER BY b.id
        LIMIT ?
        "#,
        after.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    let due = rows.into_iter().map(|row| DueBean {
        bean: BeanId(row.id),
        supplier: SupplierId(row.supplier_id),
    });
    Ok(due.collect())
}

/// Decides for beans that have no mark where their story begins: with all movements that were booked since a moment.
/// It is written down before anything is sent, so that whoever sends it sends the same.
pub async fn insert_marks(
    conn: &mut MySqlConnection,
    beans: &[BeanId],
    since: DateTime<Utc>,
) -> DbResult<()> {
    // Read apart: an INSERT that selects would lock the ledger.
    let rows = sqlx::query!(
        r#"
        SELECT
            wanted.id AS "bean!: i64",
            COALESCE((
                SELECT m.sequence
                FROM stock_movements AS m
                WHERE m.bean_id = wanted.id AND m.created_at < ?
                ORDER BY m.created_at DESC, m.sequence DESC
                LIMIT 1
            ), 0) AS "snapshot_at!: i64"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        LEFT JOIN stream_marks AS mark ON mark.bean_id = wanted.id
        WHERE mark.bean_id IS NULL
        "#,
        since,
        numbers(beans)
    )
    .fetch_all(&mut *conn)
    .await?;
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<[i64; 2]> = rows.iter().map(|row| [row.bean, row.snapshot_at]).collect();
    sqlx::query!(
        r#"
        INSERT INTO stream_marks (bean_id, snapshot_at, due_at)
        SELECT new.bean, new.snapshot_at, UTC_TIMESTAMP(6)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (bean BIGINT PATH '$[0]', snapshot_at BIGINT PATH '$[1]')) AS new
        ON DUPLICATE KEY UPDATE stream_marks.bean_id = stream_marks.bean_id
        "#,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Leases the beans among these that no other relay has, in the order of their numbers. The table function is wrapped,
/// because `MySQL` tries to lock it too and fails (3569).
pub async fn lease_marks(
    conn: &mut MySqlConnection,
    beans: &[BeanId],
    lease: TimeDelta,
) -> DbResult<Vec<LeasedMark>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            m.bean_id AS "bean_id!: i64",
            m.snapshot_at AS "snapshot_at!: i64",
            m.streamed,
            m.epoch AS "epoch!: i64",
            m.attempts AS "attempts!: i32"
        FROM (
            SELECT id FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS listed
        ) AS wanted
        STRAIGHT_JOIN stream_marks AS m FORCE INDEX (PRIMARY) ON m.bean_id = wanted.id
        WHERE m.due_at <= UTC_TIMESTAMP(6)
        FOR UPDATE
        "#,
        numbers(beans)
    )
    .fetch_all(&mut *conn)
    .await?;
    let leased = rows.into_iter().map(|row| LeasedMark {
        bean: BeanId(row.bean_id),
        snapshot_at: row.snapshot_at,
        streamed: row.streamed,
        epoch: row.epoch + 1,
        attempts: row.attempts,
    });
    let leased: Vec<LeasedMark> = leased.collect();
    let beans: Vec<BeanId> = leased.iter().map(|mark| mark.bean).collect();
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS taken
        STRAIGHT_JOIN stream_marks AS m FORCE INDEX (PRIMARY) ON m.bean_id = taken.id
        SET m.epoch = m.epoch + 1, m.due_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
        "#,
        numbers(&beans),
        lease.num_microseconds()
    )
    .execute(conn)
    .await?;
    Ok(leased)
}

/// What became of a bean that was leased.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct MarkMoved {
    pub bean: i64,
    pub epoch: i64,
    /// The newest movement on the stream now; `None` if nothing was added.
    pub streamed: Option<i64>,
    /// Whether the stream was asked to take something.
    pub was_tried: bool,
    /// Not to be tried again before so many microseconds.
    pub pause: i64,
}

/// Moves marks on and ends their leases. One that another relay has leased meanwhile stays.
pub async fn move_marks(conn: &mut MySqlConnection, moved: &[MarkMoved]) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            epoch BIGINT PATH '$.epoch',
            streamed BIGINT PATH '$.streamed',
            tried BOOLEAN PATH '$.was_tried',
            pause BIGINT PATH '$.pause'
        )) AS new
        STRAIGHT_JOIN stream_marks AS m FORCE INDEX (PRIMARY) ON m.bean_id = new.bean
        SET
            m.attempts = IF(new.streamed IS NULL, m.attempts + new.tried, 0),
            m.streamed_at = IF(new.streamed IS NULL, m.streamed_at, UTC_TIMESTAMP(6)),
            m.streamed = COALESCE(new.streamed, m.streamed),
            m.due_at = UTC_TIMESTAMP(6) + INTERVAL new.pause MICROSECOND
        WHERE m.epoch = new.epoch
        "#,
        json(&moved)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A part of a bean's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stretch {
    pub bean: i64,
    /// The first movement and the last one.
    pub from: i64,
    pub to: i64,
}

/// A movement to be put on the stream.
#[derive(Debug, Clone)]
pub struct LedgerMovement {
    pub bean: BeanId,
    pub sequence: i64,
    pub kind: MovementKind,
    pub change_by: i64,
    pub quantity_after: i64,
    pub update: Option<Uuid>,
    pub occurred_at: DateTime<Utc>,
    pub booked_at: DateTime<Utc>,
    /// What it takes back: its place, its kind, and when those bags moved.
    pub undoes: Option<(i64, MovementKind, DateTime<Utc>)>,
}

/// Reads stretches of ledgers, each in its order.
pub async fn list_stretches(
    conn: &mut MySqlConnection,
    stretches: &[Stretch],
) -> DbResult<Vec<LedgerMovement>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            m.bean_id AS "bean_id!: i64",
            m.sequence AS "sequence!: i64",
            m.kind AS "kind!: String",
            m.change_by AS "change_by!: i64",
            m.quantity_after AS "quantity_after!: i64",
            m.update_id AS "update_id: Uuid",
            COALESCE(m.occurred_at, m.created_at) AS "occurred_at!: DateTime<Utc>",
            m.created_at AS "booked_at!: DateTime<Utc>",
            u.sequence AS "undone?: i64",
            u.kind AS "undone_kind?: String",
            COALESCE(u.occurred_at, u.created_at) AS "undone_at?: DateTime<Utc>"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            first BIGINT PATH '$.from',
            last BIGINT PATH '$.to'
        )) AS wanted
        STRAIGHT_JOIN stock_movements AS m FORCE INDEX (PRIMARY)
            ON m.bean_id = wanted.bean AND m.sequence BETWEEN wanted.first AND wanted.last
        LEFT JOIN stock_movements AS u ON u.bean_id = m.bean_id AND u.sequence = m.undoes
        ORDER BY m.bean_id, m.sequence
        "#,
        json(&stretches)
    )
    .fetch_all(conn)
    .await?;
    let kind = |text: &str| code("stock_movements", "kind", text, MovementKind::from_code);
    rows.into_iter()
        .map(|row| {
            let undone_kind = row.undone_kind.as_deref().map(kind).transpose()?;
            Ok::<_, DbError>(LedgerMovement {
                bean: BeanId(row.bean_id),
                sequence: row.sequence,
                kind: kind(&row.kind)?,
                change_by: row.change_by,
                quantity_after: row.quantity_after,
                update: row.update_id,
                occurred_at: row.occurred_at,
                booked_at: row.booked_at,
                undoes: match (row.undone, undone_kind, row.undone_at) {
                    (Some(sequence), Some(kind), Some(at)) => Some((sequence, kind, at)),
                    _ => None,
                },
            })
        })
        .collect()
}

/// A bean's stock as of a movement, and when that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockAsOf {
    pub bean: BeanId,
    pub quantity: i64,
    pub as_of: DateTime<Utc>,
}

/// Tells beans' stock as of the movement that their story on the stream begins with.
pub async fn list_snapshots(
    conn: &mut MySqlConnection,
    beans: &[BeanId],
) -> DbResult<Vec<StockAsOf>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            b.id AS "bean_id!: i64",
            COALESCE(m.quantity_after, 0) AS "quantity!: i64",
            COALESCE(m.created_at, b.created_at) AS "as_of!: DateTime<Utc>"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        STRAIGHT_JOIN stream_marks AS mark ON mark.bean_id = wanted.id
        STRAIGHT_JOIN beans AS b ON b.id = wanted.id
        LEFT JOIN stock_movements AS m ON m.bean_id = b.id AND m.sequence = mark.snapshot_at
        "#,
        numbers(beans)
    )
    .fetch_all(conn)
    .await?;
    let snapshots = rows.into_iter().map(|row| StockAsOf {
        bean: BeanId(row.bean_id),
        quantity: row.quantity,
        as_of: row.as_of,
    });
    Ok(snapshots.collect())
}

/// Whose movements are put on the stream again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewind {
    /// Of all beans: the stream is another one.
    All,
    /// Of beans that have something on the stream which the consumer has not seen. What is merely on its way comes
    /// twice, and counts once.
    Missing,
}

/// Has what the consumer has not seen put on the stream again.
pub async fn rewind_marks(conn: &mut MySqlConnection, whose: Rewind) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE stream_marks AS m
        LEFT JOIN stream_beans AS b ON b.bean_id = m.bean_id
        SET
            m.streamed = LEAST(b.seen, m.streamed),
            m.epoch = m.epoch + 1,
            m.due_at = UTC_TIMESTAMP(6),
            m.attempts = 0
        WHERE ?
            OR m.streamed > COALESCE(b.seen, m.snapshot_at - 1)
            OR EXISTS (SELECT 1 FROM stream_held AS h WHERE h.bean_id = m.bean_id)
        "#,
        whose == Rewind::All
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is not on the stream yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unstreamed {
    pub movements: i64,
    pub beans: i64,
    /// When the oldest of them was booked.
    pub since: Option<DateTime<Utc>>,
}

/// Counts what is not on the stream yet.
pub async fn count_unstreamed(conn: &mut MySqlConnection) -> DbResult<Unstreamed> {
    let count = sqlx::query_as!(
        Unstreamed,
        r#"
        SELECT
            CAST(COALESCE(SUM(b.last_movement - COALESCE(m.streamed, m.snapshot_at, 0)), 0) AS SIGNED) AS "movements!: i64",
            COUNT(*) AS "beans!: i64",
            MIN((
                SELECT s.created_at
                FROM stock_movements AS s
                WHERE s.bean_id = b.id AND s.sequence = COALESCE(m.streamed, m.snapshot_at, 0) + 1
            )) AS "since: DateTime<Utc>"
        FROM beans AS b
        LEFT JOIN stream_marks AS m ON m.bean_id = b.id
        WHERE b.last_movement > COALESCE(m.streamed, -1)
        "#
    );
    Ok(count.fetch_one(conn).await?)
}

/// Since when something has been on the stream that the consumer has not seen.
pub async fn find_oldest_unseen(conn: &mut MySqlConnection) -> DbResult<Option<DateTime<Utc>>> {
    let since = sqlx::query_scalar!(
        r#"
        SELECT MIN(m.streamed_at) AS "since: DateTime<Utc>"
        FROM stream_marks AS m
        LEFT JOIN stream_beans AS b ON b.bean_id = m.bean_id
        WHERE m.streamed > COALESCE(b.seen, m.snapshot_at - 1)
        "#
    );
    Ok(since.fetch_one(conn).await?)
}
