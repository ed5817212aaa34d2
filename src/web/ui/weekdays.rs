//! How a bean is used on each weekday, as bars.

use super::lasting::rounded;
use crate::domain::Demand;

/// A weekday's bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) day: &'static str,
    /// Bags.
    pub(crate) bags: String,
    /// Of the longest bar, in thousandths.
    pub(crate) share: u16,
}

/// Bags on each weekday, Monday first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weekdays {
    pub(crate) bars: Vec<Bar>,
    /// What the picture shows, in words.
    pub(crate) summary: String,
}

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

impl Weekdays {
    /// Draws what is used; nothing where the data does not tell weekdays apart.
    pub(crate) fn new(demand: &Demand) -> Option<Self> {
        if !demand.has_weekdays() || demand.stopped.is_some() {
            return None;
        }
        let rates = demand.by_weekday();
        let (most, least) = (place(&rates, f64::gt), place(&rates, f64::lt));
        let bars = DAYS.into_iter().zip(rates).map(|(day, bags)| Bar {
            day,
            bags: rounded(bags),
            share: thousandths(bags / rates[most]),
        });
        Some(Self {
            bars: bars.collect(),
            summary: format!(
                "Most on {}: {} bags; fewest on {}: {}.",
                DAYS[most],
                rounded(rates[most]),
                DAYS[least],
                rounded(rates[least])
            ),
        })
    }
}

/// Where the number is that comes before all others in an order.
fn place(rates: &[f64; 7], comes_before: impl Fn(&f64, &f64) -> bool) -> usize {
    let places = 1..rates.len();
    places.fold(0, |best, place| {
        if comes_before(&rates[place], &rates[best]) {
            place
        } else {
            best
        }
    })
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 1,000"
)]
fn thousandths(share: f64) -> u16 {
    (share * 1_000.0).round().clamp(0.0, 1_000.0) as u16
}
