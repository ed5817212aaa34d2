//! A database, a broker and a server, each a process of its own.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use aws_config::SdkConfig;
use beanstock::catalogue::demo;
use beanstock::clock::SystemClock;
use beanstock::db::{self, Pool, PoolSettings};
use beanstock::domain::{Bags, BeanType, InventoryUpdate, StockChange, SupplierId, UpdateId};
use beanstock::local;
use beanstock::local::database::{Durability, PrivateDatabase};
use beanstock::messaging::UPDATES;
use beanstock::messaging::sns::SnsPublisher;
use beanstock::messaging::{Publication, Publisher as _, wire};
use beanstock::provision::{Provisioned, ResourceSettings};
use sqlx::ConnectOptions as _;
use tokio::process::{Child, Command};

/// How messages are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Groups {
    /// FIFO, one group a bean.
    Fourteen,
    /// FIFO, 200 groups.
    TwoHundred,
    /// A standard queue.
    Standard,
}

impl fmt::Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fourteen => "FIFO, 14 groups",
            Self::TwoHundred => "FIFO, 200 groups",
            Self::Standard => "standard queue",
        })
    }
}

/// The demonstration data's suppliers and types.
const BEANS: [(i64, &str); 14] = [
    (1, "Arabica"),
    (1, "Robusta"),
    (2, "Robusta"),
    (2, "Liberica"),
    (3, "Excelsa"),
    (4, "Arabica"),
    (4, "Robusta"),
    (5, "Robusta"),
    (5, "Liberica"),
    (6, "Arabica"),
    (7, "Robusta"),
    (7, "Liberica"),
    (8, "Liberica"),
    (8, "Excelsa"),
];

/// A delivery of one bag of the n-th bean.
pub(crate) fn delivery(n: usize) -> InventoryUpdate {
    let (supplier, bean_type) = BEANS[n % BEANS.len()];
    InventoryUpdate {
        id: UpdateId::generate(),
        supplier: SupplierId(supplier),
        bean_type: BeanType::parse(bean_type).unwrap(),
        change: StockChange::Delivery(Bags::new(1).unwrap()),
        occurred_at: None,
        sent_at: None,
        reference: None,
        note: None,
    }
}

/// Database and broker with queues and the demonstration data.
pub(crate) struct Setup {
    pub(crate) groups: Groups,
    pub(crate) pool: Pool,
    pub(crate) sdk: SdkConfig,
    pub(crate) resources: Provisioned,
    database: PrivateDatabase,
    broker: Child,
    _folder: tempfile::TempDir,
}

/// A running `beanstock serve`.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Setup {
    pub(crate) async fn start(groups: Groups) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let database = PrivateDatabase::start(folder.path(), Durability::Full)
            .await
            .unwrap();
        let pool = db::connect(&PoolSettings {
            options: database.options(),
            max_connections: 16,
            acquire_timeout: Duration::from_secs(30),
            lock_wait: db::LOCK_WAIT,
        });
        db::migrate(&pool).await.unwrap();
        demo::fill_if_empty(&pool, &SystemClock).await.unwrap();
        let port = free_port();
        let broker = program(&["local-aws", "--local-aws-port", &port.to_string()])
            .spawn()
            .unwrap();
        let sdk = local::sdk_config(&format!("http://127.0.0.1:{port}")).await;
        wait_for(port).await;
        let suffix = if groups == Groups::Standard {
            ""
        } else {
            ".fifo"
        };
        let settings = ResourceSettings {
            queue_name: format!("updated_beans{suffix}"),
            dead_letter_queue_name: format!("DeadLetterQueue{suffix}"),
            undelivered_queue_name: format!("undelivered_beans{suffix}"),
            alerts_queue_name: "inventory_alerts".to_owned(),
            topic_name: format!("updated_beans_sns{suffix}"),
            alerts_topic_name: "beanstock_alerts".to_owned(),
            ..ResourceSettings::default()
        };
        let resources = local::provision_at(&sdk, &settings).await.unwrap();
        Self {
            groups,
            pool,
            sdk,
            resources,
            database,
            broker,
            _folder: folder,
        }
    }

    /// Publishes updates to the topic, ten at a time.
    pub(crate) async fn fill(&self, updates: usize) {
        let publisher = self.publisher();
        let all: Vec<usize> = (0..updates).collect();
        for batch in all.chunks(10) {
            let batch: Vec<Publication> = batch.iter().map(|n| self.publication(*n)).collect();
            assert!(publisher.publish(&batch).await.unwrap().is_empty());
        }
    }

    pub(crate) fn publisher(&self) -> SnsPublisher {
        let sns = beanstock::aws::sns_client(&self.sdk);
        SnsPublisher::new(sns, self.resources.topic_arn().to_owned())
    }

    fn publication(&self, n: usize) -> Publication {
        let update = delivery(n);
        let group = match self.groups {
            Groups::Fourteen => update.message_group(),
            _ => format!("group-{}", n % 200),
        };
        let body = wire::encode(&update);
        wire::publication(update.id.to_string(), group, update.change.kind(), body)
    }

    /// How many SQS calls the broker has answered.
    pub(crate) async fn sqs_calls(&self) -> u64 {
        let url = self.sdk.endpoint_url().unwrap();
        let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let answer = crate::website::ask(port, request).await;
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let status: serde_json::Value = serde_json::from_str(body).unwrap();
        status["sqs_calls"].as_u64().unwrap()
    }

    pub(crate) async fn serve(&self) -> Server {
        let port = free_port();
        let child = program(&["serve"])
            .env(
                "DATABASE_URL",
                self.database.options().to_url_lossy().to_string(),
            )
            .env("AWS_ENDPOINT_URL", self.sdk.endpoint_url().unwrap())
            .envs([("AWS_REGION", "us-east-1"), ("RUST_LOG", "warn")])
            .envs([
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
            ])
            .env("QUEUE_URL", self.resources.queue_url(UPDATES))
            .env("TOPIC_ARN", self.resources.topic_arn())
            .env("PORT", port.to_string())
            .env("TRUSTED_PROXIES", "127.0.0.1/32")
            .spawn()
            .unwrap();
        wait_for(port).await;
        Server { child, port }
    }

    pub(crate) async fn stop(mut self) {
        self.broker.kill().await.unwrap();
        self.database.stop().await.unwrap();
    }
}

impl Server {
    /// The most memory the process ever had resident.
    pub(crate) fn peak_megabytes(&self) -> f64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        let kilobytes: f64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes / 1024.0
    }

    pub(crate) async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beanstock"));
    command.args(args).kill_on_drop(true).stdin(Stdio::null());
    command
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn wait_for(port: u16) {
    while tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_err()
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The processor, the cores and the memory.
pub(crate) fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split(':').nth(1).unwrap_or("?").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu = field(&read("/proc/cpuinfo"), "model name");
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    format!("{cpu}, {cores} cores, {memory} memory")
}
