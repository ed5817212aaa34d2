//! SQL for what happened to updates in each minute.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;

/// A minute that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// When it began.
    pub minute: DateTime<Utc>,
    /// Updates applied in it.
    pub applied: i64,
    /// Dead letters collected in it.
    pub failed: i64,
    /// Updates without an end, when it was written down.
    pub waiting: i64,
    /// For how many seconds the oldest of them had waited.
    pub oldest_seconds: Option<i64>,
}

/// Writes down the newest minute that is over, by the database's clock, unless another process was first.
///
/// What commits more than ten seconds after its minute has ended is missing in it, so nothing that must be
/// right is read from here.
pub async fn write_minute(conn: &mut MySqlConnection) -> DbResult<()> {
    let is_written = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT 1
            FROM update_minutes
            WHERE minute = DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL 70 SECOND, '%Y-%m-%d %H:%i:00')
        ) AS "is_written!: bool"
        "#
    );
    if is_written.fetch_one(&mut *conn).await? {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO update_minutes (minute, applied, failed, waiting, oldest_seconds)
        SELECT
            ended.began,
            (
                SELECT COUNT(*)
                FROM inventory_updates AS u FORCE INDEX (idx_inventory_updates_finished_at)
                WHERE u.finished_at >= ended.began
                    AND u.finished_at < ended.began + INTERVAL 1 MINUTE
                    AND u.state = 'applied'
            ),
            (
                SELECT COUNT(*)
                FROM dead_letters AS l
                WHERE l.collected_at >= ended.began AND l.collected_at < ended.began + INTERVAL 1 MINUTE
            ),
            (SELECT COUNT(*) FROM inventory_updates WHERE state IN ('accepted', 'published', 'refused')),
            (
                SELECT TIMESTAMPDIFF(SECOND, MIN(accepted_at), UTC_TIMESTAMP(6))
                FROM inventory_updates
                WHERE state IN ('accepted', 'published', 'refused')
            )
        FROM (
            SELECT CAST(
                DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL 70 SECOND, '%Y-%m-%d %H:%i:00') AS DATETIME
            ) AS began
        ) AS ended
        ON DUPLICATE KEY UPDATE update_minutes.minute = update_minutes.minute
        "#
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets minutes that are older than 40 days.
pub async fn forget_old_minutes(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM update_minutes WHERE minute < UTC_TIMESTAMP() - INTERVAL 40 DAY LIMIT 10000"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists the minutes since a moment, oldest first.
pub async fn list_minutes(
    conn: &mut MySqlConnection,
    since: DateTime<Utc>,
) -> DbResult<Vec<Minute>> {
    let rows = sqlx::query_as!(
        Minute,
        r#"
        SELECT minute AS "minute: DateTime<Utc>", applied, failed, waiting, oldest_seconds
        FROM update_minutes
        WHERE minute >= ?
        ORDER BY minute
        "#,
        since
    );
    Ok(rows.fetch_all(conn).await?)
}
