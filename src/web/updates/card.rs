//! An update with all that its reader may know and do: where it stands, how it got there, what can be done.

use askama::Template;

use super::eyes::Eyes;
use crate::db::timeline::EventLine;
use crate::db::update_lists::UpdateLine;
use crate::domain::{FollowsAs, UpdateId, UpdateKind, UpdateState};
use crate::inventory::{bags_so_far, is_cancellable};
use crate::web::access::{Viewer, Who};
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::filters;
use crate::web::ui::updates::{UpdateRow, as_seen, told_to_suppliers};
use crate::web::ui::wording::{self, Tag};

/// A step of a timeline.
pub(crate) struct Step {
    pub(crate) line: EventLine,
    pub(crate) tag: Tag,
    /// The first and the last receive that this tells of.
    attempts: Option<(i32, i32)>,
}

impl Step {
    fn new(mut line: EventLine, eyes: Eyes) -> Self {
        if !eyes.sees_levels {
            line.explanation = told_to_suppliers(line.reason, line.explanation);
        }
        Self {
            tag: wording::tag(line.state),
            attempts: line.receive_count.map(|count| (count, count)),
            line,
        }
    }

    /// Whether the café sent it again: a person's deed has no receive.
    fn is_sent_by_hand(&self) -> bool {
        self.line.state == UpdateState::Resent && self.attempts.is_none()
    }

    /// What happened, and in which of the attempts.
    pub(crate) fn sentence(&self) -> String {
        if self.is_sent_by_hand() {
            return "The café sent it again, unchanged.".to_owned();
        }
        let sentence = wording::step(self.line.state);
        match self.attempts {
            Some((first, last)) if self.line.state == UpdateState::Refused => {
                let attempts = if first == last {
                    format!("Attempt {last}")
                } else {
                    format!("Attempts {first} to {last}")
                };
                let of = self.line.receive_limit.filter(|limit| *limit >= last);
                let of = of.map_or_else(String::new, |limit| format!(" of {limit}"));
                format!("{sentence} {attempts}{of}.")
            }
            _ => sentence.to_owned(),
        }
    }

    /// Whether the next step is another attempt that ended the same way.
    fn goes_on_with(&self, next: &Self) -> bool {
        let refused = self.line.state == UpdateState::Refused && next.line.state == self.line.state;
        refused && self.line.explanation == next.line.explanation
    }

    fn shortened(steps: Vec<Self>) -> Vec<Self> {
        let mut told: Vec<Self> = Vec::new();
        for step in steps {
            match told.last_mut() {
                Some(last) if last.goes_on_with(&step) => {
                    let first = last.attempts.map(|(first, _)| first);
                    let latest = step.attempts.map(|(_, last)| last);
                    last.attempts = first.zip(latest);
                    last.line.at = step.line.at;
                }
                _ => told.push(step),
            }
        }
        told
    }
}

/// Another update that replaces or corrects this one, or that this one replaces or corrects.
pub(crate) struct Related {
    pub(crate) id: UpdateId,
    pub(crate) words: &'static str,
    pub(crate) name: String,
    pub(crate) tag: Option<Tag>,
}

#[derive(Template)]
#[template(path = "updates/card.html")]
pub(crate) struct Card {
    pub(crate) update: UpdateRow,
    pub(crate) eyes: Eyes,
    pub(crate) steps: Vec<Step>,
    /// Whether these are all of its steps, so that they can be replaced as a whole.
    pub(crate) has_all_steps: bool,
    pub(crate) related: Vec<Related>,
    /// The number of bags it stands for, where that can be corrected.
    pub(crate) correctable: Option<i64>,
}

impl Eyes {
    pub(crate) fn of(state: &AppState, viewer: &Viewer, layout: &Layout) -> Self {
        Self {
            zone: layout.zone,
            sees_levels: sees_levels(state, viewer),
            may_act: Who::Senders.includes(viewer.role()),
            is_cafe: layout.is_cafe(),
        }
    }
}

/// Whether somebody may know how many bags the café has.
pub(crate) fn sees_levels(state: &AppState, viewer: &Viewer) -> bool {
    viewer.bound_to().is_none() || state.rules.suppliers_see_stock
}

