//! What the café does at its shelf, decided without touching anything: adjusting, counting, undoing.

use chrono::{DateTime, Utc};

use super::stock::{Immovable, MovementKind, Stock};

/// Why staff change the number of bags by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// Bags came in that no update told of.
    Received,
    Damaged,
    /// Bags went back to the supplier that no update told of.
    SentBack,
    /// The number was wrong.
    Correction,
    Other,
}

impl Adjustment {
    /// The movement it makes.
    pub fn kind(self) -> MovementKind {
        match self {
            Self::Received => MovementKind::Received,
            Self::Damaged => MovementKind::Damaged,
            Self::SentBack => MovementKind::SentBack,
            Self::Correction => MovementKind::Correction,
            Self::Other => MovementKind::Other,
        }
    }
}

/// Why a count is not booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncountable {
    /// The bean was counted again since.
    CountedSince(DateTime<Utc>),
    /// With what moved since, there would be fewer bags than none, or more than there can be.
    Immovable(Immovable),
}

/// Sets the stock as of a moment at which so many bags were counted; what `moved_since`, by when the bags
/// moved, stays on top.
///
/// # Errors
/// [`Uncountable`] if a later count says otherwise, or what moved since does not fit the number.
pub fn count(
    stock: &Stock,
    bags: i64,
    counted_at: DateTime<Utc>,
    moved_since: i64,
) -> Result<Stock, Uncountable> {
    if let Some(later) = stock.counted_at.filter(|other| *other > counted_at) {
        return Err(Uncountable::CountedSince(later));
    }
    let counted = Stock {
        quantity: bags,
        counted_at: Some(counted_at),
        ..*stock
    };
    counted
        .moved(moved_since, counted_at)
        .map_err(Uncountable::Immovable)
}

/// A movement that somebody wants to take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undoable {
    pub kind: MovementKind,
    pub change_by: i64,
    pub occurred_at: DateTime<Utc>,
    /// Whether an update caused it.
    pub is_of_update: bool,
    pub is_undone: bool,
    /// For a count: whether it is the newest, and when the one before it was made.
    pub newest_count: Option<Option<DateTime<Utc>>>,
}

/// Why a movement is not taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Final {
    Undone,
    /// It takes back another one, or belongs to the end of a bean.
    NotUndoable,
    /// What an update did is corrected with an update, so that its supplier is told.
    OfUpdate,
    /// A count since then says how many bags there were, whatever had moved before.
    Counted,
    Immovable(Immovable),
}

/// Takes a movement back: the stock as it would be without it. A count gives way to the one before it.
///
/// # Errors
/// [`Final`] if that is not possible, or would change nothing.
pub fn undo(stock: &Stock, movement: &Undoable, now: DateTime<Utc>) -> Result<Stock, Final> {
    if movement.is_undone {
        return Err(Final::Undone);
    }
    let counted_at = match movement.kind {
        MovementKind::Undo | MovementKind::Removal => return Err(Final::NotUndoable),
        MovementKind::Delivery | MovementKind::Return if movement.is_of_update => {
            return Err(Final::OfUpdate);
        }
        MovementKind::Count => movement.newest_count.ok_or(Final::Counted)?,
        _ => match stock.counted_at {
            Some(counted_at) if counted_at >= movement.occurred_at => return Err(Final::Counted),
            counted_at => counted_at,
        },
    };
    let moved = stock.moved(movement.change_by.saturating_neg(), now);
    Ok(Stock {
        counted_at,
        ..moved.map_err(Final::Immovable)?
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{BeanId, BeanStock, Cause};

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    fn stock(quantity: i64) -> Stock {
        Stock {
            quantity,
            ..Stock::default()
        }
    }

    fn movement(kind: MovementKind, change_by: i64, minute: i64) -> Undoable {
        Undoable {
            kind,
            change_by,
            occurred_at: at(minute),
            is_of_update: false,
            is_undone: false,
            newest_count: None,
        }
    }

    #[test]
    fn what_moved_after_bags_were_counted_stays_on_top() {
        let counted = count(&stock(50), 40, at(0), 12 - 3).unwrap();

        assert_eq!(counted.quantity, 49);
        assert_eq!(counted.counted_at, Some(at(0)));
    }

    #[test]
    fn a_count_gives_way_to_a_later_one() {
        let counted = count(&stock(50), 40, at(10), 0).unwrap();

        assert_eq!(
            count(&counted, 41, at(5), 0),
            Err(Uncountable::CountedSince(at(10)))
        );
    }

    #[test]
    fn more_cannot_have_been_used_since_a_count_than_there_was() {
        assert_eq!(
            count(&stock(50), 2, at(0), -3),
            Err(Uncountable::Immovable(Immovable::BelowZero))
        );
    }

    #[test]
    fn what_a_count_covers_is_not_undone() {
        let counted = count(&stock(50), 40, at(10), 0).unwrap();

        let before = movement(MovementKind::Use, -2, 5);
        let after = movement(MovementKind::Use, -2, 15);
        assert_eq!(undo(&counted, &before, at(20)), Err(Final::Counted));
        assert_eq!(undo(&counted, &after, at(20)).unwrap().quantity, 42);
    }

    #[test]
    fn undoing_a_count_restores_the_count_before_it() {
        let first = count(&stock(50), 40, at(0), 0).unwrap();
        let second = count(&first, 30, at(10), 0).unwrap();
        let counted = Undoable {
            newest_count: Some(Some(at(0))),
            ..movement(MovementKind::Count, -10, 10)
        };

        assert_eq!(
            undo(&second, &counted, at(20)).unwrap(),
            Stock {
                moved_at: Some(at(20)),
                ..first
            }
        );
    }

    #[test]
    fn what_an_update_did_is_corrected_with_an_update() {
        let delivered = Undoable {
            is_of_update: true,
            ..movement(MovementKind::Delivery, 12, 5)
        };

        assert_eq!(undo(&stock(50), &delivered, at(20)), Err(Final::OfUpdate));
    }

    proptest! {
        /// Whatever happens at the shelf, taking the newest of it back gives the number of before.
        #[test]
        fn the_newest_movement_can_always_be_taken_back(
            opening in 0..1_000i64,
            bags in 0..1_000i64,
            by in -1_000..1_000i64,
        ) {
            let mut bean = BeanStock { stock: stock(opening), ..BeanStock::empty(BeanId(1)) };
            for after in [bean.stock.moved(by, at(1)).ok(), count(&bean.stock, bags, at(1), 0).ok()] {
                let Some(after) = after else { continue };
                let before = bean.stock;
                let is_count = after.counted_at != before.counted_at;
                let kind = if is_count { MovementKind::Count } else { MovementKind::Other };
                let booked = bean.book(kind, after, at(1), Cause::default());
                let undoable = Undoable {
                    newest_count: is_count.then_some(before.counted_at),
                    ..movement(kind, booked.change_by, 1)
                };
                let restored = undo(&bean.stock, &undoable, at(2)).unwrap();
                prop_assert_eq!(restored.quantity, before.quantity);
                prop_assert_eq!(restored.counted_at, before.counted_at);
                bean.stock = before;
            }
        }
    }
}
