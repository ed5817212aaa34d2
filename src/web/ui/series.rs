//! Pictures of what happened over time, as numbers a template can draw: columns, and lines with gaps.
//!
//! Coordinates are whole: a drawing is [`WIDTH`] wide and [`HEIGHT`] high.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::chart::round_up;
use super::page::grouped;

const WIDTH: i64 = 1_000;
const HEIGHT: i64 = 400;

/// What happened in one span of time; `None` where nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) label: String,
    /// When it began.
    pub(crate) at: DateTime<Utc>,
    pub(crate) good: Option<i64>,
    pub(crate) bad: Option<i64>,
}

/// Columns side by side, the bad on top of the good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bars {
    pub(crate) columns: Vec<Column>,
    /// What the top of the drawing stands for.
    pub(crate) top: i64,
}

/// A column's place in the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) x: i64,
    pub(crate) width: i64,
    pub(crate) good_y: i64,
    pub(crate) good_height: i64,
    pub(crate) bad_y: i64,
    pub(crate) bad_height: i64,
    /// Whether nobody knows what happened then.
    pub(crate) is_gap: bool,
}

impl Bars {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let sum = |column: &Column| column.good.unwrap_or(0) + column.bad.unwrap_or(0);
        let highest = columns.iter().map(sum).max().unwrap_or(0);
        Self {
            columns,
            top: round_up(highest),
        }
    }

    pub(crate) fn total_good(&self) -> i64 {
        self.columns.iter().filter_map(|column| column.good).sum()
    }

    pub(crate) fn total_bad(&self) -> i64 {
        self.columns.iter().filter_map(|column| column.bad).sum()
    }

    pub(crate) fn middle(&self) -> i64 {
        self.top / 2
    }

    /// The columns' places.
    pub(crate) fn drawn(&self) -> Vec<Bar> {
        let number = i64::try_from(self.columns.len()).unwrap_or(1).max(1);
        let (step, gap) = (WIDTH / number, WIDTH / number / 5);
        let height = |value: i64| {
            // What there is can be seen, be it ever so little.
            let exact = value * HEIGHT / self.top.max(1);
            exact.max(i64::from(value > 0) * 4)
        };
        let bar = |(place, column): (i64, &Column)| {
            let good_height = height(column.good.unwrap_or(0));
            let bad_height = height(column.bad.unwrap_or(0));
            Bar {
                x: place * step + gap / 2,
                width: step - gap,
                good_y: HEIGHT - good_height,
                good_height,
                bad_y: HEIGHT - good_height - bad_height,
                bad_height,
                is_gap: column.good.is_none(),
            }
        };
        (0..).zip(&self.columns).map(bar).collect()
    }

    /// The first column and the last.
    pub(crate) fn ends(&self) -> Option<[&Column; 2]> {
        Some([self.columns.first()?, self.columns.last()?])
    }
}

/// A line of values at whole places; where no value is known, it is interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepLine {
    pub(crate) path: String,
    pub(crate) top: i64,
    pub(crate) highest: i64,
    /// The newest value.
    pub(crate) last: i64,
}

impl StepLine {
    /// Draws values by their places, ascending, out of so many.
    pub(crate) fn new(values: impl Iterator<Item = (i64, i64)>, places: i64) -> Self {
        let values: Vec<(i64, i64)> = values.collect();
        let highest = values.iter().map(|(_, value)| *value).max().unwrap_or(0);
        let top = round_up(highest);
        let x = |place: i64| place * WIDTH / places.max(1);
        let y = |value: i64| HEIGHT - value * HEIGHT / top.max(1);
        let (mut path, mut expected) = (String::new(), None);
        for &(place, value) in &values {
            // Writing to a string cannot fail.
            let _ok = if expected == Some(place) {
                write!(path, "V{}H{}", y(value), x(place + 1))
            } else {
                write!(path, "M{} {}H{}", x(place), y(value), x(place + 1))
            };
            expected = Some(place + 1);
        }
        Self {
            path,
            top,
            highest,
            last: values.last().map_or(0, |(_, value)| *value),
        }
    }

    pub(crate) fn highest_in_words(&self) -> String {
        grouped(self.highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(good: Option<i64>, bad: i64) -> Column {
        Column {
            label: String::new(),
            at: DateTime::UNIX_EPOCH,
            good,
            bad: good.map(|_| bad),
        }
    }

    #[test]
    fn columns_stand_on_the_ground_and_the_bad_is_on_top() {
        let bars = Bars::new(vec![column(Some(6), 2), column(None, 0)]);

        let drawn = bars.drawn();
        assert_eq!((bars.top, bars.total_good(), bars.total_bad()), (8, 6, 2));
        assert_eq!((drawn[0].good_y, drawn[0].good_height), (100, 300));
        assert_eq!((drawn[0].bad_y, drawn[0].bad_height), (0, 100));
        assert!(drawn[1].is_gap && !drawn[0].is_gap);
    }

    #[test]
    fn a_line_is_interrupted_where_nothing_is_known() {
        let line = StepLine::new([(0, 0), (1, 2), (5, 1)].into_iter(), 10);

        assert_eq!(line.path, "M0 400H100V0H200M500 200H600");
        assert_eq!((line.highest, line.last), (2, 1));
    }
}
