//! A whole Beanstock, as the stories see it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use beanstock::aws;
use beanstock::catalogue::{self, demo};
use beanstock::clock::{Clock, SystemClock};
use beanstock::consumer::{Consumer, ConsumerSettings, Gate, Handler};
use beanstock::db::activity::Actor;
use beanstock::db::letter_lists::{LetterFilter, Range};
use beanstock::db::outbox::Destination;
use beanstock::db::{self, Pool};
use beanstock::dead_letters::{Collect, Rules};
use beanstock::domain::{
    Bags, BagsInStock, BeanId, BeanType, InventoryUpdate, Origin, StockChange, SupplierId,
    UpdateId, UpdateState,
};
use beanstock::inventory::Apply;
use beanstock::inventory::accept_update;
use beanstock::local;
use beanstock::local::aws::{Keeping, LocalAws};
use beanstock::messaging::Publisher;
use beanstock::messaging::sns::SnsPublisher;
use beanstock::messaging::sqs::{Depth, SqsQueue};
use beanstock::messaging::wire::Decoder;
use beanstock::messaging::{ALERTS, ALERTS_TOPIC, DEAD_LETTERS, UPDATES};
use beanstock::notifications::{Notifier, TellOfOutOfStock};
use beanstock::operations::audit::audit;
use beanstock::outbox::Relay;
use beanstock::provision::{Provisioned, ResourceSettings};
use beanstock::shutdown::Shutdown;
use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlConnectOptions;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::{bean, server};

/// The two kinds of queues and topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fifo,
    Standard,
}

impl Kind {
    pub(crate) fn resources(self) -> ResourceSettings {
        self.resources_ending_in("")
    }

    fn resources_of_its_own(self) -> ResourceSettings {
        self.resources_ending_in(&format!("_{}", uuid::Uuid::now_v7().simple()))
    }

    fn resources_ending_in(self, own: &str) -> ResourceSettings {
        let fifo = if self == Self::Fifo { ".fifo" } else { "" };
        let suffix = format!("{own}{fifo}");
        ResourceSettings {
            queue_name: format!("updated_beans{suffix}"),
            dead_letter_queue_name: format!("DeadLetterQueue{suffix}"),
            undelivered_queue_name: format!("undelivered_beans{suffix}"),
            alerts_queue_name: format!("inventory_alerts{own}"),
            topic_name: format!("updated_beans_sns{suffix}"),
            alerts_topic_name: format!("beanstock_alerts{own}"),
            ..ResourceSettings::default()
        }
    }
}

/// The lab's number.
const MAX_RECEIVE_COUNT: Option<u32> = Some(5);

/// How many messages are handled in one transaction: `BATCH_SIZE`, or as many as the program does.
pub(crate) fn batch_size() -> usize {
    let size = std::env::var("BATCH_SIZE");
    size.map_or(100, |size| size.parse().unwrap())
}

/// A database with the lab's data, queues and topic behind a real socket, and the parts that work
/// on them, one step at a time.
pub(crate) struct TestApp {
    pub(crate) database: MySqlConnectOptions,
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sdk: SdkConfig,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) resources: Provisioned,
    pub(crate) shutdown: Shutdown,
    gate: Gate,
    pub(crate) kind: Kind,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.soft.cancel();
        self.shutdown.hard.cancel();
    }
}

impl TestApp {
    pub(crate) async fn start(kind: Kind) -> Self {
        let database = server::migrated_database().await;
        Self::start_on(database, kind).await
    }

    pub(crate) async fn start_on(database: MySqlConnectOptions, kind: Kind) -> Self {
        let pool = server::pool(database.clone(), 12);
        db::migrate(&pool).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        demo::fill_if_empty(&pool, &*clock).await.unwrap();
        let shutdown = Shutdown::default();
        // `.ci/moto` names another SNS and SQS for the lab's stories, which they then share.
        let (url, settings) = match std::env::var("TEST_AWS_ENDPOINT_URL") {
            Ok(url) => (url, kind.resources_of_its_own()),
            Err(_) => (endpoint(&shutdown).await.url().to_owned(), kind.resources()),
        };
        let sdk = local::sdk_config(&url).await;
        let resources = local::provision_at(&sdk, &settings).await.unwrap();
        Self {
            database,
            gate: Gate::new(pool.clone()),
            pool,
            clock,
            sns: aws::sns_client(&sdk),
            sqs: aws::sqs_client(&sdk, Duration::from_secs(1)),
            sdk,
            resources,
            shutdown,
            kind,
        }
    }

