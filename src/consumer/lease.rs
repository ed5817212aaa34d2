//! Keeps messages invisible to others while they are being worked on.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::messaging::{Queue, ReceivedMessage};

/// After this many extensions something is wrong, and others should have a try. With the default
/// visibility of 30 s that is an hour; SQS allows 12 hours in all.
const MAX_EXTENSIONS: u32 = 240;

/// Runs `work` and, whenever half of the visibility timeout has passed, extends the visibility of
/// the messages it works on. An extension that is under way is waited for, so that none arrives
/// after the messages have been deleted or released.
pub(crate) async fn keep<Q: Queue, T>(
    queue: &Q,
    batch: &[ReceivedMessage],
    visibility: Duration,
    work: impl Future<Output = T>,
) -> T {
    let done = CancellationToken::new();
    let work = async {
        let result = work.await;
        done.cancel();
        result
    };
    let heartbeat = async {
        for _ in 0..MAX_EXTENSIONS {
            tokio::select! {
                () = done.cancelled() => return,
                () = tokio::time::sleep(visibility / 2) => {}
            }
            extend(queue, batch, visibility).await;
        }
    };
    let (result, ()) = tokio::join!(work, heartbeat);
    result
}

async fn extend<Q: Queue>(queue: &Q, batch: &[ReceivedMessage], visibility: Duration) {
    let entries: Vec<(&str, Duration)> = batch
        .iter()
        .map(|message| (message.receipt.as_str(), visibility))
        .collect();
    match queue.change_visibility(&entries).await {
        Ok(lost) if lost.is_empty() => {}
        // Another poller may have them now; the inbox keeps that harmless.
        Ok(lost) => tracing::warn!(messages = lost.len(), "lost messages that were worked on"),
        Err(error) => tracing::warn!(%error, "could not extend the visibility of messages"),
    }
}
