//! SQL for the message groups that wait for their first message, as the consumers have recorded it.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use crate::domain::{BeanType, UpdateId, UpdateKind};

/// A message group whose first message was refused and is tried again: those behind it wait.
#[derive(Debug, Clone)]
pub struct Lane {
    /// The update that its first message carries.
    pub head: UpdateId,
    pub supplier: Option<i64>,
    /// That supplier's name, if there is one.
    pub supplier_name: Option<String>,
    pub bean_type: Option<String>,
    pub kind: Option<UpdateKind>,
    pub quantity: Option<i64>,
    /// Why it was refused the last time.
    pub explanation: Option<String>,
    /// How often it was received, and after how many times the queue gives it up.
    pub receive_count: Option<i32>,
    pub receive_limit: Option<i32>,
    /// When that was.
    pub tried_at: Option<DateTime<Utc>>,
}

impl Lane {
    /// The supplier and the key of the bean, which make the group of our own messages; none if they could not be read.
    pub fn group(&self) -> Option<(i64, String)> {
        let bean_type = BeanType::stored(self.bean_type.clone()?);
        Some((self.supplier?, bean_type.key()))
    }
}

/// Lists the updates that were refused and are tried again, those that have waited longest first: also dead letters
/// that were sent again.
pub async fn list_tried_again(conn: &mut MySqlConnection, limit: i64) -> DbResult<Vec<Lane>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            u.id AS "id!: Uuid",
            u.supplier_id,
            s.name AS "supplier_name?",
            u.bean_type,
            u.kind,
            u.quantity,
            u.explanation,
            e.receive_count AS "receive_count?",
            e.receive_limit AS "receive_limit?",
            e.at AS "at?: DateTime<Utc>"
        FROM (
            SELECT r.id
            FROM inventory_updates AS r FORCE INDEX (idx_inventory_updates_state_accepted_at)
            WHERE r.state = 'refused'
            UNION
            SELECT d.update_id
            FROM dead_letters AS d FORCE INDEX (idx_dead_letters_tried_at)
            WHERE d.tried_at IS NOT NULL AND d.state = 'open'
        ) AS tried
        JOIN inventory_updates AS u ON u.id = tried.id
        LEFT JOIN suppliers AS s ON s.id = u.supplier_id
        LEFT JOIN update_events AS e ON e.id = (
            SELECT MAX(l.id) FROM update_events AS l WHERE l.update_id = u.id AND l.event = 'refused'
        )
        ORDER BY u.accepted_at, u.id
        LIMIT ?
        "#,
        limit
    )
    .fetch_all(conn)
    .await?;
    let lane = rows.into_iter().map(|row| Lane {
        head: UpdateId(row.id),
        supplier: row.supplier_id,
        supplier_name: row.supplier_name,
        bean_type: row.bean_type,
        kind: row.kind.as_deref().and_then(UpdateKind::from_code),
        quantity: row.quantity,
        explanation: row.explanation,
        receive_count: row.receive_count,
        receive_limit: row.receive_limit,
        tried_at: row.at,
    });
    Ok(lane.collect())
}

/// Counts the updates of a lane that we have published and that have no end yet, among the `most` that its supplier
/// has waited for longest.
pub async fn count_behind(conn: &mut MySqlConnection, lane: &Lane, most: i64) -> DbResult<i64> {
    let number = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "number!: i64"
        FROM (
            SELECT id, bean_type
            FROM inventory_updates FORCE INDEX (idx_inventory_updates_supplier_id_state_accepted_at)
            WHERE supplier_id = ? AND state = 'published'
            ORDER BY accepted_at
            LIMIT ?
        ) AS published
        WHERE bean_type = ? AND id <> ?
        "#,
        lane.supplier,
        most,
        lane.bean_type,
        lane.head.0
    );
    Ok(number.fetch_one(conn).await?)
}
