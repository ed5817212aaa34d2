//! What became of messages, one by one and in numbers.

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is committed: delete it.
    Done,
    /// It can never be handled as it is: let the queue give it up.
    Refused,
    /// It could not be handled, and the others could: let it come again later.
    Postponed,
    /// Not looked at, because an earlier one of its message group was refused or postponed.
    Unstarted,
    /// What it needs is locked by somebody else, or an earlier one of its group waits for that: keep it,
    /// and try it again with the next batch. The others need not wait for it.
    Held,
}

/// How many messages came to what.
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
