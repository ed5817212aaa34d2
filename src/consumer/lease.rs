//! Keeps messages in hand invisible to others, by one heartbeat for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::messaging::{MAX_BATCH, Queue};

/// After this many extensions something is wrong, and others should have a try. With the default
/// visibility of 30 s that is half an hour at least; SQS allows 12 hours in all.
const MAX_EXTENSIONS: u32 = 240;

/// The leases of all messages in hand.
#[derive(Debug, Default)]
pub(super) struct Leases {
    kept: Mutex<Kept>,
    /// Held during a call that extends some.
    extending: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    begun: u64,
    by_number: BTreeMap<u64, Extended>,
}

/// A message whose invisibility is extended.
#[derive(Debug)]
struct Extended {
    receipt: String,
    /// When it was last received or extended.
    last: Instant,
    times: u32,
}

/// A message is kept invisible until this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    number: u64,
    leases: Arc<Leases>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.kept().by_number.remove(&self.number);
    }
}

impl Leases {
    /// How many messages are in hand.
    pub(super) fn in_hand(&self) -> usize {
        self.kept().by_number.len()
    }

    /// Keeps a message that was received just now.
    pub(super) fn begin(self: &Arc<Self>, receipt: &str) -> Lease {
        let mut kept = self.kept();
        kept.begun += 1;
        let extended = Extended {
            receipt: receipt.to_owned(),
            last: Instant::now(),
            times: 0,
        };
        let number = kept.begun;
        kept.by_number.insert(number, extended);
        Lease {
            number,
            leases: Arc::clone(self),
        }
    }

    /// Waits for the extension under way: none may arrive after a message has been deleted or released.
    /// Whoever settles messages ends their leases first.
    pub(super) async fn wait_for_extension(&self) {
        drop(self.extending.lock().await);
    }

    /// Runs `work`, and meanwhile extends each lease in time.
    pub(super) async fn keep<Q: Queue, T>(
        &self,
        queue: &Q,
        visibility: Duration,
        work: impl Future<Output = T>,
    ) -> T {
        let done = CancellationToken::new();
        let work = async {
            let result = work.await;
            done.cancel();
            result
        };
        let (result, ()) = tokio::join!(work, self.beat(queue, visibility, &done));
        result
    }

    /// With a look at every quarter of the visibility timeout, none grows older than half of it.
    async fn beat<Q: Queue>(&self, queue: &Q, visibility: Duration, done: &CancellationToken) {
        let pause = visibility / 4;
        loop {
            tokio::select! {
                () = done.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            for ten in self.older_than(pause).chunks(MAX_BATCH) {
                self.extend(queue, visibility, ten).await;
            }
        }
    }

    fn older_than(&self, age: Duration) -> Vec<u64> {
        let kept = self.kept();
        let due = kept.by_number.iter().filter(|(_, extended)| {
            extended.last.elapsed() >= age && extended.times < MAX_EXTENSIONS
        });
        due.map(|(number, _)| *number).collect()
    }

    async fn extend<Q: Queue>(&self, queue: &Q, visibility: Duration, ten: &[u64]) {
        let _under_way = self.extending.lock().await;
        // Some may have ended since they were listed.
        let receipts = self.receipts_of(ten);
        if receipts.is_empty() {
            return;
        }
        let since = Instant::now();
        let entries: Vec<(&str, Duration)> = receipts
            .iter()
            .map(|receipt| (receipt.as_str(), visibility))
            .collect();
        match queue.change_visibility(&entries).await {
            Ok(lost) if lost.is_empty() => {}
            // Another poller may have them now; the inbox keeps that harmless.
            Ok(lost) => tracing::warn!(messages = lost.len(), "lost messages that were worked on"),
            Err(error) => tracing::warn!(%error, "could not extend the visibility of messages"),
        }
        self.note_extension(ten, since);
    }

    fn receipts_of(&self, numbers: &[u64]) -> Vec<String> {
        let kept = self.kept();
        let kept = numbers
            .iter()
            .filter_map(|number| kept.by_number.get(number));
        kept.map(|extended| extended.receipt.clone()).collect()
    }

    fn note_extension(&self, numbers: &[u64], at: Instant) {
        let mut kept = self.kept();
        for number in numbers {
            if let Some(extended) = kept.by_number.get_mut(number) {
                extended.last = at;
                extended.times += 1;
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
