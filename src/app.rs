//! The composition root: builds the parts from the settings and runs them until the end.
//!
//! The only place, beside provisioning, that names AWS clients.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::clock::{Clock, SystemClock};
use crate::config::{AwsSettings, MessagingSettings};
use crate::db::{self, Pool};
use crate::dead_letters::{Collector, Rules};
use crate::messaging::ServiceError;
use crate::messaging::sns::SnsPublisher;
use crate::messaging::sqs::{self, Redrive, SqsQueue};
use crate::messaging::wire::Decoder;
use crate::outbox::Relay;
use crate::poller::{Poller, PollerSettings};
use crate::readiness::{DATABASE, QUEUE, Readiness};
use crate::shutdown::Shutdown;
use crate::web;

/// The parts of the program, which may run together or each alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Part {
    /// The website.
    Web,
    /// Applies what the queue delivers.
    Poller,
    /// Publishes what was accepted.
    Relay,
    /// Moves dead letters into the database.
    Collector,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Web, Self::Poller, Self::Relay, Self::Collector];
}

/// What the parts share.
#[derive(Debug, Clone)]
pub struct App {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How and when to stop.
    pub shutdown: Shutdown,
    /// Told when this process accepts an update, so that its relay need not wait.
    pub accepted: Arc<Notify>,
    /// What `/readyz` waits for.
    pub readiness: Readiness,
}

/// How often the database is asked whether it takes writes. Failing for a minute is told, so a few
/// seconds do.
const LOOK_AT_DATABASE_EVERY: Duration = Duration::from_secs(5);

impl App {
    /// Uses a database and the machine's clock.
    pub fn new(pool: Pool, shutdown: Shutdown) -> Self {
        Self {
            pool,
            clock: Arc::new(SystemClock),
            shutdown,
            accepted: Arc::default(),
            readiness: Readiness::default(),
        }
    }

    /// Has `/readyz` tell of the queue and the database once they have been away for longer.
    #[must_use]
    pub fn tolerating(self, tolerance: Duration) -> Self {
        Self {
            readiness: Readiness::tolerating(tolerance),
            ..self
        }
    }

    /// Makes `/readyz` wait for the chosen parts.
    pub fn expect(&self, parts: &[Part]) {
        if parts.iter().any(|part| *part != Part::Web) {
            self.readiness.expect(QUEUE);
        }
    }

    /// Starts the website on the shutdown's tasks.
    pub fn start_web(&self, listener: TcpListener, front: web::Front) {
        let state = web::AppState::new(
            self.pool.clone(),
            Arc::clone(&self.clock),
            self.readiness.clone(),
            self.shutdown.tasks.clone(),
        )
        .behind(front);
        self.watch_database();
        let stop = self.shutdown.soft.clone().cancelled_owned();
        let serving = web::serve(listener, state, web::Patience::default(), stop);
        self.shutdown.tasks.spawn(serving);
    }

    /// Notes for `/readyz` whether the database takes writes.
    fn watch_database(&self) {
        let app = self.clone();
        self.shutdown.tasks.spawn(async move {
            while app.shutdown.sleep(LOOK_AT_DATABASE_EVERY).await.is_ok() {
                let takes_writes = tokio::select! {
                    takes_writes = db::takes_writes(&app.pool) => takes_writes,
                    () = app.shutdown.requested() => return,
                };
                app.readiness.note(DATABASE, takes_writes.unwrap_or(false));
            }
        });
    }

