//! What became of messages, one by one and in numbers.

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is committed: delete it.
    Done,
    /// It can never be handled as it is: let the queue give it up.
    Refused,
    /// Not looked at, because an earlier one of its message group was refused.
    Unstarted,
}

/// How many messages of a batch came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub received: usize,
    /// Deleted, because their effect is committed.
    pub done: usize,
    /// Left to the queue to give up.
    pub refused: usize,
    /// Handed back to be received again.
    pub released: usize,
}

impl Tally {
    /// Counts the outcomes of a batch.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let count = |wanted| {
            outcomes
                .iter()
                .filter(|outcome| **outcome == wanted)
                .count()
        };
        Self {
            received: outcomes.len(),
            done: count(Outcome::Done),
            refused: count(Outcome::Refused),
            released: count(Outcome::Unstarted),
        }
    }

    pub(super) fn handed_back(received: usize) -> Self {
        Self {
            received,
            released: received,
            ..Self::default()
        }
    }
}
