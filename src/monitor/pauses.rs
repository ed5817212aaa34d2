//! Has the consumers of this process follow what people have paused.

use std::time::Duration;

use super::Consuming;
use crate::db::queue_pauses::QueuePause;
use crate::db::{self, DbResult, Pool};
use crate::shutdown::Shutdown;

/// Five seconds after somebody has paused a queue no instance begins to receive from it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Switches consumers off while their queues are paused, and on otherwise, until this process stops. While
/// nobody can be asked they stay as they are.
pub async fn follow_pauses(pool: Pool, consumers: Vec<Consuming>, shutdown: Shutdown) {
    loop {
        if let Ok(pauses) = read(&pool).await {
            for consumer in &consumers {
                let pause = pauses
                    .iter()
                    .find(|pause| pause.queue == consumer.queue.code);
                follow(consumer, pause);
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

fn follow(consumer: &Consuming, pause: Option<&QueuePause>) {
    let (was_on, is_on) = (consumer.switch.is_on(), pause.is_none());
    if was_on != is_on {
        let queue = consumer.queue.title;
        tracing::info!(queue, is_on, "receiving was paused or resumed");
        consumer.switch.set(is_on);
    }
}
