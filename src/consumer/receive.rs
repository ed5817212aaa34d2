//! Brings messages in hand.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::hand::{Batch, Room};
use super::handler::ConsumerSettings;
use super::lease::Leases;
use super::pulse::Pulse;
use super::switch::Switch;
use crate::backoff;
use crate::messaging::{MAX_BATCH, Queue, ServiceError};
use crate::readiness::{QUEUE, Readiness};
use crate::shutdown::{Shutdown, Stopping};
use crate::telemetry::Streak;

/// What the receivers of a consumer share.
#[derive(Debug)]
pub(super) struct Receiving<Q> {
    pub(super) queue: Arc<Q>,
    pub(super) gate: Gate,
    pub(super) settings: ConsumerSettings,
    pub(super) shutdown: Shutdown,
    pub(super) readiness: Readiness,
    /// Wakes another receiver when one finds more than it can carry.
    busy: Notify,
    room: Room,
    pub(super) leases: Arc<Leases>,
    pub(super) pulse: Pulse,
    pub(super) switch: Switch,
}

impl<Q: Queue> Receiving<Q> {
    pub(super) fn new(
        queue: Q,
        gate: Gate,
        settings: ConsumerSettings,
        shutdown: Shutdown,
    ) -> Self {
        let leases = Arc::default();
        Self {
            pulse: Pulse::of(&leases),
            queue: Arc::new(queue),
            gate,
            settings,
            shutdown,
            readiness: Readiness::default(),
            busy: Notify::new(),
            room: Room::default(),
            leases,
            switch: Switch::default(),
        }
    }

    /// Runs `work` and meanwhile keeps what is in hand invisible to others.
    pub(super) async fn keep_leases<T>(&self, work: impl Future<Output = T>) -> T {
        let visibility = self.settings.visibility;
        self.leases.keep(&*self.queue, visibility, work).await
    }

    /// Receives until stopping begins, and carries one receive at a time: the next one follows when that
    /// is settled. Receiver 0 always receives; the others rest until one comes back with as much as it can
    /// carry, and again when they find little: few full receives cost less than many small ones.
    pub(super) async fn run(&self, number: usize, arrivals: UnboundedSender<Batch>) {
        const WHAT: &str = "receiving";
        let _beating = self.pulse.beats();
        let mut streak = Streak::default();
        let mut resting = number > 0;
        while self.may_receive(resting).await.is_ok() {
            let received = self.receive(self.settings.wait).await;
            self.readiness.note(QUEUE, received.is_ok());
            let rested = match received {
                Ok((batch, settled)) => {
                    self.pulse.received();
                    streak.succeeded(WHAT);
                    resting = number > 0 && batch.len() < self.receive_size().div_ceil(2);
                    self.pass_on(batch, settled, &arrivals).await
                }
                Err(error) => {
                    self.pulse.failed(&error);
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

    async fn pass_on(
        &self,
        batch: Batch,
        settled: CancellationToken,
        arrivals: &UnboundedSender<Batch>,
    ) -> Result<(), Stopping> {
        if batch.is_empty() {
            return self.rest().await;
        }
        if batch.len() == self.receive_size() {
            // Where a receive was full, there is more.
            self.busy.notify_one();
        }
        // The workers outlive the receivers, so this fails only if they are gone for good.
        arrivals.send(batch).map_err(|_closed| Stopping)?;
        settled.cancelled().await;
        Ok(())
    }

    /// Waits until there is room in hand, nobody has paused the queue and the gate is open.
    async fn may_receive(&self, resting: bool) -> Result<(), Stopping> {
        let room = async {
            if resting {
                self.busy.notified().await;
            }
            self.room.wait().await;
        };
        tokio::select! {
            () = room => {}
            () = self.shutdown.soft.cancelled() => return Err(Stopping),
        }
        // Somebody may pause the queue while the gate is closed.
        loop {
            self.switch.pass(&self.shutdown.soft).await?;
            self.gate.pass(&self.shutdown.soft).await?;
            if self.switch.is_on() {
                return Ok(());
            }
        }
    }

    fn receive_size(&self) -> usize {
        self.settings.batch.clamp(1, MAX_BATCH)
    }

    async fn receive(&self, wait: Duration) -> Result<(Batch, CancellationToken), ServiceError> {
        // A long poll that is dropped may leave messages invisible behind it, so stopping waits
        // for it, unless it is told to be hard.
        let received = tokio::select! {
            received = self.queue.receive(self.receive_size(), wait) => received?,
            () = self.shutdown.hard.cancelled() => Vec::new(),
        };
        Ok(self.room.fill(received, &self.leases))
    }

    /// A receive that does not wait finds nothing at once, and each costs money.
    async fn rest(&self) -> Result<(), Stopping> {
        const REST: Duration = Duration::from_secs(1);
        let rest = REST.saturating_sub(self.settings.wait);
        self.shutdown.sleep(rest).await
    }

    /// Receives until there is no more, or as much as a batch may have.
    pub(super) async fn receive_batch(&self) -> Result<Batch, ServiceError> {
        let mut batch = Batch::default();
        let mut wait = self.settings.wait;
        while batch.len() + self.receive_size() <= self.settings.batch {
            let (received, _settled) = self.receive(wait).await?;
            if received.is_empty() {
                break;
            }
            batch.append(received);
            wait = Duration::ZERO;
        }
        Ok(batch)
    }
}
