//! Takes an update in: stored together with the outbox row that will get it published.

use crate::clock::Clock;
use crate::db::outbox::OutboxMessage;
use crate::db::timeline::Event;
use crate::db::{self, DbError, Pool, Transaction, Trouble};
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

/// Accepts an update. Once this returns `Ok`, the update is never lost: the relay publishes it,
/// again and again if need be, until it is seen at its one end.
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
    let now = clock.now();
    let mut tx = Transaction::begin(pool).await?;
    match db::updates::insert_accepted(&mut tx, update, origin, now).await {
        Err(error) if error.trouble() == Trouble::Duplicate => {
            tx.rollback().await?;
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
    db::timeline::insert_events(&mut tx, &[accepted], now).await?;
    let message = OutboxMessage {
        id: update.id,
        group: update.message_group(),
        body,
        kind: update.change.kind(),
        attempts: 0,
    };
    db::outbox::insert_message(&mut tx, &message, now).await?;
    tx.commit().await?;
    Ok(())
}
