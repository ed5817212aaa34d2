//! What somebody wants to be told, and when mail may reach them.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::alert::AlertKind;

/// Nobody gets more mails than this within an hour: what happens beyond comes with the next.
pub const MAILS_AN_HOUR: i64 = 6;

/// What somebody can be told. The codes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotificationKind {
    /// An alert about a bean has begun.
    Alert(AlertKind),
    /// It is over.
    Recovered(AlertKind),
    /// Dead letters wait for longer than they should.
    Letters,
    /// No consumer runs: updates are not applied.
    Stopped,
    /// One runs again.
    Running,
}

impl NotificationKind {
    const ALL: [Self; 9] = [
        Self::Alert(AlertKind::Low),
        Self::Alert(AlertKind::Out),
        Self::Alert(AlertKind::OutAtSupplier),
        Self::Recovered(AlertKind::Low),
        Self::Recovered(AlertKind::Out),
        Self::Recovered(AlertKind::OutAtSupplier),
        Self::Letters,
        Self::Stopped,
        Self::Running,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::Alert(kind) => kind.code(),
            Self::Recovered(AlertKind::Low) => "not_low",
            Self::Recovered(AlertKind::Out) => "not_out",
            Self::Recovered(AlertKind::OutAtSupplier) => "supplier_has",
            Self::Letters => "letters",
            Self::Stopped => "stopped",
            Self::Running => "running",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    pub fn severity(self) -> Severity {
        match self {
            Self::Alert(AlertKind::Out) | Self::Stopped => Severity::Critical,
            Self::Alert(_) | Self::Letters => Severity::Warning,
            Self::Recovered(_) | Self::Running => Severity::Resolved,
        }
    }
}

/// How bad something is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Critical,
    Warning,
    Resolved,
}

impl Severity {
    pub fn code(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Resolved => "resolved",
        }
    }
}

/// A time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(i16);

impl TimeOfDay {
    /// Reads what a browser's field for times sends, like `07:30`.
    pub fn parse(text: &str) -> Option<Self> {
        let time = NaiveTime::parse_from_str(text.trim(), "%H:%M").ok()?;
        i16::try_from(time.num_seconds_from_midnight() / 60)
            .ok()
            .map(Self)
    }

    /// One that was stored as minutes after midnight.
    pub fn stored(minutes: i16) -> Self {
        Self(minutes.clamp(0, 24 * 60 - 1))
    }

    pub fn minutes(self) -> i16 {
        self.0
    }

    fn of(moment: DateTime<Tz>) -> Self {
        let minutes = moment.num_seconds_from_midnight() / 60;
        Self::stored(i16::try_from(minutes).unwrap_or(0))
    }

    fn time(self) -> NaiveTime {
        NaiveTime::MIN + TimeDelta::minutes(self.0.into())
    }
}

impl std::fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// What somebody wants to be told, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a box that people tick"
)]
pub struct NotificationPreferences {
    pub low: bool,
    pub out: bool,
    pub out_at_supplier: bool,
    /// When it is over as well.
    pub recovered: bool,
    /// When dead letters wait for longer than so many hours.
    pub letters_after_hours: Option<i16>,
    /// When no consumer runs.
    pub stopped: bool,
    pub by_mail: bool,
    /// One mail a day at this time; `None` for mail at once.
    pub digest_at: Option<TimeOfDay>,
    /// No mail from the first to the second, which may be on the next day.
    pub quiet: Option<(TimeOfDay, TimeOfDay)>,
}

impl NotificationPreferences {
    pub fn wants(&self, kind: NotificationKind) -> bool {
        let about = |kind| match kind {
            AlertKind::Low => self.low,
            AlertKind::Out => self.out,
            AlertKind::OutAtSupplier => self.out_at_supplier,
        };
        match kind {
            NotificationKind::Alert(kind) => about(kind),
            NotificationKind::Recovered(kind) => self.recovered && about(kind),
            NotificationKind::Letters => self.letters_after_hours.is_some(),
            NotificationKind::Stopped => self.stopped,
            NotificationKind::Running => self.recovered && self.stopped,
        }
    }