    /// The same app with its queue and topic at another endpoint.
    pub(crate) async fn at(self, endpoint: &LocalAws) -> Self {
        let sdk = local::sdk_config(endpoint.url()).await;
        Self {
            database: self.database.clone(),
            pool: self.pool.clone(),
            gate: self.gate.clone(),
            clock: Arc::clone(&self.clock),
            sns: aws::sns_client(&sdk),
            sqs: aws::sqs_client(&sdk, Duration::from_secs(1)),
            resources: local::provision_at(&sdk, &self.kind.resources())
                .await
                .unwrap(),
            sdk,
            shutdown: Shutdown::default(),
            kind: self.kind,
        }
    }

    /// Publishes a line to the topic as the lab's script does.
    pub(crate) async fn publish_line(&self, line: &str) {
        let mut request = self
            .sns
            .publish()
            .topic_arn(self.resources.topic_arn())
            .subject("New bean delivery")
            .message(line);
        if self.kind == Kind::Fifo {
            request = request.message_group_id("bean_message_group");
        }
        if line.ends_with(":0") {
            let alert = MessageAttributeValue::builder()
                .data_type("String")
                .string_value("out_of_stock")
                .build()
                .unwrap();
            request = request.message_attributes("inventory_alert", alert);
        }
        request.send().await.unwrap();
    }

    /// Sends a message straight to the queue, in a group of its own.
    pub(crate) async fn send_raw(&self, body: &str, group: &str) {
        let mut request = self
            .sqs
            .send_message()
            .queue_url(self.resources.queue_url(UPDATES))
            .message_body(body);
        if self.kind == Kind::Fifo {
            request = request
                .message_group_id(group)
                .message_deduplication_id(uuid::Uuid::now_v7().to_string());
        }
        request.send().await.unwrap();
    }

    /// Accepts an update as the website does.
    pub(crate) async fn accept(&self, update: &InventoryUpdate) {
        accept_update(&self.pool, &*self.clock, update, Origin::Web)
            .await
            .unwrap();
    }

    pub(crate) fn queue(&self) -> SqsQueue {
        self.queue_at(self.resources.queue_url(UPDATES))
    }

    pub(crate) fn dead_letter_queue(&self) -> SqsQueue {
        self.queue_at(self.resources.queue_url(DEAD_LETTERS))
    }

    pub(crate) fn queue_at(&self, url: &str) -> SqsQueue {
        SqsQueue::new(self.sqs.clone(), url.to_owned(), Duration::from_secs(30))
    }

    pub(crate) fn poller(&self) -> Consumer<SqsQueue, Apply> {
        self.poller_reading(Decoder::default())
    }

    pub(crate) fn poller_reading(&self, decoder: Decoder) -> Consumer<SqsQueue, Apply> {
        let handler = Apply::new(self.pool.clone(), decoder, MAX_RECEIVE_COUNT);
        self.consumer(self.queue(), handler, MAX_RECEIVE_COUNT)
    }

    pub(crate) fn collector(&self) -> Consumer<SqsQueue, Collect> {
        self.collector_reading(Decoder::default())
    }

    pub(crate) fn collector_reading(&self, decoder: Decoder) -> Consumer<SqsQueue, Collect> {
        let rules = Rules {
            decoder,
            max_receive_count: MAX_RECEIVE_COUNT,
        };
        let handler = Collect::new(self.pool.clone(), rules);
        self.consumer(self.dead_letter_queue(), handler, None)
    }

    fn consumer<H: Handler>(
        &self,
        queue: SqsQueue,
        handler: H,
        max_receive_count: Option<u32>,
    ) -> Consumer<SqsQueue, H> {
        let settings = ConsumerSettings {
            name: "test",
            receivers: 2,
            batch: batch_size(),
            wait: Duration::ZERO,
            visibility: Duration::from_secs(30),
            max_receive_count,
        };
        let gate = self.gate.clone();
        Consumer::new(queue, handler, gate, settings, self.shutdown.clone())
    }

