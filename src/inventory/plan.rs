//! Decides, in memory and in order, what a batch of messages does to beans that are locked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::identity::{Identity, Updates};
use super::which_bean::Meant;
use super::{Incoming, Outcome};
use crate::db::dead_letters::Closing;
use crate::db::inbox::End;
use crate::db::known_updates::Known;
use crate::db::timeline::Event;
use crate::db::updates::{Content, NewUpdate, Standing};
use crate::domain::{
    BeanId, BeanStock, Cause, Crossing, Decision, InventoryUpdate, Movement, Reason, Refusal,
    UpdateId, UpdateKey, UpdateState, crossings, decide, quote,
};

/// What is to be written for a batch, table by table.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// One for each message.
    pub(super) outcomes: Vec<Outcome>,
    /// Updates that nobody has seen before.
    pub(super) new: BTreeMap<UpdateKey, NewUpdate>,
    /// Where those stand that were seen before.
    pub(super) standings: BTreeMap<UpdateId, Standing>,
    /// What those say now that were corrected.
    pub(super) corrections: BTreeMap<UpdateId, Content>,
    pub(super) ends: Vec<End>,
    /// Updates that were in their final state before.
    pub(super) repeats: Vec<UpdateId>,
    /// Ids whose outbox rows are done with.
    pub(super) delivered: Vec<UpdateId>,
    /// Ids of dead letters that were refused again: what was sent again of them is in the queue, unless an older copy
    /// was refused before the relay has sent it.
    pub(super) refused_again: Vec<UpdateId>,
    /// Open letters whose updates were applied after all.
    pub(super) closings: Vec<Closing>,
    /// The steps to add to the timelines.
    pub(super) events: Vec<Event>,
    /// Beans whose stock or flag changed, as they are afterwards.
    pub(super) changed: BTreeMap<BeanId, BeanStock>,
    /// The movements that explain it.
    pub(super) movements: Vec<Movement>,
}

impl Plan {
    /// The alerts that begin or end with what has changed since `before`.
    pub(super) fn crossings(&self, before: &[BeanStock]) -> Vec<Crossing> {
        let changed = before
            .iter()
            .filter_map(|before| Some((before, self.changed.get(&before.bean)?)));
        changed
            .flat_map(|(before, after)| crossings(before, after))
            .collect()
    }
}

/// What is known at the time of deciding: everything the batch may touch, locked.
#[derive(Debug)]
pub(super) struct Locked {
    /// The beans the messages are about.
    pub(super) beans: BTreeMap<BeanId, BeanStock>,
    /// Those of them that somebody else has locked.
    pub(super) beans_out_of_reach: BTreeSet<BeanId>,
    /// The updates that the messages may be.
    pub(super) updates: Updates,
    pub(super) now: DateTime<Utc>,
}

/// Says that a bean was there a moment ago.
pub(super) fn removed_bean(update: &InventoryUpdate) -> Refusal {
    let bean_type = quote(update.bean_type.as_str());
    let explanation = format!("The bean {bean_type} was removed from the list.");
    Refusal::new(Reason::UnknownBean, explanation)
}

/// Decides about all messages in the order given. `beans` says for each which bean it is about, and
/// `waiting` what becomes of those whose group waits for an earlier message.
pub(super) fn plan<'a>(
    incoming: &'a [Incoming],
    beans: &[Result<Meant, Refusal>],
    locked: Locked,
    waiting: Waiting<'a>,
) -> Plan {
    let mut planner = Planner {
        locked,
        waiting,
        plan: Plan::default(),
    };
    for (message, bean) in incoming.iter().zip(beans) {
        let outcome = planner.take(message, bean);
        planner.plan.outcomes.push(outcome);
    }
    // Rows are written in id order, so that no two transactions wait for each other.
    planner.plan.ends.sort_by_key(|end| end.id);
    planner.plan.repeats.sort_unstable();
    planner.plan.delivered.sort_unstable();
    planner.plan.refused_again.sort_unstable();
    planner.plan.closings.sort_by_key(|closing| closing.update);
    planner.plan
}

/// Message groups that wait for one of theirs, and what becomes of the messages behind it.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting<'a>(HashMap<&'a str, Outcome>);

impl<'a> Waiting<'a> {
    /// Notes what became of a message.
    pub(super) fn note(&mut self, message: &'a Incoming, outcome: &Outcome) {
        if let Some(group) = &message.group
            && let Some(of_those_behind) = outcome.of_those_behind(message)
        {
            self.0.insert(group, of_those_behind);
        }
    }

