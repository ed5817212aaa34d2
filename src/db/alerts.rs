//! SQL for alerts about beans.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::code;
use crate::domain::{AccountId, AlertKind, BeanId, Crossing};

/// An alert as its page shows it.
#[derive(Debug, Clone)]
pub struct AlertLine {
    pub id: i64,
    pub bean: BeanId,
    pub product_name: String,
    pub supplier_name: String,
    pub kind: AlertKind,
    /// The bags there are now.
    pub quantity: i64,
    /// Where its line was when it began, in bags.
    pub alert_at: Option<i64>,
    pub began_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Who looks after it, by name.
    pub acknowledged_by: Option<String>,
    pub muted_until: Option<DateTime<Utc>>,
}

struct AlertRow {
    id: i64,
    bean_id: i64,
    product_name: String,
    supplier_name: String,
    kind: String,
    quantity: i64,
    alert_at: Option<i64>,
    began_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    acknowledged_by: Option<String>,
    muted_until: Option<DateTime<Utc>>,
}

impl TryFrom<AlertRow> for AlertLine {
    type Error = super::DbError;

    fn try_from(row: AlertRow) -> DbResult<Self> {
        Ok(Self {
            id: row.id,
            bean: BeanId(row.bean_id),
            product_name: row.product_name,
            supplier_name: row.supplier_name,
            kind: code("alerts", "kind", &row.kind, AlertKind::from_code)?,
            quantity: row.quantity,
            alert_at: row.alert_at,
            began_at: row.began_at,
            ended_at: row.ended_at,
            acknowledged_by: row.acknowledged_by,
            muted_until: row.muted_until,
        })
    }
}

/// Alerts with what a condition, an order and a limit say.
macro_rules! query_alerts {
    ($rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            AlertRow,
            r#"
            SELECT
                l.id AS "id!",
                l.bean_id AS "bean_id!",
                b.product_name AS "product_name!",
                s.name AS "supplier_name!",
                l.kind AS "kind!",
                b.quantity AS "quantity!",
                l.alert_at,
                l.began_at AS "began_at!: DateTime<Utc>",
                l.ended_at AS "ended_at: DateTime<Utc>",
                a.name AS acknowledged_by,
                l.muted_until AS "muted_until: DateTime<Utc>"
            FROM alerts AS l
            JOIN beans AS b ON b.id = l.bean_id
            JOIN suppliers AS s ON s.id = b.supplier_id
            LEFT JOIN accounts AS a ON a.id = l.acknowledged_by
            "#
                + $rest,
            $($argument),+
        )
    };
}

/// Writes down what begins and what is over, in the transaction that has changed the stock of these beans.
pub async fn record_crossings(
    conn: &mut MySqlConnection,
    crossings: &[Crossing],
    now: DateTime<Utc>,
) -> DbResult<()> {
    for crossing in crossings {
        let (bean, kind) = (crossing.bean.0, crossing.kind.code());
        if crossing.begins {
            sqlx::query!(
                r#"
                INSERT INTO alerts (bean_id, kind, quantity, alert_at, began_at)
                VALUES (?, ?, ?, ?, ?)
                ON DUPLICATE KEY UPDATE id = id
                "#,
                bean,
                kind,
                crossing.quantity,
                crossing.alert_at,
                now
            )
            .execute(&mut *conn)
            .await?;
        } else {
            sqlx::query!(
                r#"
                UPDATE alerts
                SET ended_at = ?, going = NULL, unnotified = COALESCE(unnotified, 0) | 2
                WHERE bean_id = ? AND kind = ? AND going = 1
                "#,
                now,
                bean,
                kind
            )
            .execute(&mut *conn)
            .await?;
        }
    }
    Ok(())
}

/// Ends what is going on about a bean that is taken off the list.
pub async fn end_alerts_of(
    conn: &mut MySqlConnection,
    bean: BeanId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE alerts SET ended_at = ?, going = NULL, unnotified = NULL WHERE bean_id = ? AND going = 1",
        now,
        bean.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists the alerts that are going on, the newest first.
pub async fn list_going_alerts(conn: &mut MySqlConnection, limit: i64) -> DbResult<Vec<AlertLine>> {
    let rows = query_alerts!(
        "WHERE l.going = 1 ORDER BY l.began_at DESC, l.id DESC LIMIT ?",
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(AlertLine::try_from).collect()
}

/// Lists the alerts that ended after a moment, the newest first.
pub async fn list_ended_alerts(
    conn: &mut MySqlConnection,
    since: DateTime<Utc>,
    limit: i64,
) -> DbResult<Vec<AlertLine>> {
    let rows = query_alerts!(
        "WHERE l.ended_at > ? ORDER BY l.ended_at DESC, l.id DESC LIMIT ?",
        since,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(AlertLine::try_from).collect()
}

/// Finds an alert.
pub async fn find_alert(conn: &mut MySqlConnection, id: i64) -> DbResult<Option<AlertLine>> {
    let row = query_alerts!("WHERE l.id = ?", id);
    let row = row.fetch_optional(conn).await?;
    row.map(AlertLine::try_from).transpose()
}

/// Notes who looks after an alert; whoever was first stays. One that is over is left as it is.
pub async fn acknowledge_alert(
    conn: &mut MySqlConnection,
    alert: i64,
    by: AccountId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE alerts
        SET acknowledged_at = COALESCE(acknowledged_at, ?), acknowledged_by = COALESCE(acknowledged_by, ?)
        WHERE id = ? AND going = 1
        "#,
        now,
        by.0,
        alert
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Mutes an alert until a moment, or not any more. One that is over is left as it is.
pub async fn mute_alert(
    conn: &mut MySqlConnection,
    alert: i64,
    until: Option<DateTime<Utc>>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE alerts SET muted_until = ? WHERE id = ? AND going = 1",
        until,
        alert
    )
    .execute(conn)
    .await?;
    Ok(())
}
