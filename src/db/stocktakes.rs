//! SQL for stocktakes and what was counted in them.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use crate::domain::{AccountId, BeanId};

/// A stocktake.
#[derive(Debug, Clone)]
pub struct Stocktake {
    pub id: i64,
    /// Who started it, by name.
    pub started_by: String,
    pub started_at: DateTime<Utc>,
    /// Since when its counts are being booked.
    pub booking_at: Option<DateTime<Utc>>,
    /// Who booked or dropped it.
    pub finished_by: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether it was finished without booking anything.
    pub dropped: bool,
    /// How many beans were counted.
    pub counted: i64,
}

macro_rules! query_stocktakes {
    ($rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Stocktake,
            r#"
            SELECT
                t.id AS "id!",
                a.name AS "started_by!",
                t.started_at AS "started_at!: DateTime<Utc>",
                t.booking_at AS "booking_at: DateTime<Utc>",
                f.name AS finished_by,
                t.finished_at AS "finished_at: DateTime<Utc>",
                t.dropped AS "dropped!: bool",
                (SELECT COUNT(*) FROM stocktake_counts AS c WHERE c.stocktake_id = t.id) AS "counted!: i64"
            FROM stocktakes AS t
            JOIN accounts AS a ON a.id = t.started_by
            LEFT JOIN accounts AS f ON f.id = t.finished_by
            "#
                + $rest,
            $($argument),+
        )
    };
}

/// Lists the newest stocktakes, newest first.
pub async fn list_stocktakes(conn: &mut MySqlConnection, limit: i64) -> DbResult<Vec<Stocktake>> {
    let rows = query_stocktakes!("ORDER BY t.id DESC LIMIT ?", limit);
    Ok(rows.fetch_all(conn).await?)
}

pub async fn find_stocktake(conn: &mut MySqlConnection, id: i64) -> DbResult<Option<Stocktake>> {
    let row = query_stocktakes!("WHERE t.id = ?", id);
    Ok(row.fetch_optional(conn).await?)
}

/// Starts a stocktake unless one is going on, and gives the one that is.
pub async fn start_stocktake(
    conn: &mut MySqlConnection,
    by: AccountId,
    now: DateTime<Utc>,
) -> DbResult<i64> {
    sqlx::query!(
        r#"
        INSERT INTO stocktakes (started_by, started_at)
        VALUES (?, ?)
        ON DUPLICATE KEY UPDATE stocktakes.going = stocktakes.going
        "#,
        by.0,
        now
    )
    .execute(&mut *conn)
    .await?;
    let id = sqlx::query_scalar!("SELECT id FROM stocktakes WHERE going = 1");
    Ok(id.fetch_one(conn).await?)
}

/// Finds the stocktake that is going on.
pub async fn find_going(conn: &mut MySqlConnection) -> DbResult<Option<i64>> {
    let id = sqlx::query_scalar!("SELECT id FROM stocktakes WHERE going = 1");
    Ok(id.fetch_optional(conn).await?)
}

/// A stocktake that is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// Beans are being counted.
    Counting,
    /// Its counts are being booked.
    Booking,
}

/// Locks a stocktake that is going on; none if it is not.
pub async fn lock_going(conn: &mut MySqlConnection, id: i64) -> DbResult<Option<Going>> {
    let is_booking = sqlx::query_scalar!(
        r#"
        SELECT booking_at IS NOT NULL AS "is_booking!: bool"
        FROM stocktakes
        WHERE id = ? AND going = 1
        FOR UPDATE
        "#,
        id
    );
    let is_booking = is_booking.fetch_optional(conn).await?;
    Ok(is_booking.map(|is_booking| {
        if is_booking {
            Going::Booking
        } else {
            Going::Counting
        }
    }))
}