    fn outcome_of(&self, message: &Incoming) -> Option<Outcome> {
        self.0.get(message.group.as_deref()?).cloned()
    }
}

struct Planner<'a> {
    locked: Locked,
    waiting: Waiting<'a>,
    plan: Plan,
}

/// A message whose update has no final state yet: which one it is, and what is to be written for it.
struct Subject<'a> {
    message: &'a Incoming,
    id: UpdateId,
    key: UpdateKey,
    before: Option<Known>,
    is_correction: bool,
}

impl Subject<'_> {
    /// The update with the time at which it was first sent: a retry is the same update, and what was
    /// accepted here may wait long to be published. A correction says something new.
    fn as_first_sent(&self, update: &InventoryUpdate) -> InventoryUpdate {
        InventoryUpdate {
            sent_at: self.first_sent_at(),
            ..update.clone()
        }
    }

    fn first_sent_at(&self) -> Option<DateTime<Utc>> {
        let same = self.before.filter(|_| !self.is_correction);
        let first = same.and_then(|known| known.sent_at);
        [first, self.message.sent_at()].into_iter().flatten().min()
    }
}

impl<'a> Planner<'a> {
    fn take(&mut self, message: &'a Incoming, bean: &Result<Meant, Refusal>) -> Outcome {
        let outcome = match self.waiting.outcome_of(message) {
            Some(outcome) => outcome,
            None if self.is_out_of_reach(message, bean) => Outcome::Held,
            None => self.decide(message, bean),
        };
        self.waiting.note(message, &outcome);
        outcome
    }

    fn is_out_of_reach(&self, message: &Incoming, bean: &Result<Meant, Refusal>) -> bool {
        let others = &self.locked.beans_out_of_reach;
        bean.as_ref()
            .is_ok_and(|meant| others.contains(&meant.bean))
            || self.locked.updates.is_out_of_reach(message)
    }

    fn decide(&mut self, message: &'a Incoming, bean: &Result<Meant, Refusal>) -> Outcome {
        let key = message.key();
        let identity = self.locked.updates.identify(message);
        let (key, before) = match identity {
            Identity::New(key) => (key, None),
            Identity::Same(known) | Identity::Correction(known) => (key, Some(known)),
            Identity::Conflict(key, known) => (key, known),
            Identity::Earlier(known) => return self.repeat(known),
        };
        if let Some(known) = before.filter(|known| known.state.is_final()) {
            return self.repeat(known);
        }
        let subject = Subject {
            message,
            id: before.map_or_else(|| Incoming::new_id(key), |known| known.id),
            key,
            before,
            is_correction: matches!(identity, Identity::Correction(_)),
        };
        let applied = match &message.content {
            Err(unreadable) => Err(unreadable.refusal.clone()),
            Ok(_) if matches!(identity, Identity::Conflict(..)) => Err(used_for_another(message)),
            Ok(update) => self.apply(update, &subject, bean.clone()),
        };
        let bean = bean.as_ref().ok().map(|meant| meant.bean);
        applied.unwrap_or_else(|refusal| self.refuse(&subject, bean, refusal))
    }

    /// A copy of an update with a final state, or of what a correction has replaced.
    fn repeat(&mut self, known: Known) -> Outcome {
        if known.state.is_final() {
            self.plan.repeats.push(known.id);
        }
        Outcome::Duplicate
    }

    fn apply(
        &mut self,
        update: &InventoryUpdate,
        subject: &Subject<'_>,
        bean: Result<Meant, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let Meant { bean: id, note } = bean?;
        let Some(before) = self.locked.beans.get(&id).copied() else {
            return Err(removed_bean(update));
        };
        let mut after = before;
        let mut superseded = None;
        match decide(
            &before.stock,
            &subject.as_first_sent(update),
            self.locked.now,
        )? {
            Decision::Move {
                kind,
                after: stock,
                at,
            } => {
                let movement = after.book(kind, stock, at, Cause::from(subject.id));
                self.plan.movements.push(movement);
            }
            Decision::Flag { after: stock } => after.stock = stock,
            Decision::Superseded(refusal) => superseded = Some(refusal),
        }
        if superseded.is_none() {
            self.locked.beans.insert(id, after);
            self.plan.changed.insert(id, after);
        }
        Ok(self.end(subject, &before, &after, superseded, note))
    }

