//! Words for stored codes: one word, look and sentence for the same thing on every page.

use std::borrow::Borrow;

use super::page::grouped;
use crate::domain::{MovementKind, UpdateKind, UpdateState};

/// A state as a label: a word, and the class that gives it its colour and icon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag {
    pub(super) class: &'static str,
    pub(super) word: &'static str,
}

/// The tag of an update's state.
pub(super) fn tag(state: UpdateState) -> Tag {
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
pub(super) fn step(state: UpdateState) -> &'static str {
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
pub(super) fn unit(number: impl Borrow<i64>) -> &'static str {
    if *number.borrow() == 1 { "bag" } else { "bags" }
}

/// A number of bags with its unit.
pub(super) fn bags(number: i64) -> String {
    format!("{} {}", grouped(number), unit(number))
}

/// What an update says.
pub(super) fn what(kind: Option<UpdateKind>, quantity: Option<i64>) -> String {
    let number = quantity.map_or_else(|| "some bags".to_owned(), bags);
    match kind {
        Some(UpdateKind::Delivery) => format!("{number} delivered"),
        Some(UpdateKind::Return) => format!("{number} sent back"),
        Some(UpdateKind::OutOfStock) => "Supplier has none".to_owned(),
        Some(UpdateKind::Count) => format!("{number} counted"),
        None => "Could not be read".to_owned(),
    }
}

/// Why stock moved; a code we do not know stands for itself.
pub(super) fn movement(code: &str) -> &str {
    const KINDS: [(MovementKind, &str); 6] = [
        (MovementKind::Opening, "Opening stock"),
        (MovementKind::Delivery, "Delivery"),
        (MovementKind::Return, "Return"),
        (MovementKind::Count, "Count"),
        (MovementKind::Correction, "Correction"),
        (MovementKind::Removal, "Removal"),
    ];
    KINDS
        .iter()
        .find(|(kind, _)| kind.code() == code)
        .map_or(code, |(_, words)| words)
}

/// How an update reached us.
pub(super) fn origin(code: &str) -> &str {
    match code {
        "web" => "A form on this site",
        "csv" => "An uploaded file",
        "api" => "The API",
        "external" => "A message on the topic",
        other => other,
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

    #[test]
    fn movements_have_words_and_unknown_codes_remain() {
        assert_eq!(movement("opening"), "Opening stock");
        assert_eq!(movement("gift"), "gift");
    }
}
