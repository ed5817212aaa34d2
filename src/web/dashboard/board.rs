//! What the dashboard says about its figures, in words.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::figures::{CHARTED, Figure, Figures};
use crate::db::dashboard::DrawnBean;
use crate::db::minutes::Minute;
use crate::web::ui::consumption::{Banner, Consumption};
use crate::web::ui::page::grouped;
use crate::web::ui::series::{Bars, Column, StepLine};
use crate::web::ui::time_span::Time;

/// The dashboard as somebody sees it.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    pub(crate) figures: Arc<Figures>,
    pub(crate) zone: Tz,
    pub(crate) now: DateTime<Utc>,
}

/// A level beside its alert line, for comparison.
pub(crate) struct Level<'a> {
    pub(crate) bean: &'a DrawnBean,
    /// In thousandths of the largest.
    pub(crate) share: i64,
}

impl Level<'_> {
    pub(crate) fn is_low(&self) -> bool {
        let line = self.bean.alert_at;
        self.bean.quantity > 0 && line.is_some_and(|line| self.bean.quantity <= line)
    }
}

impl Board {
    pub(crate) fn levels(&self) -> Vec<Level<'_>> {
        let beans = self.figures.fullest.value.as_deref().unwrap_or_default();
        let most = beans.iter().map(|bean| bean.quantity).max().unwrap_or(0);
        let level = |bean| Level {
            bean,
            share: bean.quantity * 1_000 / most.max(1),
        };
        beans.iter().map(level).collect()
    }

    pub(crate) fn consumption(&self) -> Consumption {
        let pauses = self.figures.pauses.value.as_deref().unwrap_or_default();
        let consumers = self.figures.consumers.value.as_ref();
        consumers.map_or(Consumption::Unknown, |consumers| {
            Consumption::of(consumers, pauses)
        })
    }

    /// What is said of them above everything else.
    pub(crate) fn banner(&self) -> Banner {
        self.consumption().banner(self.zone)
    }

    /// Beans of which there are none.
    pub(crate) fn out(&self) -> Option<i64> {
        Some(self.figures.stock.value?.out)
    }

    /// Beans at or below their alert line.
    pub(crate) fn low(&self) -> Option<i64> {
        Some(self.figures.stock.value?.low)
    }

    /// Beans of which their supplier has none.
    pub(crate) fn out_at_supplier(&self) -> Option<i64> {
        Some(self.figures.stock.value?.out_at_supplier)
    }

    /// How long half of the updates of the last hour took at most, and 95 of 100.
    pub(crate) fn speed(&self) -> Option<[Time; 2]> {
        let applied = self.figures.applied.value?;
        Some([Time(applied.p50?), Time(applied.p95?)])
    }

    /// What is wrong with the stream of stock movements, if something is.
    pub(crate) fn stream_trouble(&self) -> Option<String> {
        let trouble = self.figures.stream.value?;
        let gaps = match trouble.gaps {
            0 => None,
            1 => Some("1 bean is missing a movement".to_owned()),
            gaps => Some(format!("{} beans are missing a movement", grouped(gaps))),
        };
        let parked = match trouble.parked {
            0 => None,
            1 => Some("1 record cannot be read".to_owned()),
            parked => Some(format!("{} records cannot be read", grouped(parked))),
        };
        let expired = trouble
            .has_expired
            .then(|| "records expired unread".to_owned());
        let troubles: Vec<String> = [gaps, parked, expired].into_iter().flatten().collect();
        (!troubles.is_empty()).then(|| troubles.join(", "))
    }

    /// Whether nothing needs anybody.
    pub(crate) fn is_calm(&self) -> bool {
        let stock = self.figures.stock.value.as_ref();
        let attention = self.figures.attention.value.as_ref();
        let calm_stock = stock.is_some_and(|stock| {
            stock.beans > 0 && stock.out == 0 && stock.low == 0 && stock.out_at_supplier == 0
        });
        let is_running = matches!(self.consumption(), Consumption::Running { .. });
        calm_stock
            && is_running
            && self.stream_trouble().is_none()
            && attention.is_some_and(|attention| attention.letters == 0)
    }

    /// The class of a tile that warns from one on.
    #[expect(
        clippy::unused_self,
        clippy::ref_option,
        reason = "how a template calls it"
    )]
    pub(crate) fn warns<'a>(&self, number: &Option<i64>, class: &'a str) -> &'a str {
        match number {
            Some(0) => "",
            Some(_) => class,
            None => "unknown",
        }
    }

    /// The class of the tile of what needs attention: from four hours on it alarms.
    pub(crate) fn attention_class(&self) -> &'static str {
        let Some(attention) = &self.figures.attention.value else {
            return "unknown";
        };
        let is_old = |oldest| self.now - oldest > TimeDelta::hours(4);
        match attention.oldest {
            Some(oldest) if is_old(oldest) => "alarm",
            Some(_) => "warn",
            None => "",
        }
    }

    /// The class of the tile of what waits: two minutes are long, ten are too long.
    pub(crate) fn waiting_class(&self) -> &'static str {
        let Some(waiting) = &self.figures.waiting.value else {
            return "unknown";
        };
        let age = waiting.oldest.map(|oldest| self.now - oldest);
        match age {
            Some(age) if age > TimeDelta::minutes(10) => "alarm",
            Some(age) if age > TimeDelta::minutes(2) => "warn",
            _ => "",
        }
    }

    pub(crate) fn consumption_class(&self) -> &'static str {
        match self.consumption() {
            Consumption::Running { .. } => "",
            Consumption::Failing { .. } | Consumption::Paused(_) => "warn",
            Consumption::Stopped(_) => "alarm",
            Consumption::Unknown => "unknown",
        }
    }

    /// Updates applied and failed, by hour.
    pub(crate) fn hours(&self) -> Option<Bars> {
        let minutes = self.figures.minutes.value.as_ref()?;
        let began = self.drawn_at()?;
        let hour = |hours_ago: i64| {
            let end = began - TimeDelta::hours(hours_ago);
            let start = end - TimeDelta::hours(1);
            let within = || {
                minutes
                    .iter()
                    .filter(|m| m.minute >= start && m.minute < end)
            };
            let is_known = within().next().is_some();
            Column {
                at: start,
                label: start.with_timezone(&self.zone).format("%H:%M").to_string(),
                good: is_known.then(|| within().map(|m| m.applied).sum()),
                bad: is_known.then(|| within().map(|m| m.failed).sum()),
            }
        };
        let bars = Bars::new((0..24).rev().map(hour).collect());
        (bars.total_good() + bars.total_bad() > 0).then_some(bars)
    }

    /// Updates that waited, and for how many seconds the oldest did, by minute.
    pub(crate) fn waited(&self) -> Option<[StepLine; 2]> {
        let minutes = self.figures.minutes.value.as_ref()?;
        let from = self.drawn_at()? - CHARTED;
        let any = minutes.iter().any(|minute| minute.waiting > 0);
        let line = |value: fn(&Minute) -> i64| {
            let points = minutes.iter().map(|minute| {
                let place = (minute.minute - from).num_minutes();
                (place, value(minute))
            });
            StepLine::new(points, CHARTED.num_minutes())
        };
        any.then(|| {
            [
                line(|minute| minute.waiting),
                line(|minute| minute.oldest_seconds.unwrap_or(0)),
            ]
        })
    }

    /// Dead letters that came and were closed, by day.
    pub(crate) fn letters(&self) -> Option<Bars> {
        let days = self.figures.letters.value.as_ref()?;
        if days.is_empty() {
            return None;
        }
        let day = |days_ago: i64| {
            let found = days.iter().find(|day| day.days_ago == days_ago);
            let ends = self.drawn_at().unwrap_or(self.now) - TimeDelta::days(days_ago);
            Column {
                at: ends,
                label: ends.with_timezone(&self.zone).format("%-d %b").to_string(),
                good: Some(found.map_or(0, |day| day.closed)),
                bad: Some(found.map_or(0, |day| day.opened)),
            }
        };
        Some(Bars::new((0..14).rev().map(day).collect()))
    }

    /// When the charts end: they move once a minute.
    fn drawn_at(&self) -> Option<DateTime<Utc>> {
        let read_at = self.figures.minutes.read_at?;
        let newest = self.figures.minutes.value.as_ref()?.last()?.minute;
        Some((newest + TimeDelta::minutes(1)).max(read_at - TimeDelta::minutes(2)))
    }

    /// What is said below a figure that could not be read.
    pub(crate) fn staleness<T>(&self, figure: &Figure<T>) -> Option<String> {
        let read_at = figure.is_stale.then_some(figure.read_at)?;
        let time = read_at.map(|at| at.with_timezone(&self.zone).format("%H:%M:%S").to_string());
        Some(match time {
            Some(time) => format!("Could not be read since {time}"),
            None => "Could not be read".to_owned(),
        })
    }
}
