//! What notifying people needs to know.

use std::sync::Arc;

use chrono_tz::Tz;

use super::mail::Mailer;
use crate::clock::Clock;
use crate::db::Pool;
use crate::db::outbox::Destination;

/// Where alerts are announced, besides what people are told.
#[derive(Debug, Clone, Default)]
pub struct Announces {
    /// Whether there is a topic of alerts.
    pub to_topic: bool,
    /// The names of the webhooks.
    pub to_webhooks: Vec<String>,
}

impl Announces {
    pub(super) fn is_any(&self) -> bool {
        self.to_topic || !self.to_webhooks.is_empty()
    }

    /// Each destination, with the group that names it.
    pub(super) fn all(&self) -> impl Iterator<Item = (Destination, &str)> {
        let topic = self.to_topic.then_some((Destination::Alerts, ""));
        let webhooks = self.to_webhooks.iter();
        let webhooks = webhooks.map(|name| (Destination::Webhooks, name.as_str()));
        topic.into_iter().chain(webhooks)
    }
}

/// Where alerts come from, and what carries them to people.
#[derive(Debug, Clone)]
pub struct Notifier {
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
    /// What sends mail; without it people are told in their feeds only.
    pub mailer: Option<Mailer>,
    /// Where it is announced.
    pub announces: Announces,
    /// Where the site is, for links; without a slash at its end.
    pub site: String,
    /// The zone of those who have not chosen one.
    pub zone: Tz,
}
