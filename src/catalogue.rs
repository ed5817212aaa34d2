//! The café's list of suppliers and beans, as staff change it: one transaction each.
//!
//! Stock is never set here without a movement that says why. A form that is sent twice has one effect,
//! and one that was filled in from what has changed meanwhile has none.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use crate::clock::Clock;
use crate::db::beans::{Bean, BeanTexts, LockedBean};
use crate::db::movements::Movement;
use crate::db::suppliers::{Supplier, SupplierTexts};
use crate::db::{self, DbError, DbResult, Pool, Transaction, Trouble};
use crate::domain::{BeanId, BeanType, MAX_STOCK, MovementKind, Stock, SupplierId};

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
    /// The supplier or bean was changed while somebody was editing it.
    #[error("it was changed in the meantime")]
    ChangedMeanwhile,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A form that adds something, known again if it is sent twice.
#[derive(Debug, Clone, Copy)]
pub struct Submission {
    id: [u8; 32],
    /// Whether the form had a key of its own. Forms of the lab's clients have none, and the same content
    /// is the same form to us only for a while.
    has_key: bool,
}

/// How long the same content without a key is taken for the same form: longer than any double click
/// or repeat of a proxy, shorter than anybody needs to remove a supplier and add it again.
const SAME_CONTENT_FOR: TimeDelta = TimeDelta::minutes(10);

impl Submission {
    /// The form with this key, empty if it has none, and what was typed into it.
    pub fn new(key: &str, content: &[&str]) -> Self {
        Self {
            id: digest(&[&[key], content].concat()),
            has_key: !key.is_empty(),
        }
    }
}

