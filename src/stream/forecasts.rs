//! Works out when beans are likely to run out, for those of which the stream told something new.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::apply::count_what_waited;
use crate::clock::Clock;
use crate::db::bean_days::Forecast;
use crate::db::{self, DbResult, Pool};
use crate::domain::{BeanId, Demand, WATCHED_DAYS, day_in};
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// How often it is looked whether something is new.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often what is old is forgotten.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// So many beans at once.
const AT_ONCE: usize = 500;

/// Keeps forecasts up to date.
#[derive(Debug)]
pub struct StreamForecasts {
    pool: Pool,
    clock: Arc<dyn Clock>,
    /// Where a day of the café begins.
    zone: Tz,
    shutdown: Shutdown,
}

impl StreamForecasts {
    pub fn new(pool: Pool, clock: Arc<dyn Clock>, zone: Tz, shutdown: Shutdown) -> Self {
        Self {
            pool,
            clock,
            zone,
            shutdown,
        }
    }

    /// Keeps forecasts up to date until stopping begins.
    pub async fn run(&self) {
        const WHAT: &str = "working out forecasts";
        let mut streak = Streak::default();
        let mut forgotten: Option<Instant> = None;
        while self.shutdown.sleep(LOOK_EVERY).await.is_ok() {
            match self.keep_up(&mut forgotten).await {
                Ok(()) => streak.succeeded(WHAT),
                Err(error) => drop(streak.failed(WHAT, &error)),
            }
        }
    }

    /// Renews forecasts, and once an hour forgets what is old.
    async fn keep_up(&self, forgotten: &mut Option<Instant>) -> DbResult<()> {
        self.renew().await?;
        if forgotten.is_some_and(|at| at.elapsed() < FORGET_EVERY) {
            return Ok(());
        }
        *forgotten = Some(Instant::now());
        forget_old(&self.pool).await
    }

    /// Counts what waited for an earlier movement that has come, and renews every forecast that is older than what is
    /// known.
    ///
    /// # Errors
    /// The database is away.
    pub async fn renew(&self) -> DbResult<()> {
        count_what_waited(&self.pool, self.zone).await?;
        while self.renew_some().await? == AT_ONCE {}
        Ok(())
    }

    /// Renews the forecasts of some beans; gives of how many.
    async fn renew_some(&self) -> DbResult<usize> {
        let today = day_in(self.zone, self.clock.now());
        let mut conn = self.pool.acquire().await?;
        let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        let due = db::bean_days::list_forecasts_due(&mut conn, most).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let beans: Vec<BeanId> = due.iter().map(|due| due.bean).collect();
        let since = today - TimeDelta::days(WATCHED_DAYS);
        let known = db::bean_days::list_days(&mut conn, &beans, since).await?;
        let forecasts = due.iter().map(|due| {
            let days_left = known.get(&due.bean).and_then(|known| {
                let demand = Demand::learn(&known.days, day_in(self.zone, known.since), today)?;
                demand.days_left(due.quantity, today)
            });
            Forecast {
                bean: due.bean.0,
                seen: due.seen,
                on: days_left.map(|left| today + TimeDelta::days(left.likely.into())),
            }
        });
        let forecasts: Vec<Forecast> = forecasts.collect();
        drop(conn);
        self.keep(&beans, &forecasts).await
    }

    /// Writes forecasts down, but for beans that somebody else has locked; gives of how many.
    async fn keep(&self, beans: &[BeanId], forecasts: &[Forecast]) -> DbResult<usize> {
        db::in_transaction(&self.pool, async |tx| {
            let free = db::stream_beans::lock_free(tx, beans).await?;
            let of_free = forecasts
                .iter()
                .filter(|forecast| free.contains(&BeanId(forecast.bean)));
            let of_free: Vec<Forecast> = of_free.copied().collect();
            db::bean_days::set_forecasts(tx, &of_free).await?;
            Ok(of_free.len())
        })
        .await
    }
}

async fn forget_old(pool: &Pool) -> DbResult<()> {
    let mut conn = pool.acquire().await?;
    db::bean_days::forget_old_days(&mut conn).await?;
    db::stream_runs::forget_old_repeats(&mut conn).await?;
    db::parked_records::forget_old_parked(&mut conn).await
}
