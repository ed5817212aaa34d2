//! Sparklines: how a bean's stock went in the last week, as small as a word (Tufte, "Beautiful Evidence").

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::page::grouped;

/// What a sparkline shows.
pub(crate) const SHOWN: TimeDelta = TimeDelta::days(7);

/// Each of its steps stands for so many seconds: six hours.
pub(crate) const SPAN: i64 = 6 * 3_600;

const STEPS: i64 = 28;
const WIDTH: i64 = 112;
const HEIGHT: i64 = 24;

/// A sparkline, in a drawing of 112 by 24.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spark {
    pub(crate) line: String,
    /// What it shows, in words; empty if nothing moved.
    pub(crate) words: String,
}

impl Spark {
    /// Draws the stock that is `now` so many bags, from by how many it changed in which steps, ascending.
    pub(crate) fn new(now: i64, changes: &[(i64, i64)]) -> Self {
        let total: i64 = changes.iter().map(|(_, change_by)| change_by).sum();
        let (mut level, mut levels) = (now - total, Vec::new());
        let start = level;
        for step in 0..STEPS {
            let of_step = changes.iter().filter(|(place, _)| *place == step);
            level += of_step.map(|(_, change_by)| change_by).sum::<i64>();
            levels.push(level);
        }
        let (low, high) = levels.iter().fold((start, start), |(low, high), level| {
            (low.min(*level), high.max(*level))
        });
        // One that did not move lies in the middle.
        let y = |level: i64| match high - low {
            0 => HEIGHT / 2,
            span => HEIGHT - 2 - (level - low) * (HEIGHT - 4) / span,
        };
        let mut line = format!("M0 {}", y(start));
        for (place, level) in (1..).zip(&levels) {
            // Writing to a string cannot fail.
            let _ok = write!(line, "V{}H{}", y(*level), place * WIDTH / STEPS);
        }
        let words = if changes.is_empty() {
            String::new()
        } else {
            format!(
                "Seven days: from {} to {}, lowest {}",
                grouped(start),
                grouped(now),
                grouped(low)
            )
        };
        Self { line, words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_ends_at_the_stock_of_now() {
        let spark = Spark::new(10, &[(0, -4), (27, 8)]);
        let still = Spark::new(10, &[]);

        assert!(spark.line.starts_with("M0 12V22H4"), "{}", spark.line);
        assert!(spark.line.ends_with("V2H112"), "{}", spark.line);
        assert_eq!(spark.words, "Seven days: from 6 to 10, lowest 2");
        assert_eq!(still.words, "");
    }
}