/// What a supplier or bean said when a form was filled in from it: 16 hexadecimal digits for each text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The version that a form says it was filled in from.
    pub fn seen(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The version of a bean's texts; its stock is no part of it.
    pub fn of_bean(bean: &Bean) -> Self {
        Self::of(&[
            &bean.supplier.to_string(),
            &bean.bean_type,
            &bean.product_name,
            &bean.price.normalize().to_string(),
            &bean.description,
        ])
    }

    /// The version of a supplier's texts.
    pub fn of_supplier(supplier: &Supplier) -> Self {
        Self::of(&[
            &supplier.name,
            &supplier.address,
            &supplier.city,
            &supplier.state,
            &supplier.email,
            &supplier.phone,
        ])
    }

    fn of(texts: &[&str]) -> Self {
        let digests: Vec<String> = texts.iter().map(|text| short_digest(text)).collect();
        Self(digests.join("-"))
    }

    /// Whether the text at this place, counted from 0, said this. The texts are the supplier's name,
    /// address, city, state, e-mail address and phone number, or the bean's supplier, type, product
    /// name, price without zeros at its end, and description.
    pub fn said(&self, place: usize, text: &str) -> bool {
        self.0.split('-').nth(place) == Some(short_digest(text).as_str())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn short_digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    format!("{:016x}", u64::from_be_bytes(first))
}

fn digest(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
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

/// Adds a supplier, unless the same form has added it before.
pub async fn add_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    texts: SupplierTexts<'_>,
    submission: Option<&Submission>,
) -> Result<SupplierId, CatalogueError> {
    let now = clock.now();
    let mut tx = Transaction::begin(pool).await?;
    if let Some(earlier) = claim(&mut tx, submission, now).await? {
        let earlier = SupplierId(earlier);
        if db::suppliers::find_supplier(&mut tx, earlier)
            .await?
            .is_some()
        {
            tx.rollback().await?;
            return Ok(earlier);
        }
    }
    let id = db::suppliers::insert_supplier(&mut tx, texts, now).await?;
    settle(&mut tx, submission, id.0, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Makes a form this transaction's own; gives what it has added before.
async fn claim(
    tx: &mut Transaction,
    submission: Option<&Submission>,
    now: DateTime<Utc>,
) -> DbResult<Option<i64>> {
    let Some(submission) = submission else {
        return Ok(None);
    };
    db::submissions::claim_submission(tx, &submission.id, now).await?;
    let earlier = db::submissions::find_submission(tx, &submission.id).await?;
    let counts = |at: DateTime<Utc>| submission.has_key || now - at < SAME_CONTENT_FOR;
    let earlier = earlier.filter(|earlier| counts(earlier.created_at));
    Ok(earlier.map(|earlier| earlier.result))
}

async fn settle(
    tx: &mut Transaction,
    submission: Option<&Submission>,
    result: i64,
    now: DateTime<Utc>,
) -> DbResult<()> {
    match submission {
        Some(submission) => db::submissions::set_result(tx, &submission.id, result, now).await,
        None => Ok(()),
    }
}

/// Replaces a supplier's texts, if they are still what was `seen`.
pub async fn change_supplier(
    pool: &Pool,
    clock: &dyn Clock,
    id: SupplierId,
    texts: SupplierTexts<'_>,
    seen: Option<&Version>,
) -> Result<(), CatalogueError> {
    let mut tx = Transaction::begin(pool).await?;
    db::suppliers::lock_supplier(&mut tx, id).await?;
    let refused = match db::suppliers::find_supplier(&mut tx, id).await? {
        None => Some(CatalogueError::NotFound),
        Some(now) if seen.is_some_and(|seen| *seen != Version::of_supplier(&now)) => {
            Some(CatalogueError::ChangedMeanwhile)
        }
        Some(_) => None,
    };
    if let Some(error) = refused {
        tx.rollback().await?;
        return Err(error);
    }
    db::suppliers::set_supplier_texts(&mut tx, id, texts, clock.now()).await?;
    tx.commit().await?;
    Ok(())
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

/// Adds a bean, unless the same form has added it before; what is there of it already becomes its
/// opening movement.
pub async fn add_bean(
    pool: &Pool,
    clock: &dyn Clock,
    texts: BeanTexts<'_>,
    opening_stock: i64,
    submission: Option<&Submission>,
) -> Result<BeanId, CatalogueError> {
    debug_assert!((0..=MAX_STOCK).contains(&opening_stock), "parsed before");
    let now = clock.now();
    let mut tx = Transaction::begin(pool).await?;
    if let Some(earlier) = claim(&mut tx, submission, now).await? {
        let earlier = BeanId(earlier);
        if db::beans::find_bean(&mut tx, earlier).await?.is_some() {
            tx.rollback().await?;
            return Ok(earlier);
        }
    }
    if let Some(error) = refuse_type(&mut tx, texts, None).await? {
        tx.rollback().await?;
        return Err(error);
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
    move_stock(&mut tx, empty, MovementKind::Opening, opening_stock, None).await?;
    settle(&mut tx, submission, id.0, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Why a supplier cannot have a bean of that type: it is not there, or another bean of it has a type
/// that means the same. Locks the supplier, so that the answer stays true.
async fn refuse_type(
    tx: &mut Transaction,
    texts: BeanTexts<'_>,
    own: Option<BeanId>,
) -> DbResult<Option<CatalogueError>> {
    if !db::suppliers::lock_supplier(tx, texts.supplier).await? {
        return Ok(Some(CatalogueError::UnknownSupplier));
    }
    let mut offers = db::beans::find_offers(tx, &[texts.supplier]).await?;
    let beans = offers.remove(&texts.supplier).map(|offer| offer.beans);
    let key = texts.bean_type.key();
    let is_taken = beans
        .unwrap_or_default()
        .into_iter()
        .any(|(id, bean_type)| Some(id) != own && BeanType::stored(bean_type).key() == key);
    Ok(is_taken.then_some(CatalogueError::DuplicateType))
}

/// Replaces a bean's texts and price, if they are still what was `seen`, and, if a correction is given,
/// its stock, with a movement.
pub async fn change_bean(
    pool: &Pool,
    clock: &dyn Clock,
    id: BeanId,
    texts: BeanTexts<'_>,
    correction: Option<Correction<'_>>,
    seen: Option<&Version>,
) -> Result<(), CatalogueError> {
    let mut tx = Transaction::begin(pool).await?;
    let locked = db::beans::lock_beans(&mut tx, &[id]).await?.pop();
    let found = db::beans::find_bean(&mut tx, id).await?;
    let (Some(locked), Some(before)) = (locked, found) else {
        tx.rollback().await?;
        return Err(CatalogueError::NotFound);
    };
    if let Some(error) = refuse_change(&mut tx, &before, texts, correction, seen).await? {
        tx.rollback().await?;
        return Err(error);
    }
    // A type that stays as it is keeps its key, which a twin may have given a form of its own.
    let new_key = is_retyped(&before, texts).then(|| texts.bean_type.key());
    let saved = db::beans::set_bean_texts(&mut tx, id, texts, new_key.as_deref(), clock.now());
    if let Err(error) = saved.await {
        return Err(duplicate_type(tx, error).await);
    }
    if let Some(Correction { from, to, reason }) = correction {
        let kind = MovementKind::Correction;
        move_stock(&mut tx, locked, kind, to - from, Some(reason)).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn is_retyped(before: &Bean, texts: BeanTexts<'_>) -> bool {
    before.supplier != texts.supplier || before.bean_type != texts.bean_type.as_str()
}

async fn refuse_change(
    tx: &mut Transaction,
    before: &Bean,
    texts: BeanTexts<'_>,
    correction: Option<Correction<'_>>,
    seen: Option<&Version>,
) -> DbResult<Option<CatalogueError>> {
    if seen.is_some_and(|seen| *seen != Version::of_bean(before)) {
        return Ok(Some(CatalogueError::ChangedMeanwhile));
    }
    if correction.is_some_and(|correction| correction.from != before.quantity) {
        return Ok(Some(CatalogueError::StockChanged(before.quantity)));
    }
    if is_retyped(before, texts) {
        return refuse_type(tx, texts, Some(before.id)).await;
    }
    Ok(None)
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
        move_stock(&mut tx, bean, MovementKind::Removal, change_by, None).await?;
    }
    db::beans::set_bean_removed(&mut tx, id, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Moves the stock of one bean that the transaction has locked (or has just inserted). Movements take
/// the database's time, because instances' clocks differ.
async fn move_stock(
    tx: &mut Transaction,
    bean: LockedBean,
    kind: MovementKind,
    change_by: i64,
    reason: Option<&str>,
) -> Result<(), DbError> {
    let now = db::server::tell_time(tx).await?;
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