    /// Starts the chosen parts that work with the queue and the topic.
    ///
    /// # Errors
    /// The queue cannot be asked for its redrive policy.
    pub async fn start_messaging(
        &self,
        settings: &MessagingSettings,
        aws: &Aws,
        parts: &[Part],
    ) -> Result<()> {
        if parts.contains(&Part::Relay) {
            self.start_relay(settings, aws);
        }
        let Some(url) = settings.queue() else {
            tracing::warn!("neither QUEUE_URL nor SQS_ENDPOINT is set, so nothing is polled");
            self.readiness.is_up(QUEUE);
            return Ok(());
        };
        let sqs = sqs_client(&aws.sqs, settings.wait());
        let queue = SqsQueue::new(sqs.clone(), url.to_owned(), settings.visibility());
        let redrive = ask_until_answered(&self.shutdown, || queue.redrive()).await?;
        if parts.contains(&Part::Collector) && settings.collect_dead_letters {
            self.start_collector(settings, sqs.clone(), redrive.as_ref())
                .await?;
        }
        if parts.contains(&Part::Poller) {
            let poller = self.poller(settings, queue, redrive, settings.pollers);
            Arc::new(poller.reporting_to(self.readiness.clone())).start();
            if let Some(url) = settings.undelivered_queue() {
                let queue = SqsQueue::new(sqs, url.to_owned(), settings.visibility());
                let redrive = ask_until_answered(&self.shutdown, || queue.redrive()).await?;
                Arc::new(self.poller(settings, queue, redrive, 1)).start();
            }
        }
        self.readiness.is_up(QUEUE);
        Ok(())
    }

    fn start_relay(&self, settings: &MessagingSettings, aws: &Aws) {
        let Some(topic) = settings.topic() else {
            tracing::warn!("TOPIC_ARN is not set, so accepted updates are not published");
            return;
        };
        let publisher = SnsPublisher::new(sns_client(&aws.sns), topic.to_owned());
        let relay = Relay::new(
            publisher,
            self.pool.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.accepted),
            self.shutdown.clone(),
        );
        let relay = Arc::new(relay);
        self.shutdown.supervise("relay", move || {
            let relay = Arc::clone(&relay);
            async move { relay.run().await }
        });
    }

    async fn start_collector(
        &self,
        settings: &MessagingSettings,
        sqs: aws_sdk_sqs::Client,
        redrive: Option<&Redrive>,
    ) -> Result<()> {
        let arn = redrive.map(|redrive| redrive.dead_letter_queue_arn.as_str());
        let url = match (settings.dead_letter_queue(), arn) {
            (Some(url), _) => url.to_owned(),
            (None, Some(arn)) => {
                ask_until_answered(&self.shutdown, || sqs::find_url(&sqs, arn)).await?
            }
            (None, None) => {
                tracing::warn!("the queue has no dead-letter queue, so nothing is collected");
                return Ok(());
            }
        };
        if settings
            .undelivered_queue()
            .is_some_and(|other| sqs::is_same(other, &url))
        {
            anyhow::bail!(
                "UNDELIVERED_QUEUE_URL names the queue's dead-letter queue, but they have different \
                 jobs; `beanstock provision` prints which is which"
            );
        }
        let collector = Collector::new(
            SqsQueue::new(sqs, url, settings.visibility()),
            self.pool.clone(),
            Rules {
                decoder: Decoder::new(&settings.topics()),
                max_receive_count: redrive.map(|redrive| redrive.max_receive_count),
            },
            settings.wait(),
            self.shutdown.clone(),
        );
        let collector = Arc::new(collector);
        self.shutdown.supervise("collector", move || {
            let collector = Arc::clone(&collector);
            async move { collector.run().await }
        });
        Ok(())
    }

    fn poller(
        &self,
        settings: &MessagingSettings,
        queue: SqsQueue,
        redrive: Option<Redrive>,
        pollers: u16,
    ) -> Poller<SqsQueue> {
        Poller::new(
            queue,
            self.pool.clone(),
            Decoder::new(&settings.topics()),
            PollerSettings {
                pollers: pollers.into(),
                wait: settings.wait(),
                visibility: settings.visibility(),
                max_receive_count: redrive.map_or(0, |redrive| redrive.max_receive_count),
            },
            self.shutdown.clone(),
        )
    }
}

