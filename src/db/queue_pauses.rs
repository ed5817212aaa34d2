//! SQL for queues that people have paused.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use crate::domain::AccountId;

/// A queue that nobody receives from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePause {
    /// The code of its role.
    pub queue: String,
    /// Who paused it, by name.
    pub paused_by: String,
    pub paused_at: DateTime<Utc>,
    pub reason: String,
}

/// Lists the queues that are paused.
pub async fn list_pauses(conn: &mut MySqlConnection) -> DbResult<Vec<QueuePause>> {
    let rows = sqlx::query_as!(
        QueuePause,
        r#"
        SELECT p.queue, a.name AS paused_by, p.paused_at AS "paused_at: DateTime<Utc>", p.reason
        FROM queue_pauses AS p
        JOIN accounts AS a ON a.id = p.paused_by
        ORDER BY p.queue
        "#
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Whether a queue is paused, and stays so or not until the end of the transaction.
pub async fn is_paused(conn: &mut MySqlConnection, queue: &str) -> DbResult<bool> {
    let paused = sqlx::query_scalar!(
        r#"SELECT 1 AS "paused!: i64" FROM queue_pauses WHERE queue = ? FOR UPDATE"#,
        queue
    );
    Ok(paused.fetch_optional(conn).await?.is_some())
}

/// Pauses a queue; one that is paused keeps the first reason.
pub async fn pause_queue(
    conn: &mut MySqlConnection,
    queue: &str,
    by: AccountId,
    reason: &str,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO queue_pauses (queue, paused_by, paused_at, reason)
        VALUES (?, ?, ?, ?)
        ON DUPLICATE KEY UPDATE queue_pauses.queue = queue_pauses.queue
        "#,
        queue,
        by.0,
        now,
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has a queue received from again.
pub async fn resume_queue(conn: &mut MySqlConnection, queue: &str) -> DbResult<()> {
    sqlx::query!("DELETE FROM queue_pauses WHERE queue = ?", queue)
        .execute(conn)
        .await?;
    Ok(())
}
