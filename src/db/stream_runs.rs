//! SQL for what the stream said, record by record, and for what it said again.

use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::json;

/// Movements of a bean that came in one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    pub bean: i64,
    pub first: i64,
    pub last: i64,
    /// By how many bags each changed the stock, in JSON.
    pub changes: String,
    pub shard: String,
    pub sequence_number: String,
}

/// Adds movements that were counted.
pub async fn insert_runs(conn: &mut MySqlConnection, runs: &[Run]) -> DbResult<()> {
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO stream_runs (bean_id, first_sequence, last_sequence, changes, shard_id, sequence_number)
        SELECT new.bean, new.first, new.last, new.changes, new.shard, new.sequence_number
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            first BIGINT PATH '$.first',
            last BIGINT PATH '$.last',
            changes TEXT PATH '$.changes' ERROR ON ERROR,
            shard VARCHAR(128) PATH '$.shard',
            sequence_number VARCHAR(128) PATH '$.sequence_number'
        )) AS new
        "#,
        json(&runs)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes movements that came again.
pub async fn insert_repeats(conn: &mut MySqlConnection, repeats: &[Run]) -> DbResult<()> {
    if repeats.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO stream_repeats (sequence_number, shard_id, bean_id, first_sequence, last_sequence, changes, seen_at)
        SELECT new.sequence_number, new.shard, new.bean, new.first, new.last, new.changes, UTC_TIMESTAMP(6)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            bean BIGINT PATH '$.bean',
            first BIGINT PATH '$.first',
            last BIGINT PATH '$.last',
            changes TEXT PATH '$.changes' ERROR ON ERROR,
            shard VARCHAR(128) PATH '$.shard',
            sequence_number VARCHAR(128) PATH '$.sequence_number'
        )) AS new
        ON DUPLICATE KEY UPDATE stream_repeats.bean_id = stream_repeats.bean_id
        "#,
        json(&repeats)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what came again more than 40 days ago.
pub async fn forget_old_repeats(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM stream_repeats WHERE seen_at < UTC_TIMESTAMP() - INTERVAL 40 DAY LIMIT 10000"
    )
    .execute(conn)
    .await?;
    Ok(())
}
