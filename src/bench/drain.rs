//! Drains a full queue with one `beanstock serve`.

use std::time::Duration;

use beanstock::messaging::UPDATES;
use beanstock::messaging::sqs::SqsQueue;
use chrono::{DateTime, Utc};

use crate::QUEUED;
use crate::setup::Setup;

pub(crate) struct Drained {
    pub(crate) updates_per_second: f64,
    pub(crate) calls_per_update: f64,
    pub(crate) peak_megabytes: f64,
}

pub(crate) async fn drain(setup: &Setup) -> Drained {
    sqlx::query("DELETE FROM inbox")
        .execute(&mut *setup.pool.acquire().await.unwrap())
        .await
        .unwrap();
    setup.fill(QUEUED).await;
    let calls_before = setup.sqs_calls().await;
    let server = setup.serve().await;
    let sqs = beanstock::aws::sqs_client(&setup.sdk, Duration::ZERO);
    let queue = SqsQueue::new(
        sqs,
        setup.resources.queue_url(UPDATES).to_owned(),
        Duration::from_secs(30),
    );
    let mut asked = 0.0;
    loop {
        asked += 1.0;
        let depth = queue.depth().await.unwrap();
        if depth.visible + depth.in_flight == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let calls = setup.sqs_calls().await - calls_before;
    let (first, last, number): (DateTime<Utc>, DateTime<Utc>, i64) =
        sqlx::query_as("SELECT MIN(finished_at), MAX(finished_at), COUNT(*) FROM inbox")
            .fetch_one(&mut *setup.pool.acquire().await.unwrap())
            .await
            .unwrap();
    assert_eq!(
        usize::try_from(number).unwrap(),
        QUEUED,
        "all of it was applied"
    );
    let seconds = (last - first).as_seconds_f64();
    let drained = Drained {
        updates_per_second: QUEUED as f64 / seconds,
        calls_per_update: (calls as f64 - asked) / QUEUED as f64,
        peak_megabytes: server.peak_megabytes(),
    };
    server.stop().await;
    drained
}
