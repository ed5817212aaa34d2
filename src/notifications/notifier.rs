//! What notifying people needs to know.

use std::sync::Arc;

use chrono_tz::Tz;

use super::mail::Mailer;
use crate::clock::Clock;
use crate::db::Pool;

/// Where alerts come from, and what carries them to people.
#[derive(Debug, Clone)]
pub struct Notifier {
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
    /// What sends mail; without it people are told in their feeds only.
    pub mailer: Option<Mailer>,
    /// Whether a topic is told of what happens.
    pub announces: bool,
    /// Where the site is, for links; without a slash at its end.
    pub site: String,
    /// The zone of those who have not chosen one.
    pub zone: Tz,
}
