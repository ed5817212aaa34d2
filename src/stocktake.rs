//! Counting the whole shelf: bean by bean, interrupted and resumed, by several people at once.
//!
//! What is counted is written down at once and booked when the stocktake is finished, each bean's stock as of
//! the moment it was counted: deliveries and uses in between are neither lost nor counted twice.

use crate::db::activity::Actor;
use crate::db::stocktakes::{CountLine, Going};
use crate::db::{self, Connection, DbError, Pool, WorkError};
use crate::domain::{AccountId, Action, BagsInStock, BeanId, ShortText};
use crate::shelf::{self, Deed, ShelfError};
use crate::submission::Submission;

/// Why something about a stocktake is not done.
#[derive(Debug, thiserror::Error)]
pub enum StocktakeError {
    /// It was booked or dropped, by somebody else perhaps.
    #[error("the stocktake is finished")]
    Finished,
    /// Its counts are being booked, or were until the program was killed: it cannot be dropped any more.
    #[error("the stocktake is being booked")]
    BeingBooked,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for StocktakeError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Finished | Self::BeingBooked => None,
            Self::Db(error) => Some(error),
        }
    }
}

/// Starts a stocktake, or joins the one that is going on: there is one shelf.
///
/// This and whatever else is done here is told in the log of what people did, with the address it came from.
pub async fn start(pool: &Pool, by: AccountId, address: &str) -> Result<i64, StocktakeError> {
    db::in_transaction(pool, async |tx| {
        let now = db::server::tell_time(tx).await?;
        if let Some(going) = db::stocktakes::find_going(tx).await? {
            return Ok(going);
        }
        let started = db::stocktakes::start_stocktake(tx, by, now).await?;
        log(tx, (by, address), Action::StartedStocktake, &name(started)).await?;
        Ok(started)
    })
    .await
}

async fn log(
    tx: &mut Connection,
    (account, address): (AccountId, &str),
    action: Action,
    details: &str,
) -> Result<(), DbError> {
    let actor = Actor {
        account: Some(account),
        address,
    };
    db::activity::insert_activity(tx, &actor.did(action, details)).await
}

fn name(stocktake: i64) -> String {
    format!("Stocktake {stocktake}")
}

/// Writes down how many bags of a bean are on the shelf now. Whoever counts a bean again replaces the count.
pub async fn count(
    pool: &Pool,
    stocktake: i64,
    bean: BeanId,
    bags: BagsInStock,
    by: AccountId,
    address: &str,
) -> Result<(), StocktakeError> {
    db::in_transaction(pool, async |tx| {
        lock(tx, stocktake).await?;
        let now = db::server::tell_time(tx).await?;
        db::stocktakes::note_count(tx, stocktake, bean, bags.get(), by, now).await?;
        let found = db::beans::find_bean(tx, bean).await?;
        let product = found.map_or_else(String::new, |bean| bean.product_name);
        let details = format!("{product}: {} bags, {}", bags.get(), name(stocktake));
        log(tx, (by, address), Action::CountedBags, &details).await?;
        Ok(())
    })
    .await
}

/// Drops a stocktake: nothing of it is booked.
///
/// # Errors
/// [`StocktakeError::BeingBooked`] once anybody has begun to book it.
pub async fn abandon(
    pool: &Pool,
    stocktake: i64,
    by: AccountId,
    address: &str,
) -> Result<(), StocktakeError> {
    db::in_transaction(pool, async |tx| {
        if lock(tx, stocktake).await? == Going::Booking {
            return Err(StocktakeError::BeingBooked);
        }
        let now = db::server::tell_time(tx).await?;
        db::stocktakes::end_stocktake(tx, stocktake, by, true, now).await?;
        log(
            tx,
            (by, address),
            Action::DroppedStocktake,
            &name(stocktake),
        )
        .await?;
        Ok(())
    })
    .await
}

/// Books all that was counted and ends the stocktake. Whoever does it again, because the program was killed in
/// the middle, goes on where it stopped: each count is booked once.
///
/// `explain` puts into words why a count cannot be booked; it stays on the stocktake's page.
pub async fn finish(
    pool: &Pool,
    stocktake: i64,
    by: AccountId,
    address: &str,
    explain: impl Fn(&ShelfError) -> String,
) -> Result<(), StocktakeError> {
    begin_booking(pool, stocktake).await?;
    // Somebody may still count while others book.
    while !end(pool, stocktake, (by, address)).await? {
        let counts = {
            let mut conn = pool.acquire().await?;
            db::stocktakes::list_counts(&mut conn, stocktake).await?
        };
        for line in counts.iter().filter(|line| line.is_pending()) {
            let booked = match book(pool, stocktake, line).await {
                Err(ShelfError::Db(error)) => return Err(error.into()),
                booked => booked.map_err(|error| explain(&error)),
            };
            let booked = booked.as_ref().map(|sequence| *sequence);
            let booked = booked.map_err(String::as_str);
            let mut conn = pool.acquire().await?;
            db::stocktakes::settle_count(&mut conn, stocktake, line, booked).await?;
        }
    }
    Ok(())
}

async fn book(pool: &Pool, stocktake: i64, line: &CountLine) -> Result<i64, ShelfError> {
    let (number, bean) = (stocktake.to_string(), line.bean.to_string());
    let (bags, counted_at) = (line.bags.to_string(), line.counted_at.to_rfc3339());
    // Two who finish it at once book each count once.
    let form = Submission::new("stocktake", &[&number, &bean, &bags, &counted_at]);
    let Ok(bags) = BagsInStock::parse_typed(&bags) else {
        return Err(ShelfError::NoBean);
    };
    let deed = Deed::Count {
        bags,
        counted_at: line.counted_at,
        why: ShortText::parse(&name(stocktake)).ok(),
    };
    shelf::book_count(pool, line.bean, &deed, line.counter, &form).await
}

async fn begin_booking(pool: &Pool, stocktake: i64) -> Result<(), StocktakeError> {
    db::in_transaction(pool, async |tx| {
        lock(tx, stocktake).await?;
        let now = db::server::tell_time(tx).await?;
        Ok(db::stocktakes::begin_booking(tx, stocktake, now).await?)
    })
    .await
}

/// Ends a stocktake that was booked; gives `false` if it has counts that are not.
async fn end(
    pool: &Pool,
    stocktake: i64,
    (by, address): (AccountId, &str),
) -> Result<bool, StocktakeError> {
    db::in_transaction(pool, async |tx| {
        lock(tx, stocktake).await?;
        if db::stocktakes::has_pending(tx, stocktake).await? {
            return Ok(false);
        }
        let now = db::server::tell_time(tx).await?;
        db::stocktakes::end_stocktake(tx, stocktake, by, false, now).await?;
        log(tx, (by, address), Action::BookedStocktake, &name(stocktake)).await?;
        Ok(true)
    })
    .await
}

async fn lock(tx: &mut Connection, stocktake: i64) -> Result<Going, StocktakeError> {
    let going = db::stocktakes::lock_going(tx, stocktake).await?;
    going.ok_or(StocktakeError::Finished)
}
