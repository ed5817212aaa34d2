//! For how long beans will last, in words, with what that is known from.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::page::grouped;
use crate::domain::Usage;

/// Uses and counts of so many days are looked at.
pub(crate) const WATCHED: TimeDelta = TimeDelta::days(28);

/// For how long a bean will last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lasting {
    /// In whole days; `None` if nobody knows, or none are used.
    pub(crate) days: Option<i64>,
    /// The same in words.
    pub(crate) words: String,
    /// What that is known from.
    pub(crate) basis: String,
}

impl Lasting {
    pub(crate) fn new(bags: i64, usage: Option<&Usage>, now: DateTime<Utc>, zone: Tz) -> Self {
        let (uses, counts) = usage.map_or((0, 0), |usage| (usage.uses, usage.counts));
        let Some(rate) = usage.and_then(|usage| usage.run_rate(now)) else {
            return Self {
                days: None,
                words: "not enough data".to_owned(),
                basis: format!(
                    "{} and {} in the last 28 days; it takes 10 uses or 2 counts, and three days.",
                    many(uses, "use"),
                    many(counts, "count")
                ),
            };
        };
        let days = rate.days_left(bags);
        let words = match days {
            _ if bags == 0 => "none left".to_owned(),
            None => "not being used".to_owned(),
            Some(0) => "less than a day".to_owned(),
            Some(days @ 1..=999) => format!("about {}", many(days, "day")),
            Some(_) => "more than 999 days".to_owned(),
        };
        let since = rate.since.with_timezone(&zone).format("%-d %b");
        let tenths = rate.tenths_a_week;
        // Whoever uses hundreds of bags does not mind a tenth of one.
        let a_week = match tenths % 10 {
            0 => grouped(tenths / 10),
            _ if tenths >= 1_000 => grouped((tenths + 5) / 10),
            rest => format!("{}.{rest}", tenths / 10),
        };
        Self {
            days: days.filter(|_| bags > 0),
            words,
            basis: format!(
                "{a_week} bags a week, from {} and {} since {since}.",
                many(rate.uses, "use"),
                many(rate.counts, "count")
            ),
        }
    }
}

fn many(number: i64, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {what}{s}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_says_what_it_is_known_from() {
        let now = DateTime::from_timestamp(1_795_344_127, 0).unwrap();
        let usage = Usage {
            uses: 12,
            used: 18,
            since: now - TimeDelta::days(14),
            counts: 1,
            first_count: None,
            gone_since: 0,
        };

        let known = Lasting::new(20, Some(&usage), now, Tz::UTC);
        let unknown = Lasting::new(20, None, now, Tz::UTC);

        assert_eq!(known.words, "about 15 days");
        assert_eq!(
            known.basis,
            "9 bags a week, from 12 uses and 1 count since 8 Nov."
        );
        assert_eq!(unknown.words, "not enough data");
        assert_eq!(
            Lasting::new(0, Some(&usage), now, Tz::UTC).words,
            "none left"
        );
    }
}
