//! SQL for the inbox: which updates have their final state.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::{hex, hex_bytes, json};
use crate::domain::{Fingerprint, UpdateId, UpdateState};

/// An end to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// The update that has ended.
    pub id: UpdateId,
    /// What the update meant.
    pub fingerprint: Fingerprint,
    pub state: UpdateState,
}

#[derive(Serialize)]
struct EndRow {
    id: String,
    hash: String,
    outcome: &'static str,
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

/// Counts further deliveries of updates that have their final state.
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

/// Forgets that an update was discarded: a person has restored it.
pub async fn forget_discarded(conn: &mut MySqlConnection, id: UpdateId) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM inbox WHERE update_id = ? AND outcome = 'discarded'",
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets that updates were given up, which instances of version 0.1 note here: they are being
/// applied after all.
pub async fn forget_given_up(conn: &mut MySqlConnection, ids: &[UpdateId]) -> DbResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    sqlx::query!(
        r#"
        DELETE i
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS revived
        STRAIGHT_JOIN inbox AS i FORCE INDEX (PRIMARY) ON i.update_id = UNHEX(revived.id)
        WHERE i.outcome = 'dead_lettered'
        "#,
        json(&ids)
    )
    .execute(conn)
    .await?;
    Ok(())
}
