//! How the consumers of updates do. Every page of the café says so when they do not.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tokio::time::Instant;

use crate::db::consumers::ConsumerLine;
use crate::db::queue_pauses::QueuePause;
use crate::db::{self, DbResult, Pool};
use crate::messaging::UPDATES;
use crate::web::paths;
use crate::web::ui::page::filters;

/// How the consumers of the queue do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Consumption {
    Running {
        instances: usize,
    },
    /// They run, and the queue does not answer them.
    Failing {
        why: String,
    },
    /// Somebody has paused it.
    Paused(QueuePause),
    /// None has been heard; when the last one was, if one ever was.
    Stopped(Option<DateTime<Utc>>),
    /// Nobody could ask.
    #[default]
    Unknown,
}

impl Consumption {
    /// How they do by what they have said themselves, and what people have paused.
    pub(crate) fn of(consumers: &[ConsumerLine], pauses: &[QueuePause]) -> Self {
        let of_updates = || consumers.iter().filter(|line| line.queue == UPDATES.code);
        let is_heard = |line: &&ConsumerLine| !line.is_silent();
        let running: Vec<&ConsumerLine> = of_updates().filter(is_heard).collect();
        if let Some(pause) = pauses.iter().find(|pause| pause.queue == UPDATES.code) {
            return Self::Paused(pause.clone());
        }
        if running.is_empty() {
            return Self::Stopped(of_updates().map(|line| line.seen_at).max());
        }
        match running.iter().find(|line| !is_failing(line)) {
            Some(_) => Self::Running {
                instances: running.len(),
            },
            None => Self::Failing {
                why: running[0].last_error.clone().unwrap_or_default(),
            },
        }
    }

    pub(crate) fn banner(&self, zone: Tz) -> Banner {
        Banner {
            consumption: self.clone(),
            zone,
        }
    }
}

/// What a page says above everything else if nothing is received; nothing while all is well.
#[derive(Debug, Template)]
#[template(path = "components/banner.html")]
pub(crate) struct Banner {
    consumption: Consumption,
    /// The time zone of its moments.
    zone: Tz,
}

/// Whether the queue failed a consumer after it last answered.
fn is_failing(line: &ConsumerLine) -> bool {
    line.last_error_at > line.last_receive_at
}

/// How they did when somebody last asked, for every page that is made meanwhile.
#[derive(Debug, Default)]
pub(crate) struct SharedConsumption(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    consumption: Consumption,
    asked: Option<Instant>,
}

/// What is younger is not asked for again.
const FRESH_FOR: Duration = Duration::from_secs(2);

impl SharedConsumption {
    /// How they do. Asks the database at most every two seconds; whoever comes while somebody asks is told
    /// what was known before.
    pub(crate) async fn read(&self, pool: &Pool) -> Consumption {
        let is_turn = {
            let mut kept = self.kept();
            let is_turn = kept.asked.is_none_or(|asked| asked.elapsed() >= FRESH_FOR);
            if is_turn {
                kept.asked = Some(Instant::now());
            }
            is_turn
        };
        if is_turn {
            // A page that needs the database itself tells of its failure.
            let consumption = ask(pool).await.unwrap_or_default();
            self.kept().consumption = consumption;
        }
        self.kept().consumption.clone()
    }

    /// Has the next page ask again: somebody has just changed it.
    pub(crate) fn forget(&self) {
        self.kept().asked = None;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(pool: &Pool) -> DbResult<Consumption> {
    let mut conn = pool.acquire().await?;
    let consumers = db::consumers::list_consumers(&mut conn).await?;
    let pauses = db::queue_pauses::list_pauses(&mut conn).await?;
    Ok(Consumption::of(&consumers, &pauses))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(silent_seconds: i64, received: i64, failed: Option<i64>) -> ConsumerLine {
        let at = |seconds| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        ConsumerLine {
            instance: crate::domain::Instance::this(),
            is_fifo: true,
            queue: "updates".to_owned(),
            version: "1".to_owned(),
            started_at: at(0),
            seen_at: at(100),
            silent_seconds,
            last_receive_at: Some(at(received)),
            last_error_at: failed.map(at),
            last_error: failed.map(|_| "refused".to_owned()),
            in_hand: 0,
        }
    }

    #[test]
    fn consumers_run_until_they_have_been_silent() {
        let seen = DateTime::from_timestamp(1_800_000_100, 0);
        for (consumers, expected) in [
            (vec![], Consumption::Stopped(None)),
            (vec![heard(20, 90, None)], Consumption::Stopped(seen)),
            (
                vec![heard(3, 90, Some(80)), heard(400, 1, None)],
                Consumption::Running { instances: 1 },
            ),
            (
                vec![heard(3, 80, Some(90))],
                Consumption::Failing {
                    why: "refused".to_owned(),
                },
            ),
            (
                vec![heard(3, 80, Some(90)), heard(3, 90, None)],
                Consumption::Running { instances: 2 },
            ),
        ] {
            assert_eq!(Consumption::of(&consumers, &[]), expected);
        }
    }
}
