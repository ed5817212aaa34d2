//! What the café does at its shelf: it uses bags, adjusts their number, counts them, and takes back what was
//! booked by mistake.
//!
//! [`foresee`] tells what something would do and writes nothing; [`book`] does it, in one transaction with the
//! movement that explains it. Both ask the same rules, [`count`], [`undo`] and [`Stock::moved`].

use chrono::{DateTime, TimeDelta, Utc};

use crate::db::activity::Actor;
use crate::db::movements::MovementLine;
use crate::db::{self, Connection, DbError, Pool, Transaction, WorkError};
use crate::domain::{
    AccountId, Action, Adjustment, Bags, BagsInStock, BeanId, BeanStock, Cause, Final, Immovable,
    Movement, MovementKind, ShortText, Stock, Uncountable, Undoable, count, crossings, undo,
};
use crate::submission::Submission;

/// Something that somebody does at the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Opens bags.
    Use(Bags),
    /// Changes the number by hand.
    Adjust {
        adjustment: Adjustment,
        change_by: i64,
        /// In whose words.
        why: Option<ShortText<500>>,
    },
    /// Sets the number to what is there.
    Count {
        bags: BagsInStock,
        counted_at: DateTime<Utc>,
        why: Option<ShortText<500>>,
    },
    /// Takes a movement back.
    Undo {
        /// Its place in the bean's ledger.
        sequence: i64,
        why: Option<ShortText<500>>,
    },
}

impl Deed {
    fn action(&self) -> Action {
        match self {
            Self::Use(_) => Action::UsedBags,
            Self::Adjust { .. } => Action::AdjustedStock,
            Self::Count { .. } => Action::CountedBags,
            Self::Undo { .. } => Action::UndidMovement,
        }
    }
}

/// Why something is not booked.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error("the bean is not on the list")]
    NoBean,
    #[error("the bean has no such movement")]
    NoMovement,
    /// The stock, of which too much is taken or to which too much is added.
    #[error("the stock of {stock} bags cannot be changed so")]
    Immovable { stock: i64, immovable: Immovable },
    /// The bags are said to be counted at a moment that is still to come.
    #[error("the bags are counted in the future")]
    CountedLater,
    /// The bean was counted again since.
    #[error("the bean was counted again since")]
    CountedSince(DateTime<Utc>),
    /// Since the count more bags were taken away than were counted: by so many the stock changed.
    #[error("the number does not fit what moved since")]
    MiscountedBy(i64),
    #[error("the movement cannot be taken back")]
    Final(Final),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for ShelfError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

/// A bean's stock before and after a deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    pub before: Stock,
    pub after: Stock,
}

/// Tells what a deed would do now. Writes and locks nothing.
pub async fn foresee(
    conn: &mut Connection,
    bean: BeanId,
    deed: &Deed,
) -> Result<Effect, ShelfError> {
    let bean = db::beans::find_stock(conn, bean).await?;
    let bean = bean.ok_or(ShelfError::NoBean)?;
    let now = db::server::tell_time(conn).await?;
    let decided = decide(conn, &bean, deed, now).await?;
    Ok(Effect {
        before: bean.stock,
        after: decided.after,
    })
}

/// Does it, unless the same form has done it before, and says so in the log of what people did. Gives the place of
/// its movement in the bean's ledger.
pub async fn book(
    pool: &Pool,
    bean: BeanId,
    deed: &Deed,
    by: Actor<'_>,
    form: &Submission,
) -> Result<i64, ShelfError> {
    db::in_transaction(pool, async |tx| {
        let booked = match claim_and_book(tx, bean, deed, by.account, form).await? {
            Booked::Before(sequence) => return Ok(sequence),
            Booked::Now(movement) => movement,
        };
        let name = db::beans::find_bean(tx, bean).await?;
        let name = name.map_or_else(String::new, |bean| bean.product_name);
        let before = booked.quantity_after - booked.change_by;
        let details = format!("{name}: bags {before} → {}", booked.quantity_after);
        db::activity::insert_activity(tx, &by.did(deed.action(), &details)).await?;
        Ok(booked.sequence)
    })
    .await
}

/// Books a count of a stocktake, which has a log of its own, unless it was booked before.
pub(crate) async fn book_count(
    pool: &Pool,
    bean: BeanId,
    count: &Deed,
    by: AccountId,
    form: &Submission,
) -> Result<i64, ShelfError> {
    db::in_transaction(pool, async |tx| {
        let booked = claim_and_book(tx, bean, count, Some(by), form).await?;
        Ok(match booked {
            Booked::Before(sequence) => sequence,
            Booked::Now(movement) => movement.sequence,
        })
    })
    .await
}

/// What a form has come to.
enum Booked {
    /// It was sent before: the place of its movement.
    Before(i64),
    Now(Movement),
}

