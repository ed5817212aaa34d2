//! Updates that follow others: what was wrong is never changed, something new says what is right.

use super::update_id::UpdateId;

/// Which update another one follows, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follows {
    pub update: UpdateId,
    pub how: FollowsAs,
}

/// What an update that follows another one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowsAs {
    /// It takes the place of one that could not be applied.
    Fix,
    /// It carries the difference between what was applied and what should have been.
    Correction,
    /// It is applied although a count had overtaken the one before.
    Anyway,
}

impl FollowsAs {
    pub fn code(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::Correction => "correction",
            Self::Anyway => "anyway",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Fix, Self::Correction, Self::Anyway]
            .into_iter()
            .find(|how| how.code() == code)
    }
}