/// Notes that the counts of a stocktake are being booked, unless that is noted already.
pub async fn begin_booking(
    conn: &mut MySqlConnection,
    id: i64,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE stocktakes SET booking_at = COALESCE(booking_at, ?) WHERE id = ?",
        now,
        id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a stocktake that the caller has locked.
pub async fn end_stocktake(
    conn: &mut MySqlConnection,
    id: i64,
    by: AccountId,
    dropped: bool,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE stocktakes SET finished_by = ?, finished_at = ?, dropped = ?, going = NULL WHERE id = ?",
        by.0,
        now,
        dropped,
        id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes how many bags of a bean were counted; the newest count of a bean stands.
pub async fn note_count(
    conn: &mut MySqlConnection,
    stocktake: i64,
    bean: BeanId,
    bags: i64,
    by: AccountId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO stocktake_counts (stocktake_id, bean_id, bags, counted_at, counted_by)
        VALUES (?, ?, ?, ?, ?)
        ON DUPLICATE KEY UPDATE
            bags = VALUES(bags),
            counted_at = VALUES(counted_at),
            counted_by = VALUES(counted_by),
            movement = NULL,
            problem = NULL
        "#,
        stocktake,
        bean.0,
        bags,
        now,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes what became of a count: the movement that booked it, or why it was not booked.
pub async fn settle_count(
    conn: &mut MySqlConnection,
    stocktake: i64,
    line: &CountLine,
    booked: Result<i64, &str>,
) -> DbResult<()> {
    // A count that has been replaced meanwhile is another one.
    sqlx::query!(
        r#"
        UPDATE stocktake_counts
        SET movement = ?, problem = LEFT(?, 500)
        WHERE stocktake_id = ? AND bean_id = ? AND counted_at = ?
        "#,
        booked.ok(),
        booked.err(),
        stocktake,
        line.bean.0,
        line.counted_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was counted of a bean.
#[derive(Debug, Clone)]
pub struct CountLine {
    pub bean: BeanId,
    pub product_name: String,
    pub supplier_name: String,
    pub bags: i64,
    pub counted_at: DateTime<Utc>,
    /// By whom, by name.
    pub counted_by: String,
    /// By whom.
    pub counter: AccountId,
    /// What the books say there were at that moment, without this count.
    pub expected: i64,
    /// The movement that booked it.
    pub movement: Option<i64>,
    /// Why it was not booked.
    pub problem: Option<String>,
}

impl CountLine {
    /// Whether it has still to be booked.
    pub fn is_pending(&self) -> bool {
        self.movement.is_none() && self.problem.is_none()
    }
}

/// Whether a stocktake has counts that have still to be booked.
pub async fn has_pending(conn: &mut MySqlConnection, stocktake: i64) -> DbResult<bool> {
    let has = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT 1
            FROM stocktake_counts
            WHERE stocktake_id = ? AND movement IS NULL AND problem IS NULL
        ) AS "has!: bool"
        "#,
        stocktake
    );
    Ok(has.fetch_one(conn).await?)
}

/// Lists what was counted, the newest first.
pub async fn list_counts(conn: &mut MySqlConnection, stocktake: i64) -> DbResult<Vec<CountLine>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            c.bean_id,
            b.product_name,
            s.name AS supplier_name,
            c.bags,
            c.counted_at AS "counted_at: DateTime<Utc>",
            a.name AS counted_by,
            c.counted_by AS counter,
            CAST(
                CASE
                    WHEN c.movement IS NULL THEN b.quantity - COALESCE((
                        SELECT SUM(m.change_by)
                        FROM stock_movements AS m
                        WHERE m.bean_id = c.bean_id
                            AND m.created_at > c.counted_at
                            AND COALESCE(m.occurred_at, m.created_at) > c.counted_at
                    ), 0)
                    ELSE c.bags - (
                        SELECT m.change_by
                        FROM stock_movements AS m
                        WHERE m.bean_id = c.bean_id AND m.sequence = c.movement
                    )
                END AS SIGNED
            ) AS "expected!: i64",
            c.movement,
            c.problem
        FROM stocktake_counts AS c
        JOIN beans AS b ON b.id = c.bean_id
        JOIN suppliers AS s ON s.id = b.supplier_id
        JOIN accounts AS a ON a.id = c.counted_by
        WHERE c.stocktake_id = ?
        ORDER BY c.counted_at DESC
        "#,
        stocktake
    )
    .fetch_all(conn)
    .await?;
    let line = rows.into_iter().map(|row| CountLine {
        bean: BeanId(row.bean_id),
        product_name: row.product_name,
        supplier_name: row.supplier_name,
        bags: row.bags,
        counted_at: row.counted_at,
        counted_by: row.counted_by,
        counter: AccountId(row.counter),
        expected: row.expected,
        movement: row.movement,
        problem: row.problem,
    });
    Ok(line.collect())
}

/// A bean that has still to be counted.
#[derive(Debug, Clone)]
pub struct Uncounted {
    pub bean: BeanId,
    pub product_name: String,
    pub supplier_name: String,
}

/// Lists beans that have still to be counted, by supplier and name, as they stand on a shelf.
pub async fn list_uncounted(
    conn: &mut MySqlConnection,
    stocktake: i64,
    limit: i64,
) -> DbResult<Vec<Uncounted>> {
    let rows = sqlx::query!(
        r#"
        SELECT b.id, b.product_name, s.name AS supplier_name
        FROM beans AS b
        JOIN suppliers AS s ON s.id = b.supplier_id
        LEFT JOIN stocktake_counts AS c ON c.stocktake_id = ? AND c.bean_id = b.id
        WHERE b.removed_at IS NULL AND c.bean_id IS NULL
        ORDER BY s.name, b.product_name, b.id
        LIMIT ?
        "#,
        stocktake,
        limit
    )
    .fetch_all(conn)
    .await?;
    let bean = rows.into_iter().map(|row| Uncounted {
        bean: BeanId(row.id),
        product_name: row.product_name,
        supplier_name: row.supplier_name,
    });
    Ok(bean.collect())
}

/// Counts the beans that have still to be counted.
pub async fn count_uncounted(conn: &mut MySqlConnection, stocktake: i64) -> DbResult<i64> {
    let number = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "number!: i64"
        FROM beans AS b
        LEFT JOIN stocktake_counts AS c ON c.stocktake_id = ? AND c.bean_id = b.id
        WHERE b.removed_at IS NULL AND c.bean_id IS NULL
        "#,
        stocktake
    );
    Ok(number.fetch_one(conn).await?)
}
