//! The collector: moves what the queue gave up on into a table where people can work on it.
//!
//! SQS cannot search or edit messages and forgets them after fourteen days; the table can, and
//! does not. A message is deleted from the dead-letter queue only after its row is committed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::consumer::{Handler, Outcome};
use crate::db::dead_letters::DeadLetter;
use crate::db::known_updates::Known;
use crate::db::timeline::{Attempt, Event};
use crate::db::updates::{NewUpdate, Standing};
use crate::db::{self, DbResult, Pool, Transaction, Trouble};
use crate::domain::{Reason, Refusal, UpdateId, UpdateKey, UpdateState};
use crate::inventory::{Identity, IfLocked, Incoming, find_ids, lock};
use crate::messaging::ReceivedMessage;
use crate::messaging::wire::Decoder;
use crate::telemetry::chain;

/// How to read and explain dead letters.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Reads messages as the poller does.
    pub decoder: Decoder,
    /// After how many receives the source queue gives a message up, if that is known.
    pub max_receive_count: Option<u32>,
}

/// Moves what a dead-letter queue holds into the database.
#[derive(Debug)]
pub struct Collect {
    pool: Pool,
    rules: Rules,
}

impl Collect {
    /// Collects into a database.
    pub fn new(pool: Pool, rules: Rules) -> Self {
        Self { pool, rules }
    }
}

impl Handler for Collect {
    /// Each letter has a transaction of its own, so that one that cannot be stored stays alone in the
    /// queue.
    async fn handle(&self, batch: &[ReceivedMessage]) -> DbResult<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for letter in batch {
            let stored =
                db::in_transaction(&self.pool, async |tx| store(tx, &self.rules, letter).await);
            outcomes.push(match stored.await {
                Ok(()) => Outcome::Done,
                Err(error) if error.trouble() == Trouble::BadData => {
                    tracing::error!(
                        queue.message_id = letter.message_id,
                        error = chain(&error),
                        "a dead letter cannot be stored; it stays in the dead-letter queue"
                    );
                    Outcome::Refused
                }
                Err(error) => return Err(error),
            });
        }
        Ok(outcomes)
    }
}

async fn store(tx: &mut Transaction, rules: &Rules, letter: &ReceivedMessage) -> DbResult<()> {
    if db::dead_letters::is_collected(tx, &letter.message_id).await? {
        return Ok(());
    }
    let message = Incoming {
        content: rules
            .decoder
            .decode(&letter.message_id, &letter.body, letter.sent_at),
        message_id: letter.message_id.clone(),
        receive_count: letter.receive_count,
        group: None,
        receive_limit: rules.max_receive_count,
    };
    let messages = std::slice::from_ref(&message);
    let ids = find_ids(tx, messages).await?;
    let updates = lock(tx, messages, ids, IfLocked::Wait).await?;
    let (key, before, is_correction) = match updates.identify(&message) {
        Identity::New(key) => (key, None, false),
        Identity::Same(known) => (message.key(), Some(known), false),
        Identity::Correction(known) => (message.key(), Some(known), true),
        Identity::Conflict(key, known) => (key, known, false),
        // A correction has taken its place.
        Identity::Earlier(_) => return Ok(()),
    };
    if let Some(known) = before.filter(|known| known.state.is_final()) {
        // A copy of an update that is in a final state: nothing is lost with it.
        return db::inbox::count_repeats(tx, &[known.id]).await;
    }
    let given_up = GivenUp {
        letter,
        message: &message,
        id: before.map_or_else(|| Incoming::new_id(key), |known| known.id),
        key,
        before,
        is_correction,
    };
    let now = db::server::tell_time(tx).await?;
    given_up.write(tx, rules, now).await
}

/// A message that the queue gave up, and the update it carries.
struct GivenUp<'a> {
    letter: &'a ReceivedMessage,
    message: &'a Incoming,
    id: UpdateId,
    key: UpdateKey,
    before: Option<Known>,
    is_correction: bool,
}

