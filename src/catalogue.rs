//! The café's list of suppliers and beans, as staff change it: one transaction each.
//!
//! Stock is never set here without a movement that says why.

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::db::beans::{BeanTexts, LockedBean};
use crate::db::movements::Movement;
use crate::db::suppliers::SupplierTexts;
use crate::db::{self, DbError, Pool, Transaction, Trouble};
use crate::domain::{BeanId, MAX_STOCK, MovementKind, Stock, SupplierId};

/// Why a change of the list was refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The supplier or bean is not on the list (any more).
    #[error("it is not on the list")]
    NotFound,
    /// The chosen supplier is not on the list.
    #[error("there is no such supplier")]
    UnknownSupplier,
    /// The supplier has a bean of that type already.
    #[error("this supplier has a bean of that type already")]
    DuplicateType,
    /// The supplier still has this many beans on the list.
    #[error("the supplier still has {0} beans on the list")]
    HasBeans(i64),
    /// The stock moved while somebody was editing; this is what it is now.
    #[error("the stock changed to {0} in the meantime")]
    StockChanged(i64),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A correction of a bean's stock.
#[derive(Debug, Clone, Copy)]
pub struct Correction<'a> {
    /// What the person saw when they decided.
    pub from: i64,
    /// What it should be: 0 to [`MAX_STOCK`].
    pub to: i64,
    /// Why, in their words; at most 500 characters.
    pub reason: &'a str,
}

/// Adds a supplier.
pub async fn add_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    texts: SupplierTexts<'_>,
) -> Result<SupplierId, CatalogueError> {
    let mut tx = Transaction::begin(pool).await?;
    let id = db::suppliers::insert_supplier(&mut tx, texts, clock.now()).await?;
    tx.commit().await?;
    Ok(id)
}

/// Replaces a supplier's texts.
pub async fn change_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    id: SupplierId,
    texts: SupplierTexts<'_>,
) -> Result<(), CatalogueError> {
    let mut tx = Transaction::begin(pool).await?;
    let found = db::suppliers::set_supplier_texts(&mut tx, id, texts, clock.now()).await?;
    tx.commit().await?;
    found.then_some(()).ok_or(CatalogueError::NotFound)
}

/// Takes a supplier off the list, unless it has beans there.
pub async fn remove_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    id: SupplierId,
) -> Result<(), CatalogueError> {
    let mut tx = Transaction::begin(pool).await?;
    let refused = if db::suppliers::lock_supplier(&mut tx, id).await? {
        match db::suppliers::find_supplier(&mut tx, id).await? {
            None => Some(CatalogueError::NotFound),
            Some(supplier) if supplier.bean_count > 0 => {
                Some(CatalogueError::HasBeans(supplier.bean_count))
            }
            Some(_) => None,
        }
    } else {
        Some(CatalogueError::NotFound)
    };
    if let Some(error) = refused {
        tx.rollback().await?;
        return Err(error);
    }
    db::suppliers::set_supplier_removed(&mut tx, id, clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Adds a bean; what is there of it already becomes its opening movement.
pub async fn add_bean(
    pool: &Pool,
    clock: &dyn Clock,
    texts: BeanTexts<'_>,
    opening_stock: i64,
) -> Result<BeanId, CatalogueError> {
    debug_assert!((0..=MAX_STOCK).contains(&opening_stock), "parsed before");
    let now = clock.now();
    let mut tx = Transaction::begin(pool).await?;
    if !db::suppliers::lock_supplier(&mut tx, texts.supplier).await? {
        tx.rollback().await?;
        return Err(CatalogueError::UnknownSupplier);
    }
    let id = match db::beans::insert_bean(&mut tx, texts, now).await {
        Ok(id) => id,
        Err(error) => return Err(duplicate_type(tx, error).await),
    };
    let empty = LockedBean {
        id,
        stock: Stock {
            quantity: 0,
            moved_at: None,
            counted_at: None,
            out_of_stock_since: None,
        },
        last_movement: 0,
    };
    move_stock(
        &mut tx,
        empty,
        MovementKind::Opening,
        opening_stock,
        None,
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Replaces a bean's texts and price and, if a correction is given, its stock, with a movement.
pub async fn change_bean(
    pool: &Pool,
    clock: &dyn Clock,
    id: BeanId,
    texts: BeanTexts<'_>,
    correction: Option<Correction<'_>>,
) -> Result<(), CatalogueError> {
    let now = clock.now();
    let mut tx = Transaction::begin(pool).await?;
    let Some(bean) = db::beans::lock_beans(&mut tx, &[id]).await?.pop() else {
        tx.rollback().await?;
        return Err(CatalogueError::NotFound);
    };
    if !db::suppliers::lock_supplier(&mut tx, texts.supplier).await? {
        tx.rollback().await?;
        return Err(CatalogueError::UnknownSupplier);
    }
    if let Err(error) = db::beans::set_bean_texts(&mut tx, id, texts, now).await {
        return Err(duplicate_type(tx, error).await);
    }
    if let Some(Correction { from, to, reason }) = correction {
        if bean.stock.quantity != from {
            tx.rollback().await?;
            return Err(CatalogueError::StockChanged(bean.stock.quantity));
        }
        move_stock(
            &mut tx,
            bean,
            MovementKind::Correction,
            to - from,
            Some(reason),
            now,
        )
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Takes a bean off the list; bags still there leave with a movement.
pub async fn remove_bean(pool: &Pool, clock: &dyn Clock, id: BeanId) -> Result<(), CatalogueError> {
    let now = clock.now();
    let mut tx = Transaction::begin(pool).await?;
    let Some(bean) = db::beans::lock_beans(&mut tx, &[id]).await?.pop() else {
        tx.rollback().await?;
        return Err(CatalogueError::NotFound);
    };
    if bean.stock.quantity > 0 {
        let change_by = -bean.stock.quantity;
        move_stock(&mut tx, bean, MovementKind::Removal, change_by, None, now).await?;
    }
    db::beans::set_bean_removed(&mut tx, id, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Moves the stock of one bean that the transaction has locked (or has just inserted).
async fn move_stock(
    tx: &mut Transaction,
    bean: LockedBean,
    kind: MovementKind,
    change_by: i64,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let mut moved = bean;
    moved.last_movement += 1;
    moved.stock.quantity += change_by;
    moved.stock.moved_at = bean.stock.moved_at.max(Some(now));
    let movement = Movement {
        bean: moved.id,
        sequence: moved.last_movement,
        kind,
        change_by,
        quantity_after: moved.stock.quantity,
        update: None,
        reason: reason.map(str::to_owned),
    };
    db::beans::set_stock(tx, &[moved]).await?;
    db::movements::insert_movements(tx, &[movement], now).await
}

/// Ends a transaction whose bean could not be stored, and says why.
async fn duplicate_type(tx: Transaction, error: DbError) -> CatalogueError {
    if error.trouble() != Trouble::Duplicate {
        return error.into();
    }
    match tx.rollback().await {
        Ok(()) => CatalogueError::DuplicateType,
        Err(error) => error.into(),
    }
}
