//! The handler of the queue of updates: reads its messages and has them applied.

use super::{BusyBeans, Incoming, Outcome, apply_batch};
use crate::consumer::{self, Handler};
use crate::db::{DbResult, Pool};
use crate::messaging::ReceivedMessage;
use crate::messaging::wire::Decoder;

/// Applies the updates that a queue delivers.
#[derive(Debug)]
pub struct Apply {
    pool: Pool,
    decoder: Decoder,
    max_receive_count: Option<u32>,
    busy: BusyBeans,
}

impl Apply {
    /// Applies updates to a database. `max_receive_count` is the queue's number of receives after which
    /// it gives a message up; `None` if it never does.
    pub fn new(pool: Pool, decoder: Decoder, max_receive_count: Option<u32>) -> Self {
        Self {
            pool,
            decoder,
            max_receive_count,
            busy: BusyBeans::default(),
        }
    }

    fn read(&self, message: &ReceivedMessage) -> Incoming {
        Incoming {
            content: self
                .decoder
                .decode(&message.message_id, &message.body, message.sent_at),
            message_id: message.message_id.clone(),
            receive_count: message.receive_count,
            group: message.group.clone(),
            receive_limit: self.max_receive_count,
        }
    }
}

impl Handler for Apply {
    async fn handle(&self, batch: &[ReceivedMessage]) -> DbResult<Vec<consumer::Outcome>> {
        let incoming: Vec<Incoming> = batch.iter().map(|message| self.read(message)).collect();
        let outcomes = apply_batch(&self.pool, &self.busy, &incoming).await?;
        log_refusals(batch, &outcomes);
        Ok(outcomes.iter().map(settlement).collect())
    }
}

fn settlement(outcome: &Outcome) -> consumer::Outcome {
    match outcome {
        Outcome::Applied | Outcome::Duplicate | Outcome::Superseded => consumer::Outcome::Done,
        Outcome::Refused { .. } => consumer::Outcome::Refused,
        Outcome::Unstarted => consumer::Outcome::Unstarted,
        Outcome::Held => consumer::Outcome::Held,
        Outcome::Postponed => consumer::Outcome::Postponed,
    }
}

/// Once for each bad message, not at each of its receives: those are on its timeline.
fn log_refusals(batch: &[ReceivedMessage], outcomes: &[Outcome]) {
    for (message, outcome) in batch.iter().zip(outcomes) {
        if let Outcome::Refused {
            refusal,
            again: false,
        } = outcome
        {
            tracing::info!(
                queue.message_id = message.message_id,
                queue.receive_count = message.receive_count,
                reason = refusal.reason.code(),
                "refused an update"
            );
        }
    }
}
