//! The relay: publishes what was accepted, until it is seen finished.
//!
//! A message is leased in a short transaction, published outside of any, and then marked. If the
//! relay dies in between, the lease runs out and the message is published again; if the message
//! gets lost on its way, it is due again after ten minutes. Both are harmless, because its update
//! counts once. It leaves the outbox when its update has a final state. Each destination has a relay
//! with its publisher.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use crate::backoff;
use crate::clock::Clock;
use crate::db::announcement_targets::Arrival;
use crate::db::outbox::{Destination, NextAttempt, OutboxMessage};
use crate::db::timeline::Event;
use crate::db::{self, DbResult, Pool};
use crate::domain::{UpdateId, UpdateState};
use crate::messaging::{Publication, Publisher, ServiceError, digest, wire};
use crate::shutdown::{Shutdown, Stopping};
use crate::telemetry::Streak;

/// How many messages are leased at once: what one call takes.
const LEASED_AT_ONCE: i64 = 10;

/// How long a relay has to publish what it leased.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// No call is begun later than this in a lease: with all of the SDK's attempts it takes 25 s.
const LAST_CALL: Duration = Duration::from_secs(30);

/// Published but not finished for this long: published again. Twice the five minutes in which
/// SNS and SQS would swallow the repeat; doubled every time, up to 64-fold.
const PUBLISH_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(10);

/// An alert that nobody takes is given up after so long: it is no news any more.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(1);

/// How often the outbox is looked at after something was found in it, and how rarely in the end when
/// nothing is and no commit of this process says otherwise.
const IDLE: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

#[derive(Debug)]
pub struct Relay<P> {
    destination: Destination,
    /// For alerts: the groups that the publisher knows. No message of theirs waits for another.
    groups: Option<Vec<String>>,
    publisher: P,
    pool: Pool,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
}

/// The positions of messages that are not on the topic, and whether they are worth another try.
type Failed = BTreeMap<usize, bool>;

/// What one round of a relay came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relayed {
    /// Now on the topic.
    pub published: usize,
    /// Refused by the topic or not answered; tried again later.
    pub failed: usize,
}

impl Relayed {
    /// How long to rest after a round: twice as long as before if there was nothing.
    fn idle_after(self, before: Duration) -> Duration {
        let [least, most] = IDLE;
        if self == Self::default() {
            (before * 2).min(most)
        } else {
            least
        }
    }
}

