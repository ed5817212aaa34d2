//! What each outcome does to its message: delete it, release it, or make it wait.

use std::time::Duration;

use crate::backoff;
use crate::messaging::{FailedEntry, Queue, ReceivedMessage, ServiceError};

use super::outcome::Outcome;

/// A failed delete is tried again after these delays; then redelivery has to do, harmlessly.
const DELETE_RETRIES: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
];

/// Carries out what the outcomes mean, after they are committed.
///
/// A refused message is released at once, so that the redrive policy moves it on without waiting
/// for timeouts; the ones behind it follow only then, so that nobody receives them before it.
///
/// A queue that never gives a message up (`gives_up` is false) would give a refused one back at once,
/// for ever; there it waits longer and longer.
pub(super) async fn settle<Q: Queue>(
    queue: &Q,
    batch: &[ReceivedMessage],
    outcomes: &[Outcome],
    gives_up: bool,
) {
    let pick = |wanted| -> Vec<&ReceivedMessage> {
        let pairs = batch.iter().zip(outcomes);
        let picked = pairs.filter(|(_, outcome)| **outcome == wanted);
        picked.map(|(message, _)| message).collect()
    };
    let done = pick(Outcome::Done);
    delete(queue, done.iter().map(|m| m.receipt.as_str()).collect()).await;
    let refused = pick(Outcome::Refused);
    if gives_up {
        release(queue, &refused).await;
    } else {
        postpone(queue, &refused).await;
    }
    release(queue, &pick(Outcome::Unstarted)).await;
}

/// Deletes messages whose end is committed. Failed entries are tried again, and only those;
/// deleting twice is harmless, and so is the redelivery of one that could not be deleted.
async fn delete<Q: Queue>(queue: &Q, mut receipts: Vec<&str>) {
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

/// Makes messages visible again at once.
async fn release<Q: Queue>(queue: &Q, messages: &[&ReceivedMessage]) {
    hand_back(queue, messages, |_| Duration::ZERO).await;
}

/// Makes messages visible again after a jittered delay that grows with their receives.
pub(super) async fn postpone<Q: Queue>(queue: &Q, messages: &[&ReceivedMessage]) {
    hand_back(queue, messages, |message| {
        backoff::before_redelivery(message.receive_count)
    })
    .await;
}

/// Gives messages back because this process stops.
///
/// That is no fault of theirs, and still a receive
/// each time, so the fewer they have left, the longer they are kept from being received: several stops
/// in a row must not dead-letter them. One at its last receive is left alone; if its visibility ends
/// before anybody else has it, nothing could have helped it.
pub(super) async fn hand_back_on_stop<Q: Queue>(
    queue: &Q,
    batch: &[ReceivedMessage],
    max_receive_count: u32,
    visibility: Duration,
) {
    let left = |message: &ReceivedMessage| max_receive_count.saturating_sub(message.receive_count);
    let gives_up = max_receive_count > 0;
    let kept = |message: &&ReceivedMessage| !gives_up || left(message) > 0;
    let kept: Vec<&ReceivedMessage> = batch.iter().filter(kept).collect();
    hand_back(queue, &kept, |message| match left(message) {
        1 if gives_up => visibility.max(backoff::BEFORE_THE_LAST_RECEIVE),
        2 if gives_up => visibility.max(backoff::BEFORE_THE_LAST_BUT_ONE),
        _ => backoff::before_redelivery(message.receive_count),
    })
    .await;
}

async fn hand_back<Q: Queue>(
    queue: &Q,
    messages: &[&ReceivedMessage],
    delay: impl Fn(&ReceivedMessage) -> Duration,
) {
    if messages.is_empty() {
        return;
    }
    let entries: Vec<(&str, Duration)> = messages
        .iter()
        .map(|message| (message.receipt.as_str(), delay(message)))
        .collect();
    // They come back by themselves when their visibility timeout ends.
    match queue.change_visibility(&entries).await {
        Err(error @ ServiceError::Refused { .. }) => {
            tracing::warn!(%error, messages = entries.len(), "could not release messages");
        }
        Err(error) => {
            tracing::debug!(%error, messages = entries.len(), "could not release messages");
        }
        Ok(failed) if failed.is_empty() => {}
        Ok(failed) => tracing::debug!(messages = failed.len(), "could not release messages"),
    }
}
