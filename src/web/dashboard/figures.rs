//! Reading the dashboard's figures: each by itself, so that one that cannot be read does not take the others
//! with it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::db;
use crate::db::consumers::ConsumerLine;
use crate::db::dashboard::{
    Attention, DrawnBean, LetterDay, NamedBean, StockFigures, StreamTrouble, Waiting,
};
use crate::db::minutes::Minute;
use crate::db::queue_pauses::QueuePause;
use crate::db::{Connection, DbResult, Pool};
use crate::domain::AlertKind;
use crate::telemetry;

/// A figure, and when it was read. One that cannot be read any more stays as it was.
#[derive(Debug, Clone)]
pub(crate) struct Figure<T> {
    pub(crate) value: Option<T>,
    /// When it was last read.
    pub(crate) read_at: Option<DateTime<Utc>>,
    /// Whether it could not be read since.
    pub(crate) is_stale: bool,
}

impl<T> Default for Figure<T> {
    fn default() -> Self {
        Self {
            value: None,
            read_at: None,
            is_stale: true,
        }
    }
}

impl<T> Figure<T> {
    fn take(&mut self, read: DbResult<T>, now: DateTime<Utc>) {
        match read {
            Ok(value) => {
                *self = Self {
                    value: Some(value),
                    read_at: Some(now),
                    is_stale: false,
                };
            }
            Err(error) => {
                if !self.is_stale {
                    let error = telemetry::chain(&error);
                    tracing::warn!(error, "a figure of the dashboard cannot be read");
                }
                self.is_stale = true;
            }
        }
    }
}

/// How many updates were applied in the last hour, and how long that took them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) number: i64,
    /// The middle time and that of the slowest of twenty, in microseconds; absent if none was applied.
    pub(crate) p50: Option<i64>,
    pub(crate) p95: Option<i64>,
}

/// All that the dashboard tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) stock: Figure<StockFigures>,
    pub(crate) out: Figure<Vec<NamedBean>>,
    pub(crate) low: Figure<Vec<NamedBean>>,
    pub(crate) out_at_supplier: Figure<Vec<NamedBean>>,
    pub(crate) attention: Figure<Attention>,
    pub(crate) waiting: Figure<Waiting>,
    pub(crate) applied: Figure<Applied>,
    pub(crate) consumers: Figure<Vec<ConsumerLine>>,
    pub(crate) pauses: Figure<Vec<QueuePause>>,
    pub(crate) stream: Figure<StreamTrouble>,
    pub(crate) fullest: Figure<Vec<DrawnBean>>,
    pub(crate) minutes: Figure<Vec<Minute>>,
    pub(crate) letters: Figure<Vec<LetterDay>>,
}

/// The figures as they were last read, for all who ask.
#[derive(Debug, Default)]
pub(crate) struct SharedFigures(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    figures: Arc<Figures>,
    /// When those that change fast were read.
    read: Option<Instant>,
    /// When those of the last hour were.
    hour_read: Option<Instant>,
    /// When those that are drawn over time were.
    drawn: Option<Instant>,
}

/// Figures that are younger are not read again.
const FRESH_FOR: Duration = Duration::from_millis(950);
const HOUR_FRESH_FOR: Duration = Duration::from_secs(5);
const DRAWN_FRESH_FOR: Duration = Duration::from_secs(20);

/// As many beans as can be compared by eye.
const BARS: i64 = 40;

/// What the charts of updates show.
pub(crate) const CHARTED: TimeDelta = TimeDelta::hours(24);

impl SharedFigures {
    /// The figures of now, read at most once a second however many ask.
    ///
    /// # Errors
    /// There is no connection to the database.
    pub(crate) async fn read(&self, pool: &Pool, now: DateTime<Utc>) -> DbResult<Arc<Figures>> {
        let mut kept = self.0.lock().await;
        let is_old = |read: Option<Instant>, fresh_for| {
            read.is_none_or(|read: Instant| read.elapsed() >= fresh_for)
        };
        if !is_old(kept.read, FRESH_FOR) {
            return Ok(Arc::clone(&kept.figures));
        }
        let mut conn = pool.acquire().await?;
        let mut figures = Figures::clone(&kept.figures);
        figures.read_stock(&mut conn, now).await;
        figures.read_work(&mut conn, now).await;
        if is_old(kept.hour_read, HOUR_FRESH_FOR) {
            let applied = read_applied(&mut conn, now).await;
            figures.applied.take(applied, now);
            let stream = db::dashboard::find_stream_trouble(&mut conn).await;
            figures.stream.take(stream, now);
            kept.hour_read = Some(Instant::now());
        }
        if is_old(kept.drawn, DRAWN_FRESH_FOR) {
            let minutes = db::minutes::list_minutes(&mut conn, now - CHARTED).await;
            figures.minutes.take(minutes, now);
            let letters = db::dashboard::list_letter_days(&mut conn).await;
            figures.letters.take(letters, now);
            kept.drawn = Some(Instant::now());
        }
        kept.read = Some(Instant::now());
        kept.figures = Arc::new(figures);
        Ok(Arc::clone(&kept.figures))
    }
}

impl Figures {
    async fn read_stock(&mut self, conn: &mut Connection, now: DateTime<Utc>) {
        self.stock.take(db::dashboard::sum_stock(conn).await, now);
        for (figure, kind) in [
            (&mut self.out, AlertKind::Out),
            (&mut self.low, AlertKind::Low),
            (&mut self.out_at_supplier, AlertKind::OutAtSupplier),
        ] {
            let beans = db::dashboard::list_alarming(conn, kind.code()).await;
            figure.take(beans, now);
        }
        let fullest = db::dashboard::list_fullest(conn, BARS).await;
        self.fullest.take(fullest, now);
    }

    async fn read_work(&mut self, conn: &mut Connection, now: DateTime<Utc>) {
        let attention = db::dashboard::count_attention(conn).await;
        self.attention.take(attention, now);
        let waiting = db::dashboard::count_waiting(conn).await;
        self.waiting.take(waiting, now);
        let consumers = db::consumers::list_consumers(conn).await;
        self.consumers.take(consumers, now);
        let pauses = db::queue_pauses::list_pauses(conn).await;
        self.pauses.take(pauses, now);
    }
}

async fn read_applied(conn: &mut Connection, now: DateTime<Utc>) -> DbResult<Applied> {
    let hour_ago = now - TimeDelta::hours(1);
    let mut times = db::dashboard::list_times_to_apply(conn, hour_ago).await?;
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().max(1) - 1));
    Ok(Applied {
        number: db::dashboard::count_applied_since(conn, hour_ago).await?,
        p50: at(50).copied(),
        p95: at(95).copied(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::DbError;

    #[test]
    fn a_figure_that_cannot_be_read_stays_and_says_from_when_it_is() {
        let (mut figure, now) = (Figure::default(), DateTime::UNIX_EPOCH);
        let later = now + TimeDelta::seconds(1);

        figure.take(Ok(12), now);
        let before = figure.is_stale;
        figure.take(Err(DbError::from(sqlx::Error::PoolTimedOut)), later);

        assert!(!before && figure.is_stale);
        assert_eq!((figure.value, figure.read_at), (Some(12), Some(now)));
    }
}
