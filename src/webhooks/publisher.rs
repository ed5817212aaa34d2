//! A [`Publisher`] for webhooks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use reqwest::StatusCode;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use url::Url;

use super::body;
use super::reach::{PublicAddresses, Reach};
use super::secret::WebhookSecret;
use crate::clock::Clock;
use crate::messaging::{FailedEntry, Publication, Publisher, ServiceError};
use crate::outgoing::{Attempt, Dispatch, Outgoing, Way};

/// How long a receiver may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// Posts digests to webhooks. A publication's group is the name of its webhook.
#[derive(Debug, Clone)]
pub struct WebhookPublisher(Arc<Webhooks>);

#[derive(Debug)]
struct Webhooks {
    /// By name.
    urls: Vec<(String, Url)>,
    secret: WebhookSecret,
    http: reqwest::Client,
    reach: Reach,
    /// Where requests are shown that do not leave this machine.
    outgoing: Outgoing,
    clock: Arc<dyn Clock>,
}

/// The name of a webhook: its host, and what tells it from others there. The rest of a URL may be a secret.
pub fn name_of(url: &Url) -> String {
    let hash = Sha256::digest(url.as_str());
    let host: String = url
        .host_str()
        .unwrap_or_default()
        .chars()
        .take(100)
        .collect();
    format!("{host}#{:02x}{:02x}", hash[0], hash[1])
}

impl WebhookPublisher {
    /// Posts to these webhooks.
    ///
    /// # Errors
    /// This machine's TLS cannot be used, one leads where webhooks may not, or two have one name.
    pub fn new(
        urls: &[Url],
        secret: WebhookSecret,
        reach: Reach,
        outgoing: Outgoing,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let webhooks: Vec<(String, Url)> =
            urls.iter().map(|url| (name_of(url), url.clone())).collect();
        if reach == Reach::Public {
            let wrong = urls.iter().find(|url| !reach.allows(url));
            ensure!(
                wrong.is_none(),
                "WEBHOOK_URLS: {} cannot be used: webhooks are asked by https, at public addresses",
                wrong.map(name_of).unwrap_or_default()
            );
        }
        let mut names: Vec<&String> = webhooks.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        ensure!(
            names.len() == urls.len(),
            "WEBHOOK_URLS lists a URL twice, or two that cannot be told apart"
        );
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWERS_WITHIN)
            .no_proxy()
            .user_agent(concat!("Beanstock/", env!("CARGO_PKG_VERSION")));
        let http = match reach {
            Reach::Public => http
                .dns_resolver(Arc::new(PublicAddresses))
                .https_only(true),
            Reach::ThisMachine => http,
        };
        Ok(Self(Arc::new(Webhooks {
            urls: webhooks,
            secret,
            http: http.build()?,
            reach,
            outgoing,
            clock,
        })))
    }
}

impl Webhooks {
    /// Posts one.
    async fn post(&self, publication: &Publication) -> Answer {
        let mut urls = self.urls.iter();
        let Some((_, url)) = urls.find(|(name, _)| *name == publication.group) else {
            return Answer::Failed("it is not set here".to_owned());
        };
        let now = self.clock.now();
        let id = publication.deduplication_id.as_deref().unwrap_or_default();
        let body = body::write(&publication.body);
        let dispatch = (self.reach == Reach::ThisMachine).then(|| {
            self.outgoing.add_again(Dispatch {
                id: 0,
                at: now,
                way: Way::Http,
                to: url.to_string(),
                subject: "Webhook".to_owned(),
                body: body.clone(),
                link: None,
                attempts: Vec::new(),
            })
        });
        let answer = if self.reach.allows(url) {
            self.send(url, id, body).await
        } else {
            // Only in local mode, where it is shown instead.
            Answer::Taken("not sent: it leads to another machine".to_owned())
        };
        if let Some(dispatch) = dispatch {
            let attempt = Attempt {
                at: self.clock.now(),
                outcome: answer.words().to_owned(),
            };
            self.outgoing.note(dispatch, attempt);
        }
        answer
    }

    async fn send(&self, url: &Url, id: &str, body: String) -> Answer {
        let timestamp = self.clock.now().timestamp();
        let signature = self.secret.sign(id, timestamp, &body);
        let request = self
            .http
            .post(url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature);
        match request.body(body).send().await {
            Ok(answer) => Answer::of(answer.status()),
            Err(error) if error.is_timeout() => Answer::Failed("no answer within 15 s".to_owned()),
            Err(_) => Answer::Failed("no connection".to_owned()),
        }
    }
}

/// What an attempt came to, in words.
#[derive(Debug)]
enum Answer {
    Taken(String),
    Failed(String),
    /// Another try of the same would be answered so again.
    Refused(String),
}

impl Answer {
    fn of(status: StatusCode) -> Self {
        const FINAL: [StatusCode; 4] = [
            StatusCode::BAD_REQUEST,
            StatusCode::GONE,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNPROCESSABLE_ENTITY,
        ];
        let words = format!("answered {status}");
        if status.is_success() {
            Self::Taken(words)
        } else if FINAL.contains(&status) {
            Self::Refused(words)
        } else {
            Self::Failed(words)
        }
    }

    fn words(&self) -> &str {
        match self {
            Self::Taken(words) | Self::Failed(words) | Self::Refused(words) => words,
        }
    }
}

impl Publisher for WebhookPublisher {
    fn keeps_order(&self) -> bool {
        false
    }

    async fn publish(&self, batch: &[Publication]) -> Result<Vec<FailedEntry>, ServiceError> {
        let mut posting = JoinSet::new();
        for (position, publication) in batch.iter().enumerate() {
            let (webhooks, publication) = (Arc::clone(&self.0), publication.clone());
            posting.spawn(async move { (position, webhooks.post(&publication).await) });
        }
        let posted = posting.join_all().await;
        let failed = posted.into_iter().filter_map(|(position, answer)| {
            let retryable = match answer {
                Answer::Taken(_) => return None,
                Answer::Failed(_) => true,
                Answer::Refused(_) => false,
            };
            Some(FailedEntry {
                position,
                retryable,
            })
        });
        Ok(failed.collect())
    }
}
