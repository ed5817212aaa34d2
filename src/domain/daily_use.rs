//! Bags that went on consecutive days, and how many will go on a day to come.
//!
//! That is the weighted mean of these days, newer ones counting more, by weekday as far as the data tells weekdays apart
//! (Efron and Morris, "Data analysis using Stein's estimator", 1975), and moved along a trend that chance hardly
//! explains. A change of the level that chance hardly explains makes it forget what was before.

use chrono::{Datelike as _, NaiveDate, TimeDelta};

use super::bean_day::BeanDay;

/// A day counts half as much as one that is so many days newer.
const HALF_LIFE: f64 = 14.0;

/// Fewer days say nothing of weekdays, nor of a trend.
const ENOUGH_FOR_WEEKDAYS: usize = 14;

/// A trend is so many times as steep as chance would make it.
const TREND: f64 = 2.5;
/// The level of so many days ahead stands for all days to come: a trend does not go on for ever.
const TREND_AHEAD: f64 = 3.0;

/// The last seven days are so many standard deviations from what was expected: only they count.
const SHIFTED: f64 = 3.0;
const RECENT: usize = 7;

/// How many bags go on a day, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DailyUse {
    /// From Monday to Sunday.
    pub(super) by_weekday: [f64; 7],
    /// The variance of a day's bags by its mean.
    pub(super) dispersion: f64,
    /// How many days of equal weight the mean comes from.
    pub(super) weight: f64,
}

/// Bags that went on consecutive days.
pub(super) struct DailySeries {
    first: NaiveDate,
    gone: Vec<f64>,
}

impl DailySeries {
    /// The days from the first one to the day before today. What far exceeds the usual is cut.
    pub(super) fn new(days: &[&BeanDay], first: NaiveDate, today: NaiveDate) -> Self {
        Self {
            first,
            gone: without_outliers(gone_by_day(days, first, today)),
        }
    }

    pub(super) fn first(&self) -> NaiveDate {
        self.first
    }

    /// How many days there are.
    pub(super) fn len(&self) -> usize {
        self.gone.len()
    }

    fn weekdays(&self) -> impl Iterator<Item = usize> + '_ {
        self.first.iter_days().map(weekday).take(self.gone.len())
    }

    /// How much each day counts.
    fn weights(&self) -> impl Iterator<Item = f64> + '_ {
        let ages = (0..self.gone.len()).rev();
        ages.map(|age| 0.5_f64.powf(size(age) / HALF_LIFE))
    }

    /// What these days say of one to come.
    pub(super) fn daily_use(&self) -> DailyUse {
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
        DailyUse {
            by_weekday,
            dispersion,
            weight,
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
    pub(super) fn since_shift(&self) -> Option<Self> {
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
        let known = earlier.daily_use();
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
/// Fewer days on which something went tell nothing of what is usual.
const ENOUGH_BUSY: usize = 10;

/// Cuts days on which far more went than usual, if there are enough to tell what is usual.
fn without_outliers(mut gone: Vec<f64>) -> Vec<f64> {
    let mut busy: Vec<f64> = gone.iter().copied().filter(|bags| *bags > 0.0).collect();
    busy.sort_by(f64::total_cmp);
    if busy.len() >= ENOUGH_BUSY {
        let most = MOST_OF_A_DAY * busy[busy.len() / 2];
        for bags in &mut gone {
            *bags = bags.min(most);
        }
    }
    gone
}

/// The mean of values, each with its weight.
fn mean(values: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (sum, total) = values.fold((0.0, 0.0), |(sum, total), (value, weight)| {
        (sum + value * weight, total + weight)
    });
    sum / total
}

/// From 0 on Monday to 6 on Sunday.
pub(super) fn weekday(day: NaiveDate) -> usize {
    usize::try_from(day.weekday().num_days_from_monday()).unwrap_or_default()
}

/// A number of bags, of which no shelf holds so many that this is not exact.
pub(super) fn float(bags: i64) -> f64 {
    f64::from(i32::try_from(bags).unwrap_or(if bags < 0 { i32::MIN } else { i32::MAX }))
}

fn size(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
