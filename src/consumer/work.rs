//! Handles what is in hand: all of it at once, and goes on.

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::gate::Gate;
use super::hand::Batch;
use super::handler::{ConsumerSettings, Handler};
use super::outcome::{Outcome, Tally};
use super::settle::{Settling, Sorted};
use crate::backoff;
use crate::db::{DbError, Trouble};
use crate::messaging::{MAX_BATCH, Queue, ReceivedMessage};
use crate::shutdown::{Shutdown, Stopping};

/// How often a database that takes writes may refuse a batch before the batch is given back, although it
/// may be its last receive: more than a failover or a locked row accounts for.
const MAX_REFUSALS: u32 = 10;

/// What the receivers have brought and no worker has taken yet.
#[derive(Debug)]
pub(super) struct Arrivals {
    receives: UnboundedReceiver<Batch>,
    /// One that no longer fitted into a batch.
    next: Option<Batch>,
}

impl Arrivals {
    pub(super) fn new(receives: UnboundedReceiver<Batch>) -> Self {
        Self {
            receives,
            next: None,
        }
    }

    /// Waits for a receive; `None` if no more can come.
    async fn wait(&mut self) -> Option<Batch> {
        match self.next.take() {
            Some(next) => Some(next),
            None => self.receives.recv().await,
        }
    }

    /// Adds what is there, until the batch has `most` messages. A receive stays whole: its messages may be
    /// of one group.
    fn add_all_to(&mut self, batch: &mut Batch, most: usize) {
        while let Some(next) = self.next.take().or_else(|| self.receives.try_recv().ok()) {
            if !batch.is_empty() && batch.len() + next.len() > most {
                self.next = Some(next);
                return;
            }
            batch.append(next);
        }
    }
}

/// Handles messages, in a transaction at a time.
#[derive(Debug)]
pub(super) struct Worker<'a, Q, H> {
    pub(super) handler: &'a H,
    pub(super) gate: &'a Gate,
    pub(super) settings: &'a ConsumerSettings,
    pub(super) shutdown: &'a Shutdown,
    pub(super) settling: Settling<Q>,
    pub(super) held: Held,
}

/// Messages that wait for what somebody else has locked.
#[derive(Debug)]
pub(super) struct Held {
    batch: Batch,
    tries: u32,
    /// When they are tried again.
    due: Instant,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            batch: Batch::default(),
            tries: 0,
            due: Instant::now(),
        }
    }
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    async fn take_when_due(&mut self) -> Batch {
        tokio::time::sleep_until(self.due).await;
        std::mem::take(&mut self.batch)
    }

    /// Adds messages; those that were held before them stay before them, and are not tried later for
    /// it.
    fn add(&mut self, mut batch: Batch) {
        batch.let_receivers_go();
        if !self.is_empty() {
            self.batch.append(batch);
            return;
        }
        self.tries = if batch.is_empty() { 0 } else { self.tries + 1 };
        self.due = Instant::now() + backoff::before_locked_again(self.tries);
        self.batch = batch;
    }
}

