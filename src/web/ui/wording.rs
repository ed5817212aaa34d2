//! Words for stored codes: one word, look and sentence for the same thing on every page.

use std::borrow::Borrow;

use super::page::grouped;
use crate::db::accounts::Account;
use crate::db::bean_days::UnusualMovement;
use crate::domain::{AlertKind, MovementKind, Origin, UpdateKind, UpdateState};

/// What a new password must be.
pub(crate) const NEW_PASSWORD_HINT: &str = "12 characters or more. Four random words are easy to remember, a password manager is easier still.";

/// How a browser calls itself, in a few words.
pub(crate) fn browser(name: &str) -> String {
    let of = |known: &[(&str, &'static str)]| {
        let found = known.iter().find(|(mark, _)| name.contains(mark));
        found.map(|(_, word)| *word)
    };
    // Most browsers name others as well, so the order matters.
    let program = of(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = of(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

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
        | UpdateState::Discarded
        | UpdateState::Cancelled => "closed",
    };
    Tag {
        class,
        word: state.label(),
    }
}

/// What an alert is about.
pub(crate) fn alert(kind: impl Borrow<AlertKind>) -> Tag {
    let (class, word) = match kind.borrow() {
        AlertKind::Low => ("few", "Low"),
        AlertKind::Out => ("alarm", "Out of stock"),
        AlertKind::OutAtSupplier => ("few", "Out of stock at supplier"),
    };
    Tag { class, word }
}

/// Whether somebody can sign in with an account.
pub(crate) fn standing(account: &Account) -> Tag {
    let (class, word) = if account.disabled_at.is_some() {
        ("closed", "Disabled")
    } else if account.supplier_removed {
        ("closed", "Supplier removed")
    } else if account.has_password {
        ("good", "Active")
    } else {
        ("waiting", "Invited")
    };
    Tag { class, word }
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
        UpdateState::Cancelled => "It was cancelled before it changed anything.",
    }
}

/// Where an update stands, for whoever sent it or, from the café's side, for whoever looks after it.
pub(crate) fn standing_sentence(
    state: UpdateState,
    kind: Option<UpdateKind>,
    is_cafe: bool,
) -> &'static str {
    match state {
        UpdateState::Applied if kind == Some(UpdateKind::OutOfStock) => {
            "The bean is marked as out of stock at its supplier."
        }
        UpdateState::Accepted => "It is saved, and waiting to be sent.",
        UpdateState::Published => "It is in the queue, waiting for its turn.",
        UpdateState::Refused => "It could not be applied and is being tried again.",
        UpdateState::Applied if kind == Some(UpdateKind::Return) => {
            "It was taken off the café’s stock."
        }
        UpdateState::Applied => "It is in the café’s stock.",
        UpdateState::Superseded => "It changed nothing, because of a newer count.",
        UpdateState::DeadLettered if is_cafe => {
            "It could not be applied and needs somebody to look at it."
        }
        UpdateState::DeadLettered => {
            "It could not be applied. Fix it here, or the café will look at it."
        }
        UpdateState::Fixed => "It was replaced by a corrected update.",
        UpdateState::Resent => "It was sent again.",
        UpdateState::Discarded => "The café closed it; it changed nothing.",
        UpdateState::Cancelled => "It was cancelled and changed nothing.",
    }
}

/// The unit of a number of bags.
pub(crate) fn unit(number: impl Borrow<i64>) -> &'static str {
    if *number.borrow() == 1 { "bag" } else { "bags" }
}

/// A number of bags with its unit.
pub(crate) fn bags(number: impl Borrow<i64>) -> String {
    let number = *number.borrow();
    format!("{} {}", grouped(number), unit(number))
}

/// At how many bags a bean is low.
pub(crate) fn alert_line(alert_at: impl Borrow<Option<i64>>) -> String {
    alert_at.borrow().map_or_else(|| "none".to_owned(), grouped)
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
        MovementKind::Use => "Used",
        MovementKind::Received => "Received",
        MovementKind::Damaged => "Damaged",
        MovementKind::SentBack => "Sent back",
        MovementKind::Count => "Count",
        MovementKind::Correction => "Correction",
        MovementKind::Other => "Other change",
        MovementKind::Undo => "Undone",
        MovementKind::Removal => "Removal",
    }
}

/// What was unusual about a movement.
pub(crate) fn unusual(movement: &UnusualMovement) -> String {
    let UnusualMovement {
        kind,
        change_by,
        usual,
        ..
    } = movement;
    let difference = |bags: i64| match bags {
        0 => "none".to_owned(),
        1.. => format!("{} more", grouped(bags)),
        _ => format!("{} fewer", grouped(-bags)),
    };
    match kind {
        MovementKind::Use => format!(
            "{} used, usually about {}",
            bags(-change_by),
            grouped(-usual)
        ),
        MovementKind::Count => format!(
            "a count found {} than booked, usually {}",
            difference(*change_by),
            difference(*usual)
        ),
        _ => format!(
            "{} came in, usually about {}",
            bags(*change_by),
            grouped(*usual)
        ),
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
    fn a_browser_is_called_what_people_call_it() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 \
                     (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1";

        assert_eq!(browser(firefox), "Firefox on Linux");
        assert_eq!(browser(phone), "Safari on iPhone");
        assert_eq!(browser("<b>"), "Unknown browser");
    }

    #[test]
    fn an_update_says_what_it_does() {
        let delivery = Some(UpdateKind::Delivery);

        assert_eq!(what(delivery, Some(1)), "1 bag delivered");
        assert_eq!(what(delivery, Some(1_200)), "1,200 bags delivered");
        assert_eq!(what(None, None), "Could not be read");
    }
}
