//! Words for stored codes: one word, look and sentence for the same thing on every page.

use std::borrow::Borrow;

use super::page::grouped;
use crate::domain::{MovementKind, Origin, UpdateKind, UpdateState};

/// A state as a label: a word, and the class that gives it its colour and icon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag {
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
}

/// The tag of an update's state.
pub(crate) fn tag(state: UpdateState) -> Tag {
    let class = match state {
        UpdateState::Applied => "good",
        UpdateState::Accepted | UpdateState::Published => "waiting",
        UpdateState::Refused => "retrying",
        UpdateState::DeadLettered => "alarm",
        UpdateState::Superseded
        | UpdateState::Fixed
        | UpdateState::Resent
        | UpdateState::Discarded => "closed",
    };
    Tag {
        class,
        word: state.label(),
    }
}

/// What a step of a timeline means, in a sentence.
pub(crate) fn step(state: UpdateState) -> &'static str {
    match state {
        UpdateState::Accepted => "Received; waiting to be sent.",
        UpdateState::Published => "It is in the queue, waiting for its turn.",
        UpdateState::Refused => "It could not be applied.",
        UpdateState::Applied => "It was applied.",
        UpdateState::Superseded => "Something newer already said otherwise; nothing changed.",
        UpdateState::DeadLettered => "We stopped trying; it needs your attention.",
        UpdateState::Fixed => "A corrected version arrived and replaced it.",
        UpdateState::Resent => "It arrived again, unchanged, and was taken up once more.",
        UpdateState::Discarded => "It was closed by hand.",
    }
}

/// The unit of a number of bags.
pub(crate) fn unit(number: impl Borrow<i64>) -> &'static str {
    if *number.borrow() == 1 { "bag" } else { "bags" }
}

/// A number of bags with its unit.
pub(crate) fn bags(number: i64) -> String {
    format!("{} {}", grouped(number), unit(number))
}

/// What an update says.
pub(crate) fn what(kind: Option<UpdateKind>, quantity: Option<i64>) -> String {
    let number = quantity.map_or_else(|| "some bags".to_owned(), bags);
    match kind {
        Some(UpdateKind::Delivery) => format!("{number} delivered"),
        Some(UpdateKind::Return) => format!("{number} sent back"),
        Some(UpdateKind::OutOfStock) => "Out of stock at supplier".to_owned(),
        Some(UpdateKind::Count) => format!("{number} counted"),
        None => "Could not be read".to_owned(),
    }
}

pub(crate) fn movement(kind: impl Borrow<MovementKind>) -> &'static str {
    match kind.borrow() {
        MovementKind::Opening => "Opening stock",
        MovementKind::Delivery => "Delivery",
        MovementKind::Return => "Return",
        MovementKind::Count => "Count",
        MovementKind::Correction => "Correction",
        MovementKind::Removal => "Removal",
    }
}

/// How an update reached us.
pub(crate) fn origin(origin: impl Borrow<Origin>) -> &'static str {
    match origin.borrow() {
        Origin::Web => "A form on this site",
        Origin::Csv => "An uploaded file",
        Origin::Api => "The API",
        Origin::External => "A message on the topic",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_says_what_it_does() {
        let delivery = Some(UpdateKind::Delivery);

        assert_eq!(what(delivery, Some(1)), "1 bag delivered");
        assert_eq!(what(delivery, Some(1_200)), "1,200 bags delivered");
        assert_eq!(what(None, None), "Could not be read");
    }
}
