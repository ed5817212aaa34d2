//! SQL for the timelines of updates: what happened, when and why.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{code, hex, hex_bytes, json};
use super::{DbError, DbResult};
use crate::domain::{Fingerprint, Instance, Reason, Refusal, UpdateId, UpdateState};

/// A step on an update's timeline.
#[derive(Debug, Clone)]
pub struct Event {
    /// The update it belongs to.
    pub id: UpdateId,
    /// What happened: the state the update came to.
    pub state: UpdateState,
    /// Why, if it was refused or superseded.
    pub refusal: Option<Refusal>,
    /// Why, in the words of whoever did it by hand.
    pub note: Option<String>,
    /// What was tried in which message, if it was a message.
    pub attempt: Option<Attempt>,
}

/// A message in which something was tried.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What the message means.
    pub fingerprint: Fingerprint,
    /// What SQS calls it.
    pub message_id: String,
    /// Which of its receives this was, as far as is known.
    pub receive_count: Option<u32>,
    /// Number of receives after which the queue gives it up, if it does.
    pub receive_limit: Option<u32>,
    /// The process that tried it.
    pub by: Instance,
}

#[derive(Serialize)]
struct EventRow<'a> {
    id: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
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
            explanation: event
                .refusal
                .as_ref()
                .map(|r| r.explanation.as_str())
                .or(event.note.as_deref()),
            hash: event.attempt.as_ref().map(|a| hex_bytes(&a.fingerprint)),
            message_id: event.attempt.as_ref().map(|a| a.message_id.as_str()),
            receive_count: event.attempt.as_ref().and_then(|a| a.receive_count),
            receive_limit: event.attempt.as_ref().and_then(|a| a.receive_limit),
            by: event.attempt.as_ref().map(|a| hex(a.by.0)),
        })
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO update_events (
            update_id, at, event, reason, explanation, payload_hash, message_id, receive_count,
            receive_limit, instance
        )
        SELECT
            UNHEX(new.id), ?, new.event, new.reason, new.explanation, UNHEX(new.hash),
            new.message_id, new.receive_count, new.receive_limit, UNHEX(new.instance)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            id CHAR(32) PATH '$.id',
            event VARCHAR(16) PATH '$.event',
            reason VARCHAR(24) PATH '$.reason',
            explanation VARCHAR(1000) PATH '$.explanation' ERROR ON ERROR,
            hash CHAR(64) PATH '$.hash',
            message_id VARCHAR(100) PATH '$.message_id',
            receive_count INT PATH '$.receive_count',
            receive_limit INT PATH '$.receive_limit',
            instance CHAR(32) PATH '$.by'
        )) AS new
        "#,
        now,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Finds the newest receive of a message in which its update was tried.
pub async fn find_last_receive(
    conn: &mut MySqlConnection,
    update: UpdateId,
    message_id: &str,
) -> DbResult<Option<i32>> {
    let count = sqlx::query_scalar!(
        r#"
        SELECT MAX(receive_count) AS "count: i32"
        FROM update_events
        WHERE update_id = ? AND message_id = ?
        "#,
        update.0,
        message_id
    )
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// A step of a timeline, as the update's page lists it.
#[derive(Debug, Clone)]
pub struct EventLine {
    pub at: DateTime<Utc>,
    /// The state the update came to.
    pub state: UpdateState,
    /// Why.
    pub reason: Option<Reason>,
    /// The same in plain words.
    pub explanation: Option<String>,
    /// Which receive of its message this was, if it was one.
    pub receive_count: Option<i32>,
    /// After how many of them the queue gives it up.
    pub receive_limit: Option<i32>,
    /// What SQS calls that message.
    pub message_id: Option<String>,
    /// The process that received it, as far as is known.
    pub by: Option<Instance>,
}

struct EventLineRow {
    update_id: Uuid,
    at: DateTime<Utc>,
    event: String,
    reason: Option<String>,
    explanation: Option<String>,
    receive_count: Option<i32>,
    receive_limit: Option<i32>,
    message_id: Option<String>,
    instance: Option<Uuid>,
}

impl TryFrom<EventLineRow> for EventLine {
    type Error = DbError;

    fn try_from(row: EventLineRow) -> DbResult<Self> {
        let reason = row.reason.as_deref();
        let reason = reason.map(|r| code("update_events", "reason", r, Reason::from_code));
        Ok(Self {
            at: row.at,
            state: code("update_events", "event", &row.event, UpdateState::from_code)?,
            reason: reason.transpose()?,
            explanation: row.explanation,
            receive_count: row.receive_count,
            receive_limit: row.receive_limit,
            message_id: row.message_id,
            by: row.instance.map(Instance),
        })
    }
}

/// Counts the steps of an update's timeline.
pub async fn count_events(conn: &mut MySqlConnection, id: UpdateId) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "count!: i64" FROM update_events WHERE update_id = ?"#,
        id.0
    );
    Ok(count.fetch_one(conn).await?)
}

/// Lists the steps of an update's timeline, newest first.
pub async fn list_events(
    conn: &mut MySqlConnection,
    id: UpdateId,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<EventLine>> {
    let rows = sqlx::query_as!(
        EventLineRow,
        r#"
        SELECT
            update_id AS "update_id: Uuid",
            at AS "at: DateTime<Utc>",
            event,
            reason,
            explanation,
            receive_count,
            receive_limit,
            message_id,
            instance AS "instance: Uuid"
        FROM update_events
        WHERE update_id = ?
        ORDER BY id DESC
        LIMIT ? OFFSET ?
        "#,
        id.0,
        limit,
        offset
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(EventLine::try_from).collect()
}

/// As many of an update's steps are read when several are looked at together, the newest; it has about four.
const STEPS_OF_EACH: i64 = 100;

/// Lists the newest 100 steps of each of several updates, of each the oldest first.
pub async fn list_events_of(
    conn: &mut MySqlConnection,
    updates: &[UpdateId],
) -> DbResult<Vec<(UpdateId, EventLine)>> {
    if updates.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = updates.iter().map(|id| hex(id.0)).collect();
    let rows = sqlx::query_as!(
        EventLineRow,
        r#"
        SELECT
            newest.update_id AS "update_id!: Uuid",
            newest.at AS "at!: DateTime<Utc>",
            newest.event AS "event!",
            newest.reason,
            newest.explanation,
            newest.receive_count,
            newest.receive_limit,
            newest.message_id,
            newest.instance AS "instance: Uuid"
        FROM (
            SELECT e.*, ROW_NUMBER() OVER (PARTITION BY e.update_id ORDER BY e.id DESC) AS place
            FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
            STRAIGHT_JOIN update_events AS e FORCE INDEX (idx_update_events_update_id)
                ON e.update_id = UNHEX(wanted.id)
        ) AS newest
        WHERE newest.place <= ?
        ORDER BY newest.id
        "#,
        json(&ids),
        STEPS_OF_EACH
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok((UpdateId(row.update_id), row.try_into()?)))
        .collect()
}
