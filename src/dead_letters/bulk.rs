//! Doing one thing with many dead letters: which they are is settled when it begins, so that nothing happens to those
//! that arrive meanwhile.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::activity::Activity;
use crate::db::bulk_actions::NewBulkAction;
use crate::db::letter_lists::{LetterFilter, Range};
use crate::db::{self, Connection, DbError, DbResult, Pool, WorkError};
use crate::domain::AccountId;
use crate::submission::Submission;

/// As many at once. What is beyond stays for the next time.
pub const MOST: usize = 10_000;

/// The letters that somebody has chosen, newest first.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub letters: Vec<Uuid>,
    /// Whether there are more than [`MOST`].
    pub is_cut: bool,
}

/// Chooses the open letters that a filter lets through, up to the one that was the newest when somebody looked.
pub async fn choose(
    conn: &mut Connection,
    filter: &LetterFilter,
    newest: Uuid,
) -> DbResult<Chosen> {
    let range = Range {
        before: Uuid::from_u128(newest.as_u128().saturating_add(1)),
        ..Range::ALL
    };
    let limit = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
    let mut letters = db::letter_lists::list_ids(conn, filter, range, limit, 0).await?;
    let is_cut = letters.len() > MOST;
    letters.truncate(MOST);
    Ok(Chosen { letters, is_cut })
}

/// What somebody wants done, and how many letters they were told it is about.
#[derive(Debug, Clone)]
pub struct Undertaking<'a> {
    pub action: NewBulkAction<'a>,
    pub filter: &'a LetterFilter,
    pub number: usize,
}

/// Why it was not begun or stopped.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// It would be about other letters than they were told: somebody has dealt with some meanwhile.
    #[error("it is about {0} letters now")]
    Differs(usize),
    /// There is none, or it does not go on any more.
    #[error("there is no such action under way")]
    Over,
    /// The database failed; whether it was begun is unknown, and sending the form again is safe.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for BulkError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            Self::Differs(_) | Self::Over => None,
        }
    }
}

/// Begins, and gives the number under which it can be watched: the same one however often the form comes.
///
/// # Errors
/// [`BulkError::Differs`] if other letters would be meant than their number says.
pub async fn start(
    pool: &Pool,
    undertaking: &Undertaking<'_>,
    submission: &Submission,
    activity: &Activity<'_>,
    now: DateTime<Utc>,
) -> Result<i64, BulkError> {
    db::in_transaction(pool, async |tx| {
        if let Some(earlier) = submission.claim(tx, now).await? {
            return Ok(earlier);
        }
        let action = &undertaking.action;
        let chosen = choose(tx, undertaking.filter, action.newest).await?;
        if chosen.letters.len() != undertaking.number {
            return Err(BulkError::Differs(chosen.letters.len()));
        }
        let id = db::bulk_actions::insert_action(tx, action, now).await?;
        db::bulk_actions::insert_letters(tx, id, &chosen.letters).await?;
        db::activity::insert_activity(tx, activity).await?;
        submission.settle(tx, id, now).await?;
        Ok(id)
    })
    .await
}

/// Stops it: the letters that it has not come to are left alone.
///
/// # Errors
/// [`BulkError::Over`] if it does not go on any more.
pub async fn stop(
    pool: &Pool,
    action: i64,
    by: AccountId,
    activity: &Activity<'_>,
    now: DateTime<Utc>,
) -> Result<(), BulkError> {
    db::in_transaction(pool, async |tx| {
        if !db::bulk_actions::lock_running(tx, action).await? {
            return Err(BulkError::Over);
        }
        db::bulk_actions::stop_action(tx, action, by, now).await?;
        Ok(db::activity::insert_activity(tx, activity).await?)
    })
    .await
}
