//! SQL for the outbox: what is to be sent to its destination, and sent again until it is done with.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::connection::Transaction;
use super::error::DbResult;
use super::rows::{code, datetime, hex, json};
use crate::domain::{UpdateId, UpdateKind};

/// Where a message goes. Each destination has its publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// The topic of updates.
    Updates,
    /// The topic of alerts.
    Alerts,
    /// The webhook that the message's group names.
    Webhooks,
}

impl Destination {
    pub fn code(self) -> &'static str {
        match self {
            Self::Updates => "updates",
            Self::Alerts => "alerts",
            Self::Webhooks => "webhooks",
        }
    }
}

/// A message waiting to be sent.
#[derive(Debug, Clone)]
pub struct OutboxMessage {
    /// The row, and the deduplication id.
    pub id: Uuid,
    /// The update it carries, and what that does.
    pub update: Option<(UpdateId, UpdateKind)>,
    pub group: String,
    pub body: String,
    /// How often it was sent or tried before.
    pub attempts: i32,
}

/// When a message was written, which its id tells.
pub fn written_at(message: Uuid) -> Option<DateTime<Utc>> {
    let (seconds, nanoseconds) = message.get_timestamp()?.to_unix();
    DateTime::from_timestamp(seconds.try_into().ok()?, nanoseconds)
}

/// Adds a message, due at once, and has the relays of this process woken by the commit.
pub async fn insert_message(
    tx: &mut Transaction,
    destination: Destination,
    message: &OutboxMessage,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let (update, kind) = message.update.unzip();
    sqlx::query!(
        r#"
        INSERT INTO outbox_messages (id, destination, update_id, message_group, body, kind, due_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        "#,
        message.id,
        destination.code(),
        update.map(|id| id.0),
        message.group,
        message.body,
        kind.map(UpdateKind::code),
        now
    )
    .execute(&mut **tx)
    .await?;
    tx.wake_relays();
    Ok(())
}

/// Whether a message of an update waits to be sent, or for its update to be finished.
pub async fn has_message(conn: &mut MySqlConnection, update: UpdateId) -> DbResult<bool> {
    let any = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM outbox_messages WHERE update_id = ?) AS "any!: bool""#,
        update.0
    );
    Ok(any.fetch_one(conn).await?)
}

/// Whether anything is due. Locks nothing.
pub async fn is_any_due(
    conn: &mut MySqlConnection,
    destination: Destination,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let any = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM outbox_messages WHERE destination = ? AND due_at <= ?) AS "any!: bool"
        "#,
        destination.code(),
        now
    );
    Ok(any.fetch_one(conn).await?)
}

/// Makes other relays wait until this transaction has picked its messages.
pub async fn lock_claims(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query_scalar!("SELECT id FROM relay_claims WHERE id = 1 FOR UPDATE")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Lists the messages that are due at a destination, oldest first.
///
/// One whose group has an older message that was never sent and is not due (another relay has it, or it
/// waits after a failure) stays behind that one.
pub async fn list_due(
    conn: &mut MySqlConnection,
    destination: Destination,
    now: DateTime<Utc>,
    limit: i64,
) -> DbResult<Vec<OutboxMessage>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            o.id AS "id: Uuid",
            o.update_id AS "update_id: Uuid",
            o.message_group,
            o.body,
            o.kind,
            o.attempts
        FROM outbox_messages AS o
        WHERE o.destination = ?
            AND o.due_at <= ?
            AND NOT EXISTS (
                SELECT 1
                FROM outbox_messages AS older
                WHERE older.destination = o.destination
                    AND older.message_group = o.message_group
                    AND older.id < o.id
                    AND older.published_at IS NULL
                    AND older.due_at > ?
            )
        ORDER BY o.id
        LIMIT ?
        "#,
        destination.code(),
        now,
        now,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let update = match (row.update_id, row.kind) {
                (None, _) => None,
                (Some(id), kind) => {
                    let kind = kind.unwrap_or_default();
                    let kind = code("outbox_messages", "kind", &kind, UpdateKind::from_code)?;
                    Some((UpdateId(id), kind))
                }
            };
            Ok(OutboxMessage {
                id: row.id,
                update,
                group: row.message_group,
                body: row.body,
                attempts: row.attempts,
            })
        })
        .collect()
}

