//! Takes an update in: stored together with the outbox row that will get it published.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::outbox::{Destination, OutboxMessage};
use crate::db::timeline::Event;
use crate::db::{self, DbError, Pool, Transaction, Trouble, WorkError};
use crate::domain::{InventoryUpdate, Origin, Refusal, UpdateState};
use crate::messaging::wire;

/// Why an update was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The id was used before; the first update of that id stands.
    #[error("an update with this id was accepted before")]
    AlreadyAccepted,
    /// The update could not be read again from the message that would carry it.
    #[error(transparent)]
    Unreadable(Refusal),
    /// The database failed; whether the update was stored is unknown, and trying again is safe.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for AcceptError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            Self::AlreadyAccepted | Self::Unreadable(_) => None,
        }
    }
}

/// Accepts an update. Once this returns `Ok`, the update is never lost: the relay publishes it,
/// again and again if need be, until it has a final state.
pub async fn accept_update(
    pool: &Pool,
    clock: &dyn Clock,
    update: &InventoryUpdate,
    origin: Origin,
) -> Result<(), AcceptError> {
    let body = wire::encode(update);
    // What nobody could read later must not be promised now.
    let read = wire::decode(&update.id.to_string(), &body)
        .map_err(|unreadable| AcceptError::Unreadable(unreadable.refusal))?;
    debug_assert_eq!(
        read.fingerprint(),
        update.fingerprint(),
        "it reads as it was"
    );
    let accepted = Accepted {
        update,
        origin,
        body,
        now: clock.now(),
    };
    db::in_transaction(pool, async |tx| accepted.store(tx).await).await
}

/// An update on its way into the database, with the message that will carry it.
struct Accepted<'a> {
    update: &'a InventoryUpdate,
    origin: Origin,
    body: String,
    now: DateTime<Utc>,
}

impl Accepted<'_> {
    async fn store(&self, tx: &mut Transaction) -> Result<(), AcceptError> {
        let (update, now) = (self.update, self.now);
        match db::updates::insert_accepted(tx, update, self.origin, now).await {
            Err(error) if error.trouble() == Trouble::Duplicate => {
                return Err(AcceptError::AlreadyAccepted);
            }
            result => result?,
        }
        let accepted = Event {
            id: update.id,
            state: UpdateState::Accepted,
            refusal: None,
            attempt: None,
        };
        db::timeline::insert_events(tx, &[accepted], now).await?;
        let message = OutboxMessage {
            id: Uuid::now_v7(),
            update: Some((update.id, update.change.kind())),
            group: update.message_group(),
            body: self.body.clone(),
            attempts: 0,
        };
        Ok(db::outbox::insert_message(tx, Destination::Updates, &message, now).await?)
    }
}
