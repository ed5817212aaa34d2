//! The composition root: builds the parts from the settings and runs them until the end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono_tz::Tz;
use tokio::net::TcpListener;

use crate::aws::{Aws, kinesis_client, sns_client, sqs_client};
use crate::clock::{Clock, SystemClock};
use crate::config::{MessagingSettings, WebSettings};
use crate::consumer::{Consumer, ConsumerSettings, Gate, Handler};
use crate::db::outbox::Destination;
use crate::db::sessions::SessionLimits;
use crate::db::{self, Pool};
use crate::dead_letters::{self, Collect, Rules};
use crate::inventory::Apply;
use crate::messaging::kinesis::KinesisStream;
use crate::messaging::sns::SnsPublisher;
use crate::messaging::sqs::{self, Redrive, SqsQueue};
use crate::messaging::{
    ALERTS, ALERTS_TOPIC, DEAD_LETTERS, Publisher, QueueRole, ServiceError, TopicRole, UNDELIVERED,
    UPDATES, UPDATES_TOPIC,
};
use crate::monitor::{self, Consuming};
use crate::notifications::{Announces, Mailer, Notifier, TellOfOutOfStock};
use crate::outbox::Relay;
use crate::outgoing::Outgoing;
use crate::provision::Provisioned;
use crate::provision::subscribe::Subscriptions;
use crate::readiness::{DATABASE, QUEUE, Readiness};
use crate::shutdown::Shutdown;
use crate::sns_endpoint::{LocalAnchor, SnsEndpoint};
use crate::stream::{StreamConsumer, StreamForecasts, StreamRelay};
use crate::web::{self, MailDelivery};
use crate::webhooks::{Reach, WebhookPublisher, WebhookSecret, name_of};

/// The parts of the program, which may run together or each alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Part {
    Web,
    /// Applies what the queue delivers.
    Poller,
    /// Publishes what was accepted, and puts movements on the stream.
    Relay,
    /// Moves dead letters into the database.
    Collector,
    /// Reads the stream of stock movements.
    Stream,
}

impl Part {
    pub const ALL: [Self; 5] = [
        Self::Web,
        Self::Poller,
        Self::Relay,
        Self::Collector,
        Self::Stream,
    ];

    /// Whether it works with the queue or the topic.
    pub fn uses_messages(self) -> bool {
        matches!(self, Self::Poller | Self::Relay | Self::Collector)
    }
}

/// What the parts share.
#[derive(Debug, Clone)]
pub struct App {
    pub pool: Pool,
    pub clock: Arc<dyn Clock>,
    /// How and when to stop.
    pub shutdown: Shutdown,
    /// What `/readyz` waits for.
    pub readiness: Readiness,
    /// Before every receive of this process.
    pub gate: Gate,
    /// What would have left this machine, where AWS is embedded.
    outgoing: Outgoing,
    /// Who is subscribed to the topics.
    subscriptions: Option<Arc<Subscriptions>>,
    /// The stream, where it is embedded.
    local_stream: Option<Arc<KinesisStream>>,
    /// What takes deliveries of SNS over HTTPS.
    sns_endpoint: Option<Arc<SnsEndpoint>>,
}

/// Who may take a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seats {
    /// Whoever knows an account's password.
    Passwords,
    /// Besides, everybody on this machine, as one of the demonstration accounts.
    Demonstration,
}

/// How often the database is asked whether it takes writes. Failing for a minute is told, so a few
/// seconds do.
const LOOK_AT_DATABASE_EVERY: Duration = Duration::from_secs(5);

impl App {
    /// Uses a database and the machine's clock.
    pub fn new(pool: Pool, shutdown: Shutdown) -> Self {
        Self {
            gate: Gate::new(pool.clone()),
            pool,
            clock: Arc::new(SystemClock),
            shutdown,
            readiness: Readiness::default(),
            outgoing: Outgoing::default(),
            sns_endpoint: None,
            subscriptions: None,
            local_stream: None,
        }
    }

    /// Has the website split and merge the shards of the stream, which is embedded.
    #[must_use]
    pub fn resharding(self, settings: &MessagingSettings, aws: &Aws) -> Self {
        let stream = settings.stream_name().map(|name| {
            let kinesis = kinesis_client(&aws.kinesis);
            Arc::new(KinesisStream::new(kinesis, name.to_owned()))
        });
        Self {
            local_stream: stream,
            ..self
        }
    }

