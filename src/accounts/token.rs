//! Secrets that are handed out once: a session's, a link's, a browser's.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::db::sessions::TokenHash;

/// 32 random bytes as text that fits into an address or a cookie.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

const BYTES: usize = 32;

impl Token {
    /// Makes one that nobody can guess.
    ///
    /// # Panics
    /// The system has no randomness.
    pub fn generate() -> Self {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).expect("the system has randomness");
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads what somebody brings. What is none of ours is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == BYTES).then(|| Self(text.to_owned()))
    }

    /// What the database knows it by. It has 256 random bits, so a fast hash is enough.
    pub fn hash(&self) -> TokenHash {
        Sha256::digest(&self.0).into()
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_others_are_not() {
        let token = Token::generate();

        assert_eq!(Token::parse(token.expose()), Some(token.clone()));
        assert_ne!(token, Token::generate());
        assert_eq!(format!("{token:?}"), "[hidden]");
        for junk in ["", "abc", "ä", &token.expose()[1..], &"A".repeat(1_000)] {
            assert_eq!(Token::parse(junk), None, "{junk}");
        }
    }
}
