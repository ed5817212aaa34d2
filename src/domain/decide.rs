//! The stock rule: what an update does to a bean, decided without touching anything.

use chrono::{DateTime, TimeDelta, Utc};

use super::reason::{Reason, Refusal};
use super::stock::{Immovable, MovementKind, Stock};
use super::update::{InventoryUpdate, StockChange};

/// What a permitted update does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The quantity moves (a count may move it by nothing).
    Move {
        /// Why.
        kind: MovementKind,
        after: Stock,
        /// When the bags moved or were counted.
        at: DateTime<Utc>,
    },
    /// Only the out-of-stock flag is set.
    Flag { after: Stock },
    /// Something newer already says otherwise; record it and change nothing.
    Superseded(Refusal),
}

/// Decides what `update`, arriving at `now`, does to a bean that stands at `stock`.
///
/// # Errors
/// A permanent [`Refusal`]: [`Reason::BelowZero`] or, past [`MAX_STOCK`](super::MAX_STOCK), [`Reason::BadQuantity`].
pub fn decide(
    stock: &Stock,
    update: &InventoryUpdate,
    now: DateTime<Utc>,
) -> Result<Decision, Refusal> {
    refuse_the_future(update, now)?;
    match update.change {
        // A count from the future is a wrong clock; it would overrule everything until then.
        StockChange::Count { bags, counted_at } => {
            Ok(decide_count(stock, bags.get(), counted_at.min(now)))
        }
        StockChange::OutOfStock => Ok(decide_out_of_stock(stock, update.moment(now))),
        StockChange::Delivery(bags) => {
            decide_movement(stock, MovementKind::Delivery, bags.get(), update, now)
        }
        StockChange::Return(bags) => {
            decide_movement(stock, MovementKind::Return, -bags.get(), update, now)
        }
    }
}

/// Clocks differ by minutes.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Bags that are announced for tomorrow are not on the shelf today.
fn refuse_the_future(update: &InventoryUpdate, now: DateTime<Utc>) -> Result<(), Refusal> {
    match update.occurred_at {
        Some(moment) if moment > now + CLOCK_TOLERANCE => Err(Refusal::new(
            Reason::Malformed,
            format!("It is dated {}, which is in the future.", readable(moment)),
        )),
        _ => Ok(()),
    }
}

fn readable(moment: DateTime<Utc>) -> impl std::fmt::Display {
    moment.format("%Y-%m-%d %H:%M:%S UTC")
}

fn decide_count(stock: &Stock, bags: i64, counted_at: DateTime<Utc>) -> Decision {
    if stock.moved_at.is_some_and(|moved_at| moved_at > counted_at) {
        return Decision::Superseded(Refusal::new(
            Reason::Superseded,
            "The stock has changed since these bags were counted, so the count was not used. \
             Count again if you doubt the number.",
        ));
    }
    Decision::Move {
        kind: MovementKind::Count,
        after: Stock {
            quantity: bags,
            moved_at: Some(counted_at),
            counted_at: Some(counted_at),
            ..*stock
        },
        at: counted_at,
    }
}

fn decide_out_of_stock(stock: &Stock, since: DateTime<Utc>) -> Decision {
    Decision::Flag {
        after: Stock {
            out_of_stock_since: Some(stock.out_of_stock_since.unwrap_or(since)),
            ..*stock
        },
    }
}

/// Tells that a count already includes an update or, where only the time of sending says so, what a
/// person needs to decide whether it does.
fn overtaken(
    update: &InventoryUpdate,
    moment: DateTime<Utc>,
    counted_at: DateTime<Utc>,
) -> Refusal {
    let counted = readable(counted_at);
    let explanation = if update.occurred_at.is_some() {
        format!(
            "The bags were counted at {counted}, after this is dated, so the count includes it."
        )
    } else {
        format!(
            "It does not say when the bags moved. It was sent at {}, and the bags were counted at \
             {counted}, so the count is taken to include it. If they moved after the count, correct \
             the stock by hand.",
            readable(moment)
        )
    };
    Refusal::new(Reason::Superseded, explanation)
}