    /// Has the website show who is subscribed to the topics that are set.
    #[must_use]
    pub fn listing_subscriptions(self, settings: &MessagingSettings, aws: &Aws) -> Self {
        let topics = [
            (UPDATES_TOPIC, settings.topic()),
            (ALERTS_TOPIC, settings.alerts_topic()),
        ];
        let topics = topics.into_iter();
        let topics: Vec<(TopicRole, String)> = topics
            .filter_map(|(role, arn)| Some((role, arn?.to_owned())))
            .collect();
        let subscriptions =
            (!topics.is_empty()).then(|| Arc::new(Subscriptions::of(sns_client(&aws.sns), topics)));
        Self {
            subscriptions,
            ..self
        }
    }

    /// Has the website take SNS's deliveries over HTTPS, of the topics that are set. An anchor vouches for the embedded
    /// SNS.
    ///
    /// # Errors
    /// This machine's TLS cannot be used.
    pub fn taking_deliveries(
        self,
        settings: &MessagingSettings,
        anchor: Option<LocalAnchor>,
    ) -> Result<Self> {
        let topics = settings.delivering_topics();
        if topics.is_empty() {
            return Ok(self);
        }
        let url = anchor.as_ref().map(|anchor| anchor.url.as_str());
        let sns = url
            .or(settings.sns_endpoint())
            .map(str::parse)
            .transpose()?;
        let clock = Arc::clone(&self.clock);
        let endpoint = SnsEndpoint::new(
            &topics,
            settings.delivery_decoder(),
            &self.pool,
            clock,
            sns,
            anchor,
        )?;
        Ok(Self {
            sns_endpoint: Some(Arc::new(endpoint)),
            ..self
        })
    }

    /// Shows what the embedded AWS would have sent.
    #[must_use]
    pub fn showing(self, outgoing: Outgoing) -> Self {
        Self { outgoing, ..self }
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
        if parts.iter().any(|part| part.uses_messages()) {
            self.readiness.expect(QUEUE);
        }
    }

