//! SQL for forms that were sent and saved.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::MySqlConnection;

use super::DbResult;

/// What was saved when a form was first sent.
#[derive(Debug, Clone, Copy)]
pub struct Earlier {
    /// The supplier or bean that was added.
    pub result: i64,
    /// When it was saved.
    pub created_at: DateTime<Utc>,
}

/// Claims a form's id for this transaction, and waits for another one that has it. Either way its row
/// is locked for writing afterwards, so that no two wait for each other.
pub async fn claim_submission(
    conn: &mut MySqlConnection,
    id: &[u8; 32],
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO submissions (id, result_id, created_at)
        VALUES (?, 0, ?)
        ON DUPLICATE KEY UPDATE created_at = created_at
        "#,
        id.as_slice(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Finds what was saved when a form was first sent.
pub async fn find_submission(
    conn: &mut MySqlConnection,
    id: &[u8; 32],
) -> DbResult<Option<Earlier>> {
    let row = sqlx::query_as!(
        Earlier,
        r#"
        SELECT result_id AS result, created_at AS "created_at: DateTime<Utc>"
        FROM submissions
        WHERE id = ? AND result_id <> 0
        FOR UPDATE
        "#,
        id.as_slice()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Notes what was saved, in the transaction that has claimed the form.
pub async fn set_result(
    conn: &mut MySqlConnection,
    id: &[u8; 32],
    result: i64,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE submissions SET result_id = ?, created_at = ? WHERE id = ?",
        result,
        now,
        id.as_slice()
    )
    .execute(&mut *conn)
    .await?;
    forget_old(conn, now).await
}

/// Nobody sends a form of last month again.
async fn forget_old(conn: &mut MySqlConnection, now: DateTime<Utc>) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM submissions WHERE created_at < ? ORDER BY created_at LIMIT 100",
        now - TimeDelta::days(30)
    )
    .execute(conn)
    .await?;
    Ok(())
}
