//! What every handler can reach.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use chrono_tz::Tz;
use tokio_util::task::TaskTracker;

use super::dashboard::SharedFigures;
use super::http::connections::RequestLimits;
use super::http::error::WebError;
use super::http::ingress::Ingress;
use super::http::shared_read::SharedRead;
use super::live::Live;
use super::ui::consumption::SharedConsumption;
use crate::accounts::Passwords;
use crate::clock::Clock;
use crate::db::sessions::SessionLimits;
use crate::db::{Pool, PooledConnection};
use crate::messaging::kinesis::KinesisStream;
use crate::outgoing::Outgoing;
use crate::provision::subscribe::Subscriptions;
use crate::readiness::Readiness;
use crate::sns_endpoint::SnsEndpoint;

/// The website's surroundings; cloning is cheap and shares everything.
#[derive(Debug, Clone)]
pub struct AppState {
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
    /// Which parts of the program are up, for `/readyz`.
    pub readiness: Readiness,
    /// Requests run on it, so that shutdown can wait for those whose visitor has gone.
    pub tasks: TaskTracker,
    /// The site's public name, and its proxies.
    pub ingress: Ingress,
    pub rules: Arc<Rules>,
    pub passwords: Arc<Passwords>,
    pub(crate) request_limits: RequestLimits,
    pub(crate) shared: Arc<SharedPages>,
    /// What the dashboard tells, for all who look at it.
    pub(crate) figures: Arc<SharedFigures>,
    /// How updates are applied, for every page of the café.
    pub(crate) consumption: Arc<SharedConsumption>,
    /// Who watches its pages.
    pub(crate) live: Arc<Live>,
    /// What would have left this machine, where AWS is embedded.
    pub(crate) outgoing: Outgoing,
    /// Who is subscribed to the topics, if there are any.
    pub(crate) subscriptions: Option<Arc<Subscriptions>>,
    /// The stream of stock movements, where it is embedded.
    pub(crate) local_stream: Option<Arc<KinesisStream>>,
    /// What takes deliveries of SNS, if there are topics whose deliveries are taken.
    pub(crate) sns_endpoint: Option<Arc<SnsEndpoint>>,
}

/// What the café has decided about its site.
#[derive(Debug, Clone)]
pub struct Rules {
    pub sessions: SessionLimits,
    /// Whether suppliers see how many bags the café has of their beans.
    pub suppliers_see_stock: bool,
    /// Whether strangers may read `/beans.json`.
    pub public_beans_json: bool,
    /// The zone of the times on pages, for whoever has not chosen another.
    pub time_zone: Tz,
    /// Whether the sign-in page lets everybody in as one of the demonstration accounts. Only where nobody
    /// but this machine's users can reach it.
    pub demonstration: bool,
    pub mail: MailDelivery,
}

/// What becomes of mail to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailDelivery {
    /// There is none.
    None,
    /// A mail server sends it.
    Server,
    /// It stays here, where it can be looked at.
    Captured,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            sessions: SessionLimits {
                idle: Duration::from_hours(12),
                absolute: Duration::from_hours(14 * 24),
            },
            suppliers_see_stock: false,
            public_beans_json: true,
            time_zone: Tz::UTC,
            demonstration: false,
            mail: MailDelivery::None,
        }
    }
}

/// What is asked for most, each shared by all who ask for it at the same time.
#[derive(Debug, Default)]
pub(crate) struct SharedPages {
    pub(crate) beans_json: SharedRead<Result<Bytes, WebError>>,
}

/// How long a shared read may take: everybody who asks meanwhile waits for it.
pub(crate) const READ_WITHIN: Duration = Duration::from_secs(8);

/// Ends a shared read that gets no answer, so that those behind it have their turn.
pub(crate) async fn in_turn<T>(
    limit: Duration,
    read: impl Future<Output = Result<T, WebError>>,
) -> Result<T, WebError> {
    let read = tokio::time::timeout(limit, read).await;
    read.unwrap_or_else(|elapsed| Err(WebError::Unavailable(Arc::new(elapsed))))
}

impl AppState {
    /// Puts the surroundings together.
    pub fn new(
        pool: Pool,
        clock: Arc<dyn Clock>,
        readiness: Readiness,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            pool,
            clock,
            readiness,
            tasks,
            ingress: Ingress::default(),
            rules: Arc::default(),
            passwords: Arc::default(),
            request_limits: RequestLimits::default(),
            shared: Arc::default(),
            figures: Arc::default(),
            consumption: Arc::default(),
            live: Arc::default(),
            outgoing: Outgoing::default(),
            sns_endpoint: None,
            subscriptions: None,
            local_stream: None,
        }
    }

    /// Lets managers split and merge the shards of an embedded stream.
    #[must_use]
    pub fn resharding(self, local_stream: Option<Arc<KinesisStream>>) -> Self {
        Self {
            local_stream,
            ..self
        }
    }

    /// Puts something in front.
    #[must_use]
    pub fn behind(self, ingress: Ingress) -> Self {
        Self { ingress, ..self }
    }

    /// Shows what the embedded AWS would have sent.
    #[must_use]
    pub fn showing(self, outgoing: Outgoing) -> Self {
        Self { outgoing, ..self }
    }

    /// Shows who is subscribed to the topics.
    #[must_use]
    pub fn listing_subscriptions(self, subscriptions: Option<Arc<Subscriptions>>) -> Self {
        Self {
            subscriptions,
            ..self
        }
    }

    /// Takes deliveries of SNS.
    #[must_use]
    pub fn taking_deliveries(self, sns_endpoint: Option<Arc<SnsEndpoint>>) -> Self {
        Self {
            sns_endpoint,
            ..self
        }
    }

    /// Holds the site to the café's rules.
    #[must_use]
    pub fn ruled_by(self, rules: Rules) -> Self {
        Self {
            rules: Arc::new(rules),
            ..self
        }
    }

    /// How often the database was looked at so far for pages that are watched.
    pub fn looks(&self) -> u64 {
        self.live.looks()
    }

    /// Borrows a connection to read with.
    pub(crate) async fn connection(&self) -> Result<PooledConnection, WebError> {
        Ok(self.pool.acquire().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shared_read_without_an_answer_makes_room_for_the_next() {
        let pages = SharedPages::default();
        let silent = async || in_turn(Duration::from_millis(1), std::future::pending()).await;

        let first = pages.beans_json.get(silent).await;
        let second = pages.beans_json.get(async || Ok(Bytes::new())).await;

        assert!(matches!(first, Err(WebError::Unavailable(_))));
        assert!(second.unwrap().is_empty());
    }
}