    fn end(
        &mut self,
        subject: &Subject<'_>,
        before: &BeanStock,
        after: &BeanStock,
        superseded: Option<Refusal>,
        note: Option<String>,
    ) -> Outcome {
        let (state, outcome) = match superseded {
            Some(_) => (UpdateState::Superseded, Outcome::Superseded),
            None => (UpdateState::Applied, Outcome::Applied),
        };
        let applied = superseded.is_none();
        self.revive(subject);
        self.plan.ends.push(End {
            id: subject.id,
            fingerprint: subject.message.fingerprint(),
            state,
        });
        let standing = Standing {
            state,
            bean: Some(before.bean),
            refusal: superseded,
            refusals: 0,
            quantities: applied.then_some((before.stock.quantity, after.stock.quantity)),
        };
        self.record(subject, state, standing, note);
        outcome
    }

    /// Closes the open letter of an update that is applied after all.
    fn revive(&mut self, subject: &Subject<'_>) {
        let given_up = |known: &Known| known.state == UpdateState::DeadLettered;
        if !subject.before.as_ref().is_some_and(given_up) {
            return;
        }
        let state = if subject.is_correction {
            UpdateState::Fixed
        } else {
            UpdateState::Resent
        };
        self.plan.closings.push(Closing {
            update: subject.id,
            state,
            message_id: subject.message.message_id.clone(),
        });
        self.plan.events.push(Event {
            id: subject.id,
            state,
            refusal: None,
            note: None,
            attempt: Some(subject.message.attempt()),
        });
    }

    fn refuse(&mut self, subject: &Subject<'_>, bean: Option<BeanId>, refusal: Refusal) -> Outcome {
        let state = subject.before.map(|known| known.state);
        let again = state.is_some_and(UpdateState::is_open_to_correction);
        let standing = Standing {
            // What the queue has given up stays with the people who look into it.
            state: match state {
                Some(UpdateState::DeadLettered) => UpdateState::DeadLettered,
                _ => UpdateState::Refused,
            },
            bean,
            refusal: Some(refusal.clone()),
            refusals: 1,
            quantities: None,
        };
        self.record(subject, UpdateState::Refused, standing, None);
        Outcome::Refused { refusal, again }
    }

    /// Writes down where an update stands and the step that led there.
    fn record(
        &mut self,
        subject: &Subject<'_>,
        step: UpdateState,
        standing: Standing,
        note: Option<String>,
    ) {
        self.plan.events.push(Event {
            id: subject.id,
            state: step,
            refusal: standing.refusal.clone(),
            note,
            attempt: Some(subject.message.attempt()),
        });
        match subject.before.map(|known| known.state) {
            Some(UpdateState::DeadLettered) if !standing.state.is_final() => {
                self.plan.refused_again.push(subject.id);
            }
            Some(state) if state.is_in_outbox() || state == UpdateState::DeadLettered => {
                self.plan.delivered.push(subject.id);
            }
            _ => {}
        }
        let known = Known {
            id: subject.id,
            fingerprint: subject.message.fingerprint(),
            state: standing.state,
            sent_at: subject.first_sent_at(),
        };
        self.locked.updates.note(subject.key, known);
        self.write(subject, standing);
    }

    /// An update may have several messages in a batch, and still gets one row.
    fn write(&mut self, subject: &Subject<'_>, mut standing: Standing) {
        if subject.before.is_none() {
            let update = NewUpdate {
                id: subject.id,
                key: subject.key,
                content: subject.message.stored_content(),
                standing,
            };
            self.plan.new.insert(subject.key, update);
            return;
        }
        if let Some(new) = self.plan.new.get_mut(&subject.key) {
            standing.refusals += new.standing.refusals;
            new.standing = standing;
            new.content = subject.message.stored_content();
            return;
        }
        if subject.is_correction {
            let content = subject.message.stored_content();
            self.plan.corrections.insert(subject.id, content);
        }
        let earlier = self.plan.standings.get(&subject.id);
        standing.refusals += earlier.map_or(0, |earlier| earlier.refusals);
        self.plan.standings.insert(subject.id, standing);
    }
}

fn used_for_another(message: &Incoming) -> Refusal {
    Refusal::new(
        Reason::Malformed,
        format!(
            "The update id {} was already used for another update.",
            message.key().id
        ),
    )
}
