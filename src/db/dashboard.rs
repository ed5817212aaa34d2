//! SQL for the figures of the dashboard, each for all who look at it.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::rows::code;
use super::{DbResult, parked_records, stream_held, stream_shards};
use crate::domain::{BeanId, Reason};

/// How the stock stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockFigures {
    pub beans: i64,
    pub bags: i64,
    pub suppliers: i64,
    /// Beans of which there are none.
    pub out: i64,
    /// Beans at or below their alert line, of which there are some.
    pub low: i64,
    /// Beans of which their supplier has none.
    pub out_at_supplier: i64,
}

pub async fn sum_stock(conn: &mut MySqlConnection) -> DbResult<StockFigures> {
    let figures = sqlx::query_as!(
        StockFigures,
        r#"
        SELECT
            COUNT(*) AS "beans!: i64",
            CAST(COALESCE(SUM(quantity), 0) AS SIGNED) AS "bags!: i64",
            COUNT(DISTINCT supplier_id) AS "suppliers!: i64",
            COUNT(CASE WHEN quantity = 0 THEN 1 END) AS "out!: i64",
            COUNT(CASE WHEN quantity > 0 AND quantity <= alert_at THEN 1 END) AS "low!: i64",
            COUNT(out_of_stock_since) AS "out_at_supplier!: i64"
        FROM beans
        WHERE removed_at IS NULL
        "#
    );
    Ok(figures.fetch_one(conn).await?)
}

/// A bean that is named on a tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBean {
    pub id: BeanId,
    pub product_name: String,
    pub quantity: i64,
}

/// Lists the beans with an alert of a kind, the newest first, as many as a tile names.
pub async fn list_alarming(conn: &mut MySqlConnection, kind: &str) -> DbResult<Vec<NamedBean>> {
    let rows = sqlx::query!(
        r#"
        SELECT b.id, b.product_name, b.quantity
        FROM alerts AS a FORCE INDEX (idx_alerts_going)
        STRAIGHT_JOIN beans AS b ON b.id = a.bean_id
        WHERE a.going = 1 AND a.kind = ?
        ORDER BY a.began_at DESC
        LIMIT 3
        "#,
        kind
    )
    .fetch_all(conn)
    .await?;
    let bean = rows.into_iter().map(|row| NamedBean {
        id: BeanId(row.id),
        product_name: row.product_name,
        quantity: row.quantity,
    });
    Ok(bean.collect())
}

/// A bean whose stock is drawn beside others'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnBean {
    pub id: BeanId,
    pub product_name: String,
    pub supplier_name: String,
    pub quantity: i64,
    pub alert_at: Option<i64>,
}

/// Lists the beans with the most bags.
pub async fn list_fullest(conn: &mut MySqlConnection, limit: i64) -> DbResult<Vec<DrawnBean>> {
    let rows = sqlx::query!(
        r#"
        SELECT b.id, b.product_name, s.name AS supplier_name, b.quantity, b.alert_at
        FROM beans AS b
        JOIN suppliers AS s ON s.id = b.supplier_id
        WHERE b.removed_at IS NULL
        ORDER BY b.quantity DESC, b.id
        LIMIT ?
        "#,
        limit
    )
    .fetch_all(conn)
    .await?;
    let bean = rows.into_iter().map(|row| DrawnBean {
        id: BeanId(row.id),
        product_name: row.product_name,
        supplier_name: row.supplier_name,
        quantity: row.quantity,
        alert_at: row.alert_at,
    });
    Ok(bean.collect())
}

/// What waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub number: i64,
    /// When the oldest was accepted.
    pub oldest: Option<DateTime<Utc>>,
}

pub async fn count_waiting(conn: &mut MySqlConnection) -> DbResult<Waiting> {
    let waiting = sqlx::query_as!(
        Waiting,
        r#"
        SELECT COUNT(*) AS "number!: i64", MIN(accepted_at) AS "oldest: DateTime<Utc>"
        FROM inventory_updates
        WHERE state IN ('accepted', 'published', 'refused')
        "#
    );
    Ok(waiting.fetch_one(conn).await?)
}

/// What waits for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attention {
    pub letters: i64,
    /// When the oldest came.
    pub oldest: Option<DateTime<Utc>>,
    /// Why most of them failed.
    pub top_reason: Option<Reason>,
}

