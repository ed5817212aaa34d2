//! Consumers: receive from a queue, hand the messages to a [`Handler`], and settle them by its outcomes.
//!
//! Any number of consumers may share a queue and a database, in one process and in many. Each works on
//! one batch at a time, so it never holds messages that age while they wait. A message is deleted only
//! after its handler has committed.

mod gate;
mod lease;
mod outcome;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::gate::Gate;
pub use self::outcome::{Outcome, Tally};
use crate::backoff;
use crate::db::{DbError, DbResult, Trouble};
use crate::messaging::{MAX_BATCH, Queue, ReceivedMessage, ServiceError};
use crate::readiness::{QUEUE, Readiness};
use crate::shutdown::{Shutdown, Stopping};
use crate::telemetry::Streak;

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
    /// Maximum number of concurrent receivers; one runs when there is little to do.
    pub receivers: usize,
    /// How long a receive waits for the first message.
    pub wait: Duration,
    /// How long received messages are invisible to others.
    pub visibility: Duration,
    /// Number of receives after which the queue gives a message up; 0 if it never does.
    pub max_receive_count: u32,
}

#[derive(Debug)]
pub struct Consumer<Q, H> {
    queue: Q,
    handler: H,
    gate: Gate,
    settings: ConsumerSettings,
    shutdown: Shutdown,
    readiness: Readiness,
    /// Wakes another receiver when one finds more than it can carry.
    busy: Notify,
}

