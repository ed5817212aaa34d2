//! The stream of stock movements: onto it, off it, how far its reader is behind, and what it costs an update.

use std::sync::Arc;
use std::time::{Duration, Instant};

use beanstock::aws::kinesis_client;
use beanstock::clock::SystemClock;
use beanstock::db::{self, Pool};
use beanstock::local;
use beanstock::messaging::kinesis::KinesisStream;
use beanstock::provision::ResourceSettings;
use beanstock::shutdown::Shutdown;
use beanstock::stream::{StreamConsumer, StreamRelay};
use tokio::task::JoinHandle;

use crate::floors;
use crate::latency::{self, Latency};
use crate::setup::{Groups, Setup};

const NAME: &str = "stock_movements";
const SHARDS: i32 = 8;

/// Movements that wait before anything is put on the stream.
const WAITING: u32 = 100_000;
/// Of so many beans.
const BEANS: u32 = 200;

/// A rate for which no café has the suppliers.
const MANY_PER_SECOND: u32 = 5_000;
const SECONDS: u32 = 10;

/// The figures.
pub(crate) struct Figures {
    /// Movements a second.
    pub(crate) onto: f64,
    pub(crate) off: f64,
    /// How far the reader is behind the ledger, in milliseconds, at 200 updates and at 5,000 movements a second.
    pub(crate) lag: Lag,
    pub(crate) lag_of_many: Lag,
    /// From publish to applied, without a stream and with one.
    pub(crate) without: Latency,
    pub(crate) with: Latency,
    /// Updates a second in transactions of 100, without a queue: without a stream and with one.
    pub(crate) applied_without: f64,
    pub(crate) applied_with: f64,
}

/// The age of the oldest movement that the reader has not counted, looked at every 20 ms.
pub(crate) struct Lag {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// The relay and the reader of one instance, running.
struct Running {
    shutdown: Shutdown,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    fn start(setup: &Setup) -> Self {
        let shutdown = Shutdown::default();
        let (relay, consumer) = (relay(setup, &shutdown), consumer(setup, &shutdown));
        let tasks = vec![
            tokio::spawn(async move { relay.run().await }),
            tokio::spawn(async move { consumer.run().await }),
        ];
        Self { shutdown, tasks }
    }

    async fn stop(self) {
        self.shutdown.soft.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

fn stream(setup: &Setup) -> KinesisStream {
    KinesisStream::new(kinesis_client(&setup.sdk), NAME.to_owned())
}

fn relay(setup: &Setup, shutdown: &Shutdown) -> StreamRelay<KinesisStream> {
    let (pool, clock) = (setup.pool.clone(), Arc::new(SystemClock));
    StreamRelay::new(stream(setup), pool, clock, shutdown.clone())
}

fn consumer(setup: &Setup, shutdown: &Shutdown) -> StreamConsumer<KinesisStream> {
    StreamConsumer::new(
        stream(setup),
        NAME.to_owned(),
        setup.pool.clone(),
        Arc::new(SystemClock),
        chrono_tz::Tz::UTC,
        shutdown.clone(),
    )
}

pub(crate) async fn measure() -> Figures {
    let setup = Setup::start(Groups::TwoHundred).await;
    let resources = ResourceSettings {
        stream_shards: Some(SHARDS),
        ..ResourceSettings::default()
    };
    local::provision_stream_at(&setup.sdk, &resources, NAME)
        .await
        .unwrap();
    let server = setup.serve().await;
    let without = latency::measure(&setup).await;
    let applied_without = floors::apply_without_queue(&setup).await;
    add_beans(&setup.pool).await;
    book(&setup.pool, WAITING).await;
    let onto = put_all(&setup).await;
    let off = read_all(&setup).await;
    let running = Running::start(&setup);
    let (with, lag) = tokio::join!(latency::measure(&setup), watch(&setup.pool));
    let applied_with = floors::apply_without_queue(&setup).await;
    let ((), lag_of_many) = tokio::join!(book_many(&setup.pool), watch(&setup.pool));
    running.stop().await;
    server.stop().await;
    setup.stop().await;
    Figures {
        onto,
        off,
        lag,
        lag_of_many,
        without,
        with,
        applied_without,
        applied_with,
    }
}

async fn execute(pool: &Pool, statement: &'static str) {
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query(statement).execute(&mut *conn).await.unwrap();
}

async fn add_beans(pool: &Pool) {
    execute(
        pool,
        "INSERT INTO beans (id, supplier_id, type, type_key, product_name, price, description, created_at, updated_at) \
         SELECT 1000 + n.number, 1, CONCAT('t', n.number), CONCAT('t', n.number), 'Bean', 1, '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) \
         FROM (WITH RECURSIVE n AS (SELECT 1 AS number UNION ALL SELECT number + 1 FROM n WHERE number < 200) SELECT number FROM n) AS n",
    )
    .await;
}

/// Books a movement of each bean, again and again.
async fn book(pool: &Pool, movements: u32) {
    for _ in 0..movements / BEANS {
        db::in_transaction(pool, async |tx| {
            for statement in [
                "UPDATE beans SET quantity = quantity + 1, last_movement = last_movement + 1 WHERE id > 1000",
                "INSERT INTO stock_movements (bean_id, sequence, kind, change_by, quantity_after, occurred_at, created_at) \
                 SELECT id, last_movement, 'received', 1, quantity, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM beans WHERE id > 1000",
            ] {
                sqlx::query(statement).execute(&mut **tx).await?;
            }
            db::DbResult::Ok(())
        })
        .await
        .unwrap();
    }
}

async fn book_many(pool: &Pool) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) * BEANS / MANY_PER_SECOND);
    for _ in 0..SECONDS * MANY_PER_SECOND / BEANS {
        ticks.tick().await;
        book(pool, BEANS).await;
    }
}

