//! The handler of the alerts queue: has people told at once of what suppliers have run out of.
//!
//! The queue gets a copy of each message that says so. Whether it is true is for the stock to say: the alert was begun
//! by the transaction that applied the update, and a copy only has it told without delay. So nobody hears of a copy
//! whose update was refused, changed nothing, or is overtaken.

use super::fan_out::tell_of_bean;
use super::notifier::Notifier;
use crate::consumer::{Handler, Outcome};
use crate::db::DbResult;
use crate::db::update_lists::find_update;
use crate::domain::{AlertKind, UpdateState};
use crate::inventory::{Incoming, find_ids};
use crate::messaging::ReceivedMessage;
use crate::messaging::wire::Decoder;

/// Tells people of what suppliers have run out of.
#[derive(Debug)]
pub struct TellOfOutOfStock {
    notifier: Notifier,
    decoder: Decoder,
}

impl TellOfOutOfStock {
    /// The `decoder` reads messages as the poller's does.
    pub fn new(notifier: Notifier, decoder: Decoder) -> Self {
        Self { notifier, decoder }
    }

    async fn tell(&self, message: &ReceivedMessage) -> DbResult<Outcome> {
        let (id, body) = (&message.message_id, &message.body);
        let copy = Incoming {
            content: self.decoder.decode(id, body, message.sent_at),
            message_id: id.clone(),
            receive_count: message.receive_count,
            group: None,
            receive_limit: None,
        };
        if copy.content.is_err() {
            return Ok(Outcome::Done);
        }
        let mut conn = self.notifier.pool.acquire().await?;
        let ids = find_ids(&mut conn, std::slice::from_ref(&copy)).await?;
        let update = match ids.get(&copy.key()) {
            Some(id) => find_update(&mut conn, *id).await?,
            None => None,
        };
        drop(conn);
        let Some(update) = update else {
            // The poller has not seen it yet.
            return Ok(Outcome::Postponed);
        };
        match (update.state, update.bean) {
            (UpdateState::Applied, Some(bean)) => {
                tell_of_bean(&self.notifier, bean, AlertKind::OutAtSupplier).await?;
                Ok(Outcome::Done)
            }
            (state, _) if state.is_final() || state == UpdateState::DeadLettered => {
                Ok(Outcome::Done)
            }
            _ => Ok(Outcome::Postponed),
        }
    }
}

impl Handler for TellOfOutOfStock {
    async fn handle(&self, batch: &[ReceivedMessage]) -> DbResult<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for message in batch {
            outcomes.push(self.tell(message).await?);
        }
        Ok(outcomes)
    }
}
