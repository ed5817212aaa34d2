//! Sends the message of a dead-lettered update again, unchanged: the same update, which then counts after all.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::activity::Activity;
use crate::db::dead_letters::OpenLetter;
use crate::db::outbox::{Destination, OutboxMessage};
use crate::db::timeline::Event;
use crate::db::{self, DbError, Pool, Transaction, WorkError};
use crate::domain::{InventoryUpdate, Reason, Refusal, UpdateId, UpdateState};
use crate::messaging::wire;

/// Why a message was not sent again.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    #[error("there is no such dead letter")]
    Unknown,
    /// Its update is not a dead letter any more.
    #[error("the update is {} now", .0.code())]
    MovedOn(UpdateState),
    /// It was sent again before, and has not come back yet.
    #[error("the message is on its way")]
    OnItsWay,
    /// It would be refused whatever the stock is.
    #[error(transparent)]
    Hopeless(Refusal),
    /// The database failed; whether it was sent is unknown.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for ResendError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

/// Sends the message of an update again, and notes who did.
///
/// # Errors
/// A [`ResendError`]; nothing was sent then, unless it is [`ResendError::Db`].
pub async fn resend_update(
    pool: &Pool,
    clock: &dyn Clock,
    update: UpdateId,
    activity: &Activity<'_>,
) -> Result<(), ResendError> {
    let now = clock.now();
    db::in_transaction(pool, async |tx| {
        send_again(tx, update, now).await?;
        db::activity::insert_activity(tx, activity).await?;
        Ok(())
    })
    .await
}

/// Has the relay send the message of an update again.
///
/// It gets a deduplication id of its own: within five minutes of the first try, SNS and SQS would swallow the old one.
/// Gives how many copies the queue had given up before.
///
/// # Errors
/// A [`ResendError`]; nothing is sent then.
pub async fn send_again(
    tx: &mut Transaction,
    update: UpdateId,
    now: DateTime<Utc>,
) -> Result<i32, ResendError> {
    let known = db::known_updates::lock_updates(tx, &[update]).await?;
    let known = known.get(&update).ok_or(ResendError::Unknown)?;
    if known.state != UpdateState::DeadLettered {
        return Err(ResendError::MovedOn(known.state));
    }
    if db::outbox::has_message(tx, update).await? {
        return Err(ResendError::OnItsWay);
    }
    let letter = db::dead_letters::find_open_of(tx, update).await?;
    let letter = letter.ok_or(ResendError::Unknown)?;
    let mut letters = db::dead_letters::list_open_letters(tx, &[letter]).await?;
    let letter = letters.pop().ok_or(ResendError::Unknown)?;
    let says = read(&letter).map_err(ResendError::Hopeless)?;
    let message = OutboxMessage {
        id: Uuid::now_v7(),
        update: Some((update, says.change.kind())),
        group: says.message_group(),
        // Its meaning under its own id: an envelope may have none, and would get another each time.
        body: wire::encode(&says),
        attempts: 0,
    };
    db::outbox::insert_message(tx, Destination::Updates, &message, now).await?;
    let event = Event {
        id: update,
        state: UpdateState::Resent,
        refusal: None,
        note: None,
        attempt: None,
    };
    db::timeline::insert_events(tx, &[event], now).await?;
    Ok(letter.arrivals)
}

/// Reads what an open letter says, as the poller will.
///
/// # Errors
/// Why it would be refused again, whatever the stock is.
pub(super) fn read(letter: &OpenLetter) -> Result<InventoryUpdate, Refusal> {
    // Published by us, it would pass for one of our topic.
    if letter.refusal.reason == Reason::ForeignTopic {
        return Err(letter.refusal.clone());
    }
    let sender_id = letter.sender_id.ok_or_else(|| letter.refusal.clone())?;
    let read = |message_id| {
        let read = wire::decode(message_id, &letter.body);
        read.map_err(|unreadable| unreadable.refusal)
    };
    let (one, other) = (read("one")?, read("other")?);
    // One that uses the id of another update would be taken for that again. Most have none and go by the broker's.
    if one.id == other.id && one.id != sender_id {
        return Err(letter.refusal.clone());
    }
    Ok(InventoryUpdate {
        id: sender_id,
        sent_at: letter.sent_at.or(one.sent_at),
        ..one
    })
}
