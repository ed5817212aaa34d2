//! SQL for what somebody does with many dead letters at once.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::rows::{code, hex, json};
use super::{DbError, DbResult};
use crate::domain::{AccountId, BulkKind};

/// What is to be done with letters.
#[derive(Debug, Clone)]
pub struct NewBulkAction<'a> {
    pub kind: BulkKind,
    /// What was chosen, in words; up to 300 characters.
    pub title: &'a str,
    /// The path at which letters are chosen like this; up to 500 characters.
    pub address: &'a str,
    /// Why, of one that discards.
    pub why: Option<&'a str>,
    pub per_second: i32,
    /// The newest letter there is.
    pub newest: Uuid,
    pub by: AccountId,
}

/// Something that is done with letters, and how far it is.
#[derive(Debug, Clone)]
pub struct BulkAction {
    pub id: i64,
    pub kind: BulkKind,
    pub title: String,
    pub address: String,
    pub why: Option<String>,
    pub per_second: i32,
    pub newest: Uuid,
    /// By whom, by name.
    pub started_by: String,
    pub started_at: DateTime<Utc>,
    /// Who stopped it, by name.
    pub stopped_by: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
}

struct Row {
    id: i64,
    kind: String,
    title: String,
    address: String,
    why: Option<String>,
    per_second: i32,
    newest: Uuid,
    started_by: String,
    started_at: DateTime<Utc>,
    stopped_by: Option<String>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for BulkAction {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        Ok(Self {
            id: row.id,
            kind: code("bulk_actions", "kind", &row.kind, BulkKind::from_code)?,
            title: row.title,
            address: row.address,
            why: row.why,
            per_second: row.per_second,
            newest: row.newest,
            started_by: row.started_by,
            started_at: row.started_at,
            stopped_by: row.stopped_by,
            finished_at: row.finished_at,
        })
    }
}

/// Begins it, due at once.
pub async fn insert_action(
    conn: &mut MySqlConnection,
    action: &NewBulkAction<'_>,
    now: DateTime<Utc>,
) -> DbResult<i64> {
    let inserted = sqlx::query!(
        r#"
        INSERT INTO bulk_actions (
            kind, title, address, why, per_second, newest, started_by, started_at, next_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        action.kind.code(),
        action.title,
        action.address,
        action.why,
        action.per_second,
        action.newest,
        action.by.0,
        now,
        now
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(inserted.last_insert_id()).unwrap_or(i64::MAX))
}

/// Settles which letters it is about.
pub async fn insert_letters(
    conn: &mut MySqlConnection,
    action: i64,
    letters: &[Uuid],
) -> DbResult<()> {
    let letters: Vec<String> = letters.iter().copied().map(hex).collect();
    sqlx::query!(
        r#"
        INSERT INTO bulk_action_letters (action_id, letter_id)
        SELECT ?, UNHEX(chosen.id)
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS chosen
        "#,
        action,
        json(&letters)
    )
    .execute(conn)
    .await?;
    Ok(())
}

macro_rules! select_actions {
    ($rest:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"
            SELECT
                b.id,
                b.kind,
                b.title,
                b.address,
                b.why,
                b.per_second,
                b.newest AS "newest: Uuid",
                a.name AS started_by,
                b.started_at AS "started_at: DateTime<Utc>",
                s.name AS "stopped_by?",
                b.finished_at AS "finished_at: DateTime<Utc>"
            FROM bulk_actions AS b
            JOIN accounts AS a ON a.id = b.started_by
            LEFT JOIN accounts AS s ON s.id = b.stopped_by
            "# + $rest
            $(, $argument)*
        )
    };
}

pub async fn find_action(conn: &mut MySqlConnection, id: i64) -> DbResult<Option<BulkAction>> {
    let row = select_actions!("WHERE b.id = ?", id)
        .fetch_optional(conn)
        .await?;
    row.map(BulkAction::try_from).transpose()
}

/// Lists the latest first.
pub async fn list_actions(conn: &mut MySqlConnection, limit: i64) -> DbResult<Vec<BulkAction>> {
    let rows = select_actions!("ORDER BY b.id DESC LIMIT ?", limit)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(BulkAction::try_from).collect()
}

/// How far an action is, and what came of what it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub waiting: i64,
    /// Left alone, because somebody had dealt with them, or because they could not be sent.
    pub skipped: i64,
    /// Left alone, because it was stopped.
    pub stopped: i64,
    /// Sent, and not heard of yet.
    pub under_way: i64,
    /// Sent, and applied or found to be included in a count.
    pub applied: i64,
    /// Sent, and given up by the queue again.
    pub failed: i64,
    /// Closed, by this or, after it was sent, by somebody.
    pub closed: i64,
}

impl Progress {
    pub fn total(&self) -> i64 {
        self.waiting + self.stopped + self.tried()
    }

    /// How many it has come to.
    pub fn tried(&self) -> i64 {
        self.skipped + self.under_way + self.applied + self.failed + self.closed
    }
}

