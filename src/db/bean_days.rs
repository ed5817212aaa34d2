//! SQL for how many bags of each bean went on each day, and for what was unusual.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::{code, datetime, json};
use crate::domain::{BeanDay, BeanId, MovementKind, SupplierId};

/// What movements add to a bean's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DayChange {
    pub bean: i64,
    #[serde(flatten)]
    pub day: BeanDay,
}

/// Adds to days.
pub async fn add_to_days(conn: &mut MySqlConnection, changes: &[DayChange]) -> DbResult<()> {
    if changes.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO bean_days (bean_id, day, uses, used, counts, missing)
        SELECT new.bean, new.day, new.uses, new.used, new.counts, new.missing
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            day DATE PATH '$.day',
            uses BIGINT PATH '$.uses',
            used BIGINT PATH '$.used',
            counts BIGINT PATH '$.counts',
            missing BIGINT PATH '$.missing'
        )) AS new
        ON DUPLICATE KEY UPDATE
            uses = bean_days.uses + VALUES(uses),
            used = bean_days.used + VALUES(used),
            counts = bean_days.counts + VALUES(counts),
            missing = bean_days.missing + VALUES(missing)
        "#,
        json(&changes)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What the stream tells of a bean's days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDays {
    /// From when on its movements are known.
    pub since: DateTime<Utc>,
    /// The days on which something happened, oldest first.
    pub days: Vec<BeanDay>,
}

/// A bean with a movement that the stream's reader has not seen for longer than this, in seconds, is left out.
const UP_TO_DATE_WITHIN: i64 = 3_600;

/// Lists the days of beans since one. Beans that the stream does not tell of, or not any more, are absent.
pub async fn list_days(
    conn: &mut MySqlConnection,
    beans: &[BeanId],
    since: NaiveDate,
) -> DbResult<HashMap<BeanId, KnownDays>> {
    if beans.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<i64> = beans.iter().map(|bean| bean.0).collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            w.bean_id AS "bean_id!: i64",
            w.since AS "since!: DateTime<Utc>",
            d.day AS "day?: NaiveDate",
            d.uses AS "uses?: i64",
            d.used AS "used?: i64",
            d.counts AS "counts?: i64",
            d.missing AS "missing?: i64"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        STRAIGHT_JOIN stream_beans AS w ON w.bean_id = wanted.id AND NOT EXISTS (
            SELECT 1
            FROM stock_movements AS s
            WHERE s.bean_id = w.bean_id AND s.sequence = w.seen + 1
                AND s.created_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND
        )
        LEFT JOIN bean_days AS d ON d.bean_id = w.bean_id AND d.day >= ?
        ORDER BY w.bean_id, d.day
        "#,
        json(&ids),
        UP_TO_DATE_WITHIN,
        since
    )
    .fetch_all(conn)
    .await?;
    let mut known: HashMap<BeanId, KnownDays> = HashMap::new();
    for row in rows {
        let known = known.entry(BeanId(row.bean_id));
        let known = known.or_insert_with(|| KnownDays {
            since: row.since,
            days: Vec::new(),
        });
        let Some(day) = row.day else {
            continue;
        };
        known.days.push(BeanDay {
            day,
            uses: row.uses.unwrap_or_default(),
            used: row.used.unwrap_or_default(),
            counts: row.counts.unwrap_or_default(),
            missing: row.missing.unwrap_or_default(),
        });
    }
    Ok(known)
}

/// A movement that is far from what is usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewUnusual {
    pub bean: i64,
    pub sequence: i64,
    pub kind: &'static str,
    pub change_by: i64,
    /// The median of those before it.
    pub usual: i64,
    #[serde(serialize_with = "datetime")]
    pub at: Option<DateTime<Utc>>,
}

/// Notes movements that are unusual.
pub async fn insert_unusual(conn: &mut MySqlConnection, unusual: &[NewUnusual]) -> DbResult<()> {
    if unusual.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO unusual_movements (bean_id, sequence, kind, change_by, usual, at)
        SELECT new.bean, new.sequence, new.kind, new.change_by, new.usual, new.at
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            sequence BIGINT PATH '$.sequence',
            kind VARCHAR(16) PATH '$.kind',
            change_by BIGINT PATH '$.change_by',
            usual BIGINT PATH '$.usual',
            at DATETIME(6) PATH '$.at'
        )) AS new
        ON DUPLICATE KEY UPDATE unusual_movements.bean_id = unusual_movements.bean_id
        "#,
        json(&unusual)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets movements that were taken back: (bean, sequence).
pub async fn delete_unusual(conn: &mut MySqlConnection, undone: &[(i64, i64)]) -> DbResult<()> {
    if undone.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        DELETE u
        FROM JSON_TABLE(?, '$[*]' COLUMNS (bean BIGINT PATH '$[0]', sequence BIGINT PATH '$[1]')) AS gone
        STRAIGHT_JOIN unusual_movements AS u ON u.bean_id = gone.bean AND u.sequence = gone.sequence
        "#,
        json(&undone)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A movement that is far from what is usual, with its bean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusualMovement {
    pub bean: BeanId,
    pub bean_name: String,
    pub supplier_name: String,
    pub sequence: i64,
    pub kind: MovementKind,
    pub change_by: i64,
    pub usual: i64,
    pub at: DateTime<Utc>,
}

impl UnusualMovement {
    /// Whether it can be undone by itself: a delivery belongs to an update.
    pub fn is_undoable(&self) -> bool {
        matches!(self.kind, MovementKind::Use | MovementKind::Count)
    }
}

/// Whose unusual movements are looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whose {
    pub bean: Option<BeanId>,
    pub supplier: Option<SupplierId>,
}

