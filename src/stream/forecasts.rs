//! Works out when beans are likely to run out, for those of which the stream told something new.

use chrono::TimeDelta;
use chrono_tz::Tz;

use crate::clock::Clock;
use crate::db::bean_days::Forecast;
use crate::db::{self, DbResult, Pool};
use crate::domain::{BeanId, Demand, WATCHED_DAYS, day_in};

/// So many beans at once.
const AT_ONCE: i64 = 500;

/// Works out what is older than what is known, of some beans; the others have their turn the next time.
///
/// # Errors
/// The database is away.
pub(super) async fn renew_forecasts(pool: &Pool, clock: &dyn Clock, zone: Tz) -> DbResult<()> {
    let today = day_in(zone, clock.now());
    let mut conn = pool.acquire().await?;
    let due = db::bean_days::list_forecasts_due(&mut conn, AT_ONCE).await?;
    if due.is_empty() {
        return Ok(());
    }
    let beans: Vec<BeanId> = due.iter().map(|due| due.bean).collect();
    let since = today - TimeDelta::days(WATCHED_DAYS);
    let known = db::bean_days::list_days(&mut conn, &beans, since).await?;
    let forecasts = due.iter().map(|due| {
        let days_left = known.get(&due.bean).and_then(|known| {
            let demand = Demand::learn(&known.days, day_in(zone, known.since), today)?;
            demand.days_left(due.quantity, today)
        });
        Forecast {
            bean: due.bean.0,
            seen: due.seen,
            on: days_left.map(|left| today + TimeDelta::days(left.likely.into())),
        }
    });
    let forecasts: Vec<Forecast> = forecasts.collect();
    db::bean_days::set_forecasts(&mut conn, &forecasts).await
}
