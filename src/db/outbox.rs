//! SQL for the outbox: updates to be published, and published again until they are seen finished.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{datetime, hex, json};
use super::{DbError, DbResult};
use crate::domain::{UpdateId, UpdateKind};

/// A message waiting to be published.
#[derive(Debug, Clone)]
pub struct OutboxMessage {
    /// The update, and the deduplication id.
    pub id: UpdateId,
    /// The message group.
    pub group: String,
    /// The encoded update.
    pub body: String,
    /// What it does, for the message's attributes.
    pub kind: UpdateKind,
    /// How often it was published or tried before.
    pub attempts: i32,
}

/// Adds a message, in the transaction that accepts its update.
pub async fn insert_message(
    conn: &mut MySqlConnection,
    message: &OutboxMessage,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO outbox (update_id, message_group, body, kind, next_attempt_at)
        VALUES (?, ?, ?, ?, ?)
        "#,
        message.id.0,
        message.group,
        message.body,
        message.kind.code(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes other relays wait until this transaction has picked its messages.
pub async fn lock_claims(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query_scalar!("SELECT id FROM relay_claims WHERE id = 1 FOR UPDATE")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Writes, changes and deletes a row, which is to be rolled back: a server that refuses writes
/// refuses this, and so does one on which we lack the right to one of them.
pub async fn try_writing(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!("INSERT INTO relay_claims (id) VALUES (0)")
        .execute(&mut *conn)
        .await?;
    sqlx::query!("UPDATE relay_claims SET id = 0 WHERE id = 0")
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM relay_claims WHERE id = 0")
        .execute(conn)
        .await?;
    Ok(())
}

/// Lists the messages that are due, oldest first. One whose group has an older unpublished message
/// that is not due (another relay has it, or it waits after a failure) stays behind that one.
pub async fn list_due(
    conn: &mut MySqlConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> DbResult<Vec<OutboxMessage>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            o.update_id AS "update_id: Uuid",
            o.message_group,
            o.body,
            o.kind,
            o.attempts
        FROM outbox AS o
        WHERE o.next_attempt_at <= ?
            AND NOT EXISTS (
                SELECT 1
                FROM outbox AS older
                WHERE older.message_group = o.message_group
                    AND older.update_id < o.update_id
                    AND older.published_at IS NULL
                    AND older.next_attempt_at > ?
            )
        ORDER BY o.update_id
        LIMIT ?
        "#,
        now,
        now,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(OutboxMessage {
                id: UpdateId(row.update_id),
                group: row.message_group,
                body: row.body,
                kind: UpdateKind::from_code(&row.kind).ok_or(DbError::Corrupt {
                    table: "outbox",
                    column: "kind",
                })?,
                attempts: row.attempts,
            })
        })
        .collect()
}

/// Tells when the oldest update that is not on the topic was accepted.
pub async fn find_oldest_unpublished(
    conn: &mut MySqlConnection,
) -> DbResult<Option<DateTime<Utc>>> {
    let oldest = sqlx::query_scalar!(
        r#"
        SELECT u.accepted_at AS "accepted_at: DateTime<Utc>"
        FROM outbox AS o
        JOIN inventory_updates AS u ON u.id = o.update_id
        WHERE o.published_at IS NULL
        ORDER BY o.update_id
        LIMIT 1
        "#
    );
    Ok(oldest.fetch_optional(conn).await?)
}

/// When a message is to be looked at again.
#[derive(Debug, Clone, Copy)]
pub struct NextAttempt {
    /// Which message.
    pub id: UpdateId,
    /// Not before then.
    pub at: DateTime<Utc>,
    /// Set once it is on the topic.
    pub published_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct NextAttemptRow {
    id: String,
    #[serde(serialize_with = "datetime")]
    at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "datetime", skip_serializing_if = "Option::is_none")]
    published_at: Option<DateTime<Utc>>,
}

/// Keeps messages from other relays until `until`, and counts the attempt.
pub async fn lease_messages(
    conn: &mut MySqlConnection,
    ids: &[UpdateId],
    until: DateTime<Utc>,
) -> DbResult<()> {
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS taken
        STRAIGHT_JOIN outbox AS o FORCE INDEX (PRIMARY) ON o.update_id = UNHEX(taken.id)
        SET o.next_attempt_at = ?, o.attempts = o.attempts + 1
        "#,
        json(&ids),
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets when messages are due again. Messages that were finished in the meantime are gone and
/// stay so.
pub async fn set_next_attempts(
    conn: &mut MySqlConnection,
    attempts: &[NextAttempt],
) -> DbResult<()> {
    let rows: Vec<NextAttemptRow> = attempts
        .iter()
        .map(|attempt| NextAttemptRow {
            id: hex(attempt.id.0),
            at: Some(attempt.at),
            published_at: attempt.published_at,
        })
        .collect();
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
            id CHAR(32) PATH '$.id',
            due DATETIME(6) PATH '$.at',
            sent DATETIME(6) PATH '$.published_at'
        )) AS new
        STRAIGHT_JOIN outbox AS o FORCE INDEX (PRIMARY) ON o.update_id = UNHEX(new.id)
        SET
            o.next_attempt_at = new.due,
            o.published_at = COALESCE(new.sent, o.published_at)
        "#,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes messages whose updates are finished, or are in the queue for good with a refusal.
pub async fn delete_messages(conn: &mut MySqlConnection, ids: &[UpdateId]) -> DbResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    sqlx::query!(
        r#"
        DELETE o
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS gone
        STRAIGHT_JOIN outbox AS o FORCE INDEX (PRIMARY) ON o.update_id = UNHEX(gone.id)
        "#,
        json(&ids)
    )
    .execute(conn)
    .await?;
    Ok(())
}
