//! The picture of a bean's stock over time, as numbers a template can draw.
//!
//! Coordinates are whole: the width and height of the drawing are [`WIDTH`] and [`HEIGHT`].

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::page::grouped;
use super::wording::bags;
use crate::db::movements::MovementLine;
use crate::domain::{MAX_STOCK, MovementKind};

const WIDTH: i64 = 1_000;
const HEIGHT: i64 = 400;

/// A step line of stock over time.
#[derive(Debug)]
pub(crate) struct StepChart {
    pub(crate) line: String,
    /// The line, closed along the ground.
    pub(crate) area: String,
    /// What the top of the drawing stands for.
    pub(crate) top: i64,
    /// The height of the alert line, and what it stands for, if it is within the drawing.
    pub(crate) alert: Option<(i64, i64)>,
    /// Strokes where bags were counted; empty for none.
    pub(crate) counts: String,
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    /// What the picture shows, in words.
    pub(crate) summary: String,
}

impl StepChart {
    /// Draws movements that are given newest first, up to `now`; nothing for no movements.
    pub(crate) fn new(
        movements: &[MovementLine],
        alert_at: Option<i64>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let (last, first) = (movements.first()?, movements.last()?);
        let start = match first.sequence {
            1 => first.quantity_after,
            _ => first.quantity_after - first.change_by,
        };
        let levels = || movements.iter().map(|m| m.quantity_after).chain([start]);
        let (low, high) = (levels().min()?, levels().max()?);
        let top = round_up(high.max(alert_at.unwrap_or(0)));
        let until = now.max(last.created_at);
        let span = (until - first.created_at).num_milliseconds().max(1);
        let x = |at: DateTime<Utc>| (at - first.created_at).num_milliseconds() * WIDTH / span;
        let y = |level: i64| HEIGHT - level * HEIGHT / top;

        let (mut line, mut counts) = (format!("M0 {}", y(start)), String::new());
        for movement in movements.iter().rev() {
            let (x, y) = (x(movement.created_at), y(movement.quantity_after));
            // Writing to a string cannot fail.
            let _ok = write!(line, "H{x}V{y}");
            if movement.kind == MovementKind::Count {
                let _ok = write!(counts, "M{x} {}v28", y - 14);
            }
        }
        let _ok = write!(line, "H{WIDTH}");
        Some(Self {
            area: format!("{line}V{HEIGHT}H0Z"),
            line,
            counts,
            alert: alert_at.map(|bags| (y(bags), bags)),
            top,
            from: first.created_at,
            until,
            summary: summary(start, last.quantity_after, low, high),
        })
    }

    /// What the middle of the drawing stands for.
    pub(crate) fn middle(&self) -> i64 {
        self.top / 2
    }
}

fn summary(start: i64, end: i64, low: i64, high: i64) -> String {
    let movement = match end - start {
        0 => format!("Stands at {}, as at the start.", bags(end)),
        more if more > 0 => format!("Rose from {} to {}.", grouped(start), bags(end)),
        _ => format!("Fell from {} to {}.", grouped(start), bags(end)),
    };
    format!(
        "{movement} Lowest {}, highest {}.",
        grouped(low),
        grouped(high)
    )
}

/// The next round number that is not below a level, and whose half is whole.
pub(super) fn round_up(level: i64) -> i64 {
    const SMALL: [i64; 4] = [2, 4, 6, 8];
    const STEPS: [i64; 10] = [10, 12, 14, 16, 20, 30, 40, 50, 60, 80];
    let decades = (0..9).map(|power| 10_i64.pow(power));
    let large = decades.flat_map(|decade| STEPS.map(|step| step * decade));
    SMALL
        .into_iter()
        .chain(large)
        .find(|top| *top >= level)
        .unwrap_or(MAX_STOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + second, 0).unwrap()
    }

    fn movement(sequence: i64, second: i64, change_by: i64, quantity_after: i64) -> MovementLine {
        MovementLine {
            sequence,
            by: None,
            undoes: None,
            undone_by: None,
            occurred_at: at(second),
            kind: crate::domain::MovementKind::Delivery,
            change_by,
            quantity_after,
            update: None,
            reason: None,
            created_at: at(second),
        }
    }

    #[test]
    fn stock_goes_in_steps_from_the_first_movement_until_now() {
        let newest_first = [movement(2, 50, 10, 20), movement(1, 0, 10, 10)];

        let chart = StepChart::new(&newest_first, None, at(100)).unwrap();

        assert_eq!(chart.top, 20);
        assert_eq!(chart.line, "M0 200H0V200H500V0H1000");
        assert_eq!(
            chart.summary,
            "Rose from 10 to 20 bags. Lowest 10, highest 20."
        );
    }

    #[test]
    fn a_later_part_of_the_ledger_starts_with_what_was_there_before() {
        let chart = StepChart::new(&[movement(7, 0, -5, 5)], None, at(10)).unwrap();

        assert!(chart.line.starts_with("M0 0H0V200"), "{}", chart.line);
    }

    #[test]
    fn a_single_movement_of_nothing_can_be_drawn() {
        let chart = StepChart::new(&[movement(1, 0, 0, 0)], None, at(0)).unwrap();

        assert_eq!(chart.line, "M0 400H0V400H1000");
        assert!(StepChart::new(&[], None, at(0)).is_none());
    }

    #[test]
    fn the_top_is_a_round_number() {
        for (level, top) in [
            (0, 2),
            (3, 4),
            (209, 300),
            (1_000, 1_000),
            (1_288, 1_400),
            (MAX_STOCK, MAX_STOCK),
        ] {
            assert_eq!(round_up(level), top);
        }
    }
}
