//! Whether the program can do its work: which parts have come up, and which have been failing for
//! too long. What `/readyz` answers from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The database as something to write to.
pub const DATABASE: &str = "database";

/// The queue of updates.
pub const QUEUE: &str = "queue";

/// How long a part may fail before that is told, unless a setting says otherwise. A failover of
/// Aurora takes up to half of this; instances that all turn red at once would all be replaced.
const TOLERANCE: Duration = Duration::from_mins(1);

/// The parts of the program. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Readiness {
    parts: Arc<Mutex<BTreeMap<&'static str, Part>>>,
    tolerance: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// Whether it has still to come up.
    starting: bool,
    /// Since when it fails.
    failing_since: Option<Instant>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::tolerating(TOLERANCE)
    }
}

impl Readiness {
    /// Tells of a part once it has been failing for longer than `tolerance`.
    pub fn tolerating(tolerance: Duration) -> Self {
        Self {
            parts: Arc::default(),
            tolerance,
        }
    }

    /// Names a part that must come up before the program is ready.
    pub fn expect(&self, part: &'static str) {
        self.parts().entry(part).or_default().starting = true;
    }

    /// Notes that a part has come up.
    pub fn is_up(&self, part: &'static str) {
        self.parts().entry(part).or_default().starting = false;
    }

    /// Notes whether a part did its work just now.
    pub fn note(&self, part: &'static str, works: bool) {
        let mut parts = self.parts();
        let part = parts.entry(part).or_default();
        if works {
            part.failing_since = None;
        } else {
            part.failing_since.get_or_insert_with(Instant::now);
        }
    }

    /// Names the parts that keep the program from being ready, in alphabetical order.
    pub fn missing(&self) -> Vec<&'static str> {
        self.missing_at(Instant::now())
    }

    fn missing_at(&self, now: Instant) -> Vec<&'static str> {
        let fails = |part: &Part| {
            let too_long = |since: Instant| now.duration_since(since) >= self.tolerance;
            part.starting || part.failing_since.is_some_and(too_long)
        };
        let parts = self.parts();
        let missing = parts.iter().filter(|(_, part)| fails(part));
        missing.map(|(name, _)| *name).collect()
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<&'static str, Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_missing_until_it_is_up() {
        let readiness = Readiness::default();
        readiness.expect("relay");
        readiness.expect("poller");
        readiness.clone().is_up("relay");

        assert_eq!(readiness.missing(), ["poller"]);
    }

    #[test]
    fn a_part_that_fails_for_a_minute_is_missing_until_it_works() {
        let readiness = Readiness::default();

        readiness.note(QUEUE, false);
        let begun = Instant::now();
        readiness.note(QUEUE, false);

        assert!(
            readiness
                .missing_at(begun + Duration::from_secs(50))
                .is_empty()
        );
        let later = begun + Duration::from_mins(1);
        assert_eq!(readiness.missing_at(later), [QUEUE]);
        readiness.note(QUEUE, true);
        assert!(readiness.missing_at(later).is_empty());
    }
}
