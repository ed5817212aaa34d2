//! What a consumer can tell of itself: when the queue last answered, what went wrong, what is in hand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lease::Leases;

/// The pulse of one consumer of this process. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    felt: Arc<Mutex<Felt>>,
    leases: Arc<Leases>,
    /// Receivers that have not stopped.
    receivers: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Felt {
    last_receive: Option<Instant>,
    last_error: Option<(Instant, String)>,
}

/// How a consumer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How long ago the queue last answered.
    pub received_ago: Option<Duration>,
    /// How long ago it last did not, and why.
    pub failed_ago: Option<(Duration, String)>,
    /// Messages received and not settled.
    pub in_hand: usize,
}

impl Pulse {
    pub(super) fn of(leases: &Arc<Leases>) -> Self {
        Self {
            leases: Arc::clone(leases),
            ..Self::default()
        }
    }

    pub(super) fn received(&self) {
        self.felt().last_receive = Some(Instant::now());
    }

    pub(super) fn failed(&self, error: &dyn std::error::Error) {
        self.felt().last_error = Some((Instant::now(), error.to_string()));
    }

    /// Notes that a receiver runs, until what this gives is dropped.
    pub(super) fn beats(&self) -> Beating {
        self.receivers.fetch_add(1, Ordering::Relaxed);
        Beating(Arc::clone(&self.receivers))
    }

    /// Tells how it does; `None` once its receivers have stopped.
    pub fn feel(&self) -> Option<Condition> {
        if self.receivers.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let felt = self.felt();
        let failed = felt.last_error.as_ref();
        Some(Condition {
            received_ago: felt.last_receive.map(|at| at.elapsed()),
            failed_ago: failed.map(|(at, error)| (at.elapsed(), error.clone())),
            in_hand: self.leases.in_hand(),
        })
    }

    fn felt(&self) -> MutexGuard<'_, Felt> {
        self.felt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A receiver that runs.
#[derive(Debug)]
pub(super) struct Beating(Arc<AtomicUsize>);

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_tells_of_itself_while_a_receiver_runs() {
        let pulse = Pulse::default();
        let before = pulse.feel();
        let receivers = [pulse.beats(), pulse.beats()];
        pulse.received();
        pulse.failed(&std::io::Error::other("gone"));

        let condition = pulse.feel().unwrap();
        drop(receivers);

        assert_eq!((before, pulse.feel()), (None, None));
        assert!(condition.received_ago.is_some());
        assert_eq!(condition.failed_ago.unwrap().1, "gone");
        assert_eq!(condition.in_hand, 0);
    }
}