    /// Starts the website on the shutdown's tasks.
    pub fn start_web(&self, listener: TcpListener, settings: &WebSettings, seats: Seats) {
        let ingress = web::Ingress {
            public_url: settings.public_url().cloned(),
            trusted_proxies: settings.trusted_proxies().into(),
        };
        let state = web::AppState::new(
            self.pool.clone(),
            Arc::clone(&self.clock),
            self.readiness.clone(),
            self.shutdown.tasks.clone(),
        )
        .behind(ingress)
        .showing(self.outgoing.clone())
        .taking_deliveries(self.sns_endpoint.clone())
        .listing_subscriptions(self.subscriptions.clone())
        .resharding(self.local_stream.clone())
        .ruled_by(rules(settings, seats));
        self.watch_database();
        let minutes = monitor::write_minutes(self.pool.clone(), self.shutdown.clone());
        self.shutdown.tasks.spawn(minutes);
        let stop = self.shutdown.soft.clone().cancelled_owned();
        let serving = web::serve(listener, state, web::ServerLimits::default(), stop);
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

    /// Starts the chosen parts that work with the queue and the topic; with a notifier also what tells people of
    /// messages in the alerts queue.
    ///
    /// # Errors
    /// The queue cannot be asked for its redrive policy.
    pub async fn start_messaging(
        &self,
        settings: &MessagingSettings,
        aws: &Aws,
        parts: &[Part],
        notifier: Option<&Notifier>,
    ) -> Result<()> {
        if parts.contains(&Part::Relay) {
            self.start_relays(settings, aws);
            self.carry_out_bulk_actions();
        }
        let Some(url) = settings.queue(UPDATES) else {
            tracing::warn!("{}", UPDATES.when_unset);
            self.readiness.is_up(QUEUE);
            return Ok(());
        };
        let queues = Queues {
            app: self,
            sqs: sqs_client(&aws.sqs, settings.wait()),
            settings,
        };
        let redrive = queues.redrive(url).await?;
        let mut running = Vec::new();
        if parts.contains(&Part::Collector) && settings.collect_dead_letters {
            let collector = queues.collector(redrive.as_ref()).await?;
            running.extend(collector.map(|collector| start(DEAD_LETTERS, collector)));
        }
        if parts.contains(&Part::Poller) {
            let updates = queues.updates(url, redrive, settings.pollers);
            running.push(start(UPDATES, updates.reporting_to(self.readiness.clone())));
            if let Some(url) = settings.queue(UNDELIVERED) {
                let redrive = queues.redrive(url).await?;
                running.push(start(UNDELIVERED, queues.updates(url, redrive, 1)));
            }
        }
        if let (Some(notifier), Some(url)) = (notifier, settings.queue(ALERTS)) {
            running.push(start(ALERTS, queues.alerts(url, notifier)));
        }
        let (pool, shutdown) = (self.pool.clone(), self.shutdown.clone());
        let followed = (pool.clone(), running.clone(), shutdown.clone());
        self.shutdown.supervise("pauses", move || {
            let (pool, running, shutdown) = followed.clone();
            monitor::follow_pauses(pool, running, shutdown)
        });
        let telling = monitor::tell_of_consumers(pool, running, shutdown);
        self.shutdown.tasks.spawn(telling);
        self.readiness.is_up(QUEUE);
        Ok(())
    }

    /// Tells people of alerts, at links that lead to the `site`. Gives what does so.
    ///
    /// # Errors
    /// The mail server's URL cannot be used.
    pub fn notify_people(
        &self,
        settings: &WebSettings,
        seats: Seats,
        messaging: &MessagingSettings,
        site: &str,
    ) -> Result<Notifier> {
        let mailer = match settings.mail.server() {
            Some(server) => {
                let from = settings.mail.mail_from.clone();
                let from =
                    from.context("SMTP_URL needs MAIL_FROM, the address that mail comes from")?;
                Some(Mailer::smtp(&server, from)?)
            }
            None if mail_delivery(settings, seats) == MailDelivery::Captured => {
                Some(Mailer::Captured)
            }
            None => None,
        };
        let notifier = Notifier {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            mailer,
            announces: Announces {
                to_topic: messaging.alerts_topic().is_some(),
                to_webhooks: self.start_webhooks(settings, seats)?,
            },
            site: site.trim_end_matches('/').to_owned(),
            zone: settings.time_zone,
        };
        let (telling, shutdown) = (notifier.clone(), self.shutdown.clone());
        self.shutdown.supervise("notifications", move || {
            telling.clone().run(shutdown.clone())
        });
        let shutdown = self.shutdown.clone();
        let sending = notifier.clone();
        self.shutdown
            .supervise("mail", move || sending.clone().send(shutdown.clone()));
        Ok(notifier)
    }

    /// Starts what tells webhooks, if there are any; gives their names.
    fn start_webhooks(&self, settings: &WebSettings, seats: Seats) -> Result<Vec<String>> {
        let urls = settings.webhooks.urls();
        if urls.is_empty() {
            return Ok(Vec::new());
        }
        let secret = WebhookSecret::parse(settings.webhooks.secret()?);
        let secret = secret.context("WEBHOOK_SECRET cannot be used")?;
        let reach = match seats {
            Seats::Demonstration => Reach::ThisMachine,
            Seats::Passwords => Reach::Public,
        };
        let (outgoing, clock) = (self.outgoing.clone(), Arc::clone(&self.clock));
        let publisher = WebhookPublisher::new(&urls, secret, reach, outgoing, clock)?;
        let names: Vec<String> = urls.iter().map(name_of).collect();
        let relay = self.relay(Destination::Webhooks, publisher);
        self.run_relay(relay.announcing_to(names.clone()));
        Ok(names)
    }

    /// Starts what puts movements on the stream, if there is one, and what reads it; a day of the café is one in a
    /// time zone.
    pub fn start_stream(&self, settings: &MessagingSettings, aws: &Aws, parts: &[Part], zone: Tz) {
        let Some(name) = settings.stream_name() else {
            return;
        };
        let kinesis = kinesis_client(&aws.kinesis);
        let stream = || KinesisStream::new(kinesis.clone(), name.to_owned());
        if parts.contains(&Part::Relay) {
            self.run_stream_relay(stream());
        }
        if parts.contains(&Part::Stream) {
            self.read_stream(stream(), name, zone);
        }
    }

    fn run_stream_relay(&self, stream: KinesisStream) {
        let (pool, clock) = (self.pool.clone(), Arc::clone(&self.clock));
        let relay = StreamRelay::new(stream, pool, clock, self.shutdown.clone());
        let relay = Arc::new(relay);
        self.shutdown.supervise("stream relay", move || {
            let relay = Arc::clone(&relay);
            async move { relay.run().await }
        });
    }

    fn read_stream(&self, stream: KinesisStream, name: &str, zone: Tz) {
        let (pool, clock) = (self.pool.clone(), Arc::clone(&self.clock));
        let shutdown = self.shutdown.clone();
        let forecasts =
            StreamForecasts::new(pool.clone(), Arc::clone(&clock), zone, shutdown.clone());
        let consumer = StreamConsumer::new(stream, name.to_owned(), pool, clock, zone, shutdown);
        let (consumer, forecasts) = (Arc::new(consumer), Arc::new(forecasts));
        self.shutdown.supervise("stream", move || {
            let consumer = Arc::clone(&consumer);
            async move { consumer.run().await }
        });
        self.shutdown.supervise("stream forecasts", move || {
            let forecasts = Arc::clone(&forecasts);
            async move { forecasts.run().await }
        });
    }

    fn carry_out_bulk_actions(&self) {
        let app = self.clone();
        self.shutdown.supervise("bulk actions", move || {
            let (pool, clock) = (app.pool.clone(), Arc::clone(&app.clock));
            dead_letters::carry_out(pool, clock, app.shutdown.clone())
        });
    }

    fn start_relays(&self, settings: &MessagingSettings, aws: &Aws) {
        if let Some(topic) = settings.topic() {
            let publisher = SnsPublisher::new(sns_client(&aws.sns), topic.to_owned());
            self.run_relay(self.relay(Destination::Updates, publisher));
        } else {
            tracing::warn!("{}", UPDATES_TOPIC.when_unset);
        }
        if let Some(topic) = settings.alerts_topic() {
            let publisher = SnsPublisher::new(sns_client(&aws.sns), topic.to_owned());
            let relay = self.relay(Destination::Alerts, publisher);
            // The topic is one target, without a name.
            self.run_relay(relay.announcing_to(vec![String::new()]));
        }
    }

    fn relay<P: Publisher>(&self, destination: Destination, publisher: P) -> Relay<P> {
        Relay::new(
            destination,
            publisher,
            self.pool.clone(),
            Arc::clone(&self.clock),
            self.shutdown.clone(),
        )
    }

    fn run_relay<P: Publisher>(&self, relay: Relay<P>) {
        let relay = Arc::new(relay);
        self.shutdown.supervise("relay", move || {
            let relay = Arc::clone(&relay);
            async move { relay.run().await }
        });
    }
}

/// Starts a consumer, and gives what tells how it does.
fn start<H: Handler>(queue: QueueRole, consumer: Consumer<SqsQueue, H>) -> Consuming {
    let (pulse, switch) = (consumer.pulse(), consumer.switch());
    let is_fifo = sqs::is_fifo(consumer.queue().url());
    // Until it is known that nobody has paused the queue, nothing is received.
    switch.set(false);
    consumer.start();
    Consuming {
        queue,
        is_fifo,
        pulse,
        switch,
    }
}

/// Makes the consumers of the queues, each with the handler of its role.
struct Queues<'a> {
    app: &'a App,
    sqs: aws_sdk_sqs::Client,
    settings: &'a MessagingSettings,
}

