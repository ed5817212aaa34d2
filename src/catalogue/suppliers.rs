//! Adding, changing and removing suppliers.

use super::{CatalogueError, Version};
use crate::clock::Clock;
use crate::db::activity::Activity;
use crate::db::{self, Pool};
use crate::domain::{SupplierDetails, SupplierId};
use crate::submission::Submission;

/// Adds a supplier, unless the same form has added it before.
pub async fn add_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    details: &SupplierDetails,
    submission: Option<&Submission>,
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
) -> Result<(), CatalogueError> {
    db::in_transaction(pool, async |tx| {
        db::suppliers::lock_supplier(tx, id).await?;
        let found = db::suppliers::find_supplier(tx, id).await?;
        let before = found.ok_or(CatalogueError::NotFound)?;
        if seen.is_some_and(|seen| *seen != Version::of_supplier(&before)) {
            return Err(CatalogueError::ChangedMeanwhile);
        }
        db::suppliers::set_supplier_details(tx, id, details, clock.now()).await?;
        Ok(())
    })
    .await
}

/// Takes a supplier off the list, unless it has beans there.
pub async fn remove_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    id: SupplierId,
) -> Result<(), CatalogueError> {
    db::in_transaction(pool, async |tx| {
        db::suppliers::lock_supplier(tx, id).await?;
        let found = db::suppliers::find_supplier(tx, id).await?;
        let supplier = found.ok_or(CatalogueError::NotFound)?;
        if supplier.bean_count > 0 {
            return Err(CatalogueError::HasBeans(supplier.bean_count));
        }
        Ok(db::suppliers::set_supplier_removed(tx, id, clock.now()).await?)
    })
    .await
}

/// Switches a supplier on or off, and notes who did.
pub async fn switch_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    id: SupplierId,
    active: bool,
    activity: &Activity<'_>,
) -> Result<(), CatalogueError> {
    db::in_transaction(pool, async |tx| {
        if !db::suppliers::lock_supplier(tx, id).await? {
            return Err(CatalogueError::NotFound);
        }
        let found = db::suppliers::find_supplier(tx, id).await?;
        if found.is_some_and(|supplier| supplier.active == active) {
            return Ok(());
        }
        db::suppliers::set_supplier_active(tx, id, active, clock.now()).await?;
        Ok(db::activity::insert_activity(tx, activity).await?)
    })
    .await
}
