//! What each outcome does to its message: delete it, release it, or make it wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::hand::Batch;
use super::lease::Leases;
use super::outcome::Outcome;
use crate::backoff;
use crate::messaging::{FailedEntry, MAX_BATCH, Queue, ReceivedMessage, ServiceError};

/// A failed delete is tried again after these delays; then redelivery has to do, harmlessly.
const DELETE_RETRIES: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
];

/// Messages sorted by what is to be done with them.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) done: Batch,
    pub(super) refused: Batch,
    postponed: Batch,
    unstarted: Batch,
}

impl Sorted {
    /// Sorts a batch by its outcomes; leaves in it what is held.
    pub(super) fn by(batch: &mut Batch, mut outcomes: Vec<Outcome>) -> Self {
        let mut pick = |wanted| {
            let picked = batch.take(|place, _| outcomes.get(place) == Some(&wanted));
            outcomes.retain(|outcome| *outcome != wanted);
            picked
        };
        Self {
            done: pick(Outcome::Done),
            refused: pick(Outcome::Refused),
            postponed: pick(Outcome::Postponed),
            unstarted: pick(Outcome::Unstarted),
        }
    }
}

/// The queue and the leases of what is in hand of it.
#[derive(Debug)]
pub(super) struct Settling<Q> {
    pub(super) queue: Arc<Q>,
    pub(super) leases: Arc<Leases>,
    /// After how many receives the queue gives a message up; 0 if it never does.
    pub(super) max_receive_count: Option<u32>,
    pub(super) visibility: Duration,
}

// Derived, it would ask for a queue that can be cloned.
impl<Q> Clone for Settling<Q> {
    fn clone(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            leases: Arc::clone(&self.leases),
            ..*self
        }
    }
}

impl<Q: Queue> Settling<Q> {
    /// Carries out what the outcomes mean, after they are committed.
    ///
    /// A refused message is released at once, so that the redrive policy moves it on without waiting
    /// for timeouts; the ones behind it follow only then, so that nobody receives them before it.
    ///
    /// A queue that never gives a message up would give a refused one back at once, for ever; there it
    /// waits longer and longer.
    pub(super) async fn settle(self, mut sorted: Sorted) {
        let Sorted {
            done,
            refused,
            postponed,
            unstarted,
        } = &mut sorted;
        for batch in [done, refused, postponed, unstarted] {
            batch.end_leases();
        }
        self.leases.wait_for_extension().await;
        let mut deleting = JoinSet::new();
        for ten in sorted.done.in_parts_of(MAX_BATCH) {
            let queue = Arc::clone(&self.queue);
            deleting.spawn(async move { delete(&*queue, &ten).await });
        }
        if self.max_receive_count.is_some() {
            self.release(&sorted.refused).await;
        } else {
            self.postpone_ended(&sorted.refused).await;
        }
        self.postpone_ended(&sorted.postponed).await;
        self.release(&sorted.unstarted).await;
        deleting.join_all().await;
    }

    /// Makes messages visible again after a jittered delay that grows with their receives.
    pub(super) async fn postpone(&self, mut batch: Batch) {
        batch.end_leases();
        self.leases.wait_for_extension().await;
        self.postpone_ended(&batch).await;
    }

    async fn postpone_ended(&self, batch: &Batch) {
        self.hand_back(batch.messages(), |message| {
            backoff::before_redelivery(message.receive_count)
        })
        .await;
    }

    /// Makes messages visible again at once.
    async fn release(&self, batch: &Batch) {
        self.hand_back(batch.messages(), |_| Duration::ZERO).await;
    }

    /// Gives messages back although nothing is wrong with them: this process stops, or has no room.
    ///
    /// That is no fault of theirs, and still a receive each time, so the fewer they have left, the longer
    /// they are kept from being received: several stops in a row must not dead-letter them. One at its
    /// last receive is left alone; if its visibility ends before anybody else has it, nothing could have
    /// helped it.
    pub(super) async fn hand_back_blameless(&self, mut batch: Batch) {
        batch.end_leases();
        self.leases.wait_for_extension().await;
        let (limit, visibility) = (self.max_receive_count, self.visibility);
        let left = |message: &ReceivedMessage| Some(limit?.saturating_sub(message.receive_count));
        let kept = batch.take(|_, message| left(message) != Some(0));
        self.hand_back(kept.messages(), |message| match left(message) {
            Some(1) => visibility.max(backoff::BEFORE_THE_LAST_RECEIVE),
            Some(2) => visibility.max(backoff::BEFORE_THE_LAST_BUT_ONE),
            _ => backoff::before_redelivery(message.receive_count),
        })
        .await;
    }

    async fn hand_back(
        &self,
        messages: &[ReceivedMessage],
        delay: impl Fn(&ReceivedMessage) -> Duration,
    ) {
        for ten in messages.chunks(MAX_BATCH) {
            let entries: Vec<(&str, Duration)> = ten
                .iter()
                .map(|message| (message.receipt.as_str(), delay(message)))
                .collect();
            // They come back by themselves when their visibility timeout ends.
            match self.queue.change_visibility(&entries).await {
                Err(error @ ServiceError::Refused { .. }) => {
                    tracing::warn!(%error, messages = entries.len(), "could not release messages");
                }
                Err(error) => {
                    tracing::debug!(%error, messages = entries.len(), "could not release messages");
                }
                Ok(failed) if failed.is_empty() => {}
                Ok(failed) => {
                    tracing::debug!(messages = failed.len(), "could not release messages");
                }
            }
        }
    }
}

/// Deletes messages whose end is committed. Failed entries are tried again, and only those;
/// deleting twice is harmless, and so is the redelivery of one that could not be deleted.
async fn delete<Q: Queue>(queue: &Q, batch: &Batch) {
    let messages = batch.messages().iter();
    let mut receipts: Vec<&str> = messages.map(|message| message.receipt.as_str()).collect();
    let mut delays = DELETE_RETRIES.into_iter();
    while !receipts.is_empty() {
        let result = queue.delete(&receipts).await;
        receipts = match &result {
            Ok(failed) => retryable(&receipts, failed),
            Err(ServiceError::Unreachable { .. }) => receipts,
            Err(error @ ServiceError::Refused { .. }) => return log_undeleted(&receipts, error),
        };
        match (receipts.is_empty(), delays.next()) {
            (true, _) => {}
            (false, Some(delay)) => tokio::time::sleep(delay).await,
            (false, None) => return log_undeleted(&receipts, "tried several times"),
        }
    }
}

fn log_undeleted(receipts: &[&str], error: impl std::fmt::Display) {
    tracing::warn!(
        %error,
        messages = receipts.len(),
        "handled messages could not be deleted; they will come again and change nothing"
    );
}

/// Keeps the entries worth another try. An expired receipt is not: its message comes again.
fn retryable<'a>(receipts: &[&'a str], failed: &[FailedEntry]) -> Vec<&'a str> {
    failed
        .iter()
        .filter(|entry| entry.retryable)
        .filter_map(|entry| receipts.get(entry.position).copied())
        .collect()
}
