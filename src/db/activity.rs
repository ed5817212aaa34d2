//! SQL for the log of what people did. There is no statement here that changes or deletes a row.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::code;
use crate::domain::{AccountId, Action};

/// Something that somebody did.
#[derive(Debug, Clone, Copy)]
pub struct Activity<'a> {
    /// Who did it; `None` for whoever runs the program.
    pub actor: Option<AccountId>,
    pub action: Action,
    /// To whom.
    pub account: Option<AccountId>,
    /// What changed, or why.
    pub details: &'a str,
    /// From which network address.
    pub address: &'a str,
}

/// A line of the log.
#[derive(Debug, Clone)]
pub struct ActivityLine {
    pub at: DateTime<Utc>,
    /// Who did it, by name.
    pub actor: Option<String>,
    pub action: Action,
    /// To whom, by name.
    pub account: Option<String>,
    pub details: String,
    pub address: String,
}

/// Adds to the log.
pub async fn insert_activity(conn: &mut MySqlConnection, activity: &Activity<'_>) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO activity (at, actor_id, action, account_id, details, address)
        VALUES (UTC_TIMESTAMP(6), ?, ?, ?, LEFT(?, 500), ?)
        "#,
        activity.actor.map(|id| id.0),
        activity.action.code(),
        activity.account.map(|id| id.0),
        activity.details,
        activity.address
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts the lines of the log.
pub async fn count_activity(conn: &mut MySqlConnection) -> DbResult<i64> {
    let count = sqlx::query_scalar!(r#"SELECT COUNT(*) AS "count!: i64" FROM activity"#);
    Ok(count.fetch_one(conn).await?)
}

/// Lists the log, newest first.
pub async fn list_activity(
    conn: &mut MySqlConnection,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<ActivityLine>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            l.at AS "at: DateTime<Utc>",
            actor.name AS "actor?",
            l.action,
            account.name AS "account?",
            l.details,
            l.address
        FROM activity AS l
        LEFT JOIN accounts AS actor ON actor.id = l.actor_id
        LEFT JOIN accounts AS account ON account.id = l.account_id
        ORDER BY l.id DESC
        LIMIT ? OFFSET ?
        "#,
        limit,
        offset
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ActivityLine {
                at: row.at,
                actor: row.actor,
                action: code("activity", "action", &row.action, Action::from_code)?,
                account: row.account,
                details: row.details,
                address: row.address,
            })
        })
        .collect()
}
