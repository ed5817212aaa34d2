//! What a consumer is made for: the handler of its messages, and how it is set.

use std::time::Duration;

use super::outcome::Outcome;
use crate::db::DbResult;
use crate::messaging::ReceivedMessage;

/// What to do with the messages of a queue.
pub trait Handler: Send + Sync + 'static {
    /// Brings messages, in the order of their receipt, to one outcome each; all effects are committed
    /// before it returns. Handling any of them again must be harmless.
    ///
    /// # Errors
    /// The database failed and waiting helps; no message is at fault.
    fn handle(
        &self,
        batch: &[ReceivedMessage],
    ) -> impl Future<Output = DbResult<Vec<Outcome>>> + Send;
}

/// How to consume a queue.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerSettings {
    /// What the consumer is called in the log.
    pub name: &'static str,
    /// Maximum number of receivers, each of which has one receive of up to ten messages in hand; one
    /// runs when there is little to do.
    pub receivers: usize,
    /// The most messages that are handled in one transaction.
    pub batch: usize,
    /// How long a receive waits for the first message.
    pub wait: Duration,
    /// How long received messages are invisible to others.
    pub visibility: Duration,
    /// Number of receives after which the queue gives a message up; `None` if it never does.
    pub max_receive_count: Option<u32>,
}

/// As many small transactions may run side by side. With 14 message groups four did up to a third more
/// than one; with 200, where transactions are large, their number makes no difference.
const MAX_WORKERS: usize = 4;

impl ConsumerSettings {
    /// How many workers share what is in hand.
    pub(super) fn workers(&self) -> usize {
        self.batch.clamp(1, MAX_WORKERS)
    }

    /// How many messages each of them may hold.
    pub(super) fn most_held(&self) -> usize {
        self.batch / self.workers()
    }
}
