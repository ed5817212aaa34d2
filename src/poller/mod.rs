//! The poller: receives messages, has them applied, and only then deletes them.
//!
//! Any number of pollers may share a queue and a database, in one process and in many. A poller
//! works on one batch at a time, so it never holds messages that age while they wait.

mod breaker;
pub mod delivery;
mod lease;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

pub use breaker::Breaker;
pub use delivery::Tally;

use crate::backoff;
use crate::db::Pool;
use crate::inventory::{ApplyError, Incoming, Outcome, apply_batch};
use crate::messaging::wire::Decoder;
use crate::messaging::{Delivery, MAX_BATCH, ServiceError, UpdateQueue};
use crate::readiness::{QUEUE, Readiness};
use crate::shutdown::{Shutdown, Stopping};
use crate::telemetry::Streak;

/// How to poll.
#[derive(Debug, Clone, Copy)]
pub struct PollerSettings {
    /// How many pollers to run when there is much to do; one runs when there is not.
    pub pollers: usize,
    /// How long a receive waits for the first message.
    pub wait: Duration,
    /// How long received messages are invisible to others.
    pub visibility: Duration,
    /// After how many receives the queue gives a message up; 0 if it never does.
    pub max_receive_count: u32,
}

/// Applies what a queue delivers.
#[derive(Debug)]
pub struct Poller<Q> {
    queue: Q,
    pool: Pool,
    decoder: Decoder,
    readiness: Readiness,
    breaker: Breaker,
    settings: PollerSettings,
    shutdown: Shutdown,
    /// Wakes another poller when one finds more than it can carry.
    busy: Notify,
}

