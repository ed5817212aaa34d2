//! Webhooks: alerts as signed requests to programs and chat services of the café's choice.
//!
//! A webhook gets the same digests as the topic of alerts, by the same outbox: in a request with the headers of
//! [Standard Webhooks](https://www.standardwebhooks.com), tried again until it is taken.

mod body;
mod publisher;
mod reach;
mod secret;

pub use self::publisher::{WebhookPublisher, name_of};
pub use self::reach::Reach;
pub use self::secret::WebhookSecret;