    /// Whether mail may go out `now` to somebody in a zone, for whom something waits `since` a moment and who has got
    /// so many mails within the last hour.
    pub fn may_mail(
        &self,
        since: DateTime<Utc>,
        mails_of_the_hour: i64,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> bool {
        let local = now.with_timezone(&zone);
        if !self.by_mail
            || mails_of_the_hour >= MAILS_AN_HOUR
            || self.is_quiet(TimeOfDay::of(local))
        {
            return false;
        }
        self.digest_at
            .is_none_or(|at| last_time(at, local).is_some_and(|last| since < last))
    }

    fn is_quiet(&self, now: TimeOfDay) -> bool {
        self.quiet.is_some_and(|(from, until)| {
            if from <= until {
                from <= now && now < until
            } else {
                from <= now || now < until
            }
        })
    }
}

/// When it was this time of day the last time. A time that a change of the clocks leaves out counts as an hour later.
fn last_time(at: TimeOfDay, now: DateTime<Tz>) -> Option<DateTime<Utc>> {
    let on = |days: u64| {
        let day = now.date_naive().checked_sub_days(Days::new(days))?;
        let time = day.and_time(at.time());
        let found = time.and_local_timezone(now.timezone());
        let later = || (time + TimeDelta::hours(1)).and_local_timezone(now.timezone());
        let found = found.earliest().or_else(|| later().earliest())?;
        Some(found.with_timezone(&Utc))
    };
    let now = now.with_timezone(&Utc);
    on(0).filter(|today| *today <= now).or_else(|| on(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZURICH: Tz = Tz::Europe__Zurich;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn time(text: &str) -> TimeOfDay {
        TimeOfDay::parse(text).unwrap()
    }

    fn by_mail() -> NotificationPreferences {
        NotificationPreferences {
            by_mail: true,
            ..NotificationPreferences::default()
        }
    }

    #[test]
    fn mail_goes_at_once_until_the_hour_has_had_enough() {
        let (since, now) = (at("2026-11-29T10:00:00Z"), at("2026-11-29T10:00:01Z"));

        assert!(by_mail().may_mail(since, MAILS_AN_HOUR - 1, now, ZURICH));
        assert!(!by_mail().may_mail(since, MAILS_AN_HOUR, now, ZURICH));
        assert!(!NotificationPreferences::default().may_mail(since, 0, now, ZURICH));
    }

    #[test]
    fn nobody_is_woken_in_quiet_hours_of_their_own_zone() {
        let preferences = NotificationPreferences {
            quiet: Some((time("22:00"), time("06:30"))),
            ..by_mail()
        };
        let goes = |now: &str| preferences.may_mail(at("2026-11-01T00:00:00Z"), 0, at(now), ZURICH);

        assert!(goes("2026-11-29T20:59:00Z"), "21:59 in Zürich");
        assert!(!goes("2026-11-29T21:00:00Z"));
        assert!(!goes("2026-11-30T05:29:00Z"));
        assert!(goes("2026-11-30T05:30:00Z"), "06:30 in Zürich");
    }

    #[test]
    fn a_digest_carries_what_waited_at_its_time() {
        let preferences = NotificationPreferences {
            digest_at: Some(time("07:00")),
            ..by_mail()
        };
        let goes = |since: &str, now: &str| preferences.may_mail(at(since), 0, at(now), ZURICH);

        assert!(!goes("2026-11-28T20:00:00Z", "2026-11-29T05:59:00Z"));
        assert!(goes("2026-11-28T20:00:00Z", "2026-11-29T06:00:00Z"));
        assert!(!goes("2026-11-29T06:01:00Z", "2026-11-29T22:00:00Z"));
        assert!(goes("2026-11-29T06:01:00Z", "2026-11-30T06:00:00Z"));
    }

    #[test]
    fn a_time_that_the_clocks_leave_out_comes_an_hour_later() {
        let preferences = NotificationPreferences {
            digest_at: Some(time("02:30")),
            ..by_mail()
        };
        let since = at("2026-03-28T12:00:00Z");

        let goes = |now: &str| preferences.may_mail(since, 0, at(now), ZURICH);
        assert!(!goes("2026-03-29T01:29:00Z"), "03:29 in Zürich");
        assert!(goes("2026-03-29T01:30:00Z"), "03:30 in Zürich");
    }

    #[test]
    fn the_end_is_told_of_what_was_wanted_only() {
        let preferences = NotificationPreferences {
            low: true,
            recovered: true,
            ..NotificationPreferences::default()
        };

        assert!(preferences.wants(NotificationKind::Recovered(AlertKind::Low)));
        assert!(!preferences.wants(NotificationKind::Recovered(AlertKind::Out)));
        assert!(!preferences.wants(NotificationKind::Running));
        for kind in NotificationKind::ALL {
            assert_eq!(NotificationKind::from_code(kind.code()), Some(kind));
        }
    }
}
