//! Adding, changing and removing beans.

use super::{CatalogueError, Version};
use crate::clock::Clock;
use crate::db::activity::Actor;
use crate::db::beans::Bean;
use crate::db::{self, DbError, DbResult, Pool, Transaction, Trouble};
use crate::domain::{
    Action, BagsInStock, BeanDetails, BeanId, BeanStock, BeanType, Cause, MovementKind, ShortText,
    crossings,
};
use crate::submission::Submission;

/// A correction of a bean's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// What the person saw when they decided.
    pub from: i64,
    /// What it should be.
    pub to: BagsInStock,
    /// Why, in their words.
    pub reason: ShortText<500>,
}

/// Adds a bean, unless the same form has added it before; what is there of it already becomes its
/// opening movement.
pub async fn add_bean(
    pool: &Pool,
    clock: &dyn Clock,
    details: &BeanDetails,
    opening_stock: BagsInStock,
    submission: Option<&Submission>,
    by: Actor<'_>,
) -> Result<BeanId, CatalogueError> {
    let now = clock.now();
    db::in_transaction(pool, async |tx| {
        if let Some(submission) = submission
            && let Some(earlier) = submission.claim(tx, now).await?.map(BeanId)
            && db::beans::find_bean(tx, earlier).await?.is_some()
        {
            return Ok(earlier);
        }
        refuse_type(tx, details, None).await?;
        let id = db::beans::insert_bean(tx, details, now).await;
        let id = id.map_err(duplicate_type)?;
        let (stock, kind) = (BeanStock::empty(id), MovementKind::Opening);
        set_quantity(tx, stock, kind, opening_stock.get(), caused(by)).await?;
        log(tx, by, Action::AddedBean, details.product_name.as_str(), id).await?;
        if let Some(submission) = submission {
            submission.settle(tx, id.0, now).await?;
        }
        Ok(id)
    })
    .await
}

/// What a bean is changed to.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub details: &'a BeanDetails,
    pub correction: Option<&'a Correction>,
    /// What the person saw when they decided.
    pub seen: Option<&'a Version>,
}

/// Replaces a bean's details, if they are still what was seen, and, if a correction is given, its
/// stock, with a movement.
pub async fn change_bean(
    pool: &Pool,
    clock: &dyn Clock,
    id: BeanId,
    change: Change<'_>,
    by: Actor<'_>,
) -> Result<(), CatalogueError> {
    let Change {
        details,
        correction,
        seen,
    } = change;
    db::in_transaction(pool, async |tx| {
        let (stock, before) = find_locked(tx, id).await?;
        refuse_change(&before, correction, seen)?;
        let is_retyped = is_retyped(&before, details);
        if is_retyped {
            refuse_type(tx, details, Some(id)).await?;
        }
        // A type that stays as it is keeps its key, which a twin may have given a form of its own.
        let new_key = is_retyped.then(|| details.bean_type.key());
        let saved = db::beans::set_bean_details(tx, id, details, new_key.as_deref(), clock.now());
        saved.await.map_err(duplicate_type)?;
        if let Some(Correction { to, reason, .. }) = correction {
            let cause = Cause {
                why: Some(reason.clone()),
                ..caused(by)
            };
            set_quantity(tx, stock, MovementKind::Correction, to.get(), cause).await?;
        }
        Ok(log(tx, by, Action::ChangedBean, &before.product_name, id).await?)
    })
    .await
}

/// Sets the number of bags at which a bean counts as low, or none. A bean that is low by that is told at once.
pub async fn set_alert_at(
    pool: &Pool,
    id: BeanId,
    alert_at: Option<BagsInStock>,
    by: Actor<'_>,
) -> Result<(), CatalogueError> {
    db::in_transaction(pool, async |tx| {
        let (before, bean) = find_locked(tx, id).await?;
        let alert_at = alert_at.map(BagsInStock::get);
        db::beans::set_alert_at(tx, id, alert_at).await?;
        let after = BeanStock { alert_at, ..before };
        let now = db::server::tell_time(tx).await?;
        db::alerts::record_crossings(tx, &crossings(&before, &after), now).await?;
        Ok(log(tx, by, Action::ChangedBean, &bean.product_name, id).await?)
    })
    .await
}

