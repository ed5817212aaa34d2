//! How long an update takes from the call that publishes it until others can see its effect.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use beanstock::messaging::{Publisher as _, wire};
use uuid::Uuid;

use crate::setup::{Setup, delivery};

/// A café with very busy suppliers.
pub(crate) const PER_SECOND: u32 = 200;

const SECONDS: u32 = 15;

/// The first second warms connections up and is not counted.
const WARM_UP: u32 = 1;

/// In milliseconds; at most [`LOOK_EVERY`] too long each.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
}

/// How often the database is asked what has been committed.
const LOOK_EVERY: Duration = Duration::from_millis(4);

pub(crate) async fn measure(setup: &Setup) -> Latency {
    let (published, seen) = tokio::join!(publish(setup), watch(setup));
    let counted = published.iter().skip((PER_SECOND * WARM_UP) as usize);
    let mut milliseconds: Vec<f64> = counted
        .map(|(id, at)| seen[id].duration_since(*at).as_secs_f64() * 1_000.0)
        .collect();
    milliseconds.sort_by(f64::total_cmp);
    Latency {
        p50: milliseconds[milliseconds.len() * 50 / 100],
        p95: milliseconds[milliseconds.len() * 95 / 100],
        p99: milliseconds[milliseconds.len() * 99 / 100],
    }
}

/// Publishes at a steady rate, whatever the answers take; gives when each call began.
async fn publish(setup: &Setup) -> Vec<(Uuid, Instant)> {
    let publisher = setup.publisher();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut calls = tokio::task::JoinSet::new();
    let mut begun = Vec::new();
    for n in 0..PER_SECOND * SECONDS {
        ticks.tick().await;
        let update = delivery(n as usize);
        let group = format!("group-{}", n % 200);
        let body = wire::encode(&update);
        let message = wire::publication(update.id.to_string(), group, update.change.kind(), body);
        begun.push((update.id.0, Instant::now()));
        let publisher = publisher.clone();
        calls.spawn(async move { publisher.publish(&[message]).await.unwrap() });
    }
    while calls.join_next().await.is_some() {}
    begun
}

/// Notes when each update's timeline shows it applied, as another connection sees it.
async fn watch(setup: &Setup) -> HashMap<Uuid, Instant> {
    let mut seen = HashMap::new();
    let begin: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM update_events")
        .fetch_one(&mut *setup.pool.acquire().await.unwrap())
        .await
        .unwrap();
    let mut newest = begin;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    while seen.len() < (PER_SECOND * SECONDS) as usize {
        ticks.tick().await;
        // Numbers are given before the commit, so a lower one may appear after a higher one.
        let rows: Vec<(i64, Uuid)> = sqlx::query_as(
            "SELECT e.id, u.sender_id FROM update_events AS e \
             JOIN inventory_updates AS u ON u.id = e.update_id WHERE e.id > ? AND e.event = 'applied'",
        )
        .bind((newest - 100).max(begin))
        .fetch_all(&mut *setup.pool.acquire().await.unwrap())
        .await
        .unwrap();
        let now = Instant::now();
        for (id, update) in rows {
            newest = newest.max(id);
            seen.entry(update).or_insert(now);
        }
    }
    seen
}
