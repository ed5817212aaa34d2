//! Consumers say every few seconds that they run. A process that is killed says nothing any more.

use std::time::{Duration, Instant};

use crate::consumer::{Condition, Pulse, Switch};
use crate::db::consumers::Sign;
use crate::db::{self, DbResult, Pool};
use crate::domain::Instance;
use crate::messaging::QueueRole;
use crate::shutdown::Shutdown;

/// Whoever has not been heard for several of these is taken to be gone.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// A consumer of this process.
#[derive(Debug, Clone)]
pub struct Consuming {
    pub queue: QueueRole,
    /// Whether messages of a group wait for each other there.
    pub is_fifo: bool,
    pub pulse: Pulse,
    pub switch: Switch,
}

/// Tells the database of the consumers of this process until it stops, and then that they are gone.
pub async fn tell_of_consumers(pool: Pool, consumers: Vec<Consuming>, shutdown: Shutdown) {
    let teller = Teller {
        started: Instant::now(),
        pool,
    };
    let mut goes_on = true;
    while goes_on {
        // What cannot be said now is said the next time; the gate tells of a database that is away.
        let _told = teller.tell(&consumers).await;
        goes_on = shutdown.sleep(SAY_EVERY).await.is_ok();
    }
    let _told = teller.take_leave(&consumers).await;
}

struct Teller {
    started: Instant,
    pool: Pool,
}

impl Teller {
    async fn tell(&self, consumers: &[Consuming]) -> DbResult<()> {
        let mut conn = self.pool.acquire().await?;
        for consumer in consumers {
            let queue = consumer.queue.code;
            match consumer.pulse.feel() {
                Some(condition) => {
                    let failure = condition.failed_ago.as_ref();
                    let words = failure.map(|(_, words)| shortened(words));
                    let sign = Sign {
                        instance: Instance::this(),
                        queue,
                        is_fifo: consumer.is_fifo,
                        version: env!("CARGO_PKG_VERSION"),
                        started_ago: microseconds(self.started.elapsed()),
                        received_ago: condition.received_ago.map(microseconds),
                        failed_ago: failure.map(|(ago, _)| microseconds(*ago)),
                        failure: words.as_deref(),
                        in_hand: in_hand(&condition),
                    };
                    db::consumers::note_consumer(&mut conn, &sign).await?;
                }
                None => db::consumers::forget_consumer(&mut conn, Instance::this(), queue).await?,
            }
        }
        db::consumers::forget_silent_consumers(&mut conn).await
    }

    async fn take_leave(&self, consumers: &[Consuming]) -> DbResult<()> {
        let mut conn = self.pool.acquire().await?;
        for consumer in consumers {
            db::consumers::forget_consumer(&mut conn, Instance::this(), consumer.queue.code)
                .await?;
        }
        Ok(())
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn in_hand(condition: &Condition) -> i32 {
    i32::try_from(condition.in_hand).unwrap_or(i32::MAX)
}

/// As much of a failure as its column holds.
fn shortened(words: &str) -> String {
    words.chars().take(500).collect()
}
