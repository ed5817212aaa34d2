//! The collector: moves what the queue gave up on into a table where people can work on it.
//!
//! SQS cannot search or edit messages and forgets them after fourteen days; the table can, and
//! does not. A message is deleted from the dead-letter queue only after its row is committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::db::dead_letters::{DeadLetter, LastRefusal};
use crate::db::inbox::End;
use crate::db::timeline::Event;
use crate::db::updates::Record;
use crate::db::{self, DbError, DbResult, Pool, Transaction, Trouble};
use crate::domain::{Reason, Refusal, UpdateState};
use crate::inventory::{Identity, Incoming, find_seen};
use crate::messaging::{Delivery, ServiceError, UpdateQueue, wire};
use crate::poller::{backoff, delivery, rest_after};
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// Collects dead letters.
#[derive(Debug)]
pub struct Collector<Q> {
    queue: Q,
    pool: Pool,
    clock: Arc<dyn Clock>,
    wait: Duration,
    shutdown: Shutdown,
}

impl<Q: UpdateQueue> Collector<Q> {
    /// Prepares a collector for a dead-letter queue; a receive waits up to `wait`.
    pub fn new(
        queue: Q,
        pool: Pool,
        clock: Arc<dyn Clock>,
        wait: Duration,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            queue,
            pool,
            clock,
            wait,
            shutdown,
        }
    }

    /// Collects until stopping begins.
    pub async fn run(&self) {
        const WHAT: &str = "collecting dead letters";
        let mut streak = Streak::default();
        while !self.shutdown.soft.is_cancelled() {
            match self.collect_once().await {
                Ok(collected) => {
                    streak.succeeded(WHAT);
                    rest_after(collected, self.wait, &self.shutdown).await;
                }
                Err(error) => {
                    let failures = streak.failed(WHAT, &error);
                    let delay = backoff::after_failed_receive(failures);
                    self.shutdown.sleep(delay).await;
                }
            }
        }
    }

    /// Receives up to ten dead letters and stores each; gives their number.
    ///
    /// # Errors
    /// The queue or the database failed. What is not stored comes again.
    pub async fn collect_once(&self) -> Result<usize, CollectError> {
        let deliveries = tokio::select! {
            deliveries = self.queue.receive(self.wait) => deliveries?,
            () = self.shutdown.hard.cancelled() => return Ok(0),
        };
        for (position, letter) in deliveries.iter().enumerate() {
            if let Err(error) = self.collect(letter).await {
                let rest: Vec<&Delivery> = deliveries[position..].iter().collect();
                delivery::postpone(&self.queue, &rest).await;
                return Err(error.into());
            }
            delivery::delete(&self.queue, vec![&letter.receipt]).await;
        }
        Ok(deliveries.len())
    }

    async fn collect(&self, letter: &Delivery) -> DbResult<()> {
        let mut tries = 0;
        loop {
            let stored = db::within_limit(store(&self.pool, self.clock.now(), letter)).await;
            match stored {
                // Another collector or a poller was at the same rows: look again.
                Err(error)
                    if tries < 5
                        && matches!(error.trouble(), Trouble::Conflict | Trouble::Duplicate) =>
                {
                    tries += 1;
                    tokio::time::sleep(backoff::before_probe(tries)).await;
                }
                result => return result,
            }
        }
    }
}

/// Why dead letters could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] ServiceError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

async fn store(pool: &Pool, now: DateTime<Utc>, letter: &Delivery) -> DbResult<()> {
    let message = Incoming {
        content: wire::decode(&letter.message_id, &letter.body),
        group: None,
        last_attempt: true,
    };
    let mut tx = Transaction::begin(pool).await?;
    if db::dead_letters::is_collected(&mut tx, &letter.message_id).await? {
        return tx.rollback().await;
    }
    let seen = find_seen(&mut tx, std::slice::from_ref(&message)).await?;
    let identity = Identity::of(&message, &seen);
    if identity.ended {
        // A copy of an update that has had its end: nothing is lost with it.
        db::inbox::count_repeats(&mut tx, &[identity.id]).await?;
        return tx.commit().await;
    }
    let recorded = db::dead_letters::find_last_refusal(&mut tx, identity.id).await?;
    let given_up = GivenUp::new(recorded, &message, letter.receive_count);
    write(&mut tx, now, letter, &message, identity, given_up).await?;
    tx.commit().await
}

/// Why and when the queue gave a message up.
struct GivenUp {
    refusal: Refusal,
    receive_count: i32,
}

impl GivenUp {
    /// The reason recorded at the last attempt; failing that, what is wrong with the message
    /// itself. Queues count anew or go on counting after a move, so our own count goes first.
    fn new(recorded: Option<LastRefusal>, message: &Incoming, received: u32) -> Self {
        let attempts = recorded.as_ref().map(|row| row.attempts);
        let refusal = recorded.and_then(|row| {
            let reason = Reason::from_code(&row.reason?)?;
            Some(Refusal::new(reason, row.explanation.unwrap_or_default()))
        });
        let unexplained = || {
            Refusal::new(
                Reason::Unavailable,
                "The queue gave it up without anybody recording why. Send it again unchanged.",
            )
        };
        Self {
            refusal: refusal
                .or_else(|| Some(message.content.as_ref().err()?.refusal.clone()))
                .unwrap_or_else(unexplained),
            receive_count: attempts.unwrap_or_else(|| i32::try_from(received).unwrap_or(i32::MAX)),
        }
    }
}

async fn write(
    tx: &mut Transaction,
    now: DateTime<Utc>,
    letter: &Delivery,
    message: &Incoming,
    identity: Identity,
    given_up: GivenUp,
) -> DbResult<()> {
    let refusal = given_up.refusal;
    let id = identity.id;
    let end = End {
        id,
        fingerprint: identity.fingerprint,
        state: UpdateState::DeadLettered,
    };
    let record = Record {
        id,
        fingerprint: identity.fingerprint,
        claim: message.claim(),
        bean: None,
        state: UpdateState::DeadLettered,
        refusal: Some(refusal.clone()),
        quantities: None,
    };
    let event = Event {
        id,
        state: UpdateState::DeadLettered,
        refusal: Some(refusal.clone()),
    };
    let row = DeadLetter {
        message_id: letter.message_id.clone(),
        update: id,
        body: letter.body.clone(),
        attributes: attributes(letter),
        receive_count: given_up.receive_count,
        refusal,
        sent_at: letter.sent_at,
    };
    db::inbox::insert_ends(tx, &[end], now).await?;
    db::updates::record_updates(tx, &[record], now).await?;
    db::timeline::insert_events(tx, &[event], now).await?;
    db::dead_letters::insert_dead_letter(tx, &row, now).await?;
    db::outbox::delete_messages(tx, &[id]).await
}

fn attributes(letter: &Delivery) -> String {
    let mut all: BTreeMap<&str, &str> = letter
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    if let Some(group) = &letter.group {
        all.insert("MessageGroupId", group);
    }
    serde_json::to_string(&all).expect("a map of texts always encodes")
}