/// Takes a bean off the list; bags still there leave with a movement.
pub async fn remove_bean(
    pool: &Pool,
    clock: &dyn Clock,
    id: BeanId,
    by: Actor<'_>,
) -> Result<(), CatalogueError> {
    db::in_transaction(pool, async |tx| {
        let (stock, bean) = find_locked(tx, id).await?;
        if stock.stock.quantity > 0 {
            set_quantity(tx, stock, MovementKind::Removal, 0, caused(by)).await?;
        }
        let now = db::server::tell_time(tx).await?;
        db::alerts::end_alerts_of(tx, id, now).await?;
        db::beans::set_bean_removed(tx, id, clock.now()).await?;
        Ok(log(tx, by, Action::RemovedBean, &bean.product_name, id).await?)
    })
    .await
}

async fn find_locked(
    tx: &mut Transaction,
    id: BeanId,
) -> Result<(BeanStock, Bean), CatalogueError> {
    let locked = db::beans::lock_beans(tx, &[id]).await?.pop();
    let found = db::beans::find_bean(tx, id).await?;
    locked.zip(found).ok_or(CatalogueError::NotFound)
}

fn caused(by: Actor<'_>) -> Cause {
    by.account
        .map_or_else(Cause::default, |by| Cause::person(by, None))
}

async fn log(
    tx: &mut Transaction,
    by: Actor<'_>,
    action: Action,
    name: &str,
    id: BeanId,
) -> DbResult<()> {
    let details = format!("{name} (bean {id})");
    db::activity::insert_activity(tx, &by.did(action, &details)).await
}

/// Refuses a type that the supplier, which must be there, has on the list already. Locks the supplier,
/// so that the answer stays true.
async fn refuse_type(
    tx: &mut Transaction,
    details: &BeanDetails,
    own: Option<BeanId>,
) -> Result<(), CatalogueError> {
    if !db::suppliers::lock_supplier(tx, details.supplier).await? {
        return Err(CatalogueError::UnknownSupplier);
    }
    let mut offers = db::beans::find_offers(tx, &[details.supplier]).await?;
    let beans = offers.remove(&details.supplier).map(|offer| offer.beans);
    let key = details.bean_type.key();
    let is_taken = beans
        .unwrap_or_default()
        .into_iter()
        .any(|(id, bean_type)| Some(id) != own && BeanType::stored(bean_type).key() == key);
    if is_taken {
        return Err(CatalogueError::DuplicateType);
    }
    Ok(())
}

fn is_retyped(before: &Bean, details: &BeanDetails) -> bool {
    before.supplier != details.supplier || before.bean_type != details.bean_type.as_str()
}

fn refuse_change(
    before: &Bean,
    correction: Option<&Correction>,
    seen: Option<&Version>,
) -> Result<(), CatalogueError> {
    if seen.is_some_and(|seen| *seen != Version::of_bean(before)) {
        return Err(CatalogueError::ChangedMeanwhile);
    }
    if correction.is_some_and(|correction| correction.from != before.quantity) {
        return Err(CatalogueError::StockChanged(before.quantity));
    }
    Ok(())
}

/// Sets the stock of one bean that the transaction has locked (or has just inserted). Movements take the
/// database's time, because instances' clocks differ.
async fn set_quantity(
    tx: &mut Transaction,
    mut bean: BeanStock,
    kind: MovementKind,
    quantity: i64,
    cause: Cause,
) -> DbResult<()> {
    let (now, before) = (db::server::tell_time(tx).await?, bean);
    let movement = bean.set_quantity(kind, quantity, now, cause);
    db::beans::set_stock(tx, &[bean]).await?;
    // What is taken off the list is out of stock, and nobody has to do anything about it.
    if kind != MovementKind::Removal {
        db::alerts::record_crossings(tx, &crossings(&before, &bean), now).await?;
    }
    db::movements::insert_movements(tx, &[movement], now).await
}

fn duplicate_type(error: DbError) -> CatalogueError {
    match error.trouble() {
        Trouble::Duplicate => CatalogueError::DuplicateType,
        _ => error.into(),
    }
}