/// Counts what waits for somebody.
pub async fn count_attention(conn: &mut MySqlConnection) -> DbResult<Attention> {
    let rows = sqlx::query!(
        r#"
        SELECT reason, COUNT(*) AS "number!: i64", MIN(collected_at) AS "oldest: DateTime<Utc>"
        FROM dead_letters
        WHERE state = 'open'
        GROUP BY reason
        ORDER BY COUNT(*) DESC, reason
        "#
    )
    .fetch_all(conn)
    .await?;
    let top = rows.first();
    let top = top.map(|row| code("dead_letters", "reason", &row.reason, Reason::from_code));
    Ok(Attention {
        letters: rows.iter().map(|row| row.number).sum(),
        oldest: rows.iter().filter_map(|row| row.oldest).min(),
        top_reason: top.transpose()?,
    })
}

/// Counts the updates applied after a moment; at most 100,000.
pub async fn count_applied_since(
    conn: &mut MySqlConnection,
    since: DateTime<Utc>,
) -> DbResult<i64> {
    let number = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "number!: i64"
        FROM (
            SELECT 1
            FROM inventory_updates FORCE INDEX (idx_inventory_updates_finished_at)
            WHERE finished_at > ? AND state = 'applied'
            LIMIT 100000
        ) AS applied
        "#,
        since
    );
    Ok(number.fetch_one(conn).await?)
}

/// Tells in microseconds how long each of the last 1,000 updates that were applied after a moment took, from
/// when it was sent.
pub async fn list_times_to_apply(
    conn: &mut MySqlConnection,
    since: DateTime<Utc>,
) -> DbResult<Vec<i64>> {
    let times = sqlx::query_scalar!(
        r#"
        SELECT TIMESTAMPDIFF(
            MICROSECOND, LEAST(COALESCE(sent_at, accepted_at), accepted_at), finished_at
        ) AS "time!: i64"
        FROM inventory_updates FORCE INDEX (idx_inventory_updates_finished_at)
        WHERE finished_at > ? AND state = 'applied'
        ORDER BY finished_at DESC
        LIMIT 1000
        "#,
        since
    );
    Ok(times.fetch_all(conn).await?)
}

/// Dead letters of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterDay {
    /// How many days ago it was, counted in 24 hours.
    pub days_ago: i64,
    pub opened: i64,
    pub closed: i64,
}

/// Counts the letters that came and were closed in the last 14 times 24 hours.
pub async fn list_letter_days(conn: &mut MySqlConnection) -> DbResult<Vec<LetterDay>> {
    let rows = sqlx::query_as!(
        LetterDay,
        r#"
        SELECT
            days.days_ago AS "days_ago!: i64",
            CAST(SUM(days.opened) AS SIGNED) AS "opened!: i64",
            CAST(SUM(days.closed) AS SIGNED) AS "closed!: i64"
        FROM (
            SELECT TIMESTAMPDIFF(DAY, collected_at, UTC_TIMESTAMP(6)) AS days_ago, 1 AS opened, 0 AS closed
            FROM dead_letters
            WHERE collected_at > UTC_TIMESTAMP(6) - INTERVAL 14 DAY
            UNION ALL
            SELECT TIMESTAMPDIFF(DAY, closed_at, UTC_TIMESTAMP(6)), 0, 1
            FROM dead_letters
            WHERE closed_at > UTC_TIMESTAMP(6) - INTERVAL 14 DAY
        ) AS days
        GROUP BY days.days_ago
        ORDER BY days.days_ago DESC
        "#
    );
    Ok(rows.fetch_all(conn).await?)
}

/// What somebody has to look at about the stream of stock movements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamTrouble {
    /// Beans of which a movement has been missing for a minute.
    pub gaps: i64,
    /// Records that nobody can read.
    pub parked: i64,
    /// Whether records expired before anybody read them.
    pub has_expired: bool,
}

/// Finds what somebody has to look at about the stream.
pub async fn find_stream_trouble(conn: &mut MySqlConnection) -> DbResult<StreamTrouble> {
    Ok(StreamTrouble {
        gaps: stream_held::count_gaps(conn).await?,
        parked: parked_records::count_parked(conn).await?,
        has_expired: stream_shards::has_trimmed(conn).await?,
    })
}
