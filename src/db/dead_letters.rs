//! SQL for dead letters.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use crate::domain::{Refusal, UpdateId};

/// A message the queue gave up on.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// What SQS calls it.
    pub message_id: String,
    /// The update it carries.
    pub update: UpdateId,
    /// Its body, as received.
    pub body: String,
    /// Its system and message attributes, as a JSON object.
    pub attributes: String,
    /// How often it was received.
    pub receive_count: i32,
    /// Why it could not be applied.
    pub refusal: Refusal,
    /// When the queue got it.
    pub sent_at: Option<DateTime<Utc>>,
}

/// Says whether a message was collected before.
pub async fn is_collected(conn: &mut MySqlConnection, message_id: &str) -> DbResult<bool> {
    let row = sqlx::query_scalar!(
        "SELECT 1 AS found FROM dead_letters WHERE message_id = ?",
        message_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Stores a dead letter.
pub async fn insert_dead_letter(
    conn: &mut MySqlConnection,
    letter: &DeadLetter,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO dead_letters (
            id, message_id, update_id, body, attributes, receive_count, reason, explanation,
            sent_at, collected_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        Uuid::now_v7(),
        letter.message_id,
        letter.update.0,
        letter.body,
        letter.attributes,
        letter.receive_count,
        letter.refusal.reason.code(),
        letter.refusal.explanation,
        letter.sent_at,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The last refusal written down for an update.
#[derive(Debug)]
pub struct LastRefusal {
    /// The code of a reason.
    pub reason: Option<String>,
    /// The sentence.
    pub explanation: Option<String>,
    /// How many refusals there were.
    pub attempts: i32,
}

/// Finds why an update was last refused.
pub async fn find_last_refusal(
    conn: &mut MySqlConnection,
    id: UpdateId,
) -> DbResult<Option<LastRefusal>> {
    let row = sqlx::query_as!(
        LastRefusal,
        r#"
        SELECT reason, explanation, attempts
        FROM inventory_updates
        WHERE id = ? AND state = 'refused'
        "#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// A dead letter as its list shows it.
#[derive(Debug, Clone)]
pub struct DeadLetterLine {
    /// The update it carries.
    pub update: UpdateId,
    /// Its body, as received.
    pub body: String,
    /// How often it was received.
    pub receive_count: i32,
    /// The code of a [`crate::domain::Reason`].
    pub reason: String,
    /// Why, in plain words.
    pub explanation: String,
    /// When we collected it.
    pub collected_at: DateTime<Utc>,
    /// The supplier it claims to come from.
    pub supplier: Option<i64>,
    /// That supplier's name, if there is one.
    pub supplier_name: Option<String>,
    /// The bean it names.
    pub bean_type: Option<String>,
}

/// Lists open dead letters, newest first. Bodies are cut to 2,000 characters.
pub async fn list_open(conn: &mut MySqlConnection, limit: i64) -> DbResult<Vec<DeadLetterLine>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            d.update_id AS "update_id: Uuid",
            LEFT(d.body, 2000) AS "body!",
            d.receive_count,
            d.reason,
            d.explanation,
            d.collected_at AS "collected_at: DateTime<Utc>",
            u.supplier_id,
            s.name AS "supplier_name?",
            u.bean_type
        FROM dead_letters AS d
        JOIN inventory_updates AS u ON u.id = d.update_id
        LEFT JOIN suppliers AS s ON s.id = u.supplier_id
        WHERE d.state = 'open'
        ORDER BY d.collected_at DESC, d.id DESC
        LIMIT ?
        "#,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| DeadLetterLine {
            update: UpdateId(row.update_id),
            body: row.body,
            receive_count: row.receive_count,
            reason: row.reason,
            explanation: row.explanation,
            collected_at: row.collected_at,
            supplier: row.supplier_id,
            supplier_name: row.supplier_name,
            bean_type: row.bean_type,
        })
        .collect())
}

/// Counts open dead letters.
pub async fn count_open(conn: &mut MySqlConnection) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "count!: i64" FROM dead_letters WHERE state = 'open'"#
    )
    .fetch_one(conn)
    .await?;
    Ok(count)
}
