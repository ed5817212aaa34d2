//! How much of a bean will be used, and for how many days it will last.
//!
//! What is used on a day to come is learned from the last eight weeks by [`DailyUse`]; a bean that has not been used for
//! longer than chance explains is not used any more. `src/tests/stream/forecast.rs` judges forecasts on demand whose
//! truth is known.

use chrono::{NaiveDate, TimeDelta};

use super::bean_day::BeanDay;
use super::daily_use::{DailySeries, DailyUse, float, weekday};

/// How many days are looked at.
pub const WATCHED_DAYS: i64 = 56;

/// Fewer days say nothing of the days to come.
const ENOUGH_DAYS: usize = 3;
/// Fewer uses say little, and one count says nothing of what went between counts.
const ENOUGH_USES: i64 = 10;
const ENOUGH_COUNTS: i64 = 2;

/// No use for so long that chance explains it less often than once in so many times: the bean is not used any more.
const HARDLY_CHANCE: f64 = 1_000.0;

/// Between these quantiles of the normal distribution, eight of ten outcomes lie.
const EIGHT_OF_TEN: f64 = 1.2816;

/// Nobody needs to know of days that are further away.
pub const FURTHEST: u16 = 365;

/// How a bean is used, and what that is known from.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    daily: DailyUse,
    /// The first day that counts.
    pub since: NaiveDate,
    pub uses: i64,
    pub counts: i64,
    /// Since when it has not been used, if that is no chance.
    pub stopped: Option<NaiveDate>,
    /// Whether the last week was so unlike those before that only it counts.
    pub has_shifted: bool,
}

/// For how many whole days bags will last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaysLeft {
    /// In one of ten cases it is less.
    pub least: u16,
    pub likely: u16,
    /// In one of ten cases it is more; `None` if that is more than a year away.
    pub most: Option<u16>,
}

impl Demand {
    /// Learns from days, which are in order, all that is known since one; `None` if that is too little. Today is
    /// not over, and does not count.
    pub fn learn(days: &[BeanDay], known_since: NaiveDate, today: NaiveDate) -> Option<Self> {
        let first = known_since.max(today - TimeDelta::days(WATCHED_DAYS));
        let watched: Vec<&BeanDay> = days
            .iter()
            .filter(|day| day.day >= first && day.day < today)
            .collect();
        let (uses, counts) = known_from(&watched, first);
        let is_enough = uses >= ENOUGH_USES || counts >= ENOUGH_COUNTS;
        let series = DailySeries::new(&watched, first, today);
        if series.len() < ENOUGH_DAYS || !is_enough {
            return None;
        }
        let shifted = series.since_shift();
        let has_shifted = shifted.is_some();
        let series = shifted.unwrap_or(series);
        let since = series.first();
        let (uses, counts) = known_from(&watched, since);
        Some(Self {
            daily: series.daily_use(),
            since,
            uses,
            counts,
            stopped: stopped(&watched, first, today),
            has_shifted,
        })
    }

    /// Bags a day, from Monday to Sunday.
    pub fn by_weekday(&self) -> [f64; 7] {
        self.daily.by_weekday
    }

    /// Bags a week.
    pub fn a_week(&self) -> f64 {
        if self.stopped.is_some() {
            return 0.0;
        }
        self.daily.by_weekday.iter().sum()
    }

    /// Whether the weekdays differ so much that it is worth saying: the busiest is half as much again as the quietest.
    pub fn has_weekdays(&self) -> bool {
        let least = self
            .daily
            .by_weekday
            .iter()
            .copied()
            .fold(f64::MAX, f64::min);
        let most = self.daily.by_weekday.iter().copied().fold(0.0, f64::max);
        self.daily.weight >= 10.0 && most > 1.5 * least
    }

    /// For how many days so many bags last, today counted in full; `None` if none are used, or for longer than a year.
    pub fn days_left(&self, bags: i64, today: NaiveDate) -> Option<DaysLeft> {
        if self.stopped.is_some() {
            return None;
        }
        let DailyUse {
            by_weekday,
            dispersion,
            weight,
        } = self.daily;
        let bags = float(bags);
        let level = by_weekday.iter().sum::<f64>() / 7.0;
        let mut mean = 0.0;
        // At most, as expected, and at least: what is used up to the end of each day.
        let mut before = [0.0; 3];
        let mut lasted: [Option<f64>; 3] = [None; 3];
        for (day, passed) in today.iter_days().zip(0..FURTHEST) {
            mean += by_weekday[weekday(day)];
            let of_the_level = dispersion / (level * weight);
            let spread = EIGHT_OF_TEN * (dispersion * mean + of_the_level * mean * mean).sqrt();
            let used = [mean + spread, mean, mean - spread];
            for ((lasted, used), before) in lasted.iter_mut().zip(used).zip(before) {
                let of_the_day = (bags - before) / (used - before);
                *lasted = lasted.or((used >= bags).then_some(f64::from(passed) + of_the_day));
            }
            before = used;
        }
        let [least, likely, most] = lasted;
        Some(DaysLeft {
            least: whole(least?.floor()),
            likely: whole(likely?.floor()),
            most: most.map(|most| whole(most.ceil())),
        })
    }
}

/// Whole days, of which there are no more than [`FURTHEST`].
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and FURTHEST"
)]
fn whole(days: f64) -> u16 {
    days.clamp(0.0, FURTHEST.into()) as u16
}

/// How many uses there were since a day, and on how many days bags were counted.
fn known_from(days: &[&BeanDay], since: NaiveDate) -> (i64, i64) {
    let days = || days.iter().filter(|day| day.day >= since);
    let counted = days().filter(|day| day.counts > 0).count();
    let uses = days().map(|day| day.uses).sum();
    (uses, i64::try_from(counted).unwrap_or(i64::MAX))
}

/// Since when there has been no use, if the uses before make that hardly a chance.
fn stopped(days: &[&BeanDay], first: NaiveDate, today: NaiveDate) -> Option<NaiveDate> {
    let last = days
        .iter()
        .rev()
        .find(|day| day.uses > 0 || day.missing > 0)?;
    let idle = (today - last.day).num_days() - 1;
    let busy = (last.day - first).num_days() + 1;
    let uses: i64 = days.iter().map(|day| day.uses).sum();
    // Without uses the counts tell, and the next one will.
    let expected = float(uses) * float(idle) / float(busy);
    let is_counted_only = uses == 0;
    (!is_counted_only && expected > HARDLY_CHANCE.ln()).then(|| last.day + TimeDelta::days(1))
}