/// Lists the messages that are due for some groups of a destination, oldest first. None waits for another.
pub async fn list_due_of_groups(
    conn: &mut MySqlConnection,
    destination: Destination,
    groups: &[String],
    now: DateTime<Utc>,
    limit: i64,
) -> DbResult<Vec<OutboxMessage>> {
    let rows = sqlx::query!(
        r#"
        SELECT o.id AS "id!: Uuid", o.message_group AS "message_group!", o.body AS "body!", o.attempts AS "attempts!"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (name VARCHAR(128) PATH '$')) AS ours
        STRAIGHT_JOIN outbox_messages AS o FORCE INDEX (idx_outbox_messages_destination_message_group)
            ON o.destination = ? AND o.message_group = ours.name COLLATE utf8mb4_bin
        WHERE o.due_at <= ?
        ORDER BY o.id
        LIMIT ?
        "#,
        json(&groups),
        destination.code(),
        now,
        limit
    )
    .fetch_all(conn)
    .await?;
    let messages = rows.into_iter().map(|row| OutboxMessage {
        id: row.id,
        update: None,
        group: row.message_group,
        body: row.body,
        attempts: row.attempts,
    });
    Ok(messages.collect())
}

/// Removes what was to be announced before a moment: nobody takes it any more, and it is no news.
pub async fn delete_old_announcements(
    conn: &mut MySqlConnection,
    before: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM outbox_messages WHERE destination IN ('alerts', 'webhooks') AND due_at < ?",
        before
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Tells when the oldest update that is not on the topic was accepted.
pub async fn find_oldest_unpublished(
    conn: &mut MySqlConnection,
) -> DbResult<Option<DateTime<Utc>>> {
    let oldest = sqlx::query_scalar!(
        r#"
        SELECT u.accepted_at AS "accepted_at: DateTime<Utc>"
        FROM outbox_messages AS o
        JOIN inventory_updates AS u ON u.id = o.update_id
        WHERE o.published_at IS NULL
        ORDER BY o.id
        LIMIT 1
        "#
    );
    Ok(oldest.fetch_optional(conn).await?)
}

/// When a message is to be looked at again.
#[derive(Debug, Clone, Copy)]
pub struct NextAttempt {
    pub id: Uuid,
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
    ids: &[Uuid],
    until: DateTime<Utc>,
) -> DbResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().map(|id| hex(*id)).collect();
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS taken
        STRAIGHT_JOIN outbox_messages AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(taken.id)
        SET o.due_at = ?, o.attempts = o.attempts + 1
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
            id: hex(attempt.id),
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
        STRAIGHT_JOIN outbox_messages AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(new.id)
        SET
            o.due_at = new.due,
            o.published_at = COALESCE(new.sent, o.published_at)
        "#,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the messages of updates that are finished, or are in the queue for good with a refusal.
pub async fn delete_messages(conn: &mut MySqlConnection, ids: &[UpdateId]) -> DbResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    sqlx::query!(
        r#"
        DELETE o
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS gone
        STRAIGHT_JOIN outbox_messages AS o FORCE INDEX (idx_outbox_messages_update_id) ON o.update_id = UNHEX(gone.id)
        "#,
        json(&ids)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the messages of updates that are on the topic, because the queue has them. One that somebody has just
/// sent again may not be there yet.
pub async fn delete_published_of(conn: &mut MySqlConnection, ids: &[UpdateId]) -> DbResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().map(|id| hex(id.0)).collect();
    sqlx::query!(
        r#"
        DELETE o
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS gone
        STRAIGHT_JOIN outbox_messages AS o FORCE INDEX (idx_outbox_messages_update_id) ON o.update_id = UNHEX(gone.id)
        WHERE o.published_at IS NOT NULL
        "#,
        json(&ids)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes messages that belong to no update, once they are published.
pub async fn delete_published(conn: &mut MySqlConnection, ids: &[Uuid]) -> DbResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().copied().map(hex).collect();
    sqlx::query!(
        r#"
        DELETE o
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS gone
        STRAIGHT_JOIN outbox_messages AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(gone.id)
        "#,
        json(&ids)
    )
    .execute(conn)
    .await?;
    Ok(())
}