/// Lists unusual movements of the beans on the list since a moment, newest first. One that was taken back is left out at
/// once, before the stream tells of it.
pub async fn list_unusual(
    conn: &mut MySqlConnection,
    whose: Whose,
    since: DateTime<Utc>,
    limit: i64,
) -> DbResult<Vec<UnusualMovement>> {
    let (bean, supplier) = (whose.bean.map(|id| id.0), whose.supplier.map(|id| id.0));
    let rows = sqlx::query!(
        r#"
        SELECT
            u.bean_id,
            b.product_name,
            s.name AS supplier_name,
            u.sequence,
            u.kind,
            u.change_by,
            u.usual,
            u.at AS "at: DateTime<Utc>"
        FROM unusual_movements AS u
        JOIN beans AS b ON b.id = u.bean_id AND b.removed_at IS NULL
        JOIN suppliers AS s ON s.id = b.supplier_id
        LEFT JOIN stock_movements AS back ON back.bean_id = u.bean_id AND back.undoes = u.sequence
        WHERE u.at > ? AND back.sequence IS NULL AND (? IS NULL OR u.bean_id = ?) AND (? IS NULL OR b.supplier_id = ?)
        ORDER BY u.at DESC, u.bean_id, u.sequence
        LIMIT ?
        "#,
        since,
        bean,
        bean,
        supplier,
        supplier,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = MovementKind::from_code;
            Ok(UnusualMovement {
                bean: BeanId(row.bean_id),
                bean_name: row.product_name,
                supplier_name: row.supplier_name,
                sequence: row.sequence,
                kind: code("unusual_movements", "kind", &row.kind, kind)?,
                change_by: row.change_by,
                usual: row.usual,
                at: row.at,
            })
        })
        .collect()
}

/// A bean whose forecast is older than what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForecastDue {
    pub bean: BeanId,
    pub quantity: i64,
    /// The newest movement that was counted.
    pub seen: i64,
}

/// Lists beans whose forecast is older than their last movement on the stream, or than a day; the oldest first.
pub async fn list_forecasts_due(
    conn: &mut MySqlConnection,
    limit: i64,
) -> DbResult<Vec<ForecastDue>> {
    let rows = sqlx::query!(
        r#"
        SELECT bean_id, quantity, seen
        FROM stream_beans
        WHERE forecast_at IS NULL OR forecast_at < seen_at OR forecast_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY
        ORDER BY forecast_at, bean_id
        LIMIT ?
        "#,
        limit
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter().map(|row| ForecastDue {
        bean: BeanId(row.bean_id),
        quantity: row.quantity,
        seen: row.seen,
    });
    Ok(rows.collect())
}

/// When a bean is likely to run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Forecast {
    pub bean: i64,
    /// As of this movement.
    pub seen: i64,
    /// `None` if that is unknown, or far away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<NaiveDate>,
}

/// Writes down when beans are likely to run out; of one that has moved on meanwhile, that is worked out again.
pub async fn set_forecasts(conn: &mut MySqlConnection, forecasts: &[Forecast]) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            seen BIGINT PATH '$.seen',
            day DATE PATH '$.on'
        )) AS new
        STRAIGHT_JOIN stream_beans AS b FORCE INDEX (PRIMARY) ON b.bean_id = new.bean
        SET b.runs_out_on = new.day, b.forecast_at = GREATEST(UTC_TIMESTAMP(6), b.seen_at)
        WHERE b.seen = new.seen
        "#,
        json(&forecasts)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists the beans on the list that are likely to run out by a day, the next ones first; of those that there are none
/// of, nobody needs to be told.
pub async fn list_running_out(
    conn: &mut MySqlConnection,
    by: NaiveDate,
    limit: i64,
) -> DbResult<Vec<BeanId>> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT w.bean_id
        FROM stream_beans AS w
        JOIN beans AS b ON b.id = w.bean_id AND b.removed_at IS NULL AND b.quantity > 0
        WHERE w.runs_out_on <= ?
        ORDER BY w.runs_out_on, w.bean_id
        LIMIT ?
        "#,
        by,
        limit
    );
    let ids = ids.fetch_all(conn).await?;
    Ok(ids.into_iter().map(BeanId).collect())
}

/// Forgets days that no forecast looks at any more, and unusual movements that no page shows any more.
pub async fn forget_old_days(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!("DELETE FROM bean_days WHERE day < CURRENT_DATE() - INTERVAL 70 DAY LIMIT 10000")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "DELETE FROM unusual_movements WHERE at < UTC_TIMESTAMP() - INTERVAL 60 DAY LIMIT 10000"
    )
    .execute(conn)
    .await?;
    Ok(())
}