/// Tells how far an action is.
pub async fn count_progress(conn: &mut MySqlConnection, action: i64) -> DbResult<Progress> {
    let rows = sqlx::query!(
        r#"
        SELECT
            l.state,
            d.state AS letter_state,
            COALESCE(d.arrivals > l.arrivals, FALSE) AS "came_back!: bool",
            COUNT(*) AS "number!: i64"
        FROM bulk_action_letters AS l
        STRAIGHT_JOIN dead_letters AS d FORCE INDEX (PRIMARY) ON d.id = l.letter_id
        WHERE l.action_id = ?
        GROUP BY l.state, d.state, COALESCE(d.arrivals > l.arrivals, FALSE)
        "#,
        action
    )
    .fetch_all(conn)
    .await?;
    let mut progress = Progress::default();
    for row in rows {
        let number = match (row.state.as_str(), row.letter_state.as_str(), row.came_back) {
            ("waiting", ..) => &mut progress.waiting,
            ("stopped", ..) => &mut progress.stopped,
            ("skipped", ..) => &mut progress.skipped,
            (_, "resent", _) => &mut progress.applied,
            (_, "open", true) => &mut progress.failed,
            (_, "open", false) => &mut progress.under_way,
            _ => &mut progress.closed,
        };
        *number += row.number;
    }
    Ok(progress)
}

/// Takes an action whose letters are due, so that nobody else does until `next`; none if none is.
pub async fn take_due(
    conn: &mut MySqlConnection,
    now: DateTime<Utc>,
    next: DateTime<Utc>,
) -> DbResult<Option<i64>> {
    let due = sqlx::query_scalar!(
        r#"
        SELECT id
        FROM bulk_actions
        WHERE finished_at IS NULL AND next_at <= ?
        ORDER BY next_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
        "#,
        now
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = due {
        sqlx::query!("UPDATE bulk_actions SET next_at = ? WHERE id = ?", next, id)
            .execute(conn)
            .await?;
    }
    Ok(due)
}

/// Lists letters that an action has yet to come to, oldest first.
pub async fn list_waiting(
    conn: &mut MySqlConnection,
    action: i64,
    limit: i64,
) -> DbResult<Vec<Uuid>> {
    let letters = sqlx::query_scalar!(
        r#"
        SELECT letter_id AS "letter_id: Uuid"
        FROM bulk_action_letters
        WHERE action_id = ? AND state = 'waiting'
        ORDER BY letter_id
        LIMIT ?
        "#,
        action,
        limit
    );
    Ok(letters.fetch_all(conn).await?)
}

/// Locks a letter of an action; `false` if it does not wait any more.
pub async fn lock_waiting(conn: &mut MySqlConnection, action: i64, letter: Uuid) -> DbResult<bool> {
    let waits = sqlx::query_scalar!(
        r#"
        SELECT 1 AS "waits!: i64"
        FROM bulk_action_letters
        WHERE action_id = ? AND letter_id = ? AND state = 'waiting'
        FOR UPDATE
        "#,
        action,
        letter
    );
    Ok(waits.fetch_optional(conn).await?.is_some())
}

/// What an action did with a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// What was asked for; the number of copies that the queue had given up before.
    Done { arrivals: Option<i32> },
    /// It was left alone.
    Skipped,
}

/// Notes what an action did with a letter that the caller has locked.
pub async fn set_done(
    conn: &mut MySqlConnection,
    action: i64,
    letter: Uuid,
    done: Done,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let (state, arrivals) = match done {
        Done::Done { arrivals } => ("done", arrivals),
        Done::Skipped => ("skipped", None),
    };
    sqlx::query!(
        r#"
        UPDATE bulk_action_letters
        SET state = ?, arrivals = ?, done_at = ?
        WHERE action_id = ? AND letter_id = ?
        "#,
        state,
        arrivals,
        now,
        action,
        letter
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that nothing is left to do.
pub async fn finish_action(
    conn: &mut MySqlConnection,
    action: i64,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE bulk_actions SET finished_at = COALESCE(finished_at, ?) WHERE id = ?",
        now,
        action
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks an action that goes on; `false` if there is none, or it does not any more.
pub async fn lock_running(conn: &mut MySqlConnection, action: i64) -> DbResult<bool> {
    let runs = sqlx::query_scalar!(
        r#"SELECT 1 AS "runs!: i64" FROM bulk_actions WHERE id = ? AND finished_at IS NULL FOR UPDATE"#,
        action
    );
    Ok(runs.fetch_optional(conn).await?.is_some())
}

/// Stops an action that the caller has locked: the letters that it has not come to are left alone.
pub async fn stop_action(
    conn: &mut MySqlConnection,
    action: i64,
    by: AccountId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE bulk_actions SET stopped_by = ?, finished_at = ? WHERE id = ?",
        by.0,
        now,
        action
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE bulk_action_letters SET state = 'stopped' WHERE action_id = ? AND state = 'waiting'",
        action
    )
    .execute(conn)
    .await?;
    Ok(())
}
