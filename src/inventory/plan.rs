//! Decides, in memory and in order, what a batch of messages does to beans that are locked.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::identity::Identity;
use super::{Incoming, Outcome};
use crate::db::beans::{LockedBean, Offer};
use crate::db::inbox::End;
use crate::db::movements::Movement;
use crate::db::timeline::Event;
use crate::db::updates::{Record, Seen};
use crate::domain::{
    BeanId, Claim, Decision, InventoryUpdate, Reason, Refusal, SupplierId, UpdateId, UpdateState,
    decide, did_you_mean, quote,
};

/// What is to be written for a batch, table by table.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// One for each message.
    pub(super) outcomes: Vec<Outcome>,
    /// New inbox rows.
    pub(super) ends: Vec<End>,
    /// Ids that had their end before.
    pub(super) repeats: Vec<UpdateId>,
    /// Ids whose outbox rows are done with.
    pub(super) delivered: Vec<UpdateId>,
    /// What became of the updates.
    pub(super) records: Vec<Record>,
    /// Beans whose stock or flag changed, as they are afterwards.
    pub(super) changed: BTreeMap<BeanId, LockedBean>,
    /// The movements that explain it.
    pub(super) movements: Vec<Movement>,
}

impl Plan {
    /// The steps to add to the timelines: every record is one.
    pub(super) fn events(&self) -> Vec<Event> {
        self.records
            .iter()
            .map(|record| Event {
                id: record.id,
                state: record.state,
                refusal: record.refusal.clone(),
            })
            .collect()
    }
}

/// What is known at the time of deciding.
#[derive(Debug)]
pub(super) struct Known {
    /// The beans the messages are about, locked.
    pub(super) beans: BTreeMap<BeanId, LockedBean>,
    /// Those of the updates, and of those that conflict with them, that were seen before.
    pub(super) seen: HashMap<UpdateId, Seen>,
    /// The time.
    pub(super) now: DateTime<Utc>,
}

/// Finds the bean an update is about.
///
/// # Errors
/// [`Reason::UnknownSupplier`], [`Reason::SupplierInactive`] or [`Reason::UnknownBean`].
pub(super) fn find_bean(
    offers: &HashMap<SupplierId, Offer>,
    update: &InventoryUpdate,
) -> Result<BeanId, Refusal> {
    let Some(offer) = offers.get(&update.supplier) else {
        return Err(Refusal::new(
            Reason::UnknownSupplier,
            format!("There is no supplier {}.", update.supplier),
        ));
    };
    if !offer.active {
        return Err(Refusal::new(
            Reason::SupplierInactive,
            format!(
                "{} is switched off, so its updates are not taken.",
                offer.supplier_name
            ),
        ));
    }
    let key = update.bean_type.key();
    let found = offer
        .beans
        .iter()
        .find(|(_, bean_type)| bean_type.to_lowercase() == key);
    found
        .map(|(id, _)| *id)
        .ok_or_else(|| unknown_bean(offer, update.bean_type.as_str()))
}

fn unknown_bean(offer: &Offer, typed: &str) -> Refusal {
    let offered = offer.beans.iter().map(|(_, bean_type)| bean_type.as_str());
    let hint = match did_you_mean(typed, offered) {
        Some(meant) => format!(" Did you mean {}?", quote(meant)),
        None => String::new(),
    };
    Refusal::new(
        Reason::UnknownBean,
        format!(
            "{} has no bean of the type {}.{hint}",
            offer.supplier_name,
            quote(typed)
        ),
    )
}

