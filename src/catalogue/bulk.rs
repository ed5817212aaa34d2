//! Changing the prices and alert lines of several beans at once, and taking that back.

use super::CatalogueError;
use crate::clock::Clock;
use crate::db::activity::Activity;
use crate::db::bulk_edits;
use crate::db::{self, DbResult, Pool, Transaction};
use crate::domain::{AccountId, BeanId, BeanStock, BeanTerms, crossings};
use crate::submission::Submission;

/// What one bean is changed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermsChange {
    pub bean: BeanId,
    /// How it stood when the person decided.
    pub seen: BeanTerms,
    pub wanted: BeanTerms,
}

/// Changes several beans, all or none, unless the same form has done it before; gives the number of the edit.
///
/// # Errors
/// [`CatalogueError::ChangedMeanwhile`] if one of them is not as it was seen, [`CatalogueError::NotFound`] if one was
/// removed.
pub async fn change_terms(
    pool: &Pool,
    clock: &dyn Clock,
    changes: &[TermsChange],
    by: AccountId,
    form: &Submission,
    activity: &Activity<'_>,
) -> Result<i64, CatalogueError> {
    let mut changes = changes.to_vec();
    changes.sort_by_key(|change| change.bean);
    changes.dedup_by_key(|change| change.bean);
    let changes = &changes;
    db::in_transaction(pool, async |tx| {
        let now = db::server::tell_time(tx).await?;
        if let Some(earlier) = form.claim(tx, now).await? {
            return Ok(earlier);
        }
        let ids: Vec<BeanId> = changes.iter().map(|change| change.bean).collect();
        let locked = db::beans::lock_beans(tx, &ids).await?;
        let edit = bulk_edits::insert_edit(tx, by, now).await?;
        for change in changes {
            let (stock, current) = find(tx, &locked, change.bean).await?;
            if current != change.seen {
                return Err(CatalogueError::ChangedMeanwhile);
            }
            set_terms(tx, clock, &stock, change.wanted).await?;
            bulk_edits::insert_line(tx, edit, change.bean, current, change.wanted).await?;
        }
        db::activity::insert_activity(tx, activity).await?;
        form.settle(tx, edit, now).await?;
        Ok(edit)
    })
    .await
}

/// Takes an edit back. What somebody has changed since stays as it is now.
///
/// # Errors
/// [`CatalogueError::NotFound`] if there is no such edit, or it was taken back already.
pub async fn undo_terms(
    pool: &Pool,
    clock: &dyn Clock,
    edit: i64,
    by: AccountId,
    activity: &Activity<'_>,
) -> Result<(), CatalogueError> {
    db::in_transaction(pool, async |tx| {
        if !bulk_edits::lock_standing(tx, edit).await? {
            return Err(CatalogueError::NotFound);
        }
        let ids: Vec<BeanId> = bulk_edits::list_lines(tx, edit)
            .await?
            .iter()
            .map(|line| line.bean)
            .collect();
        let locked = db::beans::lock_beans(tx, &ids).await?;
        for line in bulk_edits::list_lines(tx, edit).await? {
            let stock = locked.iter().find(|stock| stock.bean == line.bean);
            let (Some(stock), Some(now)) = (stock, line.now) else {
                continue;
            };
            let restored = restore(line.before, line.after, now);
            if restored != now {
                set_terms(tx, clock, stock, restored).await?;
            }
        }
        let now = db::server::tell_time(tx).await?;
        bulk_edits::set_undone(tx, edit, by, now).await?;
        Ok(db::activity::insert_activity(tx, activity).await?)
    })
    .await
}

/// What was there before, where what came `after` it is still there `now`.
fn restore(before: BeanTerms, after: BeanTerms, now: BeanTerms) -> BeanTerms {
    BeanTerms {
        price: if now.price == after.price {
            before.price
        } else {
            now.price
        },
        alert_at: if now.alert_at == after.alert_at {
            before.alert_at
        } else {
            now.alert_at
        },
    }
}

async fn find(
    tx: &mut Transaction,
    locked: &[BeanStock],
    bean: BeanId,
) -> Result<(BeanStock, BeanTerms), CatalogueError> {
    let stock = locked.iter().find(|stock| stock.bean == bean);
    let found = db::beans::find_bean(tx, bean).await?;
    let (stock, found) = stock.zip(found).ok_or(CatalogueError::NotFound)?;
    Ok((*stock, found.terms()))
}

/// Sets the price and the alert line of a bean that the transaction has locked.
async fn set_terms(
    tx: &mut Transaction,
    clock: &dyn Clock,
    before: &BeanStock,
    terms: BeanTerms,
) -> DbResult<()> {
    db::beans::set_terms(tx, before.bean, terms, clock.now()).await?;
    let after = BeanStock {
        alert_at: terms.alert_at,
        ..*before
    };
    let now = db::server::tell_time(tx).await?;
    db::alerts::record_crossings(tx, &crossings(before, &after), now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Price;

    fn terms(price: &str, alert_at: Option<i64>) -> BeanTerms {
        BeanTerms {
            price: Price::parse(price).unwrap(),
            alert_at,
        }
    }

    #[test]
    fn what_was_changed_since_is_not_taken_back() {
        let (before, after) = (terms("18", None), terms("19", Some(60)));

        assert_eq!(restore(before, after, after), before);
        assert_eq!(
            restore(before, after, terms("21", Some(60))),
            terms("21", None)
        );
        assert_eq!(
            restore(before, after, terms("19", Some(5))),
            terms("18", Some(5))
        );
    }
}
