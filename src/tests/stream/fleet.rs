//! Several instances on one stream, while shards are split and merged and instances die.

use std::collections::BTreeMap;

use beanstock::db;
use beanstock::domain::BeanId;
use beanstock::domain::neighbours;
use beanstock::messaging::kinesis::{DataStream as _, KinesisStream};

use super::{NAME, Streaming, use_bags};
use crate::support::process::{Program, settings_for, until};
use crate::support::{EXCELSA, TestApp};

const BEANS: i64 = 100;

/// How many movements there are in all; `STREAM_MOVEMENTS` sets another number, like 100000.
fn movements() -> i64 {
    let number = std::env::var("STREAM_MOVEMENTS");
    number.map_or(6_000, |number| number.parse().unwrap())
}

async fn add_beans(app: &TestApp) {
    let beans = "INSERT INTO beans (id, supplier_id, type, type_key, product_name, price, description, created_at, updated_at) \
                 SELECT 1000 + n.seq, 1, CONCAT('t', n.seq), CONCAT('t', n.seq), CONCAT('Bean ', n.seq), 1, '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) \
                 FROM (WITH RECURSIVE n AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM n WHERE seq < 100) SELECT seq FROM n) AS n";
    app.execute(beans).await;
}

/// Books movements of all beans, one after the other of each.
async fn book(app: &TestApp, number: i64) {
    for _ in 0..number / BEANS {
        db::in_transaction(&app.pool, async |tx| {
            let move_all = sqlx::query("UPDATE beans SET quantity = quantity + 1, last_movement = last_movement + 1 WHERE id > 1000");
            move_all.execute(&mut **tx).await?;
            let book = sqlx::query(
                "INSERT INTO stock_movements (bean_id, sequence, kind, change_by, quantity_after, occurred_at, created_at) \
                 SELECT id, last_movement, 'received', 1, quantity, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM beans WHERE id > 1000",
            );
            book.execute(&mut **tx).await?;
            db::DbResult::Ok(())
        })
        .await
        .unwrap();
    }
}

async fn split_two(streaming: &Streaming<KinesisStream>) {
    let shards = streaming.stream.list_shards().await.unwrap();
    for shard in shards.iter().filter(|shard| !shard.is_closed).take(2) {
        streaming.stream.split(shard).await.unwrap();
        streaming.active().await;
    }
}

async fn merge_one(streaming: &Streaming<KinesisStream>) {
    let shards = streaming.stream.list_shards().await.unwrap();
    let pairs: BTreeMap<_, _> = neighbours(&shards).into_iter().collect();
    let (one, next) = pairs.iter().next_back().unwrap();
    streaming.stream.merge(one, next).await.unwrap();
    streaming.active().await;
}

#[tokio::test]
async fn every_movement_counts_once_while_shards_split_and_merge_and_instances_die() {
    let streaming = Streaming::start(8).await;
    let app = &streaming.app;
    add_beans(app).await;
    let mut settings = settings_for(app);
    settings.insert("STREAM_NAME", NAME.to_owned());
    let serve = |part| Program::start(&["serve", "--only", part], &settings);
    let relay = serve("relay");
    let (one, two, three) = (serve("stream"), serve("stream"), serve("stream"));
    let readers = "stream_shards WHERE lease_until > UTC_TIMESTAMP(6) GROUP BY owner";
    let readers = format!("(SELECT owner FROM {readers}) AS owners");
    book(app, movements() / 3).await;
    until("all three read", || async {
        streaming.number(&readers).await == 3
    })
    .await;

    split_two(&streaming).await;
    one.kill().await;
    two.pause();
    book(app, movements() / 3).await;
    merge_one(&streaming).await;
    until("one is left", || async {
        streaming.number(&readers).await == 1
    })
    .await;
    two.go_on();
    split_two(&streaming).await;
    book(app, movements() / 3).await;

    let behind = "beans AS b LEFT JOIN stream_beans AS w ON w.bean_id = b.id WHERE NOT (w.seen <=> b.last_movement)";
    until("all is read", || async {
        streaming.number(behind).await == 0
    })
    .await;
    until("lag is back to seconds", || async {
        let mut conn = app.pool.acquire().await.unwrap();
        let lag = db::stream_shards::find_lag(&mut conn).await.unwrap();
        lag.unread == 0 && lag.behind_ms < 3_000
    })
    .await;
    let counted = streaming.told(BeanId(1_001)).await;
    let each = movements() / 3 / BEANS * 3;
    assert_eq!(counted, Some((each, each)));
    assert_eq!(streaming.number("stream_held").await, 0);
    streaming.assert_witnesses_agree().await;
    for program in [relay, two, three] {
        assert!(program.terminate().await.status.success());
    }
}

/// Shards of the new stream have the same ids as those that are being read.
#[tokio::test]
async fn a_stream_that_is_made_anew_under_running_readers_is_read_on() {
    let streaming = Streaming::start(1).await;
    let app = &streaming.app;
    let mut settings = settings_for(app);
    settings.insert("STREAM_NAME", NAME.to_owned());
    let server = Program::start(&["serve", "--only", "relay,stream"], &settings);
    let behind = "beans AS b LEFT JOIN stream_beans AS w ON w.bean_id = b.id WHERE NOT (w.seen <=> b.last_movement)";
    until("all is read", || async {
        streaming.number(behind).await == 0
    })
    .await;
    let kinesis = beanstock::aws::kinesis_client(&app.sdk);
    kinesis
        .delete_stream()
        .stream_name(NAME)
        .send()
        .await
        .unwrap();
    until("it is gone", || async {
        streaming.stream.describe().await.is_err()
    })
    .await;
    use_bags(app, EXCELSA, &[1]).await;
    let resources = crate::support::Kind::Fifo.resources();
    beanstock::local::provision_stream_at(&app.sdk, &resources, NAME)
        .await
        .unwrap();

    use_bags(app, EXCELSA, &[1]).await;
    until("all is read again", || async {
        streaming.number(behind).await == 0
    })
    .await;

    streaming.assert_witnesses_agree().await;
    assert!(server.terminate().await.status.success());
}
