//! What can keep somebody from signing in, or from changing an account.

use super::password::Busy;
use crate::db::{DbError, WorkError};

/// Why somebody is not signed in. It never tells whether there is such an account.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such account, the wrong password, or an account that is disabled.
    #[error("the email address or the password is wrong")]
    Wrong,
    /// Too many attempts failed lately.
    #[error("too many attempts to sign in failed")]
    TooMany,
    /// Too many people sign in at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Why an account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("there is no such account")]
    NotFound,
    /// Somebody else's account has this address.
    #[error("this email address has an account already")]
    Taken,
    /// Nobody could manage accounts afterwards.
    #[error("this is the last manager who can sign in")]
    LastManager,
    /// The supplier the account is to be bound to is not on the list.
    #[error("there is no such supplier")]
    NoSuchSupplier,
    /// The link was used, replaced or has expired.
    #[error("the link does not work any more")]
    LinkGone,
    /// Too many people choose a password at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for AccountError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}
