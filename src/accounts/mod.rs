//! Who may sign in: passwords, sessions, the links with which somebody chooses a password, and the log of
//! what was done to whom.
//!
//! Secrets are shown once and kept as hashes. What a manager changes holds at the next request, because
//! every request asks the database who it comes from.

pub mod demo;
mod error;
mod manage;
mod own;
mod password;
mod sign_in;
mod throttle;
mod token;

use std::time::Duration;

pub use self::error::{AccountError, SignInError};
pub use self::manage::{
    Person, change_role, create, disable, enable, end_sessions, invite, make_reset_link,
};
pub use self::own::{change_password, choose_password, end_session, find_invited};
pub use self::password::Passwords;
pub use self::sign_in::{Attempt, Opened, Place, find_signed_in, sign_in, sign_out};
pub use self::token::Token;
use crate::db::activity::{Activity, Actor, insert_activity};
use crate::db::{DbResult, Transaction};
use crate::domain::{AccountId, Action};

/// How long an invitation can be taken up.
pub const INVITATION_LASTS: Duration = Duration::from_hours(7 * 24);

/// How long a link for a forgotten password works (OWASP ASVS 5.0.0, 6.4.1: it expires soon).
pub const RESET_LASTS: Duration = Duration::from_hours(1);

/// Writes down what was done, in the transaction that does it.
async fn log(
    tx: &mut Transaction,
    actor: Actor<'_>,
    action: Action,
    account: Option<AccountId>,
    details: &str,
) -> DbResult<()> {
    let activity = Activity {
        account,
        ..actor.did(action, details)
    };
    insert_activity(tx, &activity).await
}