    pub(crate) fn relay(&self) -> Relay<SnsPublisher> {
        self.relay_at(Arc::clone(&self.clock))
    }

    pub(crate) fn relay_at(&self, clock: Arc<dyn Clock>) -> Relay<SnsPublisher> {
        let topic = self.resources.topic_arn().to_owned();
        self.relay_to(SnsPublisher::new(self.sns.clone(), topic), clock)
    }

    /// What publishes alerts to their topic.
    pub(crate) fn alerts_relay(&self, clock: Arc<dyn Clock>) -> Relay<SnsPublisher> {
        let topic = self.resources.topic(ALERTS_TOPIC).to_owned();
        let publisher = SnsPublisher::new(self.sns.clone(), topic);
        let (pool, shutdown) = (self.pool.clone(), self.shutdown.clone());
        let relay = Relay::new(Destination::Alerts, publisher, pool, clock, shutdown);
        relay.announcing_to(vec![String::new()])
    }

    /// What has people told of messages in the alerts queue.
    pub(crate) fn alerts_consumer(
        &self,
        notifier: Notifier,
    ) -> Consumer<SqsQueue, TellOfOutOfStock> {
        let handler = TellOfOutOfStock::new(notifier, Decoder::default());
        let queue = self.queue_at(self.resources.queue_url(ALERTS));
        self.consumer(queue, handler, None)
    }

    pub(crate) fn relay_to<P: Publisher>(&self, to: P, clock: Arc<dyn Clock>) -> Relay<P> {
        let (pool, shutdown) = (self.pool.clone(), self.shutdown.clone());
        Relay::new(Destination::Updates, to, pool, clock, shutdown)
    }

    /// Has several pollers at once receive until each finds nothing.
    pub(crate) async fn poll_with(&self, pollers: usize) {
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..pollers {
            let poller = self.poller();
            running.spawn(async move { while poller.poll_once().await.unwrap().received > 0 {} });
        }
        running.join_all().await;
    }

    /// Relays, polls and collects until nothing is left in the outbox's reach or in a queue.
    pub(crate) async fn drain(&self) {
        let (relay, updates, letters) = (self.relay(), self.poller(), self.collector());
        loop {
            let relayed = relay.relay_once().await.unwrap();
            let polled = updates.poll_once().await.unwrap();
            let collected = letters.poll_once().await.unwrap();
            let idle = relayed.published == 0 && polled.received == 0 && collected.received == 0;
            if idle && self.queued().await == 0 {
                return;
            }
        }
    }

    /// Messages in the queue and the dead-letter queue, in flight or not.
    pub(crate) async fn queued(&self) -> i64 {
        let all = |depth: Depth| depth.visible + depth.in_flight;
        let queue = self.queue().depth().await.unwrap();
        let dead_letters = self.dead_letter_queue().depth().await.unwrap();
        all(queue) + all(dead_letters)
    }

    pub(crate) async fn stock_of(&self, bean: BeanId) -> i64 {
        let mut conn = self.pool.acquire().await.unwrap();
        let found = db::beans::find_bean(&mut conn, bean).await.unwrap();
        found.unwrap().quantity
    }

    pub(crate) async fn total_stock(&self) -> i64 {
        let mut conn = self.pool.acquire().await.unwrap();
        let beans = db::beans::list_beans(&mut conn).await.unwrap();
        beans.iter().map(|bean| bean.quantity).sum()
    }

    /// Open dead letters as (reason, explanation, receives), in the order of their bodies.
    pub(crate) async fn dead_letters(&self) -> Vec<(String, String, Option<i32>)> {
        let mut conn = self.pool.acquire().await.unwrap();
        let (all, range) = (LetterFilter::default(), Range::ALL);
        let ids = db::letter_lists::list_ids(&mut conn, &all, range, 1_000, 0)
            .await
            .unwrap();
        let mut letters = db::letter_lists::list_letters(&mut conn, &ids)
            .await
            .unwrap();
        letters.sort_by(|a, b| a.explanation.cmp(&b.explanation));
        letters
            .into_iter()
            .map(|letter| {
                (
                    letter.reason.code().to_owned(),
                    letter.explanation,
                    letter.receive_count,
                )
            })
            .collect()
    }