impl<Q: Queue, H: Handler> Consumer<Q, H> {
    /// Prepares a consumer. All consumers of a process share one gate.
    pub fn new(
        queue: Q,
        handler: H,
        gate: Gate,
        settings: ConsumerSettings,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            queue,
            handler,
            gate,
            settings,
            shutdown,
            readiness: Readiness::default(),
            busy: Notify::new(),
        }
    }

    /// Reports whether the queue answers.
    #[must_use]
    pub fn reporting_to(self, readiness: Readiness) -> Self {
        Self { readiness, ..self }
    }

    /// Starts the receivers on the shutdown's tasks; they run until it begins.
    pub fn start(self) {
        let consumer = Arc::new(self);
        for number in 0..consumer.settings.receivers.max(1) {
            consumer.start_receiver(number);
        }
    }

    fn start_receiver(self: &Arc<Self>, number: usize) {
        let consumer = Arc::clone(self);
        self.shutdown.supervise(self.settings.name, move || {
            let consumer = Arc::clone(&consumer);
            async move { consumer.run(number).await }
        });
    }

    /// Receives until stopping begins. Receiver 0 always receives; the others rest until one comes back
    /// with a full batch, and again when they find little: few full batches cost less than many small
    /// ones.
    async fn run(&self, number: usize) {
        const WHAT: &str = "receiving";
        let mut streak = Streak::default();
        let mut resting = number > 0;
        while self.may_receive(resting).await.is_ok() {
            let polled = self.poll_once().await;
            self.readiness.note(QUEUE, polled.is_ok());
            let rested = match polled {
                Ok(tally) => {
                    streak.succeeded(WHAT);
                    self.wake_another(tally);
                    resting = number > 0 && tally.received < MAX_BATCH / 2;
                    self.rest_after(tally).await
                }
                Err(error) => {
                    let failures = streak.failed(WHAT, &error);
                    let delay = backoff::after_failed_receive(failures);
                    self.shutdown.sleep(delay).await
                }
            };
            if rested.is_err() {
                return;
            }
        }
    }

    /// Where a batch was full, there is more.
    fn wake_another(&self, tally: Tally) {
        if tally.received == MAX_BATCH {
            self.busy.notify_one();
        }
    }

    async fn may_receive(&self, resting: bool) -> Result<(), Stopping> {
        if resting {
            tokio::select! {
                () = self.busy.notified() => {}
                () = self.shutdown.soft.cancelled() => return Err(Stopping),
            }
        }
        self.gate.pass(&self.shutdown.soft).await
    }

    /// A receive that does not wait finds nothing at once, and each costs money.
    async fn rest_after(&self, tally: Tally) -> Result<(), Stopping> {
        const REST: Duration = Duration::from_secs(1);
        if tally.received > 0 {
            return Ok(());
        }
        let rest = REST.saturating_sub(self.settings.wait);
        self.shutdown.sleep(rest).await
    }

    /// Receives one batch and brings every message of it to its outcome.
    ///
    /// # Errors
    /// Only the receive can fail; what happens to messages in hand is in the tally.
    pub async fn poll_once(&self) -> Result<Tally, ServiceError> {
        // A long poll that is dropped may leave messages invisible behind it, so stopping waits
        // for it, unless it is told to be hard.
        let batch = tokio::select! {
            batch = self.queue.receive(self.settings.wait) => batch?,
            () = self.shutdown.hard.cancelled() => return Ok(Tally::default()),
        };
        if batch.is_empty() {
            return Ok(Tally::default());
        }
        let work = self.handle(&batch);
        let outcomes = tokio::select! {
            outcomes = lease::keep(&self.queue, &batch, self.settings.visibility, work) => outcomes,
            // Cutting a transaction short closes its connection, so this is safe.
            () = self.shutdown.hard.cancelled() => None,
        };
        let Some(outcomes) = outcomes else {
            self.hand_back(&batch).await;
            return Ok(Tally::handed_back(batch.len()));
        };
        let gives_up = self.settings.max_receive_count > 0;
        settle::settle(&self.queue, &batch, &outcomes, gives_up).await;
        Ok(Tally::of(&outcomes))
    }

    /// Has a batch handled; while the database is away, holds it and waits.
    ///
    /// If every message can afford another receive, gives up (`None`) when stopping begins or when it
    /// has waited for a visibility timeout: another process may have better luck. Else it goes on for
    /// as long as this process may.
    async fn handle(&self, batch: &[ReceivedMessage]) -> Option<Vec<Outcome>> {
        let most_receives = batch.iter().map(|message| message.receive_count).max();
        let limit = self.settings.max_receive_count;
        let can_afford_another = limit == 0 || most_receives.is_some_and(|n| n + 1 < limit);
        let stop = if can_afford_another {
            &self.shutdown.soft
        } else {
            &self.shutdown.hard
        };
        let since = Instant::now();
        let (mut failures, mut refusals) = (0, 0);
        loop {
            let error = match self.handler.handle(batch).await {
                Ok(outcomes) => {
                    self.gate.worked();
                    return Some(outcomes);
                }
                Err(error) => error,
            };
            self.note(&error, failures);
            failures += 1;
            // The gate opens only when the database takes writes. If that goes on refusing this batch,
            // the batch is at fault, and others have waited for it long enough. A row that somebody
            // else holds is no refusal.
            refusals += u32::from(error.is_answer());
            let keeps_trying = !can_afford_another && refusals < MAX_REFUSALS;
            let patient = keeps_trying || since.elapsed() < self.settings.visibility;
            if !patient || self.pause(failures, stop).await.is_err() {
                return None;
            }
        }
    }

    /// Closes the gate if the database is away, not for what is wrong with one batch alone.
    fn note(&self, error: &DbError, failures: u32) {
        let is_of_this_batch = matches!(error, DbError::Corrupt { .. });
        if error.trouble() == Trouble::Unavailable && !is_of_this_batch {
            self.gate.close(error);
        } else if failures == 0 {
            let error = crate::telemetry::chain(error);
            tracing::warn!(error, "a batch was not handled; trying again");
        }
    }

    /// Waits before a batch is tried again: until the database is back or, if it is not away, a moment.
    async fn pause(&self, failures: u32, stop: &CancellationToken) -> Result<(), Stopping> {
        if !self.gate.is_closed() {
            tokio::select! {
                () = tokio::time::sleep(backoff::before_probe(failures)) => {}
                () = stop.cancelled() => return Err(Stopping),
            }
        }
        self.gate.pass(stop).await
    }

    async fn hand_back(&self, batch: &[ReceivedMessage]) {
        if self.shutdown.soft.is_cancelled() {
            let limit = self.settings.max_receive_count;
            let visibility = self.settings.visibility;
            settle::hand_back_on_stop(&self.queue, batch, limit, visibility).await;
        } else {
            settle::postpone(&self.queue, &batch.iter().collect::<Vec<_>>()).await;
        }
    }
}

/// How often a database that takes writes may refuse a batch before the batch is given back, although it
/// may be its last receive: more than a failover or a locked row accounts for.
const MAX_REFUSALS: u32 = 10;