async fn claim_and_book(
    tx: &mut Transaction,
    bean: BeanId,
    deed: &Deed,
    by: Option<AccountId>,
    form: &Submission,
) -> Result<Booked, ShelfError> {
    let locked = db::beans::lock_beans(tx, &[bean]).await?.pop();
    let before = locked.ok_or(ShelfError::NoBean)?;
    let mut bean = before;
    let now = db::server::tell_time(tx).await?;
    if let Some(earlier) = form.claim(tx, now).await? {
        return Ok(Booked::Before(earlier));
    }
    let Decided {
        kind,
        after,
        occurred_at,
        cause,
    } = decide(tx, &bean, deed, now).await?;
    let movement = bean.book(kind, after, occurred_at, Cause { by, ..cause });
    db::beans::set_stock(tx, &[bean]).await?;
    db::alerts::record_crossings(tx, &crossings(&before, &bean), now).await?;
    db::movements::insert_movements(tx, std::slice::from_ref(&movement), now).await?;
    form.settle(tx, movement.sequence, now).await?;
    Ok(Booked::Now(movement))
}

/// A movement to be made.
struct Decided {
    kind: MovementKind,
    after: Stock,
    occurred_at: DateTime<Utc>,
    cause: Cause,
}

async fn decide(
    conn: &mut Connection,
    bean: &BeanStock,
    deed: &Deed,
    now: DateTime<Utc>,
) -> Result<Decided, ShelfError> {
    let moved = |change_by: i64| {
        let moved = bean.stock.moved(change_by, now);
        moved.map_err(|immovable| immovable_from(&bean.stock, immovable))
    };
    match deed {
        Deed::Use(bags) => Ok(Decided {
            kind: MovementKind::Use,
            after: moved(-bags.get())?,
            occurred_at: now,
            cause: Cause::default(),
        }),
        Deed::Adjust {
            adjustment,
            change_by,
            why,
        } => Ok(Decided {
            kind: adjustment.kind(),
            after: moved(*change_by)?,
            occurred_at: now,
            cause: because(why.as_ref()),
        }),
        Deed::Count {
            bags,
            counted_at,
            why,
        } => Ok(Decided {
            kind: MovementKind::Count,
            after: decide_count(conn, bean, *bags, *counted_at, now).await?,
            occurred_at: (*counted_at).min(now),
            cause: because(why.as_ref()),
        }),
        Deed::Undo { sequence, why } => {
            let found = db::movements::find_movement(conn, bean.bean, *sequence).await?;
            let movement = found.ok_or(ShelfError::NoMovement)?;
            Ok(Decided {
                kind: MovementKind::Undo,
                after: decide_undo(conn, bean, &movement, now).await?,
                occurred_at: movement.occurred_at,
                cause: Cause {
                    undoes: Some(*sequence),
                    ..because(why.as_ref())
                },
            })
        }
    }
}

fn because(why: Option<&ShortText<500>>) -> Cause {
    Cause {
        why: why.cloned(),
        ..Cause::default()
    }
}

fn immovable_from(stock: &Stock, immovable: Immovable) -> ShelfError {
    ShelfError::Immovable {
        stock: stock.quantity,
        immovable,
    }
}

/// Clocks differ by minutes.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

async fn decide_count(
    conn: &mut Connection,
    bean: &BeanStock,
    bags: BagsInStock,
    counted_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Stock, ShelfError> {
    if counted_at > now + CLOCK_TOLERANCE {
        return Err(ShelfError::CountedLater);
    }
    let counted_at = counted_at.min(now);
    let moved_since = db::movements::sum_since(conn, bean.bean, counted_at).await?;
    count(&bean.stock, bags.get(), counted_at, moved_since).map_err(|refusal| match refusal {
        Uncountable::CountedSince(later) => ShelfError::CountedSince(later),
        Uncountable::Immovable(Immovable::BelowZero) => ShelfError::MiscountedBy(moved_since),
        Uncountable::Immovable(above) => immovable_from(&bean.stock, above),
    })
}

async fn decide_undo(
    conn: &mut Connection,
    bean: &BeanStock,
    movement: &MovementLine,
    now: DateTime<Utc>,
) -> Result<Stock, ShelfError> {
    let newest_count = if movement.kind == MovementKind::Count {
        let counts = db::movements::list_newest_counts(conn, bean.bean).await?;
        let mut counts = counts.into_iter();
        let is_newest = counts
            .next()
            .is_some_and(|newest| newest.sequence == movement.sequence);
        is_newest.then(|| counts.next().map(|before| before.occurred_at))
    } else {
        None
    };
    let undoable = Undoable {
        kind: movement.kind,
        change_by: movement.change_by,
        occurred_at: movement.occurred_at,
        is_of_update: movement.update.is_some(),
        is_undone: movement.undone_by.is_some(),
        newest_count,
    };
    undo(&bean.stock, &undoable, now).map_err(|why| match why {
        Final::Immovable(immovable) => immovable_from(&bean.stock, immovable),
        why => ShelfError::Final(why),
    })
}
