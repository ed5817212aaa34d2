//! What is in hand: messages that were received and have no end yet, and the room they take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    _place: OwnedSemaphorePermit,
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

    /// Lets the messages become visible to others when their visibility timeouts end.
    pub(super) fn end_leases(&mut self) {
        for hold in &mut self.holds {
            hold.lease = None;
        }
    }
}

/// The room for messages in hand. Who finds none waits before receiving, so that messages wait in the
/// queue and not here.
#[derive(Debug)]
pub(super) struct Room {
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Room {
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            bytes: Arc::new(Semaphore::new(MAX_BYTES)),
        }
    }

    /// Waits for room for a receive.
    pub(super) async fn wait_for(&self, messages: usize) -> OwnedSemaphorePermit {
        let _some_bytes = self.bytes.acquire().await.expect(OPEN);
        let places = u32::try_from(messages).unwrap_or(u32::MAX);
        let places = Arc::clone(&self.places).acquire_many_owned(places).await;
        places.expect(OPEN)
    }

    /// Takes received messages in hand.
    pub(super) fn fill(
        &self,
        mut places: OwnedSemaphorePermit,
        messages: Vec<ReceivedMessage>,
        leases: &Arc<Leases>,
    ) -> Batch {
        let hold = |message: &ReceivedMessage| Hold {
            lease: Some(leases.begin(&message.receipt)),
            _place: places.split(1).expect("there is a place for each"),
            _bytes: self.weigh(message),
        };
        let holds = messages.iter().map(hold).collect();
        Batch { messages, holds }
    }

    /// Where fewer bytes are left than it has, it takes those.
    fn weigh(&self, message: &ReceivedMessage) -> Option<OwnedSemaphorePermit> {
        let bytes = message.body.len().min(self.bytes.available_permits());
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(bytes);
        bytes.ok()
    }
}

const OPEN: &str = "nobody closes these semaphores";
