//! Consumers: receive from a queue, hand the messages to a [`Handler`], and settle them by its outcomes.
//!
//! Receivers bring messages in hand, and a worker takes all that is there into one transaction and goes on
//! (natural batching): a message alone is handled at once, and the more there is to do, the more a
//! transaction does. Any number of processes may share a queue and a database. A message is deleted only
//! after its handler has committed, and kept invisible to others until then.

mod gate;
mod hand;
mod handler;
mod lease;
mod outcome;
mod pulse;
mod receive;
mod settle;
mod switch;
mod work;

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::gate::Gate;
use self::hand::Batch;
pub use self::handler::{ConsumerSettings, Handler};
pub use self::outcome::{Outcome, Tally};
pub use self::pulse::{Condition, Pulse};
use self::receive::Receiving;
use self::settle::Settling;
pub use self::switch::Switch;
use self::work::{Arrivals, Held, Worker};
use crate::messaging::{Queue, ServiceError};
use crate::readiness::Readiness;
use crate::shutdown::Shutdown;

#[derive(Debug)]
pub struct Consumer<Q, H> {
    receiving: Receiving<Q>,
    handler: H,
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
            receiving: Receiving::new(queue, gate, settings, shutdown),
            handler,
        }
    }

    /// Reports whether the queue answers.
    #[must_use]
    pub fn reporting_to(mut self, readiness: Readiness) -> Self {
        self.receiving.readiness = readiness;
        self
    }

    /// The queue that it polls.
    pub fn queue(&self) -> &Q {
        &self.receiving.queue
    }

    /// What pauses it.
    pub fn switch(&self) -> Switch {
        self.receiving.switch.clone()
    }

    /// What tells how it does.
    pub fn pulse(&self) -> Pulse {
        self.receiving.pulse.clone()
    }

    /// Starts receivers and workers on the shutdown's tasks. The receivers run until stopping begins, the
    /// workers until nothing is in hand.
    pub fn start(self) {
        let consumer = Arc::new(self);
        let settings = consumer.receiving.settings;
        let (sender, receiver) = mpsc::unbounded_channel();
        for number in 0..settings.receivers.max(1) {
            consumer.start_receiver(number, sender.clone());
        }
        let arrivals = Arc::new(Mutex::new(Arrivals::new(receiver)));
        let done = CancellationToken::new();
        let in_hand = Arc::new(done.clone().drop_guard());
        for _ in 0..settings.workers() {
            consumer.start_worker(Arc::clone(&arrivals), Arc::clone(&in_hand));
        }
        consumer.start_heartbeat(done);
    }

    fn start_receiver(self: &Arc<Self>, number: usize, arrivals: UnboundedSender<Batch>) {
        let consumer = Arc::clone(self);
        self.supervise(move || {
            let (consumer, arrivals) = (Arc::clone(&consumer), arrivals.clone());
            async move { consumer.receiving.run(number, arrivals).await }
        });
    }

    fn start_worker(self: &Arc<Self>, arrivals: Arc<Mutex<Arrivals>>, in_hand: Arc<DropGuard>) {
        let consumer = Arc::clone(self);
        self.supervise(move || {
            let (consumer, arrivals) = (Arc::clone(&consumer), Arc::clone(&arrivals));
            let in_hand = Arc::clone(&in_hand);
            async move {
                consumer.worker().run(&arrivals).await;
                drop(in_hand);
            }
        });
    }

    fn start_heartbeat(self: &Arc<Self>, done: CancellationToken) {
        let consumer = Arc::clone(self);
        self.supervise(move || {
            let (consumer, done) = (Arc::clone(&consumer), done.clone());
            async move { consumer.receiving.keep_leases(done.cancelled()).await }
        });
    }

    fn supervise<F: Future<Output = ()> + Send + 'static>(
        &self,
        run: impl Fn() -> F + Send + 'static,
    ) {
        let name = self.receiving.settings.name;
        self.receiving.shutdown.supervise(name, run);
    }

    fn worker(&self) -> Worker<'_, Q, H> {
        let receiving = &self.receiving;
        Worker {
            handler: &self.handler,
            gate: &receiving.gate,
            settings: &receiving.settings,
            shutdown: &receiving.shutdown,
            settling: Settling {
                queue: Arc::clone(&receiving.queue),
                leases: Arc::clone(&receiving.leases),
                max_receive_count: receiving.settings.max_receive_count,
                visibility: receiving.settings.visibility,
            },
            held: Held::default(),
        }
    }

    /// Receives what there is, up to a batch, and brings every message of it to its outcome.
    ///
    /// # Errors
    /// Only the receive can fail; what happens to messages in hand is in the tally.
    pub async fn poll_once(&self) -> Result<Tally, ServiceError> {
        let mut worker = self.worker();
        let work = async {
            let batch = self.receiving.receive_batch().await?;
            Ok(worker.finish(batch).await)
        };
        self.receiving.keep_leases(work).await
    }
}
