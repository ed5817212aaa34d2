//! For how long beans will last, in words, with what that is known from: the stream of movements if it tells of the
//! bean, and else the ledger.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::layout::Layout;
use super::page::grouped;
use crate::db::bean_days::KnownDays;
use crate::db::{self, Connection, DbResult};
use crate::domain::{BeanId, DaysLeft, Demand, FURTHEST, Usage, WATCHED_DAYS, day_in};

/// Uses and counts of so many days are looked at in the ledger.
const WATCHED: TimeDelta = TimeDelta::days(28);

/// What is known of how beans are used.
pub(crate) struct Lastings {
    days: HashMap<BeanId, KnownDays>,
    usage: HashMap<BeanId, Usage>,
    now: DateTime<Utc>,
    zone: Tz,
}

impl Lastings {
    /// Reads what is known of some beans.
    pub(crate) async fn read(
        conn: &mut Connection,
        beans: &[BeanId],
        layout: &Layout,
    ) -> DbResult<Self> {
        let (now, zone) = (layout.now, layout.zone);
        let since = day_in(zone, now) - TimeDelta::days(WATCHED_DAYS);
        let days = db::bean_days::list_days(conn, beans, since).await?;
        let others: Vec<BeanId> = beans
            .iter()
            .copied()
            .filter(|bean| !days.contains_key(bean))
            .collect();
        Ok(Self {
            usage: db::bean_lists::list_usage(conn, &others, now - WATCHED).await?,
            days,
            now,
            zone,
        })
    }

    /// For how long so many bags of a bean will last.
    pub(crate) fn of(&self, bean: BeanId, bags: i64) -> Lasting {
        match self.days.get(&bean) {
            Some(known) => Lasting::by_demand(bags, known, self.now, self.zone),
            None => Lasting::new(bags, self.usage.get(&bean), self.now, self.zone),
        }
    }

    /// How a bean is used by weekday, if the stream tells.
    pub(crate) fn demand(&self, bean: BeanId) -> Option<Demand> {
        let known = self.days.get(&bean)?;
        let today = day_in(self.zone, self.now);
        Demand::learn(&known.days, day_in(self.zone, known.since), today)
    }
}

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
    /// From what the stream tells of the bean's days.
    fn by_demand(bags: i64, known: &KnownDays, now: DateTime<Utc>, zone: Tz) -> Self {
        let (since, today) = (day_in(zone, known.since), day_in(zone, now));
        let Some(demand) = Demand::learn(&known.days, since, today) else {
            let full = known.days.iter().filter(|day| day.day < today);
            let (uses, counts) = full.fold((0, 0), |(uses, counts), day| {
                (uses + day.uses, counts + i64::from(day.counts > 0))
            });
            return Self::unknown(uses, counts, "in the last 56 days, today not included");
        };
        let left = demand.days_left(bags, today);
        let words = match left {
            _ if bags == 0 => "none left".to_owned(),
            None if demand.a_week() <= 0.0 => "not being used".to_owned(),
            None => "more than a year".to_owned(),
            Some(left) => in_words(left),
        };
        Self {
            days: left.map(|left| left.likely.into()).filter(|_| bags > 0),
            words,
            basis: basis(&demand, left.filter(|_| bags > 0)),
        }
    }

    fn unknown(uses: i64, counts: i64, when: &str) -> Self {
        Self {
            days: None,
            words: "not enough data".to_owned(),
            basis: format!(
                "{} and {} {when}. A forecast needs at least three days, and 10 uses or 2 counts in them.",
                many(uses, "use"),
                many(counts, "count")
            ),
        }
    }

    pub(crate) fn new(bags: i64, usage: Option<&Usage>, now: DateTime<Utc>, zone: Tz) -> Self {
        let (uses, counts) = usage.map_or((0, 0), |usage| (usage.uses, usage.counts));
        let Some(rate) = usage.and_then(|usage| usage.run_rate(now)) else {
            return Self::unknown(uses, counts, "in the last 28 days");
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
                "{a_week} bags a week, from {} since {since}.",
                sources(rate.uses, rate.counts)
            ),
        }
    }
}

fn in_words(left: DaysLeft) -> String {
    let DaysLeft {
        least,
        likely,
        most,
    } = left;
    match most {
        _ if likely == 0 => "less than a day".to_owned(),
        _ if has_range(left) => format!(
            "about {} ({least}\u{a0}to\u{a0}{})",
            many(likely.into(), "day"),
            most.unwrap_or(FURTHEST)
        ),
        Some(_) => format!("about {}", many(likely.into(), "day")),
        None => format!("about {}, at least {least}", many(likely.into(), "day")),
    }
}

/// Whether a range is worth telling.
fn has_range(left: DaysLeft) -> bool {
    left.likely > 0 && left.most.is_some_and(|most| most != left.least)
}

/// What a forecast is known from, and how sure it is.
fn basis(demand: &Demand, left: Option<DaysLeft>) -> String {
    let since = demand.since.format("%-d %b");
    let sources = sources(demand.uses, demand.counts);
    if let Some(day) = demand.stopped {
        return format!("No use since {}, after {sources}.", day.format("%-d %b"));
    }
    let by_weekday = if demand.has_weekdays() {
        " (weekdays differ)"
    } else {
        ""
    };
    let shifted = if demand.has_shifted {
        ", of the last week alone, which was unlike those before"
    } else {
        ""
    };
    let sure = if left.is_some_and(has_range) {
        " The range is right eight times out of ten."
    } else {
        ""
    };
    format!(
        "{} bags a week{by_weekday}, from {sources} since {since} up to yesterday{shifted}.{sure}",
        rounded(demand.a_week())
    )
}

/// To a tenth below a hundred, which is worth a tenth.
pub(crate) fn rounded(bags: f64) -> String {
    if bags < 99.95 {
        let text = format!("{bags:.1}");
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    } else {
        format!("{bags:.0}")
    }
}

/// What there is of uses and counts.
fn sources(uses: i64, counts: i64) -> String {
    match (uses, counts) {
        (_, 0) => many(uses, "use"),
        (0, _) => many(counts, "count"),
        _ => format!("{} and {}", many(uses, "use"), many(counts, "count")),
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