impl Queues<'_> {
    fn at(&self, url: &str) -> SqsQueue {
        SqsQueue::new(self.sqs.clone(), url.to_owned(), self.settings.visibility())
    }

    async fn redrive(&self, url: &str) -> Result<Option<Redrive>> {
        let queue = self.at(url);
        ask_until_answered(&self.app.shutdown, || queue.redrive()).await
    }

    /// Updates, from the queue of updates or from what the topic could not deliver to it.
    fn updates(
        &self,
        url: &str,
        redrive: Option<Redrive>,
        receivers: u16,
    ) -> Consumer<SqsQueue, Apply> {
        let max_receive_count = redrive.map(|redrive| redrive.max_receive_count);
        let decoder = self.settings.decoder();
        let handler = Apply::new(self.app.pool.clone(), decoder, max_receive_count);
        let consuming = ConsumerSettings {
            name: "poller",
            receivers: receivers.into(),
            max_receive_count,
            ..self.consuming()
        };
        self.consumer(url, handler, consuming)
    }

    /// Copies of the messages that say a supplier has run out of a bean.
    fn alerts(&self, url: &str, notifier: &Notifier) -> Consumer<SqsQueue, TellOfOutOfStock> {
        let decoder = self.settings.decoder();
        let handler = TellOfOutOfStock::new(notifier.clone(), decoder);
        let consuming = ConsumerSettings {
            name: "alerts",
            ..self.consuming()
        };
        self.consumer(url, handler, consuming)
    }

    /// The consumer of what the queue gave up on, if there is such a queue.
    async fn collector(
        &self,
        redrive: Option<&Redrive>,
    ) -> Result<Option<Consumer<SqsQueue, Collect>>> {
        let arn = redrive.map(|redrive| redrive.dead_letter_queue_arn.as_str());
        let url = match (self.settings.queue(DEAD_LETTERS), arn) {
            (Some(url), _) => url.to_owned(),
            (None, Some(arn)) => {
                ask_until_answered(&self.app.shutdown, || sqs::find_url(&self.sqs, arn)).await?
            }
            (None, None) => {
                tracing::warn!("the queue has no dead-letter queue, so nothing is collected");
                return Ok(None);
            }
        };
        let undelivered = self.settings.queue(UNDELIVERED);
        if undelivered.is_some_and(|other| sqs::is_same(other, &url)) {
            anyhow::bail!(
                "UNDELIVERED_QUEUE_URL names the queue's dead-letter queue, but they have different \
                 jobs; `beanstock provision` prints which is which"
            );
        }
        let rules = Rules {
            decoder: self.settings.decoder(),
            max_receive_count: redrive.map(|redrive| redrive.max_receive_count),
        };
        let handler = Collect::new(self.app.pool.clone(), rules);
        Ok(Some(self.consumer(&url, handler, self.consuming())))
    }

    fn consuming(&self) -> ConsumerSettings {
        ConsumerSettings {
            name: "collector",
            receivers: 1,
            batch: self.settings.batch_size.into(),
            wait: self.settings.wait(),
            visibility: self.settings.visibility(),
            max_receive_count: None,
        }
    }

    fn consumer<H: Handler>(
        &self,
        url: &str,
        handler: H,
        settings: ConsumerSettings,
    ) -> Consumer<SqsQueue, H> {
        let (gate, shutdown) = (self.app.gate.clone(), self.app.shutdown.clone());
        Consumer::new(self.at(url), handler, gate, settings, shutdown)
    }
}

