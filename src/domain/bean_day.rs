//! What happened to a bean on a day of the café.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

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
            _ => {}
        }
    }
}

/// The day of a moment in a time zone.
pub fn day_in(zone: chrono_tz::Tz, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}
