//! The stream of stock movements, and who learns from it.

mod course;
mod faults;
mod fleet;
mod forecast;
mod format;
mod movements;
mod pages;

use std::sync::Arc;
use std::time::Duration;

use beanstock::aws::kinesis_client;
use beanstock::clock::SystemClock;
use beanstock::db;
use beanstock::db::stream_leases::Lease;
use beanstock::domain::{BeanId, Instance};
use beanstock::local;
use beanstock::messaging::kinesis::{DataStream, KinesisStream};
use beanstock::operations::audit_stream::audit_stream;
use beanstock::provision::ResourceSettings;
use beanstock::shutdown::Shutdown;
use beanstock::stream::{ShardReader, Step, StreamConsumer, StreamForecasts, StreamRelay};
use chrono_tz::Tz;

use crate::support::process::until;
use crate::support::{Kind, TestApp};

const NAME: &str = "stock_movements";

/// An app with a stream, and what works on it step by step.
struct Streaming<S> {
    app: TestApp,
    stream: S,
    instance: Instance,
}

impl Streaming<KinesisStream> {
    /// At the embedded Kinesis.
    async fn start(shards: i32) -> Self {
        let app = TestApp::start(Kind::Fifo).await;
        let resources = ResourceSettings {
            stream_shards: Some(shards),
            ..Kind::Fifo.resources()
        };
        local::provision_stream_at(&app.sdk, &resources, NAME)
            .await
            .unwrap();
        let stream = KinesisStream::new(kinesis_client(&app.sdk), NAME.to_owned());
        Self::on(app, stream)
    }
}

impl Streaming<KinesisStream> {
    /// Waits until the stream can be changed again.
    async fn active(&self) {
        until("the stream is active", || async {
            self.stream.describe().await.unwrap().status == "ACTIVE"
        })
        .await;
    }
}

impl<S: DataStream + Clone> Streaming<S> {
    fn on(app: TestApp, stream: S) -> Self {
        Self {
            app,
            stream,
            instance: Instance(uuid::Uuid::now_v7()),
        }
    }

    fn relay(&self) -> StreamRelay<S> {
        let clock = Arc::new(SystemClock);
        StreamRelay::new(
            self.stream.clone(),
            self.app.pool.clone(),
            clock,
            Shutdown::default(),
        )
    }

    fn consumer(&self) -> StreamConsumer<S> {
        StreamConsumer::new(
            self.stream.clone(),
            NAME.to_owned(),
            self.app.pool.clone(),
            Arc::new(SystemClock),
            Tz::UTC,
            Shutdown::default(),
        )
        .named(self.instance)
    }

    fn forecasts(&self) -> StreamForecasts {
        let clock = Arc::new(SystemClock);
        StreamForecasts::new(self.app.pool.clone(), clock, Tz::UTC, Shutdown::default())
    }

    /// Puts all movements on the stream.
    async fn relay_all(&self) {
        let relay = self.relay();
        while relay.relay_once().await.unwrap().records > 0 {}
    }

    fn reader(&self, lease: Lease) -> ShardReader<S> {
        ShardReader::new(
            Arc::new(self.stream.clone()),
            self.app.pool.clone(),
            Arc::new(SystemClock),
            Tz::UTC,
            lease,
        )
    }

    /// Takes every shard that can be read.
    async fn take(&self, instance: Instance) -> Vec<Lease> {
        let stream = self.consumer().discover().await.unwrap();
        let pool = &self.app.pool;
        let readable =
            db::stream_leases::list_readable(&mut pool.acquire().await.unwrap(), &stream).await;
        let mut leases = Vec::new();
        for shard in readable.unwrap().free {
            let taken = db::in_transaction(pool, async |tx| {
                db::stream_leases::take_shard(
                    tx,
                    &stream,
                    &shard,
                    instance,
                    Duration::from_secs(15),
                )
                .await
            });
            leases.extend(taken.await.unwrap());
        }
        leases
    }

    /// Reads all that is on the stream: shards that end give way to those that they became.
    async fn read_all(&self) {
        loop {
            let leases = self.take(self.instance).await;
            let mut has_ended = false;
            for lease in leases {
                let mut reader = self.reader(lease.clone());
                has_ended |= read_through(&mut reader).await;
                let mut conn = self.app.pool.acquire().await.unwrap();
                db::stream_leases::release_lease(&mut conn, &lease)
                    .await
                    .unwrap();
            }
            if !has_ended {
                return;
            }
        }
    }

    /// Has what beans miss put on the stream again, as staff do on its page.
    async fn send_again(&self) {
        let mut conn = self.app.pool.acquire().await.unwrap();
        db::stream_marks::rewind_marks(&mut conn, db::stream_marks::Rewind::Missing)
            .await
            .unwrap();
        drop(conn);
        self.relay_all().await;
    }

    /// What the stream says of a bean: the newest movement, and bags.
    async fn told(&self, bean: BeanId) -> Option<(i64, i64)> {
        let query = sqlx::query_as("SELECT seen, quantity FROM stream_beans WHERE bean_id = ?");
        let mut conn = self.app.pool.acquire().await.unwrap();
        query.bind(bean.0).fetch_optional(&mut *conn).await.unwrap()
    }

    async fn number(&self, what: &str) -> i64 {
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {what}")));
        let mut conn = self.app.pool.acquire().await.unwrap();
        query.fetch_one(&mut *conn).await.unwrap()
    }

    /// What the audit by two witnesses finds: rows that break something, and notes.
    async fn audit(&self) -> (Vec<String>, Vec<String>) {
        let findings = audit_stream(&self.app.pool).await.unwrap();
        let broken = findings
            .iter()
            .flat_map(|finding| finding.broken_by.clone());
        let also = findings.iter().flat_map(|finding| finding.also.clone());
        (broken.collect(), also.collect())
    }

    async fn assert_witnesses_agree(&self) {
        let (broken, _) = self.audit().await;
        assert_eq!(broken, Vec::<String>::new());
    }
}

/// Reads a shard until nothing more is there; gives whether it ended.
async fn read_through<S: DataStream>(reader: &mut ShardReader<S>) -> bool {
    let mut empty = 0;
    // The first page after the last record may be empty, and not yet tell that the shard ends.
    while empty < 2 {
        match reader.step().await.unwrap() {
            Step::Ended => return true,
            Step::Fenced => return false,
            Step::Read {
                has_more: false, ..
            } => empty += 1,
            Step::Read { .. } | Step::Throttled | Step::IteratorExpired | Step::Trimmed => {}
        }
    }
    false
}

/// Uses bags of a bean: writes what the shelf would, without its rules.
async fn use_bags(app: &TestApp, bean: BeanId, sizes: &[i64]) {
    for bags in sizes {
        app.execute(format!("UPDATE beans SET quantity = quantity - {bags}, last_movement = last_movement + 1 WHERE id = {bean}")).await;
        app.execute(format!(
            "INSERT INTO stock_movements (bean_id, sequence, kind, change_by, quantity_after, occurred_at, created_at) \
             SELECT id, last_movement, 'use', -{bags}, quantity, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM beans WHERE id = {bean}"
        ))
        .await;
    }
}