impl Card {
    pub(crate) fn new(
        line: UpdateLine,
        events: Vec<EventLine>,
        followers: &[UpdateLine],
        eyes: Eyes,
    ) -> Self {
        let correctable = bags_so_far(&line, followers);
        let line = as_seen(line, eyes.sees_levels);
        let earlier = line.follows.map(|follows| Related {
            id: follows.update,
            words: match follows.how {
                FollowsAs::Fix => "Replaces",
                FollowsAs::Correction => "Corrects",
                FollowsAs::Anyway => "Applies, whatever was counted,",
            },
            name: "an earlier update".to_owned(),
            tag: None,
        });
        let later = followers.iter().map(|follower| Related {
            id: follower.id,
            words: match follower.follows.map(|follows| follows.how) {
                Some(FollowsAs::Correction) => "Corrected by",
                Some(FollowsAs::Anyway) => "Applied all the same by",
                _ => "Replaced by",
            },
            name: wording::what(follower.kind, follower.quantity),
            tag: Some(wording::tag(follower.state)),
        });
        let steps = events
            .into_iter()
            .map(|event| Step::new(event, eyes))
            .collect();
        let mut card = Self {
            related: earlier.into_iter().chain(later).collect(),
            steps,
            has_all_steps: true,
            correctable: correctable.filter(|_| eyes.may_act),
            update: line.into(),
            eyes,
        };
        if card.is_on_its_way() {
            card.update.tag = wording::tag(UpdateState::Resent);
        }
        card
    }

    /// Whether its message was sent again, and nothing has come of that yet.
    fn is_on_its_way(&self) -> bool {
        let is_dead = self.update.line.state == UpdateState::DeadLettered;
        is_dead && self.steps.last().is_some_and(Step::is_sent_by_hand)
    }

    /// Tells attempts that ended the same way as one step.
    pub(crate) fn in_short(mut self) -> Self {
        self.steps = Step::shortened(self.steps);
        self
    }

    pub(crate) fn id(&self) -> UpdateId {
        self.update.line.id
    }

    /// The bean's bags before and after, if it was applied.
    pub(crate) fn quantities(&self) -> Option<(i64, i64)> {
        let line = &self.update.line;
        line.quantity_before.zip(line.quantity_after)
    }

    pub(crate) fn sentence(&self) -> &'static str {
        if self.is_on_its_way() {
            return "The café has sent it again. The result will appear here.";
        }
        let line = &self.update.line;
        wording::standing_sentence(line.state, line.kind, self.eyes.is_cafe)
    }

    pub(crate) fn is_cancellable(&self) -> bool {
        self.eyes.may_act && is_cancellable(self.update.line.state)
    }

    /// Whether the café can close it for good. A correction, which the café may have sent itself, is cancelled.
    pub(crate) fn is_discardable(&self) -> bool {
        let line = &self.update.line;
        let is_dead = line.state == UpdateState::DeadLettered;
        self.eyes.may_act && self.eyes.is_cafe && is_dead && !line.is_correction()
    }

    /// Whether its message can be sent again as it is.
    pub(crate) fn is_resendable(&self) -> bool {
        self.is_discardable() && !self.is_on_its_way()
    }

    /// The messages in which it was tried, where somebody may want to know; the newest first.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = &EventLine> {
        let lines = self.steps.iter().rev().map(|step| &step.line);
        lines.filter(|line| self.eyes.is_cafe && line.message_id.is_some())
    }

    /// Whether the café has done so; it says so if that is too long ago to be taken back.
    pub(crate) fn is_restorable(&self) -> bool {
        let is_discarded = self.update.line.state == UpdateState::Discarded;
        self.eyes.may_act && self.eyes.is_cafe && is_discarded
    }

    /// Whether the café has still to decide if the count that has overtaken it stands.
    pub(crate) fn is_to_be_decided(&self) -> bool {
        let line = &self.update.line;
        let moves = matches!(line.kind, Some(UpdateKind::Delivery | UpdateKind::Return));
        let is_overtaken = line.state == UpdateState::Superseded && line.decided_at.is_none();
        self.eyes.may_act && self.eyes.is_cafe && is_overtaken && moves && line.bean.is_some()
    }

    /// Somebody on the list must have sent it. A correction that failed is cancelled, and the update
    /// corrected anew.
    pub(crate) fn is_fixable(&self) -> bool {
        let line = &self.update.line;
        self.eyes.may_act
            && line.state == UpdateState::DeadLettered
            && line.supplier_name.is_some()
            && !line.is_correction()
    }
}
