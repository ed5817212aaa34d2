//! Ends that people give to updates: cancelled by the sender, or fixed by another update.

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::db::activity::Activity;
use crate::db::inbox::End;
use crate::db::timeline::Event;
use crate::db::updates::Standing;
use crate::db::{self, DbError, Pool, Transaction, WorkError};
use crate::domain::{UpdateId, UpdateState};

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
        end_by_hand(tx, update, UpdateState::Cancelled, is_cancellable, now).await?;
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

/// Gives an update an end with its inbox row, so that whatever still carries it is a duplicate.
pub(super) async fn end_by_hand(
    tx: &mut Transaction,
    update: UpdateId,
    state: UpdateState,
    may_end: impl Fn(UpdateState) -> bool,
    now: DateTime<Utc>,
) -> Result<(), EndError> {
    let known = db::known_updates::lock_updates(tx, &[update]).await?;
    let known = known.get(&update);
    let known = known.ok_or(EndError::Unknown)?;
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
        attempt: None,
    };
    db::timeline::insert_events(tx, &[event], now).await?;
    db::dead_letters::close_letter_by_hand(tx, update, state, now).await?;
    Ok(db::outbox::delete_messages(tx, &[update]).await?)
}
