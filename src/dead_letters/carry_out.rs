//! Carries out what is to be done with many dead letters: some a second, each in a transaction of its own, by
//! whichever process comes first. One that is killed leaves the rest to the others.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::bulk_actions::{BulkAction, Done};
use crate::db::{self, DbError, DbResult, Pool, Transaction, Trouble};
use crate::domain::BulkKind;
use crate::inventory::{EndError, ResendError, close_dead, send_again};
use crate::shutdown::Shutdown;
use crate::telemetry::{Streak, chain};

/// How often somebody looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Letters are taken in portions, one after each of these.
const PORTION_EVERY: TimeDelta = TimeDelta::seconds(1);

/// Carries out what is to be done until this process stops.
pub async fn carry_out(pool: Pool, clock: Arc<dyn Clock>, shutdown: Shutdown) {
    const WHAT: &str = "carrying out bulk actions";
    let mut streak = Streak::default();
    while shutdown.sleep(LOOK_EVERY).await.is_ok() {
        match carry_out_once(&pool, &*clock, &shutdown).await {
            Ok(()) => streak.succeeded(WHAT),
            Err(error) => {
                streak.failed(WHAT, &error);
            }
        }
    }
}

/// Takes the portion of a second of each action that is due.
///
/// # Errors
/// The database failed. What was not done is done later.
pub async fn carry_out_once(pool: &Pool, clock: &dyn Clock, shutdown: &Shutdown) -> DbResult<()> {
    while let Some(action) = take(pool, clock.now()).await? {
        let mut conn = pool.acquire().await?;
        let limit = i64::from(action.per_second);
        let letters = db::bulk_actions::list_waiting(&mut conn, action.id, limit).await?;
        drop(conn);
        if letters.is_empty() {
            let mut conn = pool.acquire().await?;
            db::bulk_actions::finish_action(&mut conn, action.id, clock.now()).await?;
        }
        for letter in letters {
            if shutdown.soft.is_cancelled() {
                return Ok(());
            }
            match deal_with(pool, &action, letter, clock.now()).await {
                Err(error) if error.trouble() == Trouble::BadData => {
                    skip(pool, &action, letter, clock.now(), &error).await?;
                }
                result => result?,
            }
        }
    }
    Ok(())
}

/// Takes an action that is due, so that nobody else does for a second.
async fn take(pool: &Pool, now: DateTime<Utc>) -> DbResult<Option<BulkAction>> {
    db::in_transaction(pool, async |tx| {
        match db::bulk_actions::take_due(tx, now, now + PORTION_EVERY).await? {
            Some(id) => db::bulk_actions::find_action(tx, id).await,
            None => Ok(None),
        }
    })
    .await
}

async fn deal_with(
    pool: &Pool,
    action: &BulkAction,
    letter: Uuid,
    now: DateTime<Utc>,
) -> DbResult<()> {
    db::in_transaction(pool, async |tx| {
        if !db::bulk_actions::lock_waiting(tx, action.id, letter).await? {
            return Ok(());
        }
        let done = deal_with_locked(tx, action, letter, now).await?;
        db::bulk_actions::set_done(tx, action.id, letter, done, now).await
    })
    .await
}

/// Leaves a letter alone whose rows cannot be read, so that those behind it have their turn.
async fn skip(
    pool: &Pool,
    action: &BulkAction,
    letter: Uuid,
    now: DateTime<Utc>,
    error: &DbError,
) -> DbResult<()> {
    let error = chain(error);
    tracing::error!(action = action.id, %letter, error, "a dead letter cannot be dealt with; it is left alone");
    let mut conn = pool.acquire().await?;
    db::bulk_actions::set_done(&mut conn, action.id, letter, Done::Skipped, now).await
}

async fn deal_with_locked(
    tx: &mut Transaction,
    action: &BulkAction,
    letter: Uuid,
    now: DateTime<Utc>,
) -> DbResult<Done> {
    let Some(update) = db::dead_letters::find_update_of(tx, letter).await? else {
        return Ok(Done::Skipped);
    };
    match action.kind {
        BulkKind::Resend => match send_again(tx, update, now).await {
            Ok(arrivals) => Ok(Done::Done {
                arrivals: Some(arrivals),
            }),
            Err(ResendError::Db(error)) => Err(error),
            // Somebody else has dealt with it, or it would only come back.
            Err(_) => Ok(Done::Skipped),
        },
        BulkKind::Discard => {
            let why = action.why.as_deref().unwrap_or_default();
            match close_dead(tx, update, why, now).await {
                Ok(()) => Ok(Done::Done { arrivals: None }),
                Err(EndError::Db(error)) => Err(error),
                Err(EndError::Unknown | EndError::MovedOn(_)) => Ok(Done::Skipped),
            }
        }
    }
}
