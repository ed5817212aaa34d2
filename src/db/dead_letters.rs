//! SQL for dead letters.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use super::rows::{code, hex, in_order_of, json};
use crate::domain::{Reason, Refusal, UpdateId, UpdateState};

/// A message the queue gave up on.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// What SQS calls it.
    pub message_id: String,
    /// The update it carries.
    pub update: UpdateId,
    /// The supplier it claims to come from.
    pub supplier: Option<i64>,
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
            id, message_id, update_id, supplier_id, body, attributes, receive_count, reason, explanation,
            sent_at, collected_at, last_message_id
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        Uuid::now_v7(),
        letter.message_id,
        letter.update.0,
        letter.supplier,
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

/// Counts a further copy on the open letter of its update. Says whether there is an open letter.
///
/// One that says something else is what the letter shows from then on; a repeat leaves it what its sender wrote.
pub async fn count_arrival(
    conn: &mut MySqlConnection,
    letter: &DeadLetter,
    is_repeat: bool,
) -> DbResult<bool> {
    // The assignments are made in this order: the copy that was counted last is looked at before it
    // is replaced. One that comes again, because it could not be deleted, is counted once.
    let result = sqlx::query!(
        r#"
        UPDATE dead_letters
        SET
            arrivals = arrivals + (COALESCE(last_message_id, '') <> ?),
            last_message_id = ?,
            supplier_id = ?,
            body = IF(?, body, ?),
            attributes = IF(?, attributes, ?),
            receive_count = ?,
            reason = ?,
            explanation = ?,
            tried_at = NULL
        WHERE open_update_id = ?
        "#,
        letter.message_id,
        letter.message_id,
        letter.supplier,
        is_repeat,
        letter.body,
        is_repeat,
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

/// Notes that the messages of open letters, which were sent again, have just been refused; `updates` ascends.
pub async fn set_tried(
    conn: &mut MySqlConnection,
    updates: &[UpdateId],
    now: DateTime<Utc>,
) -> DbResult<()> {
    if updates.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = updates.iter().map(|id| hex(id.0)).collect();
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS tried
        STRAIGHT_JOIN dead_letters AS d FORCE INDEX (uq_dead_letters_open_update_id)
            ON d.open_update_id = UNHEX(tried.id)
        SET d.tried_at = ?
        "#,
        json(&ids),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
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

/// When the oldest open letter was collected, if there is one.
pub async fn find_oldest_open(conn: &mut MySqlConnection) -> DbResult<Option<DateTime<Utc>>> {
    let oldest = sqlx::query_scalar!(
        r#"
        SELECT MIN(collected_at) AS "oldest: DateTime<Utc>"
        FROM dead_letters FORCE INDEX (idx_dead_letters_state_collected_at)
        WHERE state = 'open'
        "#
    );
    Ok(oldest.fetch_one(conn).await?)
}

/// As much of a body as can be read: a longer one is refused unread.
const READABLE_CHARACTERS: i64 = 65_537;

/// The open letter of an update, as it is read to send its message again.
#[derive(Debug, Clone)]
pub struct OpenLetter {
    pub id: Uuid,
    pub update: UpdateId,
    /// The id that its sender gave the update, or that it was given by the broker's.
    pub sender_id: Option<UpdateId>,
    /// When the update was first sent, as far as that is known.
    pub sent_at: Option<DateTime<Utc>>,
    /// Its body, as received, as far as it can be read.
    pub body: String,
    /// Why it could not be applied.
    pub refusal: Refusal,
    /// How many copies the queue has given up.
    pub arrivals: i32,
}

/// Reads open letters, in the order given; those that are closed are left out.
pub async fn list_open_letters(
    conn: &mut MySqlConnection,
    ids: &[Uuid],
) -> DbResult<Vec<OpenLetter>> {
    let hexed: Vec<String> = ids.iter().copied().map(hex).collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            d.id AS "id!: Uuid",
            d.update_id AS "update_id!: Uuid",
            u.sender_id AS "sender_id: Uuid",
            u.sent_at AS "sent_at: DateTime<Utc>",
            LEFT(d.body, ?) AS "body!",
            d.reason AS "reason!",
            d.explanation AS "explanation!",
            d.arrivals AS "arrivals!"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
        STRAIGHT_JOIN dead_letters AS d FORCE INDEX (PRIMARY) ON d.id = UNHEX(wanted.id) AND d.state = 'open'
        STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = d.update_id
        "#,
        READABLE_CHARACTERS,
        json(&hexed)
    )
    .fetch_all(conn)
    .await?;
    let letters: DbResult<Vec<OpenLetter>> = rows
        .into_iter()
        .map(|row| {
            let reason = code("dead_letters", "reason", &row.reason, Reason::from_code)?;
            Ok(OpenLetter {
                id: row.id,
                update: UpdateId(row.update_id),
                sender_id: row.sender_id.map(UpdateId),
                sent_at: row.sent_at,
                body: row.body,
                refusal: Refusal::new(reason, row.explanation),
                arrivals: row.arrivals,
            })
        })
        .collect();
    Ok(in_order_of(ids, letters?, |letter| letter.id))
}

/// Finds what the open letter of an update shows.
pub async fn find_open_body(
    conn: &mut MySqlConnection,
    update: UpdateId,
) -> DbResult<Option<String>> {
    let body = sqlx::query_scalar!(
        "SELECT body FROM dead_letters WHERE open_update_id = ?",
        update.0
    );
    Ok(body.fetch_optional(conn).await?)
}

/// Finds the id of the open letter of an update.
pub async fn find_open_of(conn: &mut MySqlConnection, update: UpdateId) -> DbResult<Option<Uuid>> {
    let id = sqlx::query_scalar!(
        r#"SELECT id AS "id: Uuid" FROM dead_letters WHERE open_update_id = ?"#,
        update.0
    );
    Ok(id.fetch_optional(conn).await?)
}

/// Finds which update a letter carries.
pub async fn find_update_of(
    conn: &mut MySqlConnection,
    letter: Uuid,
) -> DbResult<Option<UpdateId>> {
    let update = sqlx::query_scalar!(
        r#"SELECT update_id AS "update_id: Uuid" FROM dead_letters WHERE id = ?"#,
        letter
    );
    Ok(update.fetch_optional(conn).await?.map(UpdateId))
}

/// Finds the whole body of a letter.
pub async fn find_body(conn: &mut MySqlConnection, id: Uuid) -> DbResult<Option<String>> {
    let body = sqlx::query_scalar!("SELECT body FROM dead_letters WHERE id = ?", id);
    Ok(body.fetch_optional(conn).await?)
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
