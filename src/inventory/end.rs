//! Ends that people give to updates: cancelled by the sender, discarded by the café, or fixed by another update.

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::db::activity::Activity;
use crate::db::inbox::End;
use crate::db::timeline::Event;
use crate::db::updates::Standing;
use crate::db::{self, DbError, Pool, Transaction, WorkError};
use crate::domain::{ShortText, UpdateId, UpdateState};

/// Why an update was not ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    #[error("there is no such update")]
    Unknown,
    /// It has come to where it cannot be ended any more.
    #[error("the update is {} now", .0.code())]
    MovedOn(UpdateState),
    /// The database failed; whether it was ended is unknown.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for EndError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            Self::Unknown | Self::MovedOn(_) => None,
        }
    }
}

/// Cancels an update that has had no effect yet, and notes who did. A message of it that is on its way
/// changes nothing.
///
/// # Errors
/// [`EndError::MovedOn`] if it has ended already, [`EndError::Unknown`] if it does not exist.
pub async fn cancel_update(
    pool: &Pool,
    clock: &dyn Clock,
    update: UpdateId,
    activity: &Activity<'_>,
) -> Result<(), EndError> {
    let now = clock.now();
    db::in_transaction(pool, async |tx| {
        let end = ByHand {
            state: UpdateState::Cancelled,
            why: None,
        };
        end_by_hand(tx, update, end, is_cancellable, now).await?;
        db::activity::insert_activity(tx, activity).await?;
        Ok(())
    })
    .await
}

/// Closes a dead-lettered update for good, and notes who did and why. A message of it that arrives later changes
/// nothing; a person may [restore](restore_update) it.
///
/// # Errors
/// [`EndError::MovedOn`] if it is not a dead letter any more, [`EndError::Unknown`] if it does not exist.
pub async fn discard_update(
    pool: &Pool,
    clock: &dyn Clock,
    update: UpdateId,
    why: &ShortText<500>,
    activity: &Activity<'_>,
) -> Result<(), EndError> {
    let now = clock.now();
    db::in_transaction(pool, async |tx| {
        close_dead(tx, update, why.as_str(), now).await?;
        db::activity::insert_activity(tx, activity).await?;
        Ok(())
    })
    .await
}

/// Closes a dead-lettered update for good.
///
/// # Errors
/// [`EndError::MovedOn`] if it is not a dead letter any more, [`EndError::Unknown`] if it does not exist.
pub async fn close_dead(
    tx: &mut Transaction,
    update: UpdateId,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), EndError> {
    let end = ByHand {
        state: UpdateState::Discarded,
        why: Some(why),
    };
    let is_dead = |state| state == UpdateState::DeadLettered;
    end_by_hand(tx, update, end, is_dead, now).await
}

/// For so long a discarded update can be restored.
pub const RESTORABLE_FOR: TimeDelta = TimeDelta::days(30);

/// Makes a discarded update a dead letter again, as it was before, and notes who did.
///
/// # Errors
/// [`EndError::MovedOn`] if it is not discarded, or was more than [`RESTORABLE_FOR`] ago.
pub async fn restore_update(
    pool: &Pool,
    clock: &dyn Clock,
    update: UpdateId,
    activity: &Activity<'_>,
) -> Result<(), EndError> {
    let now = clock.now();
    db::in_transaction(pool, async |tx| {
        db::known_updates::lock_updates(tx, &[update]).await?;
        let found = db::update_lists::find_update(tx, update).await?;
        let line = found.ok_or(EndError::Unknown)?;
        let ended = line.finished_at.filter(|at| *at > now - RESTORABLE_FOR);
        if line.state != UpdateState::Discarded || ended.is_none() {
            return Err(EndError::MovedOn(line.state));
        }
        let reopened = db::dead_letters::reopen_letter(tx, update).await?;
        let refusal = reopened.ok_or(EndError::MovedOn(line.state))?;
        db::updates::set_dead_again(tx, update, &refusal, now).await?;
        db::inbox::forget_discarded(tx, update).await?;
        let event = Event {
            id: update,
            state: UpdateState::DeadLettered,
            refusal: Some(refusal),
            note: None,
            attempt: None,
        };
        db::timeline::insert_events(tx, &[event], now).await?;
        db::activity::insert_activity(tx, activity).await?;
        Ok(())
    })
    .await
}

/// Leaves an update at the count that has overtaken it, and notes who did.
///
/// # Errors
/// [`EndError::MovedOn`] if no count has, or somebody has decided already.
pub async fn leave_update(
    pool: &Pool,
    clock: &dyn Clock,
    update: UpdateId,
    activity: &Activity<'_>,
) -> Result<(), EndError> {
    db::in_transaction(pool, async |tx| {
        db::known_updates::lock_updates(tx, &[update]).await?;
        let found = db::update_lists::find_update(tx, update).await?;
        let line = found.ok_or(EndError::Unknown)?;
        if line.state != UpdateState::Superseded || line.decided_at.is_some() {
            return Err(EndError::MovedOn(line.state));
        }
        db::updates::set_decided(tx, update, clock.now()).await?;
        db::activity::insert_activity(tx, activity).await?;
        Ok(())
    })
    .await
}

/// Whether an update in this state can still be cancelled.
pub fn is_cancellable(state: UpdateState) -> bool {
    !state.is_final()
}

/// An end that a person gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByHand<'a> {
    pub(super) state: UpdateState,
    pub(super) why: Option<&'a str>,
}

/// Gives an update an end with its inbox row, so that whatever still carries it is a duplicate.
pub(super) async fn end_by_hand(
    tx: &mut Transaction,
    update: UpdateId,
    by_hand: ByHand<'_>,
    may_end: impl Fn(UpdateState) -> bool,
    now: DateTime<Utc>,
) -> Result<(), EndError> {
    let known = db::known_updates::lock_updates(tx, &[update]).await?;
    let known = known.get(&update);
    let known = known.ok_or(EndError::Unknown)?;
    let state = by_hand.state;
    if !may_end(known.state) {
        return Err(EndError::MovedOn(known.state));
    }
    let standing = Standing {
        state,
        bean: None,
        refusal: None,
        refusals: 0,
        quantities: None,
    };
    db::updates::set_standings(tx, &[(update, standing)], now).await?;
    db::inbox::forget_given_up(tx, &[update]).await?;
    let end = End {
        id: update,
        fingerprint: known.fingerprint,
        state,
    };
    db::inbox::insert_ends(tx, &[end], now).await?;
    let event = Event {
        id: update,
        state,
        refusal: None,
        note: by_hand.why.map(str::to_owned),
        attempt: None,
    };
    db::timeline::insert_events(tx, &[event], now).await?;
    db::dead_letters::close_letter_by_hand(tx, update, state, now).await?;
    Ok(db::outbox::delete_messages(tx, &[update]).await?)
}
