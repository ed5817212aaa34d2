//! SQL for the inbox: which update ids have had their one end.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{hex, hex_bytes, json};
use super::{DbError, DbResult};
use crate::domain::{Fingerprint, UpdateId, UpdateState};

/// An end to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// Whose.
    pub id: UpdateId,
    /// What the update meant.
    pub fingerprint: Fingerprint,
    /// Which end.
    pub state: UpdateState,
}

#[derive(Serialize)]
struct EndRow {
    id: String,
    hash: String,
    outcome: &'static str,
}

/// Finds those of the ids that have had their end, with what they meant.
pub async fn find_ended(
    conn: &mut MySqlConnection,
    ids: &[UpdateId],
) -> DbResult<HashMap<UpdateId, Fingerprint>> {
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            i.update_id AS "update_id!: Uuid",
            i.payload_hash AS "payload_hash!: Vec<u8>"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
        STRAIGHT_JOIN inbox AS i FORCE INDEX (PRIMARY) ON i.update_id = UNHEX(wanted.id)
        "#,
        json(&ids)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let fingerprint =
                row.payload_hash
                    .try_into()
                    .map_err(|_other_length| DbError::Corrupt {
                        table: "inbox",
                        column: "payload_hash",
                    })?;
            Ok((UpdateId(row.update_id), fingerprint))
        })
        .collect()
}

/// Records ends. A unique violation means that another poller was faster with one of them: roll
/// back and decide again.
pub async fn insert_ends(
    conn: &mut MySqlConnection,
    ends: &[End],
    now: DateTime<Utc>,
) -> DbResult<()> {
    if ends.is_empty() {
        return Ok(());
    }
    let rows: Vec<EndRow> = ends
        .iter()
        .map(|end| EndRow {
            id: hex(end.id.0),
            hash: hex_bytes(&end.fingerprint),
            outcome: end.state.code(),
        })
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO inbox (update_id, payload_hash, outcome, finished_at)
        SELECT UNHEX(new.id), UNHEX(new.hash), new.outcome, ?
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            id CHAR(32) PATH '$.id',
            hash CHAR(64) PATH '$.hash',
            outcome VARCHAR(16) PATH '$.outcome'
        )) AS new
        "#,
        now,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts further deliveries of updates that have had their end.
pub async fn count_repeats(conn: &mut MySqlConnection, ids: &[UpdateId]) -> DbResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS seen
        STRAIGHT_JOIN inbox AS i FORCE INDEX (PRIMARY) ON i.update_id = UNHEX(seen.id)
        SET i.repeats = i.repeats + 1
        "#,
        json(&ids)
    )
    .execute(conn)
    .await?;
    Ok(())
}
