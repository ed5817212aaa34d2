//! What is in hand: messages that were received and have no end yet, and the room they take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::lease::{Lease, Leases};
use crate::messaging::ReceivedMessage;

/// From this many bytes of bodies in hand nothing more is received. A receive brings up to 10 MiB (SQS
/// quota: 1 MiB a message), so each receiver may exceed it by that much once.
const MAX_BYTES: usize = 16 << 20;

/// Messages in hand, in the order of their receipt.
#[derive(Debug, Default)]
pub(super) struct Batch {
    messages: Vec<ReceivedMessage>,
    holds: Vec<Hold>,
}

/// What a message in hand occupies, until it is dropped.
#[derive(Debug)]
struct Hold {
    lease: Option<Lease>,
    /// Shared by the messages of a receive, whose receiver waits until all of them have let go of it.
    receive: Option<Arc<DropGuard>>,
    _bytes: Option<OwnedSemaphorePermit>,
}

impl Batch {
    pub(super) fn messages(&self) -> &[ReceivedMessage] {
        &self.messages
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn append(&mut self, mut later: Self) {
        self.messages.append(&mut later.messages);
        self.holds.append(&mut later.holds);
    }

    /// Takes out the messages for whose places `wanted` says so.
    pub(super) fn take(&mut self, mut wanted: impl FnMut(usize, &ReceivedMessage) -> bool) -> Self {
        let (mut taken, mut left) = (Self::default(), Self::default());
        let all = std::mem::take(self);
        for (place, (message, hold)) in all.messages.into_iter().zip(all.holds).enumerate() {
            let to = if wanted(place, &message) {
                &mut taken
            } else {
                &mut left
            };
            to.messages.push(message);
            to.holds.push(hold);
        }
        *self = left;
        taken
    }

    /// Cuts it into parts of up to `size` messages.
    pub(super) fn in_parts_of(mut self, size: usize) -> Vec<Self> {
        let mut parts = Vec::new();
        while !self.is_empty() {
            parts.push(self.take(|place, _| place < size));
        }
        parts
    }

    /// Has no receiver wait for these messages any longer.
    pub(super) fn let_receivers_go(&mut self) {
        for hold in &mut self.holds {
            hold.receive = None;
        }
    }

    /// Lets the messages become visible to others when their visibility timeouts end.
    pub(super) fn end_leases(&mut self) {
        for hold in &mut self.holds {
            hold.lease = None;
        }
    }
}

/// The room for the bodies of messages in hand. Who finds none waits before receiving, so that messages
/// wait in the queue and not here.
#[derive(Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BYTES)))
    }
}

impl Room {
    /// Waits until there is some.
    pub(super) async fn wait(&self) {
        drop(self.0.acquire().await.expect("nobody closes it"));
    }

    /// Takes received messages in hand; the token is cancelled when they are settled.
    pub(super) fn fill(
        &self,
        messages: Vec<ReceivedMessage>,
        leases: &Arc<Leases>,
    ) -> (Batch, CancellationToken) {
        let settled = CancellationToken::new();
        let receive = Arc::new(settled.clone().drop_guard());
        let hold = |message: &ReceivedMessage| Hold {
            lease: Some(leases.begin(&message.receipt)),
            receive: Some(Arc::clone(&receive)),
            _bytes: self.weigh(message),
        };
        let holds = messages.iter().map(hold).collect();
        (Batch { messages, holds }, settled)
    }

    /// Where fewer bytes are left than it has, it takes those.
    fn weigh(&self, message: &ReceivedMessage) -> Option<OwnedSemaphorePermit> {
        let bytes = message.body.len().min(self.0.available_permits());
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(bytes).ok()
    }
}
