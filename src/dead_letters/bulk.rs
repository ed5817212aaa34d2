//! Doing one thing with many dead letters: which they are is settled when it begins, so that nothing happens to those
//! that arrive meanwhile.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::db::activity::Activity;
use crate::db::bulk_actions::NewBulkAction;
use crate::db::letter_lists::{LetterFilter, Range};
use crate::db::{self, Connection, DbError, DbResult, Pool, WorkError};
use crate::domain::AccountId;
use crate::submission::Submission;

/// As many at once. What is beyond stays for the next time.
pub const MOST: usize = 10_000;

/// So many letters are looked through for words at a time, newest first: no index tells which contain them.
pub const LOOKED_THROUGH: i64 = 5_000;

/// The letters that somebody has chosen, newest first.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub letters: Vec<Uuid>,
    /// Whether there are more than [`MOST`], or more to look through.
    pub is_cut: bool,
}

impl Chosen {
    /// What tells these letters from all others.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for letter in &self.letters {
            hash.update(letter.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        let [one, other] = [0, 16].map(|from| digest[from..from + 16].try_into());
        let half = |half: Result<[u8; 16], _>| half.map_or(0, u128::from_be_bytes);
        format!("{:032x}{:032x}", half(one), half(other))
    }
}

/// Chooses the open letters that a filter lets through, up to the one that was the newest when somebody looked.
pub async fn choose(
    conn: &mut Connection,
    filter: &LetterFilter,
    newest: Uuid,
) -> DbResult<Chosen> {
    let before = Uuid::from_u128(newest.as_u128().saturating_add(1));
    let reach = if filter.looks_inside() {
        db::letter_lists::find_reach(conn, filter, before, LOOKED_THROUGH).await?
    } else {
        None
    };
    let range = Range {
        from: reach.unwrap_or(Uuid::nil()),
        before,
    };
    let limit = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
    let mut letters = db::letter_lists::list_ids(conn, filter, range, limit, 0).await?;
    let is_cut = letters.len() > MOST || reach.is_some();
    letters.truncate(MOST);
    Ok(Chosen { letters, is_cut })
}

/// What somebody wants done, and which letters they were told it is about.
#[derive(Debug, Clone)]
pub struct Undertaking<'a> {
    pub action: NewBulkAction<'a>,
    pub filter: &'a LetterFilter,
    /// How many these are, and their [digest](Chosen::digest).
    pub number: usize,
    pub digest: &'a str,
}

/// Why it was not begun or stopped.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// It would be about other letters than they were told: somebody has dealt with some meanwhile.
    #[error("it is about other letters now")]
    Differs,
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
            Self::Differs | Self::Over => None,
        }
    }
}

/// Begins, and gives the number under which it can be watched: the same one however often the form comes.
///
/// # Errors
/// [`BulkError::Differs`] if other letters would be meant than they were told.
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
        let is_number = chosen.letters.len() == undertaking.number;
        if !is_number || chosen.digest() != undertaking.digest {
            return Err(BulkError::Differs);
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
