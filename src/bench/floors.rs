//! The fastest it could go: the queue alone, and the database alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use beanstock::inventory::{BusyBeans, Incoming, apply_batch};
use beanstock::messaging::Queue as _;
use beanstock::messaging::sqs::SqsQueue;
use beanstock::messaging::{MAX_BATCH, UPDATES};

use crate::QUEUED;
use crate::setup::{Setup, delivery};

/// Enough to keep the broker busy.
const POLLERS: usize = 4;

/// As many updates as `serve` takes into one transaction.
const BATCH: usize = 100;

/// Receives and deletes every message, and does nothing else.
pub(crate) async fn drain_without_database(setup: &Setup) -> f64 {
    setup.fill(QUEUED).await;
    let left = Arc::new(AtomicUsize::new(QUEUED));
    let since = Instant::now();
    let pollers: Vec<_> = (0..POLLERS)
        .map(|_| {
            let left = Arc::clone(&left);
            let sqs = beanstock::aws::sqs_client(&setup.sdk, Duration::ZERO);
            let url = setup.resources.queue_url(UPDATES).to_owned();
            let queue = SqsQueue::new(sqs, url, Duration::from_secs(30));
            tokio::spawn(receive_and_delete(queue, left))
        })
        .collect();
    for poller in pollers {
        poller.await.unwrap();
    }
    QUEUED as f64 / since.elapsed().as_secs_f64()
}

async fn receive_and_delete(queue: SqsQueue, left: Arc<AtomicUsize>) {
    while left.load(Ordering::Relaxed) > 0 {
        let batch = queue.receive(MAX_BATCH, Duration::ZERO).await.unwrap();
        let receipts: Vec<&str> = batch.iter().map(|d| d.receipt.as_str()).collect();
        if !receipts.is_empty() {
            assert!(queue.delete(&receipts).await.unwrap().is_empty());
            left.fetch_sub(receipts.len(), Ordering::Relaxed);
        }
    }
}

/// Applies the same updates without a queue, in transactions as large as `serve` makes them.
pub(crate) async fn apply_without_queue(setup: &Setup) -> f64 {
    let incoming = |n| Incoming {
        content: Ok(delivery(n)),
        message_id: n.to_string(),
        receive_count: 1,
        group: None,
        receive_limit: None,
    };
    let all: Vec<Incoming> = (0..QUEUED).map(incoming).collect();
    let busy = BusyBeans::default();
    let since = Instant::now();
    for batch in all.chunks(BATCH) {
        apply_batch(&setup.pool, &busy, batch).await.unwrap();
    }
    QUEUED as f64 / since.elapsed().as_secs_f64()
}
