//! Has the consumers of this process follow what people have paused.

use std::time::Duration;

use super::Consuming;
use crate::db::queue_pauses::QueuePause;
use crate::db::{self, DbResult, Pool};
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// Five seconds after somebody has paused a queue no instance begins to receive from it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Switches consumers off while their queues are paused, and on otherwise, until this process stops. While
/// nobody can be asked they stay as they are.
pub async fn follow_pauses(pool: Pool, consumers: Vec<Consuming>, shutdown: Shutdown) {
    const WHAT: &str = "asking whether queues are paused";
    let (mut is_first, mut streak) = (true, Streak::default());
    loop {
        match read(&pool).await {
            Ok(pauses) => {
                streak.succeeded(WHAT);
                for consumer in &consumers {
                    let is_on = pauses
                        .iter()
                        .all(|pause| pause.queue != consumer.queue.code);
                    follow(consumer, is_on, is_first);
                }
                is_first = false;
            }
            Err(error) => {
                streak.failed(WHAT, &error);
            }
        }
        if shutdown.sleep(LOOK_EVERY).await.is_err() {
            return;
        }
    }
}

async fn read(pool: &Pool) -> DbResult<Vec<QueuePause>> {
    db::queue_pauses::list_pauses(&mut *pool.acquire().await?).await
}

/// Until somebody has asked for the first time a consumer is off, and nobody wonders that it is switched on then.
fn follow(consumer: &Consuming, is_on: bool, is_first: bool) {
    let differs = consumer.switch.is_on() != is_on;
    let queue = consumer.queue.title;
    if !is_on && (differs || is_first) {
        tracing::info!(queue, "receiving is paused");
    } else if differs && !is_first {
        tracing::info!(queue, "receiving is resumed");
    }
    consumer.switch.set(is_on);
}
