//! One value of the lab's at a time: what it becomes, and what has to be said about that.
//!
//! Pure functions. What they say is the end of a sentence that starts with the row, like `bean 17:`.

mod numbers;
mod texts;

pub(super) use numbers::{MAX_ID, id_key, price, quantity, usable_id};
use texts::decode;
pub(super) use texts::{bean_type, is_escaped, name, numbered_type, text};

/// A value as our tables take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cleaned<T> {
    pub(super) value: T,
    /// What was decided, if the value is not simply what the lab had.
    pub(super) notes: Vec<String>,
}

impl<T> Cleaned<T> {
    pub(super) fn as_it_is(value: T) -> Self {
        let notes = Vec::new();
        Self { value, notes }
    }

    pub(super) fn noted(value: T, note: String) -> Self {
        let notes = vec![note];
        Self { value, notes }
    }
}
