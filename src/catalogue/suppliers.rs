//! Adding, changing and removing suppliers.

use super::{CatalogueError, Version};
use crate::clock::Clock;
use crate::db::activity::Actor;
use crate::db::{self, DbResult, Pool, Transaction};
use crate::domain::{Action, SupplierDetails, SupplierId};
use crate::submission::Submission;

/// Adds a supplier, unless the same form has added it before.
pub async fn add_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    details: &SupplierDetails,
    submission: Option<&Submission>,
    by: Actor<'_>,
) -> Result<SupplierId, CatalogueError> {
    let now = clock.now();
    db::in_transaction(pool, async |tx| {
        if let Some(submission) = submission
            && let Some(earlier) = submission.claim(tx, now).await?.map(SupplierId)
            && db::suppliers::find_supplier(tx, earlier).await?.is_some()
        {
            return Ok(earlier);
        }
        let id = db::suppliers::insert_supplier(tx, details, now).await?;
        log(tx, by, Action::AddedSupplier, details.name.as_str(), id).await?;
        if let Some(submission) = submission {
            submission.settle(tx, id.0, now).await?;
        }
        Ok(id)
    })
    .await
}

/// Replaces a supplier's details, if they are still what was `seen`.
pub async fn change_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    id: SupplierId,
    details: &SupplierDetails,
    seen: Option<&Version>,
    by: Actor<'_>,
) -> Result<(), CatalogueError> {
    db::in_transaction(pool, async |tx| {
        db::suppliers::lock_supplier(tx, id).await?;
        let found = db::suppliers::find_supplier(tx, id).await?;
        let before = found.ok_or(CatalogueError::NotFound)?;
        if seen.is_some_and(|seen| *seen != Version::of_supplier(&before)) {
            return Err(CatalogueError::ChangedMeanwhile);
        }
        db::suppliers::set_supplier_details(tx, id, details, clock.now()).await?;
        Ok(log(tx, by, Action::ChangedSupplier, &before.name, id).await?)
    })
    .await
}

/// Takes a supplier off the list, unless it has beans there.
pub async fn remove_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    id: SupplierId,
    by: Actor<'_>,
) -> Result<(), CatalogueError> {
    db::in_transaction(pool, async |tx| {
        db::suppliers::lock_supplier(tx, id).await?;
        let found = db::suppliers::find_supplier(tx, id).await?;
        let supplier = found.ok_or(CatalogueError::NotFound)?;
        if supplier.bean_count > 0 {
            return Err(CatalogueError::HasBeans(supplier.bean_count));
        }
        db::suppliers::set_supplier_removed(tx, id, clock.now()).await?;
        Ok(log(tx, by, Action::RemovedSupplier, &supplier.name, id).await?)
    })
    .await
}

/// Switches a supplier on or off, and notes who did.
pub async fn switch_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    id: SupplierId,
    active: bool,
    by: Actor<'_>,
) -> Result<(), CatalogueError> {
    db::in_transaction(pool, async |tx| {
        db::suppliers::lock_supplier(tx, id).await?;
        let found = db::suppliers::find_supplier(tx, id).await?;
        let supplier = found.ok_or(CatalogueError::NotFound)?;
        if supplier.active == active {
            return Ok(());
        }
        db::suppliers::set_supplier_active(tx, id, active, clock.now()).await?;
        let action = if active {
            Action::SwitchedSupplierOn
        } else {
            Action::SwitchedSupplierOff
        };
        Ok(log(tx, by, action, &supplier.name, id).await?)
    })
    .await
}

async fn log(
    tx: &mut Transaction,
    by: Actor<'_>,
    action: Action,
    name: &str,
    id: SupplierId,
) -> DbResult<()> {
    let details = format!("{name} (number {id})");
    db::activity::insert_activity(tx, &by.did(action, &details)).await
}