    /// Changes rows behind the program's back.
    pub(crate) async fn execute(&self, statement: impl Into<String>) {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.into()));
        let mut conn = self.pool.acquire().await.unwrap();
        statement.execute(&mut *conn).await.unwrap();
    }

    /// Counts a bean: its stock is the opening movement and was counted just now.
    pub(crate) async fn count(&self, bean: BeanId, bags: i64) {
        self.execute(format!(
            "UPDATE beans SET quantity = {bags}, counted_at = NOW(6), moved_at = NOW(6) \
             WHERE id = {bean}; \
             UPDATE stock_movements SET change_by = {bags}, quantity_after = {bags} \
             WHERE bean_id = {bean}"
        ))
        .await;
    }

    /// The state of the update with a sender's id, which must be unique.
    pub(crate) async fn standing_of(&self, sender_id: UpdateId) -> UpdateState {
        let mut conn = self.pool.acquire().await.unwrap();
        let id = db::update_lists::find_update_of_sender(&mut conn, sender_id, None)
            .await
            .unwrap();
        let id = id.unwrap_or_else(|| panic!("no one update {sender_id}"));
        let update = db::update_lists::find_update(&mut conn, id).await.unwrap();
        update.unwrap().state
    }

    /// The steps of an update's timeline, oldest first.
    pub(crate) async fn steps_of(&self, sender_id: UpdateId) -> Vec<UpdateState> {
        let mut conn = self.pool.acquire().await.unwrap();
        let id = db::update_lists::find_update_of_sender(&mut conn, sender_id, None)
            .await
            .unwrap()
            .unwrap();
        let events = db::timeline::list_events(&mut conn, id, 1_000, 0).await;
        let mut steps: Vec<_> = events.unwrap().into_iter().map(|e| e.state).collect();
        steps.reverse();
        steps
    }

    /// A bean that was missing is added to the list.
    pub(crate) async fn add_bean(&self, supplier: i64, bean_type: &str) -> BeanId {
        let details = bean(supplier, bean_type);
        let none = BagsInStock::stored(0);
        catalogue::add_bean(
            &self.pool,
            &*self.clock,
            &details,
            none,
            None,
            Actor::OPERATOR,
        )
        .await
        .unwrap()
    }

    /// Fails unless the books are right.
    #[track_caller]
    pub(crate) fn assert_audit_is_clean(&self) -> impl Future<Output = ()> {
        let pool = self.pool.clone();
        let caller = std::panic::Location::caller();
        async move {
            let broken: Vec<String> = audit(&pool)
                .await
                .unwrap()
                .into_iter()
                .filter(|finding| !finding.broken_by.is_empty())
                .map(|finding| format!("{}: {:?}", finding.invariant, finding.broken_by))
                .collect();
            assert!(broken.is_empty(), "{broken:#?} at {caller}");
        }
    }
}

/// The embedded SNS, SQS and Kinesis on a free port, keeping nothing.
pub(crate) async fn endpoint(shutdown: &Shutdown) -> LocalAws {
    endpoint_keeping(Keeping::default(), shutdown).await
}

pub(crate) async fn endpoint_keeping(keeping: Keeping, shutdown: &Shutdown) -> LocalAws {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = LocalAws::start(
        listener,
        keeping,
        &TaskTracker::new(),
        shutdown.soft.clone(),
        shutdown.hard.clone(),
    )
    .await
    .unwrap();
    endpoint.open();
    endpoint
}

/// A delivery of Excelsa by supplier 3, which is bean 5.
pub(crate) fn delivery(id: UpdateId, bags: i64) -> InventoryUpdate {
    InventoryUpdate {
        id,
        supplier: SupplierId(3),
        bean_type: BeanType::parse("Excelsa").unwrap(),
        change: StockChange::Delivery(Bags::new(bags).unwrap()),
        occurred_at: None,
        sent_at: None,
        reference: None,
        note: None,
    }
}
