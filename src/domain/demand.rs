//! How much of a bean is used day by day, what that says of the days to come, and what is unusual.
//!
//! The forecast is the weighted mean of the last eight weeks, newer days counting more, by weekday as far as the data
//! tells weekdays apart (Efron and Morris, "Data analysis using Stein's estimator", 1975), and moved along a trend that
//! chance hardly explains; a change of the level that chance hardly explains makes it forget what was before.
//! `src/tests/stream/forecast.rs` judges it on demand whose truth is known.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::stock::MovementKind;

/// What happened to a bean on a day, in the café's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BeanDay {
    pub day: NaiveDate,
    /// How often bags were used, and how many.
    pub uses: i64,
    pub used: i64,
    /// How often they were counted, and how many were missing; fewer than none if there were more.
    pub counts: i64,
    pub missing: i64,
    /// Bags that came in.
    pub received: i64,
}

impl BeanDay {
    /// A day on which nothing happened.
    pub fn quiet(day: NaiveDate) -> Self {
        Self {
            day,
            uses: 0,
            used: 0,
            counts: 0,
            missing: 0,
            received: 0,
        }
    }

    /// Adds a movement; with a sign of −1, takes one back.
    pub fn add(&mut self, kind: MovementKind, change_by: i64, sign: i64) {
        let bags = change_by.saturating_mul(sign);
        match kind {
            MovementKind::Use => {
                self.uses += sign;
                self.used = self.used.saturating_sub(bags);
            }
            MovementKind::Count => {
                self.counts += sign;
                self.missing = self.missing.saturating_sub(bags);
            }
            MovementKind::Delivery | MovementKind::Received => {
                self.received = self.received.saturating_add(bags);
            }
            _ => {}
        }
    }
}

/// How many days are looked at.
pub const WATCHED_DAYS: i64 = 56;

/// A day counts half as much as one that is so many days newer.
const HALF_LIFE: f64 = 14.0;

/// Fewer days say nothing of weekdays, nor of a trend.
const ENOUGH_FOR_WEEKDAYS: usize = 14;

/// A trend is so many times as steep as chance would make it.
const TREND: f64 = 2.5;
/// The level of so many days ahead stands for all days to come: a trend does not go on for ever.
const TREND_AHEAD: f64 = 3.0;

/// Fewer days say nothing of the days to come.
const ENOUGH_DAYS: usize = 3;
/// Fewer uses say little, and one count says nothing of what went between counts.
const ENOUGH_USES: i64 = 10;
const ENOUGH_COUNTS: i64 = 2;

/// No use for so long that chance explains it less often than once in so many times: the bean is not used any more.
const HARDLY_CHANCE: f64 = 1_000.0;

/// The last seven days are so many standard deviations from what was expected: only they count.
const SHIFTED: f64 = 3.0;
const RECENT: usize = 7;

/// Between these quantiles of the normal distribution, eight of ten outcomes lie.
const EIGHT_OF_TEN: f64 = 1.2816;

/// Nobody needs to know of days that are further away.
pub const FURTHEST: u16 = 365;