impl<Q: Queue, H: Handler> Worker<'_, Q, H> {
    /// Handles what arrives, until nothing more can arrive. Settling goes on beside the next
    /// transaction.
    ///
    /// Small transactions run side by side, by several workers, because each mostly waits for the
    /// database's answers. A large one runs alone: it does more, and the others would wait for its beans.
    pub(super) async fn run(&mut self, arrivals: &Mutex<Arrivals>) {
        while let Some((batch, guard)) = self.next_batch(arrivals).await {
            let guard = guard.filter(|_| batch.len() > MAX_BATCH);
            let sorted = self.handle(batch).await;
            drop(guard);
            let settling = self.settling.clone();
            self.shutdown.tasks.spawn(settling.settle(sorted));
        }
    }

    /// Handles messages and settles them, until none of them is in hand.
    pub(super) async fn finish(&mut self, batch: Batch) -> Tally {
        let received = batch.len();
        let (mut done, mut refused) = (0, 0);
        let mut batch = batch;
        while !batch.is_empty() {
            let sorted = self.handle(batch).await;
            done += sorted.done.len();
            refused += sorted.refused.len();
            self.settling.clone().settle(sorted).await;
            batch = if self.held.is_empty() {
                Batch::default()
            } else {
                self.held.take_when_due().await
            };
        }
        Tally {
            received,
            done,
            refused,
            released: received - done - refused,
        }
    }

    /// Takes all that has arrived, up to what one transaction may hold, or what is held if that is due.
    /// The guard keeps other workers from taking more.
    async fn next_batch<'a>(
        &mut self,
        arrivals: &'a Mutex<Arrivals>,
    ) -> Option<(Batch, Option<MutexGuard<'a, Arrivals>>)> {
        let arrival = async {
            let mut arrivals = arrivals.lock().await;
            (arrivals.wait().await, arrivals)
        };
        let (mut batch, mut guard) = tokio::select! {
            (arrival, guard) = arrival => match arrival {
                Some(batch) => (batch, Some(guard)),
                None if self.held.is_empty() => return None,
                None => (self.held.take_when_due().await, None),
            },
            held = self.held.take_when_due(), if !self.held.is_empty() => {
                (held, arrivals.try_lock().ok())
            }
        };
        if let Some(arrivals) = &mut guard {
            arrivals.add_all_to(&mut batch, self.settings.batch);
        }
        Some((batch, guard))
    }

    /// Has a batch handled; while the database is away, holds it and waits.
    ///
    /// When stopping begins, or when the batch still fails a visibility timeout after its first failure,
    /// it gives back the messages that can afford another receive: another process may have better luck.
    /// With the others it goes on for as long as this process may.
    async fn handle(&mut self, mut batch: Batch) -> Sorted {
        let mut failing_since = None;
        let (mut failures, mut refusals) = (0, 0);
        loop {
            if self.shutdown.hard.is_cancelled() {
                self.give_back(std::mem::take(&mut batch)).await;
            }
            if batch.is_empty() {
                return Sorted::default();
            }
            let handled = tokio::select! {
                handled = self.handler.handle(batch.messages()) => handled,
                // Cutting a transaction short closes its connection, so this is safe.
                () = self.shutdown.hard.cancelled() => continue,
            };
            let error = match handled {
                Ok(outcomes) => return self.sort(batch, outcomes).await,
                Err(error) => error,
            };
            self.note(&error, failures);
            failures += 1;
            // The gate opens only when the database takes writes. If that goes on refusing this batch,
            // the batch is at fault, and others have waited for it long enough. A row that somebody
            // else holds is no refusal.
            refusals += u32::from(error.is_answer());
            let since = failing_since.get_or_insert_with(Instant::now);
            let is_late = since.elapsed() >= self.settings.visibility;
            if is_late && refusals >= MAX_REFUSALS {
                self.give_back(std::mem::take(&mut batch)).await;
            } else if is_late || self.pause(failures, &batch).await.is_err() {
                self.give_back(self.take_patient(&mut batch)).await;
                self.pause(failures, &batch).await.ok();
            }
        }
    }

    async fn sort(&mut self, mut batch: Batch, outcomes: Vec<Outcome>) -> Sorted {
        self.gate.worked();
        let sorted = Sorted::by(&mut batch, outcomes);
        self.held.add(batch);
        self.give_back_overflow().await;
        sorted
    }

    /// Where messages have no groups, more and more may come that need what is locked, and there must be
    /// room for others.
    async fn give_back_overflow(&mut self) {
        let most = self.settings.most_held();
        if self.held.batch.len() > most {
            let mut overflow = self.held.batch.take(|place, _| place >= most);
            let patient = self.take_patient(&mut overflow);
            self.held.batch.append(overflow);
            self.settling.hand_back_blameless(patient).await;
        }
    }

    fn can_afford_another(&self, message: &ReceivedMessage) -> bool {
        let limit = self.settings.max_receive_count;
        limit.is_none_or(|limit| message.receive_count + 1 < limit)
    }

    /// Takes out the messages that can afford another receive, and so can all of their group.
    fn take_patient(&self, batch: &mut Batch) -> Batch {
        let urgent = batch
            .messages()
            .iter()
            .filter(|m| !self.can_afford_another(m));
        let urgent: Vec<Option<String>> = urgent.map(|message| message.group.clone()).collect();
        batch.take(|_, message| {
            let of_urgent_group = message.group.is_some() && urgent.contains(&message.group);
            self.can_afford_another(message) && !of_urgent_group
        })
    }

    /// Closes the gate if the database is away, not for what is wrong with one batch alone.
    fn note(&self, error: &DbError, failures: u32) {
        if error.trouble() == Trouble::Unavailable && !error.is_corrupt() {
            self.gate.close(error);
        } else if failures == 0 {
            let error = crate::telemetry::chain(error);
            tracing::warn!(error, "a batch was not handled; trying again");
        }
    }

    /// Waits before a batch is tried again: until the database is back or, if it is not away, a moment.
    async fn pause(&self, failures: u32, batch: &Batch) -> Result<(), Stopping> {
        if batch.is_empty() {
            return Ok(());
        }
        let some_can_go = batch.messages().iter().any(|m| self.can_afford_another(m));
        let stop = if some_can_go {
            &self.shutdown.soft
        } else {
            &self.shutdown.hard
        };
        if !self.gate.is_closed() {
            tokio::select! {
                () = tokio::time::sleep(backoff::before_probe(failures)) => {}
                () = stop.cancelled() => return Err(Stopping),
            }
        }
        self.gate.pass(stop).await
    }

    async fn give_back(&self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        if self.shutdown.soft.is_cancelled() {
            self.settling.hand_back_blameless(batch).await;
        } else {
            self.settling.postpone(batch).await;
        }
    }
}
