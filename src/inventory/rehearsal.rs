//! What would come of sending dead letters again, one after the other: the same decoder, validator and stock rule,
//! writing nothing and locking nothing.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::plan::removed_bean;
use super::resend::read;
use super::which_bean::{Meant, find_beans};
use crate::db::dead_letters::OpenLetter;
use crate::db::{self, Connection, DbResult};
use crate::domain::{BeanId, Decision, InventoryUpdate, Refusal, Stock, decide};

/// What would come of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prospect {
    /// It would be applied; the bags before and after.
    Applies {
        bean: BeanId,
        before: i64,
        after: i64,
    },
    /// A count includes it, or is newer: nothing would change.
    Overtaken(Refusal),
    /// It would fail again.
    Fails(Refusal),
}

/// Plays letters through one after the other, each with the stock that those before have left.
#[derive(Debug)]
pub struct Rehearsal {
    stocks: HashMap<BeanId, Stock>,
    now: DateTime<Utc>,
}

impl Rehearsal {
    /// Begins with the stocks of `now`.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self {
            stocks: HashMap::new(),
            now,
        }
    }

    /// Tells what would come of sending these letters again after those that were played through before.
    ///
    /// # Errors
    /// The database failed.
    pub async fn play(
        &mut self,
        conn: &mut Connection,
        letters: &[OpenLetter],
    ) -> DbResult<Vec<Prospect>> {
        let says: Vec<Result<InventoryUpdate, Refusal>> = letters.iter().map(read).collect();
        let readable: Vec<_> = says.iter().map(Result::as_ref).collect();
        let beans = find_beans(conn, &readable).await?;
        let found: BTreeSet<BeanId> = beans.iter().flatten().map(|meant| meant.bean).collect();
        let new = found
            .into_iter()
            .filter(|bean| !self.stocks.contains_key(bean));
        let new: Vec<BeanId> = new.collect();
        let stocks = db::beans::find_stocks(conn, &new).await?;
        self.stocks
            .extend(stocks.into_iter().map(|bean| (bean.bean, bean.stock)));
        let played = says.into_iter().zip(beans);
        let played = played.map(|(says, bean)| self.play_one(says, bean));
        Ok(played
            .map(|prospect| prospect.unwrap_or_else(Prospect::Fails))
            .collect())
    }

    fn play_one(
        &mut self,
        says: Result<InventoryUpdate, Refusal>,
        bean: Result<Meant, Refusal>,
    ) -> Result<Prospect, Refusal> {
        let (says, Meant { bean, .. }) = (says?, bean?);
        let Some(stock) = self.stocks.get_mut(&bean) else {
            // Removed between two questions.
            return Ok(Prospect::Fails(removed_bean(&says)));
        };
        let before = stock.quantity;
        match decide(stock, &says, self.now)? {
            Decision::Move { after, .. } | Decision::Flag { after } => {
                *stock = after;
                Ok(Prospect::Applies {
                    bean,
                    before,
                    after: after.quantity,
                })
            }
            Decision::Superseded(refusal) => Ok(Prospect::Overtaken(refusal)),
        }
    }
}