/// How a bean is used, and what that is known from.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Bags a day, from Monday to Sunday.
    pub by_weekday: [f64; 7],
    /// The variance of a day's bags by its mean.
    dispersion: f64,
    /// How many days of equal weight the mean comes from.
    weight: f64,
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
        let gone = without_outliers(gone_by_day(&watched, first, today));
        let is_enough = uses >= ENOUGH_USES || counts >= ENOUGH_COUNTS;
        if gone.len() < ENOUGH_DAYS || !is_enough {
            return None;
        }
        let series = Series { first, gone };
        let mut demand = series.demand(uses, counts);
        if let Some(shifted) = series.since_shift() {
            let (uses, counts) = known_from(&watched, shifted.first);
            let recent = shifted.demand(uses, counts);
            demand = Self {
                has_shifted: true,
                ..recent
            };
        }
        demand.stopped = stopped(&watched, first, today);
        Some(demand)
    }

    /// Bags a week.
    pub fn a_week(&self) -> f64 {
        if self.stopped.is_some() {
            return 0.0;
        }
        self.by_weekday.iter().sum()
    }

    /// Whether the weekdays differ so much that it is worth saying: the busiest is half as much again as the quietest.
    pub fn has_weekdays(&self) -> bool {
        let least = self.by_weekday.iter().copied().fold(f64::MAX, f64::min);
        let most = self.by_weekday.iter().copied().fold(0.0, f64::max);
        self.weight >= 10.0 && most > 1.5 * least
    }

    /// For how many days so many bags last, today counted in full; `None` if none are used, or for longer than a year.
    pub fn days_left(&self, bags: i64, today: NaiveDate) -> Option<DaysLeft> {
        if self.stopped.is_some() {
            return None;
        }
        let bags = float(bags);
        let level = self.by_weekday.iter().sum::<f64>() / 7.0;
        let mut mean = 0.0;
        // At most, as expected, and at least: what is used up to the end of each day.
        let mut before = [0.0; 3];
        let mut lasted: [Option<f64>; 3] = [None; 3];
        for (day, passed) in today.iter_days().zip(0..FURTHEST) {
            mean += self.by_weekday[weekday(day)];
            let of_the_level = self.dispersion / (level * self.weight);
            let spread =
                EIGHT_OF_TEN * (self.dispersion * mean + of_the_level * mean * mean).sqrt();
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

/// Bags that went on consecutive days.
struct Series {
    first: NaiveDate,
    gone: Vec<f64>,
}

impl Series {
    fn weekdays(&self) -> impl Iterator<Item = usize> + '_ {
        self.first.iter_days().map(weekday).take(self.gone.len())
    }

    /// How much each day counts.
    fn weights(&self) -> impl Iterator<Item = f64> + '_ {
        let ages = (0..self.gone.len()).rev();
        ages.map(|age| 0.5_f64.powf(size(age) / HALF_LIFE))
    }

    fn demand(&self, uses: i64, counts: i64) -> Demand {
        let weights: Vec<f64> = self.weights().collect();
        let mean = self::mean(self.gone.iter().copied().zip(weights.iter().copied())).max(0.0);
        let mut by_weekday = self.by_weekday(mean, &weights);
        let squares = self.weekdays().zip(&self.gone).zip(&weights);
        let squares = squares.map(|((weekday, bags), weight)| {
            let error = bags - by_weekday[weekday];
            (error * error, *weight)
        });
        let variance = self::mean(squares);
        let dispersion = if mean > 0.0 {
            (variance / mean).max(0.25)
        } else {
            1.0
        };
        let total: f64 = weights.iter().sum();
        let mut weight = total * total / weights.iter().map(|weight| weight * weight).sum::<f64>();
        if let Some(level) = self.trend(mean, &by_weekday, dispersion, &weights) {
            by_weekday = by_weekday.map(|rate| rate * level / mean);
            // A line is less sure at its end than a mean.
            weight /= 4.0;
        }
        Demand {
            by_weekday,
            dispersion,
            weight,
            since: self.first,
            uses,
            counts,
            stopped: None,
            has_shifted: false,
        }
    }

    /// The mean of each weekday, drawn towards that of all days by as much as chance may have moved it away.
    fn by_weekday(&self, mean: f64, weights: &[f64]) -> [f64; 7] {
        if self.gone.len() < ENOUGH_FOR_WEEKDAYS {
            return [mean; 7];
        }
        let (mut sums, mut days, mut squares) = ([0.0; 7], [0.0; 7], [0.0; 7]);
        for ((weekday, bags), weight) in self.weekdays().zip(&self.gone).zip(weights) {
            sums[weekday] += bags * weight;
            days[weekday] += weight;
            squares[weekday] += weight * weight;
        }
        let means: [f64; 7] = std::array::from_fn(|weekday| sums[weekday] / days[weekday]);
        let within = self.weekdays().zip(&self.gone).zip(weights);
        let within = within.map(|((weekday, bags), weight)| {
            let error = bags - means[weekday];
            (error * error, *weight)
        });
        let length = size(self.gone.len());
        let variance = self::mean(within) * length / (length - 7.0).max(1.0);
        let by_chance: [f64; 7] = std::array::from_fn(|weekday| {
            variance * squares[weekday] / (days[weekday] * days[weekday])
        });
        let apart = means
            .iter()
            .map(|rate| (rate - mean) * (rate - mean))
            .sum::<f64>()
            / 6.0;
        let between = (apart - by_chance.iter().sum::<f64>() / 7.0).max(0.0);
        std::array::from_fn(|weekday| {
            let own = between / (between + by_chance[weekday]).max(f64::MIN_POSITIVE);
            (mean + own * (means[weekday] - mean)).max(0.0)
        })
    }

    /// The level of the days to come, if what is used rises or falls more steeply than chance makes it.
    fn trend(
        &self,
        mean: f64,
        by_weekday: &[f64; 7],
        dispersion: f64,
        weights: &[f64],
    ) -> Option<f64> {
        if self.gone.len() < ENOUGH_FOR_WEEKDAYS || mean <= 0.0 {
            return None;
        }
        let days = self.weekdays().zip(&self.gone).zip(weights).zip(0..);
        // Each day as if it were an average one; a day on which the café is closed tells nothing.
        let days = days.filter_map(|(((weekday, bags), weight), place)| {
            let factor = by_weekday[weekday] / mean;
            let time = size(place) - size(self.gone.len());
            (factor > 0.1).then(|| (time, bags / factor, weight * factor))
        });
        let days: Vec<(f64, f64, f64)> = days.collect();
        let centre = self::mean(days.iter().map(|(time, _, weight)| (*time, *weight)));
        let level = self::mean(days.iter().map(|(_, bags, weight)| (*bags, *weight)));
        let (mut with, mut own, mut noise) = (0.0, 0.0, 0.0);
        for (time, bags, weight) in &days {
            let away = time - centre;
            with += weight * away * (bags - level);
            own += weight * away * away;
            noise += weight * weight * away * away * dispersion * mean;
        }
        let slope = with / own;
        let by_chance = noise.sqrt() / own;
        (slope.abs() > TREND * by_chance)
            .then(|| (level + slope * (TREND_AHEAD - centre)).max(level / 5.0))
    }

    /// The last seven days, if those before hardly explain them.
    fn since_shift(&self) -> Option<Self> {
        let split = self
            .gone
            .len()
            .checked_sub(RECENT)
            .filter(|before| *before >= RECENT)?;
        let (before, recent) = self.gone.split_at(split);
        let first = self.first + TimeDelta::days(i64::try_from(split).ok()?);
        let earlier = Self {
            first: self.first,
            gone: before.to_vec(),
        };
        let known = earlier.demand(0, 0);
        let expected: f64 = known.by_weekday.iter().sum();
        let found: f64 = recent.iter().sum();
        let variance = known.dispersion * expected * (1.0 + size(RECENT) / known.weight);
        // A day of few bags varies by one at least.
        let z = (found - expected).abs() / variance.max(1.0).sqrt();
        (z > SHIFTED).then(|| Self {
            first,
            gone: recent.to_vec(),
        })
    }
}