impl<P: Publisher> Relay<P> {
    /// Prepares a relay to one destination.
    pub fn new(
        destination: Destination,
        publisher: P,
        pool: Pool,
        clock: Arc<dyn Clock>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            destination,
            groups: None,
            publisher,
            pool,
            clock,
            shutdown,
        }
    }

    /// Has it announce alerts, to these groups of its destination.
    #[must_use]
    pub fn announcing_to(self, groups: Vec<String>) -> Self {
        Self {
            groups: Some(groups),
            ..self
        }
    }

    /// Publishes until stopping begins.
    pub async fn run(&self) {
        const WHAT: &str = "reading the outbox";
        let mut streak = Streak::default();
        let mut filled = self.pool.watch_outbox();
        let mut idle = IDLE[0];
        while !self.shutdown.soft.is_cancelled() {
            let rested = match self.relay_once().await {
                Ok(relayed) => {
                    streak.succeeded(WHAT);
                    idle = relayed.idle_after(idle);
                    self.rest(relayed, idle, &mut filled).await
                }
                Err(error) => {
                    let failures = streak.failed(WHAT, &error);
                    self.shutdown.sleep(backoff::before_probe(failures)).await
                }
            };
            if rested.is_err() {
                return;
            }
        }
    }

    /// Goes on at once while there is much to publish; else waits a little for more.
    async fn rest(
        &self,
        relayed: Relayed,
        idle: Duration,
        filled: &mut watch::Receiver<()>,
    ) -> Result<(), Stopping> {
        if relayed.published > 0 && relayed.failed == 0 {
            return Ok(());
        }
        tokio::select! {
            Ok(()) = filled.changed() => Ok(()),
            slept = self.shutdown.sleep(idle) => slept,
        }
    }

    /// Publishes what is due, up to ten messages.
    ///
    /// # Errors
    /// The database failed. What was published meanwhile is published again later.
    pub async fn relay_once(&self) -> DbResult<Relayed> {
        let batch = self.lease().await?;
        if batch.is_empty() {
            return Ok(Relayed::default());
        }
        let failed = self.publish(&batch).await;
        self.mark(&batch, &failed).await?;
        Ok(Relayed {
            published: batch.len() - failed.len(),
            failed: failed.len(),
        })
    }

    async fn lease(&self) -> DbResult<Vec<OutboxMessage>> {
        db::in_transaction(&self.pool, async |tx| {
            let (now, destination) = (self.clock.now(), self.destination);
            // Without a lock: mostly there is nothing, and copies need not wait for each other to see it.
            if !db::outbox::is_any_due(tx, destination, now).await? {
                return Ok(Vec::new());
            }
            db::outbox::lock_claims(tx).await?;
            let most = LEASED_AT_ONCE;
            let messages = match &self.groups {
                None => db::outbox::list_due(tx, destination, now, most).await?,
                Some(groups) => {
                    db::outbox::list_due_of_groups(tx, destination, groups, now, most).await?
                }
            };
            let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
            db::outbox::lease_messages(tx, &ids, now + LEASE).await?;
            Ok(messages)
        })
        .await
    }

    /// Publishes a batch and gives those that are not on the topic.
    ///
    /// A topic may take one message of a call and refuse another. Where order counts, a call
    /// therefore has one message of each group, and those behind a refused one wait with it.
    async fn publish(&self, batch: &[OutboxMessage]) -> Failed {
        let begun = Instant::now();
        let mut failed = Failed::new();
        for call in self.calls(batch) {
            let fails_with = |position: &usize| {
                let group = &batch[*position].group;
                let mut others = failed.keys();
                self.groups.is_none() && others.any(|other| batch[*other].group == *group)
            };
            let late = begun.elapsed() > LAST_CALL;
            let (behind, now): (Vec<_>, Vec<_>) = call
                .into_iter()
                .partition(|position| late || fails_with(position));
            failed.extend(behind.into_iter().map(|position| (position, true)));
            failed.extend(self.call(batch, &now).await);
        }
        failed
    }

    /// Digests are long, so that one call has one to a topic; webhooks are each asked by themselves anyway.
    fn calls(&self, batch: &[OutboxMessage]) -> Vec<Vec<usize>> {
        if self.destination == Destination::Alerts {
            return (0..batch.len()).map(|position| vec![position]).collect();
        }
        calls(batch, self.publisher.keeps_order())
    }

    /// Publishes some messages of a batch in one call, and gives those that are not on the topic.
    async fn call(&self, batch: &[OutboxMessage], positions: &[usize]) -> Failed {
        if positions.is_empty() {
            return Failed::new();
        }
        let publications: Vec<Publication> = positions
            .iter()
            .map(|position| publication(self.destination, &batch[*position]))
            .collect();
        match self.publisher.publish(&publications).await {
            Ok(failed) => failed
                .iter()
                .map(|entry| (positions[entry.position], entry.retryable))
                .collect(),
            Err(error) => {
                log_failure(batch, &error);
                positions.iter().map(|position| (*position, true)).collect()
            }
        }
    }

    /// What announcements came to. One that nobody takes for a day is no news any more.
    fn arrivals<'a>(
        &self,
        batch: &'a [OutboxMessage],
        failed: &Failed,
        now: DateTime<Utc>,
    ) -> Vec<(&'a OutboxMessage, Arrival)> {
        if self.destination == Destination::Updates {
            return Vec::new();
        }
        let is_old = |message: &OutboxMessage| {
            db::outbox::written_at(message.id).is_some_and(|at| now - at > GIVEN_UP_AFTER)
        };
        let messages = batch.iter().enumerate();
        let arrivals = messages.map(|(position, message)| {
            let arrival = match failed.get(&position) {
                None => Arrival::Taken,
                Some(is_retryable) if !is_retryable || is_old(message) => Arrival::GivenUp,
                Some(_) => Arrival::Failed,
            };
            (message, arrival)
        });
        let mut arrivals: Vec<_> = arrivals.collect();
        // All relays write down what came of them in one order, so that none waits for another that waits for it.
        arrivals.sort_by(|(one, _), (other, _)| one.group.cmp(&other.group));
        arrivals
    }

    async fn mark(&self, batch: &[OutboxMessage], failed: &Failed) -> DbResult<()> {
        let now = self.clock.now();
        let attempts: Vec<NextAttempt> = batch
            .iter()
            .enumerate()
            .map(|(position, message)| {
                let published = !failed.contains_key(&position);
                NextAttempt {
                    id: message.id,
                    at: now
                        + if published {
                            again_after(message)
                        } else if self.destination == Destination::Updates {
                            retry_after(message)
                        } else {
                            retry_announcement_after(message)
                        },
                    published_at: published.then_some(now),
                }
            })
            .collect();
        let published = batch.iter().zip(&attempts);
        let published = published.filter(|(_, attempt)| attempt.published_at.is_some());
        let published: Vec<&OutboxMessage> = published.map(|(message, _)| message).collect();
        let of_update = |message: &&OutboxMessage| Some(message.update?.0);
        let mut updates: Vec<UpdateId> = published.iter().filter_map(of_update).collect();
        updates.sort_unstable();
        // Nobody reports the arrival of a message of no update: on the topic, it is done with.
        let of_none = published.iter().filter(|message| message.update.is_none());
        let mut done: Vec<_> = of_none.map(|message| message.id).collect();
        let arrivals = self.arrivals(batch, failed, now);
        arrivals.iter().for_each(log_arrival);
        let given_up = arrivals
            .iter()
            .filter(|(_, arrival)| *arrival == Arrival::GivenUp);
        done.extend(given_up.map(|(message, _)| message.id));
        db::in_transaction(&self.pool, async |tx| {
            // Updates before their outbox rows, in id order: the order in which pollers lock them too.
            let known = db::known_updates::lock_updates(tx, &updates).await?;
            // One that has been applied or cancelled meanwhile does not wait in the queue any more.
            let waits = |id: &&UpdateId| {
                known
                    .get(id)
                    .is_some_and(|known| known.state.is_in_outbox())
            };
            let waiting: Vec<UpdateId> = updates.iter().filter(waits).copied().collect();
            let events: Vec<Event> = waiting.iter().map(|id| published_event(*id)).collect();
            db::updates::set_published(tx, &waiting).await?;
            db::timeline::insert_events(tx, &events, now).await?;
            db::outbox::set_next_attempts(tx, &attempts).await?;
            for (message, arrival) in &arrivals {
                let (destination, name) = (self.destination, message.group.as_str());
                db::announcement_targets::note_arrival(tx, destination, name, *arrival, now)
                    .await?;
            }
            db::outbox::delete_published(tx, &done).await
        })
        .await
    }
}

