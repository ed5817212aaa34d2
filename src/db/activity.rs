//! SQL for the log of what people did. There is no statement here that changes or deletes a row.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::LATEST;
use crate::domain::{AccountId, Action};

/// Who does something, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// `None` for whoever runs the program.
    pub account: Option<AccountId>,
    /// The network address; empty for the command line.
    pub address: &'a str,
}

impl<'a> Actor<'a> {
    /// Whoever runs the program.
    pub const OPERATOR: Actor<'static> = Actor {
        account: None,
        address: "",
    };

    /// What they did, with what changed or why.
    pub fn did(self, action: Action, details: &'a str) -> Activity<'a> {
        Activity {
            actor: self.account,
            action,
            account: None,
            details,
            address: self.address,
        }
    }
}

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
    /// What was done, in words; its code if a newer version of the program has noted it.
    pub action: String,
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

/// What is looked for in the log.
#[derive(Debug, Clone, Default)]
pub struct ActivityFilter {
    pub actor: Option<AccountId>,
    /// The code of what was done; empty for anything.
    pub action: String,
    /// From this moment on.
    pub from: Option<DateTime<Utc>>,
    /// And before this one.
    pub before: Option<DateTime<Utc>>,
}

impl ActivityFilter {
    fn since(&self) -> DateTime<Utc> {
        self.from.unwrap_or(DateTime::UNIX_EPOCH)
    }

    fn until(&self) -> DateTime<Utc> {
        self.before.unwrap_or(LATEST)
    }
}

/// Counts the lines of the log that a filter lets through.
pub async fn count_activity(conn: &mut MySqlConnection, filter: &ActivityFilter) -> DbResult<i64> {
    let actor = filter.actor.map(|id| id.0);
    let count = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "count!: i64"
        FROM activity
        WHERE (? IS NULL OR actor_id = ?) AND (? = '' OR action = ?) AND at >= ? AND at < ?
        "#,
        actor,
        actor,
        filter.action,
        filter.action,
        filter.since(),
        filter.until()
    );
    Ok(count.fetch_one(conn).await?)
}

/// Lists the lines of the log that a filter lets through, newest first.
pub async fn list_activity(
    conn: &mut MySqlConnection,
    filter: &ActivityFilter,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<ActivityLine>> {
    let actor = filter.actor.map(|id| id.0);
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
        WHERE (? IS NULL OR l.actor_id = ?) AND (? = '' OR l.action = ?) AND l.at >= ? AND l.at < ?
        ORDER BY l.id DESC
        LIMIT ? OFFSET ?
        "#,
        actor,
        actor,
        filter.action,
        filter.action,
        filter.since(),
        filter.until(),
        limit,
        offset
    )
    .fetch_all(conn)
    .await?;
    let line = rows.into_iter().map(|row| ActivityLine {
        at: row.at,
        actor: row.actor,
        action: Action::from_code(&row.action)
            .map_or(row.action, |action| action.words().to_owned()),
        account: row.account,
        details: row.details,
        address: row.address,
    });
    Ok(line.collect())
}