fn rules(settings: &WebSettings, seats: Seats) -> web::Rules {
    let (idle, absolute) = settings.session_lasts();
    web::Rules {
        sessions: SessionLimits { idle, absolute },
        suppliers_see_stock: settings.suppliers_see_stock,
        public_beans_json: settings.public_beans_json,
        time_zone: settings.time_zone,
        demonstration: seats == Seats::Demonstration,
        mail: mail_delivery(settings, seats),
    }
}

/// What becomes of mail: without a mail server it is kept on a laptop, and there is none elsewhere.
fn mail_delivery(settings: &WebSettings, seats: Seats) -> MailDelivery {
    match (settings.mail.server(), seats) {
        (Some(_), _) => MailDelivery::Server,
        (None, Seats::Demonstration) => MailDelivery::Captured,
        (None, Seats::Passwords) => MailDelivery::None,
    }
}

/// Points the settings at what was provisioned.
pub fn use_provisioned(settings: &mut MessagingSettings, provisioned: &Provisioned) {
    for (role, url) in &provisioned.queues {
        settings.set_queue(*role, url);
    }
    for (role, arn) in &provisioned.topics {
        settings.set_topic(*role, arn);
    }
    for (supplier, arn) in &provisioned.supplier_topics {
        settings.set_supplier_topic(*supplier, arn);
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