/// Asks again while the service does not answer: starting must not depend on who starts first.
async fn ask_until_answered<T, F>(shutdown: &Shutdown, ask: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T, ServiceError>>,
{
    let mut failures = 0;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error @ ServiceError::Refused { .. }) => return Err(error.into()),
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(%error, "the queue does not answer yet; trying again");
                }
                failures += 1;
                let delay = crate::backoff::after_failed_receive(failures);
                shutdown
                    .sleep(delay)
                    .await
                    .context("while waiting for the queue")?;
            }
        }
    }
}

/// Waits until SQS says something about a queue, be it that there is none.
pub async fn wait_for_answer(
    shutdown: &Shutdown,
    sqs: &aws_sdk_sqs::Client,
    queue_name: &str,
) -> Result<()> {
    ask_until_answered(shutdown, || async {
        match sqs::find_url(sqs, queue_name).await {
            Err(error @ ServiceError::Unreachable { .. }) => Err(error),
            Ok(_) | Err(ServiceError::Refused { .. }) => Ok(()),
        }
    })
    .await
}

/// What the AWS clients are made from: region, credentials and endpoints.
#[derive(Debug, Clone)]
pub struct Aws {
    /// For Secrets Manager and tokens.
    pub sign_in: SdkConfig,
    /// For SQS.
    pub sqs: SdkConfig,
    /// For SNS.
    pub sns: SdkConfig,
}

impl From<SdkConfig> for Aws {
    fn from(all: SdkConfig) -> Self {
        Self {
            sqs: all.clone(),
            sns: all.clone(),
            sign_in: all,
        }
    }
}

impl Aws {
    /// For a program that has nothing to ask AWS for, and so need not look for credentials either.
    pub fn unused() -> Self {
        let builder = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        builder.build().into()
    }
}

/// Reads credentials and region the way every AWS client does: from the SDK's provider chain.
async fn load_sdk(settings: &AwsSettings) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = settings.region() {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(url) = settings.endpoint() {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

fn at(sdk: &SdkConfig, endpoint: Option<&str>, region: Option<&str>) -> SdkConfig {
    let mut builder = sdk.clone().into_builder();
    if let Some(url) = endpoint {
        builder = builder.endpoint_url(url);
    }
    if let Some(region) = region {
        builder = builder.region(Region::new(region.to_owned()));
    }
    builder.build()
}

/// The same, with the endpoint of Secrets Manager.
pub async fn load_sign_in(settings: &AwsSettings) -> SdkConfig {
    let sdk = load_sdk(settings).await;
    at(&sdk, settings.secrets_manager_endpoint(), None)
}

/// The same for all services.
pub async fn load_aws(settings: &MessagingSettings) -> Aws {
    let sdk = load_sdk(&settings.aws).await;
    let region = settings.aws.messaging_region();
    Aws {
        sqs: at(&sdk, settings.sqs_endpoint(), region),
        sns: at(&sdk, settings.sns_endpoint(), region),
        sign_in: at(&sdk, settings.aws.secrets_manager_endpoint(), None),
    }
}

/// How long a call may take beyond what it is asked to wait. The SDK for Rust has no limit of its
/// own but for connecting, so a long poll on a dead connection would hang for ever.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

fn timeouts(wait: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(wait + ATTEMPT_TIMEOUT)
        .build()
}

/// An SQS client whose receives wait up to `wait`.
pub fn sqs_client(aws: &SdkConfig, wait: Duration) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::config::Builder::from(aws)
        .timeout_config(timeouts(wait))
        .retry_config(RetryConfig::standard())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

/// An SNS client.
pub fn sns_client(aws: &SdkConfig) -> aws_sdk_sns::Client {
    let config = aws_sdk_sns::config::Builder::from(aws)
        .timeout_config(timeouts(Duration::ZERO))
        .retry_config(RetryConfig::standard())
        .build();
    aws_sdk_sns::Client::from_conf(config)
}

/// A Secrets Manager client.
pub fn secrets_manager_client(aws: &SdkConfig) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::config::Builder::from(aws)
        .timeout_config(timeouts(Duration::ZERO))
        .retry_config(RetryConfig::standard())
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}
