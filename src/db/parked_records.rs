//! SQL for records of the stream that nobody can read.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::json;

/// A record to be put aside.
#[derive(Debug, Clone, Serialize)]
pub struct NewParkedRecord {
    pub shard: String,
    pub sequence_number: String,
    pub partition_key: String,
    /// Why it cannot be read, in words.
    pub reason: String,
    /// What it holds, in Base64.
    pub record: String,
}

/// So many records in a statement: with 64 KiB each they have about 4 MiB, and servers take 16 or more.
const AT_ONCE: usize = 50;

/// Puts records aside. One that is aside already stays as it is.
pub async fn park_records(
    conn: &mut MySqlConnection,
    stream: &str,
    records: &[NewParkedRecord],
) -> DbResult<()> {
    for records in records.chunks(AT_ONCE) {
        park(conn, stream, records).await?;
    }
    Ok(())
}

async fn park(
    conn: &mut MySqlConnection,
    stream: &str,
    records: &[NewParkedRecord],
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO parked_records (stream, shard_id, sequence_number, partition_key, reason, record, parked_at)
        SELECT
            ?, new.shard, new.sequence_number, new.partition_key, new.reason, FROM_BASE64(new.record),
            UTC_TIMESTAMP(6)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (
            shard VARCHAR(128) PATH '$.shard',
            sequence_number VARCHAR(128) PATH '$.sequence_number',
            partition_key VARCHAR(256) PATH '$.partition_key',
            reason VARCHAR(500) PATH '$.reason',
            record MEDIUMTEXT PATH '$.record' ERROR ON ERROR
        )) AS new
        ON DUPLICATE KEY UPDATE parked_records.id = parked_records.id
        "#,
        stream,
        json(&records)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A record that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRecord {
    pub id: i64,
    pub shard: String,
    pub sequence_number: String,
    pub partition_key: String,
    pub reason: String,
    /// What it holds: the first 64 KiB.
    pub record: Vec<u8>,
    pub parked_at: DateTime<Utc>,
}

/// Lists the records that nobody has seen yet, newest first.
pub async fn list_parked(conn: &mut MySqlConnection, limit: i64) -> DbResult<Vec<ParkedRecord>> {
    let rows = sqlx::query_as!(
        ParkedRecord,
        r#"
        SELECT
            id,
            shard_id AS shard,
            sequence_number,
            partition_key,
            reason,
            record,
            parked_at AS "parked_at: DateTime<Utc>"
        FROM parked_records
        WHERE dismissed_at IS NULL
        ORDER BY id DESC
        LIMIT ?
        "#,
        limit
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Counts the records that nobody has seen yet.
pub async fn count_parked(conn: &mut MySqlConnection) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "count!: i64" FROM parked_records WHERE dismissed_at IS NULL"#
    );
    Ok(count.fetch_one(conn).await?)
}

/// Notes that somebody has seen the records up to one.
pub async fn dismiss_parked(
    conn: &mut MySqlConnection,
    up_to: i64,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE parked_records SET dismissed_at = ? WHERE dismissed_at IS NULL AND id <= ?",
        now,
        up_to
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets records that somebody has seen more than 40 days ago.
pub async fn forget_old_parked(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM parked_records WHERE dismissed_at < UTC_TIMESTAMP() - INTERVAL 40 DAY LIMIT 1000"
    )
    .execute(conn)
    .await?;
    Ok(())
}
