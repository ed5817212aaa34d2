//! SQL for pages that are being watched: where things stand, for all watchers at once.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use super::accounts::role;
use super::rows::{hex, json};
use super::sessions::SessionLimits;
use crate::domain::{Role, SupplierId, UpdateId};

/// What tells one state of an update's page from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    state: String,
    /// The newest step of its timeline.
    step: Option<i64>,
    /// The states of what fixes or corrects it.
    followers: Option<String>,
}

/// Reads the versions of updates; one that does not exist is absent.
pub async fn list_versions(
    conn: &mut MySqlConnection,
    updates: &[UpdateId],
) -> DbResult<HashMap<UpdateId, Version>> {
    if updates.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = updates.iter().map(|id| hex(id.0)).collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            u.id AS "id!: Uuid",
            u.state AS "state!",
            (SELECT MAX(e.id) FROM update_events AS e WHERE e.update_id = u.id) AS "step: i64",
            (
                SELECT GROUP_CONCAT(f.state ORDER BY f.id)
                FROM inventory_updates AS f
                WHERE f.follows_id = u.id
            ) AS "followers: String"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
        STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = UNHEX(wanted.id)
        "#,
        json(&ids)
    )
    .fetch_all(conn)
    .await?;
    let version = rows.into_iter().map(|row| {
        let version = Version {
            state: row.state,
            step: row.step,
            followers: row.followers,
        };
        (UpdateId(row.id), version)
    });
    Ok(version.collect())
}

/// Says which of the sessions go on, and what their owners may do now.
pub async fn list_going_sessions(
    conn: &mut MySqlConnection,
    sessions: &[i64],
    limits: SessionLimits,
) -> DbResult<HashMap<i64, Role>> {
    let rows = sqlx::query!(
        r#"
        SELECT s.id AS "id!", a.role AS "role!", a.supplier_id
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        STRAIGHT_JOIN sessions AS s FORCE INDEX (PRIMARY) ON s.id = wanted.id
        JOIN accounts AS a ON a.id = s.account_id
        LEFT JOIN suppliers AS bound ON bound.id = a.supplier_id
        WHERE s.last_seen_at > UTC_TIMESTAMP(6) - INTERVAL ? SECOND
            AND s.created_at > UTC_TIMESTAMP(6) - INTERVAL ? SECOND
            AND a.disabled_at IS NULL
            AND bound.removed_at IS NULL
        "#,
        json(&sessions),
        limits.idle.as_secs(),
        limits.absolute.as_secs()
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.id, role(&row.role, row.supplier_id)?)))
        .collect()
}

/// As many new updates are counted; more are “more than” so many.
pub const COUNTED_NEW: i64 = 500;

/// And as many of all the suppliers together that watch.
const COUNTED_NEW_OF_SUPPLIERS: i64 = 5_000;

/// An update that we first saw a short time ago.
#[derive(Debug, Clone, Copy)]
pub struct NewUpdate {
    pub id: UpdateId,
    pub supplier: Option<SupplierId>,
    pub accepted_at: DateTime<Utc>,
}

struct NewUpdateRow {
    id: Uuid,
    supplier_id: Option<i64>,
    accepted_at: DateTime<Utc>,
}

impl From<NewUpdateRow> for NewUpdate {
    fn from(row: NewUpdateRow) -> Self {
        Self {
            id: UpdateId(row.id),
            supplier: row.supplier_id.map(SupplierId),
            accepted_at: row.accepted_at,
        }
    }
}

/// Lists the updates that we first saw after a moment, the newest first; at most [`COUNTED_NEW`].
pub async fn list_new(
    conn: &mut MySqlConnection,
    since: DateTime<Utc>,
) -> DbResult<Vec<NewUpdate>> {
    let rows = sqlx::query_as!(
        NewUpdateRow,
        r#"
        SELECT id AS "id: Uuid", supplier_id, accepted_at AS "accepted_at: DateTime<Utc>"
        FROM inventory_updates
        WHERE accepted_at > ?
        ORDER BY accepted_at DESC
        LIMIT ?
        "#,
        since,
        COUNTED_NEW
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(NewUpdate::from).collect())
}

/// Lists the updates of some suppliers that we first saw after a moment, the newest first; at most 5,000.
pub async fn list_new_of_suppliers(
    conn: &mut MySqlConnection,
    suppliers: &[SupplierId],
    since: DateTime<Utc>,
) -> DbResult<Vec<NewUpdate>> {
    if suppliers.is_empty() {
        return Ok(Vec::new());
    }
    let suppliers: Vec<i64> = suppliers.iter().map(|supplier| supplier.0).collect();
    let rows = sqlx::query_as!(
        NewUpdateRow,
        r#"
        SELECT
            u.id AS "id!: Uuid",
            u.supplier_id,
            u.accepted_at AS "accepted_at!: DateTime<Utc>"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (idx_inventory_updates_supplier_id_accepted_at)
            ON u.supplier_id = wanted.id AND u.accepted_at > ?
        ORDER BY u.accepted_at DESC
        LIMIT ?
        "#,
        json(&suppliers),
        since,
        COUNTED_NEW_OF_SUPPLIERS
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(NewUpdate::from).collect())
}
