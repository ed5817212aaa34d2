//! What would become of a message today: the same decoder, validator and stock rule, step by step, writing
//! nothing and locking nothing.

use chrono::{DateTime, Utc};

use super::which_bean::{Meant, find_beans};
use crate::db::update_lists::UpdateLine;
use crate::db::{self, Connection, DbResult};
use crate::domain::{Claim, Decision, InventoryUpdate, Refusal, Stock, decide};
use crate::messaging::wire::{self, Decoder};

/// What would become of a message.
#[derive(Debug)]
pub struct Foresight {
    /// Whether it is an SNS envelope around the sender's message.
    pub in_envelope: bool,
    /// What could be read.
    pub claim: Claim,
    /// What it says, or why that cannot be read.
    pub read: Result<InventoryUpdate, Refusal>,
    /// The update that it is a copy of, or that has its id and says something else.
    pub known: Option<UpdateLine>,
    /// The bean it is about, or why none is found; `None` if it could not be read.
    pub bean: Option<Result<Meant, Refusal>>,
    /// The bean's stock, and what the stock rule says.
    pub decided: Option<(Stock, Result<Decision, Refusal>)>,
}

/// Tells what would become of a message that arrived `now`, by whichever topic.
pub async fn foresee(
    conn: &mut Connection,
    message: &str,
    now: DateTime<Utc>,
) -> DbResult<Foresight> {
    let content = Decoder::default().decode("what-would-happen", message, Some(now));
    let in_envelope = wire::message_within(message).is_some();
    let (claim, key, read) = match content {
        Ok(update) => (Claim::from(&update), update.key(), Ok(update)),
        Err(unreadable) => (unreadable.claim, unreadable.key, Err(unreadable.refusal)),
    };
    let known = db::known_updates::find_ids(conn, &[key]).await?;
    let known = match known.get(&key) {
        Some((id, _)) => db::update_lists::find_update(conn, *id).await?,
        None => None,
    };
    let (mut bean, mut decided) = (None, None);
    if let Ok(update) = &read {
        let mut found = find_beans(conn, &[Ok(update)]).await?;
        let found = found.pop();
        if let Some(Ok(meant)) = &found
            && let Some(stock) = db::beans::find_stock(conn, meant.bean).await?
        {
            decided = Some((stock.stock, decide(&stock.stock, update, now)));
        }
        bean = found;
    }
    Ok(Foresight {
        in_envelope,
        claim,
        read,
        known,
        bean,
        decided,
    })
}