impl<Q: UpdateQueue> Poller<Q> {
    /// Prepares a poller.
    pub fn new(
        queue: Q,
        pool: Pool,
        decoder: Decoder,
        settings: PollerSettings,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            queue,
            breaker: Breaker::new(pool.clone()),
            pool,
            decoder,
            readiness: Readiness::default(),
            settings,
            shutdown,
            busy: Notify::new(),
        }
    }

    /// Tells whether the queue answers.
    #[must_use]
    pub fn reporting_to(self, readiness: Readiness) -> Self {
        Self { readiness, ..self }
    }

    /// Starts the pollers on the shutdown's tasks; they run until it begins.
    pub fn start(self: &Arc<Self>) {
        for number in 0..self.settings.pollers.max(1) {
            self.start_one(number);
        }
    }

    fn start_one(self: &Arc<Self>, number: usize) {
        let poller = Arc::clone(self);
        self.shutdown.supervise("poller", move || {
            let poller = Arc::clone(&poller);
            async move { poller.run(number).await }
        });
    }

    /// Polls until stopping begins. Poller 0 always polls; the others rest until one comes back
    /// with a full batch, and again when they find little: few full batches cost less than many
    /// small ones.
    async fn run(&self, number: usize) {
        const WHAT: &str = "receiving";
        let mut streak = Streak::default();
        let mut resting = number > 0;
        while self.may_receive(resting).await {
            let polled = self.poll_once().await;
            self.readiness.note(QUEUE, polled.is_ok());
            let rested = match polled {
                Ok(tally) => {
                    streak.succeeded(WHAT);
                    self.wake_another(tally);
                    resting = number > 0 && tally.received < MAX_BATCH / 2;
                    rest_after(tally.received, self.settings.wait, &self.shutdown).await
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

    async fn may_receive(&self, resting: bool) -> bool {
        if resting {
            tokio::select! {
                () = self.busy.notified() => {}
                () = self.shutdown.soft.cancelled() => return false,
            }
        }
        self.breaker.closed(&self.shutdown.soft).await && !self.shutdown.soft.is_cancelled()
    }

    /// Receives one batch and brings every message of it to its outcome.
    ///
    /// # Errors
    /// Only the receive can fail; what happens to messages in hand is in the tally.
    pub async fn poll_once(&self) -> Result<Tally, ServiceError> {
        // A long poll that is dropped may leave messages invisible behind it, so stopping waits
        // for it, unless it is told to be hard.
        let deliveries = tokio::select! {
            deliveries = self.queue.receive(self.settings.wait) => deliveries?,
            () = self.shutdown.hard.cancelled() => return Ok(Tally::default()),
        };
        if deliveries.is_empty() {
            return Ok(Tally::default());
        }
        let work = self.apply(&deliveries);
        let outcomes = tokio::select! {
            outcomes = lease::keep(&self.queue, &deliveries, self.settings.visibility, work) => outcomes,
            // Cutting a transaction short closes its connection, so this is safe.
            () = self.shutdown.hard.cancelled() => None,
        };
        let Some(outcomes) = outcomes else {
            self.hand_back(&deliveries).await;
            return Ok(Tally {
                received: deliveries.len(),
                released: deliveries.len(),
                ..Tally::default()
            });
        };
        log_refusals(&deliveries, &outcomes);
        let gives_up = self.settings.max_receive_count > 0;
        delivery::settle(&self.queue, &deliveries, &outcomes, gives_up).await;
        Ok(Tally::of(&outcomes))
    }

    /// Applies a batch; while the database is away, holds it and waits.
    ///
    /// If every message can afford another receive, gives up (`None`) when stopping begins or when it
    /// has waited for a visibility timeout: another process may have better luck. Else it goes on for
    /// as long as this process may.
    async fn apply(&self, deliveries: &[Delivery]) -> Option<Vec<Outcome>> {
        let incoming: Vec<Incoming> = deliveries.iter().map(|d| self.read(d)).collect();
        let most_receives = deliveries.iter().map(|d| d.receive_count).max();
        let limit = self.settings.max_receive_count;
        let can_afford_another = limit == 0 || most_receives.is_some_and(|n| n + 1 < limit);
        let stop = if can_afford_another {
            &self.shutdown.soft
        } else {
            &self.shutdown.hard
        };
        let since = Instant::now();
        let mut refused = 0;
        loop {
            let error = match apply_batch(&self.pool, &incoming).await {
                Ok(outcomes) => {
                    self.breaker.worked();
                    return Some(outcomes);
                }
                Err(error) => error,
            };
            match &error {
                ApplyError::Unavailable(_) => self.breaker.open(&error),
                ApplyError::Timeout => tracing::warn!(%error, "a batch was not applied"),
            }
            if let ApplyError::Unavailable(error) = &error
                && error.is_answer()
            {
                refused += 1;
            }
            // The breaker closes only when the database takes writes. If it goes on refusing this
            // batch, the batch is at fault, and others have waited for it long enough.
            let at_fault = refused >= MAX_REFUSALS;
            let patient =
                !(can_afford_another || at_fault) || since.elapsed() < self.settings.visibility;
            if !patient || !self.breaker.closed(stop).await {
                return None;
            }
        }
    }

    async fn hand_back(&self, deliveries: &[Delivery]) {
        if self.shutdown.soft.is_cancelled() {
            let limit = self.settings.max_receive_count;
            let visibility = self.settings.visibility;
            delivery::hand_back_on_stop(&self.queue, deliveries, limit, visibility).await;
        } else {
            delivery::postpone(&self.queue, &deliveries.iter().collect::<Vec<_>>()).await;
        }
    }

    fn read(&self, delivery: &Delivery) -> Incoming {
        let limit = self.settings.max_receive_count;
        Incoming {
            content: self
                .decoder
                .decode(&delivery.message_id, &delivery.body, delivery.sent_at),
            message_id: delivery.message_id.clone(),
            receive_count: delivery.receive_count,
            group: delivery.group.clone(),
            last_attempt: limit > 0 && delivery.receive_count >= limit,
        }
    }
}

/// How often a database that takes writes may refuse a batch before the batch is given back, although it
/// may be its last receive: more than a failover or a locked row accounts for.
const MAX_REFUSALS: u32 = 10;

/// A receive that does not wait finds nothing at once, and each costs money.
pub(crate) async fn rest_after(
    received: usize,
    wait: Duration,
    shutdown: &Shutdown,
) -> Result<(), Stopping> {
    const REST: Duration = Duration::from_secs(1);
    if received > 0 {
        return Ok(());
    }
    shutdown.sleep(REST.saturating_sub(wait)).await
}

/// Once for each bad message, not at each of its receives: those are on its timeline.
fn log_refusals(deliveries: &[Delivery], outcomes: &[Outcome]) {
    for (delivery, outcome) in deliveries.iter().zip(outcomes) {
        if let Outcome::Refused {
            refusal,
            again: false,
        } = outcome
        {
            tracing::info!(
                queue.message_id = delivery.message_id,
                queue.receive_count = delivery.receive_count,
                reason = refusal.reason.code(),
                "refused an update"
            );
        }
    }
}
