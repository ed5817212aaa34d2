//! SQL for dead letters.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use super::rows::{code, hex, json};
use crate::domain::{Reason, Refusal, UpdateId, UpdateState};

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
    /// The source queue's last receive that we saw; `None` if we never handled the message.
    pub receive_count: Option<i32>,
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

/// Stores a dead letter, as the one open letter of its update.
pub async fn insert_dead_letter(
    conn: &mut MySqlConnection,
    letter: &DeadLetter,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO dead_letters (
            id, message_id, update_id, body, attributes, receive_count, reason, explanation,
            sent_at, collected_at, last_message_id
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
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
        now,
        letter.message_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts a further copy on the open letter of its update, which then shows what this copy says.
/// Says whether there is an open letter.
pub async fn count_arrival(conn: &mut MySqlConnection, letter: &DeadLetter) -> DbResult<bool> {
    // The assignments are made in this order: the copy that was counted last is looked at before it
    // is replaced. One that comes again, because it could not be deleted, is counted once.
    let result = sqlx::query!(
        r#"
        UPDATE dead_letters
        SET
            arrivals = arrivals + (COALESCE(last_message_id, '') <> ?),
            last_message_id = ?,
            body = ?,
            attributes = ?,
            receive_count = ?,
            reason = ?,
            explanation = ?
        WHERE open_update_id = ?
        "#,
        letter.message_id,
        letter.message_id,
        letter.body,
        letter.attributes,
        letter.receive_count,
        letter.refusal.reason.code(),
        letter.refusal.explanation,
        letter.update.0
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// An open letter whose update was applied after all.
#[derive(Debug, Clone)]
pub struct Closing {
    pub update: UpdateId,
    /// What closed the letter: [`UpdateState::Resent`] or [`UpdateState::Fixed`].
    pub state: UpdateState,
    /// The message that was applied.
    pub message_id: String,
}

#[derive(Serialize)]
struct ClosingRow<'a> {
    update_id: String,
    state: &'static str,
    message_id: &'a str,
}

/// Closes the open letters of updates that the caller has locked.
pub async fn close_letters(
    conn: &mut MySqlConnection,
    closings: &[Closing],
    now: DateTime<Utc>,
) -> DbResult<()> {
    if closings.is_empty() {
        return Ok(());
    }
    let rows: Vec<ClosingRow<'_>> = closings
        .iter()
        .map(|closing| ClosingRow {
            update_id: hex(closing.update.0),
            state: closing.state.code(),
            message_id: &closing.message_id,
        })
        .collect();
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
            update_id CHAR(32) PATH '$.update_id',
            state VARCHAR(16) PATH '$.state',
            message_id VARCHAR(100) PATH '$.message_id'
        )) AS closed
        STRAIGHT_JOIN dead_letters AS d FORCE INDEX (uq_dead_letters_open_update_id)
            ON d.open_update_id = UNHEX(closed.update_id)
        SET d.state = closed.state, d.closed_at = ?, d.closed_by = closed.message_id
        "#,
        json(&rows),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes the open letter of an update that somebody has fixed or cancelled, if it has one. The caller has
/// locked the update.
pub async fn close_letter_by_hand(
    conn: &mut MySqlConnection,
    update: UpdateId,
    state: UpdateState,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE dead_letters SET state = ?, closed_at = ? WHERE open_update_id = ?",
        state.code(),
        now,
        update.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Opens the letter of an update that somebody has discarded again, and gives why it could not be applied; none if
/// there is no such letter. The caller has locked the update.
pub async fn reopen_letter(
    conn: &mut MySqlConnection,
    update: UpdateId,
) -> DbResult<Option<Refusal>> {
    let letter = sqlx::query!(
        r#"
        SELECT id AS "id: Uuid", reason, explanation
        FROM dead_letters
        WHERE update_id = ? AND state = 'discarded'
        ORDER BY id DESC
        LIMIT 1
        "#,
        update.0
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(letter) = letter else {
        return Ok(None);
    };
    sqlx::query!(
        "UPDATE dead_letters SET state = 'open', closed_at = NULL, closed_by = NULL WHERE id = ?",
        letter.id
    )
    .execute(conn)
    .await?;
    let reason = code("dead_letters", "reason", &letter.reason, Reason::from_code)?;
    Ok(Some(Refusal::new(reason, letter.explanation)))
}

/// Finds why an update was last refused, if it was.
pub async fn find_last_refusal(
    conn: &mut MySqlConnection,
    id: UpdateId,
) -> DbResult<Option<Refusal>> {
    let row = sqlx::query!(
        r#"
        SELECT reason AS "reason!", explanation
        FROM inventory_updates
        WHERE id = ? AND state IN ('refused', 'dead_lettered') AND reason IS NOT NULL
        "#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.and_then(|row| {
        let reason = Reason::from_code(&row.reason)?;
        Some(Refusal::new(reason, row.explanation.unwrap_or_default()))
    }))
}

/// How much of a body a list carries. The rest is an address away.
pub const LISTED_CHARACTERS: i64 = 65_536;

/// A dead letter as its list shows it.
#[derive(Debug, Clone)]
pub struct DeadLetterLine {
    pub id: Uuid,
    /// The update it carries.
    pub update: UpdateId,
    /// Its body, as received; at most [`LISTED_CHARACTERS`] of it.
    pub body: String,
    /// How many characters the whole body has.
    pub body_length: i64,
    /// The source queue's last receive that we saw; `None` if we never handled the message.
    pub receive_count: Option<i32>,
    /// How many copies the queue has given up.
    pub arrivals: i32,
    /// What kind of refusal it was.
    pub reason: Reason,
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

/// Lists open dead letters, of one reason or of all, newest first.
pub async fn list_open(
    conn: &mut MySqlConnection,
    reason: Option<Reason>,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<DeadLetterLine>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            d.id AS "id: Uuid",
            d.update_id AS "update_id: Uuid",
            LEFT(d.body, ?) AS "body!",
            CHAR_LENGTH(d.body) AS "body_length!: i64",
            d.receive_count,
            d.arrivals,
            d.reason,
            d.explanation,
            d.collected_at AS "collected_at: DateTime<Utc>",
            u.supplier_id,
            s.name AS "supplier_name?",
            u.bean_type
        FROM dead_letters AS d
        JOIN inventory_updates AS u ON u.id = d.update_id
        LEFT JOIN suppliers AS s ON s.id = u.supplier_id
        WHERE d.state = 'open' AND d.reason = COALESCE(?, d.reason)
        ORDER BY d.collected_at DESC, d.id DESC
        LIMIT ? OFFSET ?
        "#,
        LISTED_CHARACTERS,
        reason.map(Reason::code),
        limit,
        offset
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(DeadLetterLine {
                id: row.id,
                update: UpdateId(row.update_id),
                body: row.body,
                body_length: row.body_length,
                receive_count: row.receive_count,
                arrivals: row.arrivals,
                reason: code("dead_letters", "reason", &row.reason, Reason::from_code)?,
                explanation: row.explanation,
                collected_at: row.collected_at,
                supplier: row.supplier_id,
                supplier_name: row.supplier_name,
                bean_type: row.bean_type,
            })
        })
        .collect()
}

/// Finds the whole body of a letter.
pub async fn find_body(conn: &mut MySqlConnection, id: Uuid) -> DbResult<Option<String>> {
    let body = sqlx::query_scalar!("SELECT body FROM dead_letters WHERE id = ?", id);
    Ok(body.fetch_optional(conn).await?)
}

/// Counts open dead letters by reason; the reason of the newest comes first.
pub async fn count_open_by_reason(conn: &mut MySqlConnection) -> DbResult<Vec<(Reason, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT reason, COUNT(*) AS "number!: i64"
        FROM dead_letters
        WHERE state = 'open'
        GROUP BY reason
        ORDER BY MAX(collected_at) DESC, reason
        "#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let reason = code("dead_letters", "reason", &row.reason, Reason::from_code)?;
            Ok((reason, row.number))
        })
        .collect()
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
