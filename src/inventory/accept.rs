//! Takes an update in: stored together with the outbox row that will get it published.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::outbox::{Destination, OutboxMessage};
use crate::db::timeline::Event;
use crate::db::updates::Source;
use crate::db::{self, DbError, DbResult, Pool, Transaction, Trouble, WorkError};
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
    let message = Message::of(update).map_err(AcceptError::Unreadable)?;
    let now = clock.now();
    db::in_transaction(pool, async |tx| {
        match message.store(tx, Source::from(origin), now).await {
            Err(error) if error.trouble() == Trouble::Duplicate => {
                Err(AcceptError::AlreadyAccepted)
            }
            result => Ok(result?),
        }
    })
    .await
}

/// An update with the message that will carry it.
#[derive(Debug)]
pub(super) struct Message<'a> {
    update: &'a InventoryUpdate,
    body: String,
}

impl<'a> Message<'a> {
    /// Writes the message.
    ///
    /// # Errors
    /// Nobody could read it again, and what nobody can read later must not be promised now.
    pub(super) fn of(update: &'a InventoryUpdate) -> Result<Self, Refusal> {
        let body = wire::encode(update);
        let read = wire::decode(&update.id.to_string(), &body);
        let read = read.map_err(|unreadable| unreadable.refusal)?;
        debug_assert_eq!(
            read.fingerprint(),
            update.fingerprint(),
            "it reads as it was"
        );
        Ok(Self { update, body })
    }

    /// Stores the update, the first step of its timeline and the outbox row that gets it published.
    pub(super) async fn store(
        &self,
        tx: &mut Transaction,
        source: Source,
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        let update = self.update;
        db::updates::insert_accepted(tx, update, source, now).await?;
        let accepted = Event {
            id: update.id,
            state: UpdateState::Accepted,
            refusal: None,
            note: None,
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
        db::outbox::insert_message(tx, Destination::Updates, &message, now).await
    }
}