/// Repeats by the relay reuse one id, so that SNS drops those within five minutes.
fn publication(destination: Destination, message: &OutboxMessage) -> Publication {
    let (id, group, body) = (
        message.id.to_string(),
        message.group.clone(),
        message.body.clone(),
    );
    match (message.update, destination) {
        (Some((_, kind)), _) => wire::publication(id, group, kind, body),
        (None, Destination::Updates | Destination::Webhooks) => Publication {
            body,
            group,
            deduplication_id: Some(id),
            ..Publication::default()
        },
        (None, Destination::Alerts) => digest::publication(&body),
    }
}

fn published_event(id: UpdateId) -> Event {
    Event {
        id,
        state: UpdateState::Published,
        refusal: None,
        note: None,
        attempt: None,
    }
}

/// Spreads a batch over as few calls as its order allows: all first messages of their groups, then
/// all second ones.
fn calls(batch: &[OutboxMessage], keeps_order: bool) -> Vec<Vec<usize>> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut calls: Vec<Vec<usize>> = Vec::new();
    for (position, message) in batch.iter().enumerate() {
        let turn = seen.entry(&message.group).or_default();
        let call = if keeps_order { *turn } else { 0 };
        *turn += 1;
        if calls.len() == call {
            calls.push(Vec::new());
        }
        calls[call].push(position);
    }
    calls
}

fn doublings(message: &OutboxMessage, at_most: i32) -> u32 {
    1 << message.attempts.clamp(0, at_most)
}

fn again_after(message: &OutboxMessage) -> TimeDelta {
    let times = doublings(message, 6).try_into().unwrap_or(1);
    PUBLISH_AGAIN_AFTER * times
}

/// Up to 1 s, 2 s … 16 s, at least half a second: soon after an outage all is on its way.
fn retry_after(message: &OutboxMessage) -> TimeDelta {
    let most = Duration::from_secs(doublings(message, 4).into());
    let jitter = backoff::full_jitter(0, most, most);
    TimeDelta::from_std(Duration::from_millis(500) + jitter).unwrap_or(LEASE)
}

/// 5 s, 10 s, 20 s … an hour.
fn retry_announcement_after(message: &OutboxMessage) -> TimeDelta {
    let seconds = 5 * (1_i64 << message.attempts.clamp(0, 10));
    TimeDelta::seconds(seconds).min(TimeDelta::hours(1))
}

/// Once when a message fails, and once when it is given up.
fn log_arrival((message, arrival): &(&OutboxMessage, Arrival)) {
    let (id, target) = (message.id, &message.group);
    match arrival {
        Arrival::Failed if message.attempts == 0 => {
            tracing::warn!(%id, target, "an alert was not taken; trying again for a day");
        }
        Arrival::GivenUp => tracing::error!(%id, target, "an alert was not taken and is given up"),
        Arrival::Failed | Arrival::Taken => {}
    }
}

fn log_failure(batch: &[OutboxMessage], error: &ServiceError) {
    // Once for a message's first failure; its state tells the rest.
    if batch.iter().any(|message| message.attempts == 0) {
        tracing::warn!(%error, messages = batch.len(), "could not publish; trying again");
    }
}