impl GivenUp<'_> {
    async fn write(&self, tx: &mut Transaction, rules: &Rules, now: DateTime<Utc>) -> DbResult<()> {
        let refusal = self.why(tx, rules).await?;
        let received =
            db::timeline::find_last_receive(tx, self.id, &self.letter.message_id).await?;
        self.set_standing(tx, &refusal, now).await?;
        let event = Event {
            id: self.id,
            state: UpdateState::DeadLettered,
            refusal: Some(refusal.clone()),
            note: None,
            attempt: Some(Attempt {
                receive_count: received.and_then(|n| n.try_into().ok()),
                ..self.message.attempt()
            }),
        };
        db::timeline::insert_events(tx, &[event], now).await?;
        let row = DeadLetter {
            message_id: self.letter.message_id.clone(),
            update: self.id,
            supplier: self.message.claim().supplier,
            body: self.letter.body.clone(),
            attributes: attributes(self.letter),
            receive_count: received,
            refusal,
            sent_at: self.letter.sent_at,
        };
        let is_repeat = self.repeats_its_letter(tx, rules).await?;
        if !db::dead_letters::count_arrival(tx, &row, is_repeat).await? {
            db::dead_letters::insert_dead_letter(tx, &row, now).await?;
        }
        // One that somebody has sent again meanwhile is still on its way.
        db::outbox::delete_published_of(tx, &[self.id]).await
    }

    /// Whether the open letter says the same already. Its update may have been corrected before this came here.
    async fn repeats_its_letter(&self, tx: &mut Transaction, rules: &Rules) -> DbResult<bool> {
        let shown = db::dead_letters::find_open_body(tx, self.id).await?;
        Ok(shown.is_some_and(|body| {
            let shown = rules.decoder.decode(&self.letter.message_id, &body, None);
            let fingerprint = match shown {
                Ok(update) => update.fingerprint(),
                Err(unreadable) => unreadable.fingerprint,
            };
            fingerprint == self.message.fingerprint()
        }))
    }

    /// The reason recorded at the last attempt; failing that, what is wrong with the message itself.
    async fn why(&self, tx: &mut Transaction, rules: &Rules) -> DbResult<Refusal> {
        let recorded = if self.is_correction {
            None
        } else {
            db::dead_letters::find_last_refusal(tx, self.id).await?
        };
        let unreadable = || Some(self.message.content.as_ref().err()?.refusal.clone());
        Ok(recorded
            .or_else(unreadable)
            .unwrap_or_else(|| never_tried(rules.max_receive_count)))
    }

    async fn set_standing(
        &self,
        tx: &mut Transaction,
        refusal: &Refusal,
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        let standing = Standing {
            state: UpdateState::DeadLettered,
            bean: None,
            refusal: Some(refusal.clone()),
            refusals: 0,
            quantities: None,
        };
        let content = self.message.stored_content();
        if self.before.is_none() {
            let new = NewUpdate {
                id: self.id,
                key: self.key,
                content,
                standing,
            };
            return db::updates::insert_updates(tx, &[new], now).await;
        }
        if self.is_correction {
            db::updates::set_contents(tx, &[(self.id, &content)]).await?;
        }
        db::updates::set_standings(tx, &[(self.id, standing)], now).await
    }
}

fn never_tried(max_receive_count: Option<u32>) -> Refusal {
    let received = match max_receive_count {
        Some(1) => "It was received once".to_owned(),
        Some(times) => format!("It was received {times} times"),
        None => "The queue gave it up".to_owned(),
    };
    Refusal::new(
        Reason::NeverTried,
        format!(
            "{received} but never processed: each time, the program stopped or the database was \
             unavailable. No fault was found in the message; send it again unchanged."
        ),
    )
}

/// Sender's attributes keep their types, because `9` as a number and as a text are not the same to a
/// filter policy.
fn attributes(letter: &ReceivedMessage) -> String {
    let mut all: BTreeMap<&str, Value> = letter
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().into()))
        .collect();
    if let Some(group) = &letter.group {
        all.insert("MessageGroupId", group.as_str().into());
    }
    if !letter.message_attributes.is_empty() {
        let typed = serde_json::to_value(&letter.message_attributes);
        all.insert("MessageAttributes", typed.expect("texts always encode"));
    }
    serde_json::to_string(&all).expect("a map of texts always encodes")
}
