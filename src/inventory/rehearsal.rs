//! What would come of sending dead letters again, one after the other: the same decoder, validator and stock rule,
//! writing nothing and locking nothing.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::plan::removed_bean;
use super::resend::read;
use super::which_bean::{Meant, find_beans};
use crate::db::dead_letters::OpenLetter;
use crate::db::{self, Connection, DbResult};
use crate::domain::{BeanId, Decision, InventoryUpdate, Refusal, Stock, UpdateId, decide};

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

/// A letter, and what would come of it.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    pub update: UpdateId,
    pub prospect: Prospect,
}

/// Tells what would come of sending letters again `now`, in the order given.
pub async fn rehearse(
    conn: &mut Connection,
    letters: &[OpenLetter],
    now: DateTime<Utc>,
) -> DbResult<Vec<Rehearsed>> {
    let says: Vec<Result<InventoryUpdate, Refusal>> = letters.iter().map(read).collect();
    let readable: Vec<_> = says.iter().map(Result::as_ref).collect();
    let beans = find_beans(conn, &readable).await?;
    let found: BTreeSet<BeanId> = beans.iter().flatten().map(|meant| meant.bean).collect();
    let found: Vec<BeanId> = found.into_iter().collect();
    let stocks = db::beans::find_stocks(conn, &found).await?;
    let mut stage = Stage {
        stocks: stocks
            .into_iter()
            .map(|bean| (bean.bean, bean.stock))
            .collect(),
        now,
    };
    let rehearsed = letters.iter().zip(says.into_iter().zip(beans));
    let rehearsed = rehearsed.map(|(letter, (says, bean))| Rehearsed {
        update: letter.update,
        prospect: stage.play(says, bean).unwrap_or_else(Prospect::Fails),
    });
    Ok(rehearsed.collect())
}

/// The stocks as the letters before have left them.
struct Stage {
    stocks: HashMap<BeanId, Stock>,
    now: DateTime<Utc>,
}

impl Stage {
    fn play(
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
