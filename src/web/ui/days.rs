//! Days that somebody types, as the moments between which they lie.

use chrono::{DateTime, NaiveDate, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::db::LATEST;

/// The moment, or the nearest one that the database can be asked about.
pub(crate) fn storable(at: DateTime<Utc>) -> DateTime<Utc> {
    at.clamp(DateTime::UNIX_EPOCH, LATEST)
}

/// The days from one to another. What cannot be read counts as not typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Days {
    /// When the first begins.
    pub(crate) from: Option<DateTime<Utc>>,
    /// When the last is over.
    pub(crate) before: Option<DateTime<Utc>>,
}

impl Days {
    /// The days of somebody in this zone, as `2026-11-26`.
    pub(crate) fn new(from: &str, to: &str, zone: Tz) -> Self {
        let after = parse(to).and_then(|day| day.checked_add_days(chrono::Days::new(1)));
        Self {
            from: parse(from).and_then(|day| begin(day, zone)).map(storable),
            before: after
                .and_then(|day| begin(day, zone))
                .filter(|at| *at < LATEST)
                .map(storable),
        }
    }
}

fn parse(typed: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(typed.trim(), "%Y-%m-%d").ok()
}

/// When a day begins. In some zones midnight is skipped once a year; the day begins an hour later then.
fn begin(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let at = |hour| {
        let local = day.and_hms_opt(hour, 0, 0)?;
        zone.from_local_datetime(&local).earliest()
    };
    Some(at(0).or_else(|| at(1))?.to_utc())
}
