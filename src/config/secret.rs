//! Texts that must not appear in logs.

use std::fmt;
use std::str::FromStr;

/// A text that is not shown.
#[derive(Clone)]
pub struct Secret(pub(super) String);

impl Secret {
    /// The text itself, to be handed on and not to be printed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}