/// How many uses there were since a day, and on how many days bags were counted.
fn known_from(days: &[&BeanDay], since: NaiveDate) -> (i64, i64) {
    let days = || days.iter().filter(|day| day.day >= since);
    let counted = days().filter(|day| day.counts > 0).count();
    let uses = days().map(|day| day.uses).sum();
    (uses, i64::try_from(counted).unwrap_or(i64::MAX))
}

/// Spreads what counts found missing over the days since the count before; the first one says nothing of before.
fn gone_by_day(days: &[&BeanDay], first: NaiveDate, today: NaiveDate) -> Vec<f64> {
    let length = (today - first).num_days();
    let mut gone = vec![0.0; usize::try_from(length).unwrap_or_default()];
    let place = |day: NaiveDate| usize::try_from((day - first).num_days()).ok();
    let mut counted_before: Option<usize> = None;
    for day in days {
        let Some(here) = place(day.day) else {
            continue;
        };
        gone[here] += float(day.used);
        if day.counts > 0 {
            if let Some(before) = counted_before.filter(|before| *before < here) {
                let share = float(day.missing) / size(here - before);
                gone[before + 1..=here]
                    .iter_mut()
                    .for_each(|bags| *bags += share);
            }
            counted_before = Some(here);
        }
    }
    gone
}

/// A day counts as so many usual ones at most: a slip, or one large party, says nothing of the days to come.
const MOST_OF_A_DAY: f64 = 4.0;

/// Cuts days on which far more went than usual, if there are enough to tell what is usual.
fn without_outliers(mut gone: Vec<f64>) -> Vec<f64> {
    let mut busy: Vec<f64> = gone.iter().copied().filter(|bags| *bags > 0.0).collect();
    busy.sort_by(f64::total_cmp);
    if busy.len() >= ENOUGH_SIZES {
        let most = MOST_OF_A_DAY * busy[busy.len() / 2];
        for bags in &mut gone {
            *bags = bags.min(most);
        }
    }
    gone
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

/// The mean of values, each with its weight.
fn mean(values: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (sum, total) = values.fold((0.0, 0.0), |(sum, total), (value, weight)| {
        (sum + value * weight, total + weight)
    });
    sum / total
}

fn weekday(day: NaiveDate) -> usize {
    usize::try_from(day.weekday().num_days_from_monday()).unwrap_or_default()
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

/// A number of bags, of which no shelf holds so many that this is not exact.
fn float(bags: i64) -> f64 {
    f64::from(i32::try_from(bags).unwrap_or(if bags < 0 { i32::MIN } else { i32::MAX }))
}

fn size(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// The sizes of a bean's latest movements, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsualSizes {
    #[serde(default, rename = "use")]
    uses: Vec<i64>,
    #[serde(default)]
    delivery: Vec<i64>,
    #[serde(default)]
    count: Vec<i64>,
}

/// How many sizes are kept of each kind.
const KEPT: usize = 24;
/// Among fewer, nothing is unusual.
const ENOUGH_SIZES: usize = 10;
/// So many median absolute deviations from the median are unusual; one deviation is a bag at least.
const UNUSUAL: i64 = 4;

impl UsualSizes {
    /// Adds a movement; gives the median of those before it if it is far from that.
    pub fn note(&mut self, kind: MovementKind, change_by: i64) -> Option<i64> {
        let sizes = match kind {
            MovementKind::Use => &mut self.uses,
            MovementKind::Delivery => &mut self.delivery,
            MovementKind::Count => &mut self.count,
            _ => return None,
        };
        let usual = (sizes.len() >= ENOUGH_SIZES).then(|| median(sizes.iter().copied()));
        let unusual = usual.filter(|usual| {
            let deviation = median(sizes.iter().map(|size| (size - usual).abs())).max(1);
            (change_by - usual).abs() > UNUSUAL * deviation
        });
        if sizes.len() == KEPT {
            sizes.remove(0);
        }
        sizes.push(change_by);
        unusual
    }
}

fn median(numbers: impl Iterator<Item = i64>) -> i64 {
    let mut numbers: Vec<i64> = numbers.collect();
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// The day of a moment in a time zone.
pub fn day_in(zone: chrono_tz::Tz, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}
