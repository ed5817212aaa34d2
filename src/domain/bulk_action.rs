//! What can be done with many dead letters at once.

/// What is done with each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkKind {
    /// Its message is sent again, unchanged.
    Resend,
    /// Its update is closed, with a reason.
    Discard,
}

impl BulkKind {
    pub fn code(self) -> &'static str {
        match self {
            Self::Resend => "resend",
            Self::Discard => "discard",
        }
    }

    /// Finds what a code stands for.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Resend, Self::Discard]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}