/// Puts all that waits on the stream; gives movements a second.
async fn put_all(setup: &Setup) -> f64 {
    let relay = relay(setup, &Shutdown::default());
    let begun = Instant::now();
    let mut movements = 0;
    loop {
        let streamed = relay.relay_once().await.unwrap();
        movements += streamed.movements;
        if streamed.records == 0 {
            return movements as f64 / begun.elapsed().as_secs_f64();
        }
    }
}

async fn number(pool: &Pool, query: &'static str) -> i64 {
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query_scalar(query)
        .fetch_one(&mut *conn)
        .await
        .unwrap()
}

/// Reads all that is on the stream with one consumer; gives movements a second.
async fn read_all(setup: &Setup) -> f64 {
    const SEEN: &str =
        "SELECT CAST(COALESCE(SUM(seen - base_sequence), 0) AS SIGNED) FROM stream_beans";
    let all = number(
        &setup.pool,
        "SELECT CAST(SUM(streamed - snapshot_at) AS SIGNED) FROM stream_marks",
    )
    .await;
    let shutdown = Shutdown::default();
    let consumer = consumer(setup, &shutdown);
    let begun = Instant::now();
    let reading = tokio::spawn(async move { consumer.run().await });
    while number(&setup.pool, SEEN).await < all {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    shutdown.soft.cancel();
    reading.await.unwrap();
    all as f64 / seconds
}

/// Looks for ten seconds how old the oldest movement is that is not counted; 0 if there is none.
async fn watch(pool: &Pool) -> Lag {
    // The first seconds warm up.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let until = Instant::now() + Duration::from_secs(u64::from(SECONDS) - 2);
    let mut ages = Vec::new();
    while Instant::now() < until {
        let age = number(
            pool,
            "SELECT COALESCE(MAX(TIMESTAMPDIFF(MICROSECOND, m.created_at, UTC_TIMESTAMP(6))), 0) \
             FROM stream_beans AS w JOIN stock_movements AS m ON m.bean_id = w.bean_id AND m.sequence = w.seen + 1",
        );
        ages.push(age.await as f64 / 1_000.0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ages.sort_by(f64::total_cmp);
    Lag {
        p50: ages[ages.len() / 2],
        p99: ages[ages.len() * 99 / 100],
    }
}
