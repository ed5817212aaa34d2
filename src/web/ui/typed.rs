//! What people type into fields: numbers of bags, moments, texts that may be left out. Mistakes are sentences.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::form::text_sentence;
use crate::domain::{Bags, BagsInStock, InvalidBags, InvalidBagsInStock, ShortText};

/// Clocks differ by minutes.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// How far back something may be dated: whoever types an older date means another year.
const OLDEST: TimeDelta = TimeDelta::days(30);

/// Reads a number of bags that move.
pub(crate) fn parse_bags(typed: &str) -> Result<Bags, String> {
    if typed.trim().is_empty() {
        return Err("Enter how many bags".to_owned());
    }
    Bags::parse_typed(typed, 1).map_err(|error| bags_sentence(typed, error))
}

pub(crate) fn bags_sentence(typed: &str, error: InvalidBags) -> String {
    match error {
        InvalidBags::NotAWholeNumber if typed.contains('.') => {
            "Bags must be a whole number. Write a thousand as 1000 or 1,000".to_owned()
        }
        InvalidBags::NotAWholeNumber => "Bags must be a whole number, like 12".to_owned(),
        InvalidBags::OutOfRange { .. } => "Bags must be between 1 and 1,000,000".to_owned(),
    }
}

/// Reads a number of bags that are there; none is a number.
pub(crate) fn parse_stock(typed: &str) -> Result<BagsInStock, String> {
    BagsInStock::parse_typed(typed).map_err(|error| match error {
        InvalidBagsInStock::Empty => "Enter how many bags there are".to_owned(),
        error => format!("Bags {error}"),
    })
}

/// Reads the moment of something that happened lately. Empty is now.
pub(crate) fn parse_moment(
    typed: &str,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<Option<DateTime<Utc>>, String> {
    match parse_past(typed, now, zone)? {
        Some(at) if at < now - OLDEST => Err("The date must be within the last 30 days".to_owned()),
        at => Ok(at),
    }
}

/// Reads a moment that a form of ours has kept for its second step; none if it is not one that
/// [`parse_moment`] would take.
pub(crate) fn parse_kept(kept: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at: DateTime<Utc> = kept.parse().ok()?;
    let lately = now - OLDEST..=now + CLOCK_TOLERANCE;
    lately.contains(&at).then_some(at)
}

/// Reads a moment as browsers send it, `2026-11-26T10:30`, in the zone of the page's times. Empty is now.
pub(crate) fn parse_past(
    typed: &str,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<Option<DateTime<Utc>>, String> {
    let typed = typed.trim().replace(' ', "T");
    if typed.is_empty() {
        return Ok(None);
    }
    let read = |format| NaiveDateTime::parse_from_str(&typed, format).ok();
    let local = read("%Y-%m-%dT%H:%M").or_else(|| read("%Y-%m-%dT%H:%M:%S"));
    let local = local.ok_or("Enter a date and a time, like 2026-11-26 10:30")?;
    let at = match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => {
            return Err("That time does not exist: the clocks were put forward".to_owned());
        }
    };
    if at > now + CLOCK_TOLERANCE {
        return Err(
            "The date must not be in the future: only bags that have moved count".to_owned(),
        );
    }
    // The driver sends moments as `TIMESTAMP`s, of which there are none before 1970.
    Ok(Some(at.max(DateTime::UNIX_EPOCH)))
}

/// Reads a text that may be left out.
pub(crate) fn parse_optional<const MAX: usize>(
    label: &str,
    typed: &str,
) -> Result<Option<ShortText<MAX>>, String> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    let text = ShortText::<MAX>::parse(typed);
    text.map(Some)
        .map_err(|error| text_sentence(label, "", error))
}
