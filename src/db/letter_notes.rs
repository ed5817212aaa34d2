//! SQL for what staff note on groups of dead letters.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use crate::domain::AccountId;

/// A note on a group.
#[derive(Debug, Clone)]
pub struct LetterNote {
    /// The group, by its code.
    pub scope: String,
    pub note: String,
    /// By whom, by name.
    pub noted_by: String,
    pub noted_at: DateTime<Utc>,
}

/// Lists all notes; there is at most one for each group.
pub async fn list_notes(conn: &mut MySqlConnection) -> DbResult<Vec<LetterNote>> {
    let rows = sqlx::query_as!(
        LetterNote,
        r#"
        SELECT n.scope, n.note, a.name AS noted_by, n.noted_at AS "noted_at: DateTime<Utc>"
        FROM letter_notes AS n
        JOIN accounts AS a ON a.id = n.noted_by
        ORDER BY n.scope
        LIMIT 1000
        "#
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Notes something on a group, in place of what was noted before.
pub async fn set_note(
    conn: &mut MySqlConnection,
    scope: &str,
    note: &str,
    by: AccountId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO letter_notes (scope, note, noted_by, noted_at)
        VALUES (?, ?, ?, ?)
        ON DUPLICATE KEY UPDATE note = VALUES(note), noted_by = VALUES(noted_by), noted_at = VALUES(noted_at)
        "#,
        scope,
        note,
        by.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets the note on a group.
pub async fn delete_note(conn: &mut MySqlConnection, scope: &str) -> DbResult<()> {
    sqlx::query!("DELETE FROM letter_notes WHERE scope = ?", scope)
        .execute(conn)
        .await?;
    Ok(())
}
