//! Which of the processes that work for the café.

use std::sync::LazyLock;

use uuid::Uuid;

/// A process that serves the café. It gets a number when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instance(pub Uuid);

impl Instance {
    /// This one.
    pub fn this() -> Self {
        static THIS: LazyLock<Uuid> = LazyLock::new(Uuid::now_v7);
        Self(*THIS)
    }

    /// Enough of its number to tell it from others: the last 12 digits.
    pub fn short(self) -> String {
        let number = self.0.simple().to_string();
        number.chars().skip(20).collect()
    }
}
