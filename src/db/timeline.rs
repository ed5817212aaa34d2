//! SQL for the timelines of updates: what happened, when and why.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;

use super::rows::{hex, json};
use super::{DbError, DbResult};
use crate::domain::{Refusal, UpdateId, UpdateState};

/// A step on an update's timeline.
#[derive(Debug, Clone)]
pub struct Event {
    /// Whose timeline.
    pub id: UpdateId,
    /// What happened: the state the update came to.
    pub state: UpdateState,
    /// Why, if it was refused or superseded.
    pub refusal: Option<Refusal>,
}

#[derive(Serialize)]
struct EventRow<'a> {
    id: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a str>,
}

/// Appends steps to timelines. The updates' rows must be there.
pub async fn insert_events(
    conn: &mut MySqlConnection,
    events: &[Event],
    now: DateTime<Utc>,
) -> DbResult<()> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<EventRow<'_>> = events
        .iter()
        .map(|event| EventRow {
            id: hex(event.id.0),
            event: event.state.code(),
            reason: event.refusal.as_ref().map(|r| r.reason.code()),
            explanation: event.refusal.as_ref().map(|r| r.explanation.as_str()),
        })
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO update_events (update_id, at, event, reason, explanation)
        SELECT UNHEX(new.id), ?, new.event, new.reason, new.explanation
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            id CHAR(32) PATH '$.id',
            event VARCHAR(16) PATH '$.event',
            reason VARCHAR(24) PATH '$.reason',
            explanation VARCHAR(1000) PATH '$.explanation' ERROR ON ERROR
        )) AS new
        "#,
        now,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A step of a timeline, as the update's page lists it.
#[derive(Debug, Clone)]
pub struct EventLine {
    /// When.
    pub at: DateTime<Utc>,
    /// The state the update came to.
    pub state: UpdateState,
    /// Why, in plain words.
    pub explanation: Option<String>,
}

/// Lists an update's timeline, oldest first.
pub async fn list_events(conn: &mut MySqlConnection, id: UpdateId) -> DbResult<Vec<EventLine>> {
    let rows = sqlx::query!(
        r#"
        SELECT at AS "at: DateTime<Utc>", event, explanation
        FROM update_events
        WHERE update_id = ?
        ORDER BY id
        LIMIT 200
        "#,
        id.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(EventLine {
                at: row.at,
                state: UpdateState::from_code(&row.event).ok_or(DbError::Corrupt {
                    table: "update_events",
                    column: "event",
                })?,
                explanation: row.explanation,
            })
        })
        .collect()
}