/// Decides about all messages in the order given. `beans` says for each which bean it is about.
pub(super) fn plan(incoming: &[Incoming], beans: &[Result<BeanId, Refusal>], known: Known) -> Plan {
    let mut planner = Planner {
        known,
        stopped: HashSet::new(),
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
    planner.plan.records.sort_by_key(|record| record.id);
    planner.plan
}

struct Planner<'a> {
    known: Known,
    /// Groups in which one failed that will be tried again.
    stopped: HashSet<&'a str>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn take(&mut self, message: &'a Incoming, bean: &Result<BeanId, Refusal>) -> Outcome {
        let group = message.group.as_deref();
        if group.is_some_and(|group| self.stopped.contains(group)) {
            return Outcome::Unstarted;
        }
        let outcome = self.decide(message, bean);
        if let (Outcome::Refused(_), Some(group), false) = (&outcome, group, message.last_attempt) {
            self.stopped.insert(group);
        }
        outcome
    }

    fn decide(&mut self, message: &Incoming, bean: &Result<BeanId, Refusal>) -> Outcome {
        let identity = Identity::of(message, &self.known.seen);
        if identity.ended {
            self.plan.repeats.push(identity.id);
            return Outcome::Duplicate;
        }
        if identity.is_conflict {
            let refusal = Refusal::new(
                Reason::Malformed,
                format!(
                    "The update id {} was already used for another update.",
                    message.id()
                ),
            );
            return self.refuse(&identity, message.claim(), None, refusal);
        }
        let applied = match &message.content {
            Ok(update) => self.apply(update, &identity, bean.clone()),
            Err(unreadable) => Err(unreadable.refusal.clone()),
        };
        applied.unwrap_or_else(|refusal| {
            self.refuse(&identity, message.claim(), bean.clone().ok(), refusal)
        })
    }

    fn apply(
        &mut self,
        update: &InventoryUpdate,
        identity: &Identity,
        bean: Result<BeanId, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let id = bean?;
        let Some(before) = self.known.beans.get(&id).copied() else {
            let explanation = format!(
                "The bean {} was taken off the list.",
                quote(update.bean_type.as_str())
            );
            return Err(Refusal::new(Reason::UnknownBean, explanation));
        };
        let mut after = before;
        let mut superseded = None;
        match decide(&before.stock, update, self.known.now)? {
            Decision::Move {
                kind,
                change_by,
                after: stock,
            } => {
                after.stock = stock;
                after.last_movement += 1;
                self.plan.movements.push(Movement {
                    bean: id,
                    sequence: after.last_movement,
                    kind,
                    change_by,
                    quantity_after: stock.quantity,
                    update: Some(update.id),
                    reason: None,
                });
            }
            Decision::Flag { after: stock } => after.stock = stock,
            Decision::Superseded(refusal) => superseded = Some(refusal),
        }
        if superseded.is_none() {
            self.known.beans.insert(id, after);
            self.plan.changed.insert(id, after);
        }
        Ok(self.end(update, identity, &before, &after, superseded))
    }

    fn end(
        &mut self,
        update: &InventoryUpdate,
        identity: &Identity,
        before: &LockedBean,
        after: &LockedBean,
        superseded: Option<Refusal>,
    ) -> Outcome {
        let (state, outcome) = match superseded {
            Some(_) => (UpdateState::Superseded, Outcome::Superseded),
            None => (UpdateState::Applied, Outcome::Applied),
        };
        let applied = superseded.is_none();
        self.remember(identity, true);
        self.plan.ends.push(End {
            id: identity.id,
            fingerprint: identity.fingerprint,
            state,
        });
        self.plan.records.push(Record {
            id: identity.id,
            fingerprint: identity.fingerprint,
            claim: Claim::from(update),
            bean: Some(before.id),
            state,
            refusal: superseded,
            quantities: applied.then_some((before.stock.quantity, after.stock.quantity)),
        });
        outcome
    }

    fn refuse(
        &mut self,
        identity: &Identity,
        claim: Claim,
        bean: Option<BeanId>,
        refusal: Refusal,
    ) -> Outcome {
        self.remember(identity, false);
        self.plan.records.push(Record {
            id: identity.id,
            fingerprint: identity.fingerprint,
            claim,
            bean,
            state: UpdateState::Refused,
            refusal: Some(refusal.clone()),
            quantities: None,
        });
        Outcome::Refused(refusal)
    }

    /// For messages later in the batch.
    fn remember(&mut self, identity: &Identity, ended: bool) {
        if identity.in_outbox {
            self.plan.delivered.push(identity.id);
        }
        let seen = Seen {
            fingerprint: identity.fingerprint,
            ended,
            in_outbox: identity.in_outbox,
        };
        self.known.seen.insert(identity.id, seen);
    }
}
