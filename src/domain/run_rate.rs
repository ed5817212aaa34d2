//! How fast a bean is used, and for how long it will last.

use chrono::{DateTime, TimeDelta, Utc};

/// What is known of how a bean was used in the last weeks. Corrections and what was taken back count nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How often bags were used, and how many in all.
    pub uses: i64,
    pub used: i64,
    /// Since when uses are known: the first movement, or the beginning of the weeks.
    pub since: DateTime<Utc>,
    /// How often the bean was counted.
    pub counts: i64,
    /// When it was counted first, and what went since: bags used, and those that later counts found missing.
    pub first_count: Option<DateTime<Utc>>,
    pub gone_since: i64,
}

/// Bags that were used, or that a count found missing; negative if it found more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    pub bags: i64,
    pub at: DateTime<Utc>,
    /// Whether a count says so, not a use.
    pub is_count: bool,
}

/// How fast a bean is used, and what that is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunRate {
    /// Bags in tenths a week.
    pub tenths_a_week: i64,
    pub since: DateTime<Utc>,
    pub uses: i64,
    pub counts: i64,
}

/// Fewer uses say little.
const ENOUGH_USES: i64 = 10;
/// One count says nothing of what went between counts.
const ENOUGH_COUNTS: i64 = 2;

/// What is known from less is not carried on into weeks.
const ENOUGH_TIME: TimeDelta = TimeDelta::days(3);

const WEEK: i64 = 7 * 24 * 3_600;

impl Usage {
    /// Sums up what went since a moment.
    pub fn of(gone: &[Gone], since: DateTime<Utc>) -> Self {
        let counts = || gone.iter().filter(|gone| gone.is_count);
        let uses = || gone.iter().filter(|gone| !gone.is_count);
        let first_count = counts().map(|count| count.at).min();
        let later = |gone: &&Gone| first_count.is_some_and(|first| gone.at > first);
        Self {
            uses: length(uses()),
            used: uses().map(|used| used.bags).sum(),
            since,
            counts: length(counts()),
            first_count,
            gone_since: gone.iter().filter(later).map(|gone| gone.bags).sum(),
        }
    }

    /// How fast the bean is used; `None` if there is not enough to tell from.
    ///
    /// Two counts or more tell all that went since the first of them; without them, ten uses or more do. One busy
    /// morning says nothing: it takes three days besides.
    pub fn run_rate(&self, now: DateTime<Utc>) -> Option<RunRate> {
        let (since, gone) = match self.first_count {
            Some(first) if self.counts >= ENOUGH_COUNTS => (first, self.gone_since),
            _ if self.uses >= ENOUGH_USES => (self.since, self.used),
            _ => return None,
        };
        let watched = now - since;
        if watched < ENOUGH_TIME {
            return None;
        }
        let seconds = watched.num_seconds();
        Some(RunRate {
            tenths_a_week: gone.max(0).saturating_mul(10 * WEEK) / seconds,
            since,
            uses: self.uses,
            counts: self.counts,
        })
    }
}

fn length<T>(of: impl Iterator<Item = T>) -> i64 {
    i64::try_from(of.count()).unwrap_or(i64::MAX)
}

impl RunRate {
    /// For how many whole days so many bags last; `None` if none are used.
    pub fn days_left(&self, bags: i64) -> Option<i64> {
        let days = bags.saturating_mul(70).checked_div(self.tenths_a_week);
        days.filter(|_| self.tenths_a_week > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn usage(times: i64, bags: i64) -> Usage {
        Usage {
            uses: times,
            used: bags,
            since: now() - TimeDelta::days(14),
            counts: 0,
            first_count: None,
            gone_since: 0,
        }
    }

    #[test]
    fn ten_uses_or_two_counts_are_enough() {
        let counted = |counts| Usage {
            counts,
            first_count: Some(now() - TimeDelta::days(7)),
            gone_since: 21,
            ..usage(3, 4)
        };

        assert_eq!(usage(9, 30).run_rate(now()), None);
        assert_eq!(counted(1).run_rate(now()), None);
        let by_uses = usage(10, 30).run_rate(now()).unwrap();
        let by_counts = counted(2).run_rate(now()).unwrap();
        assert_eq!(
            (by_uses.tenths_a_week, by_uses.days_left(30)),
            (150, Some(14))
        );
        assert_eq!(
            (by_counts.tenths_a_week, by_counts.days_left(30)),
            (210, Some(10))
        );
    }

    #[test]
    fn what_went_since_the_first_count_is_what_was_used_and_what_was_missing() {
        let gone = |days: i64, bags, is_count| Gone {
            bags,
            at: now() - TimeDelta::days(days),
            is_count,
        };

        let usage = Usage::of(
            &[
                gone(9, 2, false),
                gone(8, 100, true),
                gone(5, 3, false),
                gone(1, 4, true),
            ],
            now(),
        );

        assert_eq!((usage.uses, usage.used, usage.counts), (2, 5, 2));
        assert_eq!(usage.first_count, Some(now() - TimeDelta::days(8)));
        assert_eq!(usage.gone_since, 7, "what the first count found is older");
    }

    #[test]
    fn what_is_not_used_lasts() {
        let found = Usage {
            counts: 2,
            first_count: Some(now() - TimeDelta::days(7)),
            gone_since: -4,
            ..usage(0, 0)
        };

        assert_eq!(found.run_rate(now()).unwrap().days_left(30), None);
    }

    #[test]
    fn a_busy_morning_says_nothing() {
        let busy = |since| Usage {
            since: now() - since,
            ..usage(11, 55)
        };

        assert_eq!(busy(TimeDelta::hours(71)).run_rate(now()), None);
        assert!(busy(TimeDelta::hours(72)).run_rate(now()).is_some());
    }
}