fn decide_movement(
    stock: &Stock,
    kind: MovementKind,
    change_by: i64,
    update: &InventoryUpdate,
    now: DateTime<Utc>,
) -> Result<Decision, Refusal> {
    let moment = update.moment(now);
    if let Some(counted_at) = stock.counted_at.filter(|counted_at| *counted_at > moment) {
        return Ok(Decision::Superseded(overtaken(update, moment, counted_at)));
    }
    let moved = stock.moved(change_by, now);
    let after = moved.map_err(|immovable| refuse_movement(stock, change_by, immovable))?;
    let arrived = kind == MovementKind::Delivery;
    Ok(Decision::Move {
        kind,
        after: Stock {
            out_of_stock_since: stock.out_of_stock_since.filter(|_| !arrived),
            ..after
        },
        at: moment.min(now),
    })
}

fn refuse_movement(stock: &Stock, change_by: i64, immovable: Immovable) -> Refusal {
    match immovable {
        Immovable::BelowZero => Refusal::new(
            Reason::BelowZero,
            format!(
                "Returning {} bags would leave {}: only {} are in stock. Correct the number and send it \
                 again.",
                -change_by,
                stock.quantity.saturating_add(change_by),
                stock.quantity
            ),
        ),
        Immovable::AboveMost => Refusal::new(
            Reason::BadQuantity,
            format!(
                "Adding {change_by} bags would make more than a billion, the most there can be."
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        Bags, BeanId, BeanStock, BeanType, Cause, MAX_STOCK, SupplierId, UpdateId,
    };

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        noon() + TimeDelta::minutes(minutes)
    }

    fn stock(quantity: i64) -> Stock {
        Stock {
            quantity,
            moved_at: Some(noon()),
            counted_at: None,
            out_of_stock_since: None,
        }
    }

    fn update(change: StockChange) -> InventoryUpdate {
        InventoryUpdate {
            id: UpdateId::generate(),
            supplier: SupplierId(1),
            bean_type: BeanType::parse("Arabica").unwrap(),
            change,
            occurred_at: None,
            sent_at: None,
            reference: None,
            note: None,
        }
    }

    fn bags(n: i64) -> Bags {
        Bags::counted(n).unwrap()
    }

    fn quantity_after(decision: &Decision) -> i64 {
        match decision {
            Decision::Move { after, .. } | Decision::Flag { after } => after.quantity,
            Decision::Superseded(_) => panic!("superseded"),
        }
    }

    #[test]
    fn a_delivery_adds_and_ends_out_of_stock() {
        let mut empty = stock(200);
        empty.out_of_stock_since = Some(noon());

        let decision = decide(&empty, &update(StockChange::Delivery(bags(9))), at(1)).unwrap();

        let Decision::Move { after, .. } = decision else {
            panic!("{decision:?}")
        };
        assert_eq!(after.quantity, 209);
        assert_eq!(after.out_of_stock_since, None);
        assert_eq!(after.moved_at, Some(at(1)));
    }

    #[test]
    fn a_return_never_leaves_less_than_nothing() {
        let all = decide(&stock(5), &update(StockChange::Return(bags(5))), at(1)).unwrap();
        let refusal = decide(&stock(5), &update(StockChange::Return(bags(6))), at(1)).unwrap_err();

        assert_eq!(quantity_after(&all), 0);
        assert_eq!(refusal.reason, Reason::BelowZero);
        assert_eq!(
            refusal.explanation,
            "Returning 6 bags would leave -1: only 5 are in stock. Correct the number and send it again."
        );
    }

    #[test]
    fn out_of_stock_changes_no_bags() {
        let decision = decide(&stock(5), &update(StockChange::OutOfStock), at(1)).unwrap();

        assert_eq!(quantity_after(&decision), 5);
    }

    #[test]
    fn a_count_sets_unless_the_stock_moved_later() {
        let count = |minutes| {
            update(StockChange::Count {
                bags: bags(40),
                counted_at: at(minutes),
            })
        };

        let fresh = decide(&stock(5), &count(1), at(2)).unwrap();
        let stale = decide(&stock(5), &count(-1), at(2)).unwrap();

        assert_eq!(quantity_after(&fresh), 40);
        assert!(matches!(stale, Decision::Superseded(_)));
    }

    #[test]
    fn a_count_from_the_future_is_taken_as_of_now() {
        let count = update(StockChange::Count {
            bags: bags(40),
            counted_at: at(90_000),
        });

        let Ok(Decision::Move { after, .. }) = decide(&stock(5), &count, at(2)) else {
            panic!("it is used");
        };

        assert_eq!((after.quantity, after.counted_at), (40, Some(at(2))));
    }

    #[test]
    fn the_time_of_sending_stands_in_for_the_time_it_happened() {
        let mut counted = stock(40);
        counted.counted_at = Some(at(10));
        let sent = |minutes| {
            let mut update = update(StockChange::Delivery(bags(9)));
            update.sent_at = Some(at(minutes));
            decide(&counted, &update, at(12)).unwrap()
        };

        let Decision::Superseded(refusal) = sent(-50) else {
            panic!("the count includes it");
        };
        assert!(
            refusal
                .explanation
                .contains("If they moved after the count"),
            "{refusal}"
        );
        assert_eq!(quantity_after(&sent(11)), 49);
        assert_eq!(
            quantity_after(&sent(9_000)),
            49,
            "a wrong clock is no reason to refuse"
        );
    }

    #[test]
    fn no_delivery_may_be_dated_in_the_future() {
        let mut early = update(StockChange::Delivery(bags(1)));
        early.occurred_at = Some(at(60));

        let refusal = decide(&stock(5), &early, at(0)).unwrap_err();

        assert_eq!(refusal.reason, Reason::Malformed);
    }

    #[test]
    fn a_delivery_dated_before_a_count_is_already_in_it() {
        let mut counted = stock(40);
        counted.counted_at = Some(at(10));
        let mut early = update(StockChange::Delivery(bags(3)));
        early.occurred_at = Some(at(9));
        let mut late = early.clone();
        late.occurred_at = Some(at(11));

        let superseded = decide(&counted, &early, at(12)).unwrap();
        let added = decide(&counted, &late, at(12)).unwrap();

        assert!(matches!(superseded, Decision::Superseded(_)));
        assert_eq!(quantity_after(&added), 43);
    }

    proptest! {
        #[test]
        fn stock_is_never_negative_and_always_explained(
            opening in 0..=MAX_STOCK,
            steps in prop::collection::vec((0..4u8, 0..=Bags::MAX, -90..90i64), 0..60),
        ) {
            let mut current = BeanStock { stock: stock(opening), ..BeanStock::empty(BeanId(1)) };
            let mut sum = opening;
            for (kind, n, minutes) in steps {
                let change = match kind {
                    0 => StockChange::Delivery(bags(n)),
                    1 => StockChange::Return(bags(n)),
                    2 => StockChange::OutOfStock,
                    _ => StockChange::Count { bags: bags(n), counted_at: at(minutes) },
                };
                match decide(&current.stock, &update(change), at(minutes)) {
                    Ok(Decision::Move { kind, after, at }) => {
                        prop_assert!(after.moved_at >= current.stock.moved_at);
                        sum += current.book(kind, after, at, Cause::default()).change_by;
                        prop_assert_eq!(after.quantity, sum);
                        prop_assert!((0..=MAX_STOCK).contains(&after.quantity));
                    }
                    Ok(Decision::Flag { after }) => {
                        prop_assert_eq!(after.quantity, current.stock.quantity);
                        current.stock = after;
                    }
                    Ok(Decision::Superseded(_)) | Err(_) => {}
                }
            }
        }

        #[test]
        fn deliveries_give_the_same_sum_in_any_order(
            mut amounts in prop::collection::vec(1..=Bags::MAX, 1..20),
            seed in any::<u64>(),
        ) {
            let total = |amounts: &[i64]| amounts.iter().fold(stock(0), |current, n| {
                match decide(&current, &update(StockChange::Delivery(bags(*n))), at(1)) {
                    Ok(Decision::Move { after, .. }) => after,
                    other => panic!("{other:?}"),
                }
            }).quantity;
            let before = total(&amounts);

            fastrand::Rng::with_seed(seed).shuffle(&mut amounts);

            prop_assert_eq!(total(&amounts), before);
        }
    }
}
