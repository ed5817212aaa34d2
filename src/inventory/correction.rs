//! Corrections: an update that was applied stays as it is, and another one carries the difference.

use chrono::{DateTime, Utc};

use crate::db::update_lists::UpdateLine;
use crate::domain::{Bags, InvalidBags, StockChange, UpdateKind, UpdateState};

/// How many bags a delivery or return stands for that was applied, with what corrected it since. `None` if it
/// is something else, is a correction itself, or has a correction that has not ended.
pub fn bags_so_far(update: &UpdateLine, followers: &[UpdateLine]) -> Option<i64> {
    if update.state != UpdateState::Applied || update.is_correction() {
        return None;
    }
    let sign = sign(update.kind?)?;
    let mut bags = update.quantity?;
    for follower in followers.iter().filter(|other| other.is_correction()) {
        match follower.state {
            // A count that includes the bags includes what they really were.
            UpdateState::Applied | UpdateState::Superseded => {
                bags += sign * self::sign(follower.kind?)? * follower.quantity?;
            }
            state if state.is_final() => {}
            _ => return None,
        }
    }
    Some(bags)
}

fn sign(kind: UpdateKind) -> Option<i64> {
    match kind {
        UpdateKind::Delivery => Some(1),
        UpdateKind::Return => Some(-1),
        UpdateKind::OutOfStock | UpdateKind::Count => None,
    }
}

/// What turns so many bags of a delivery or return into so many others; `None` if nothing does, because they
/// are as many or `kind` moves no bags.
pub fn difference(
    kind: UpdateKind,
    from: i64,
    to: i64,
) -> Option<Result<StockChange, InvalidBags>> {
    let change = sign(kind)? * to.saturating_sub(from);
    let bags = Bags::new(change.abs());
    match change {
        0 => None,
        1.. => Some(bags.map(StockChange::Delivery)),
        _ => Some(bags.map(StockChange::Return)),
    }
}

/// When the bags moved: a correction counts from then, so that a count made since includes it as well.
pub fn moved_at(update: &UpdateLine) -> DateTime<Utc> {
    let sent_at = update.sent_at.unwrap_or(update.accepted_at);
    update
        .occurred_at
        .unwrap_or_else(|| sent_at.min(update.accepted_at))
}
