//! The one write path of updates: accept one, and apply what the queue delivers.
//!
//! An update's effect, its inbox row, its movement and its timeline commit together or not at all,
//! so that it counts once however often it is delivered. Nothing here knows SQS or the web.

mod accept;
mod apply;
mod identity;
mod plan;

pub use accept::{AcceptError, accept_update};
pub use apply::{ApplyError, apply_batch};
pub(crate) use identity::{Identity, find_seen};

use crate::domain::{Claim, Fingerprint, InventoryUpdate, Refusal, UpdateId};
use crate::messaging::wire::Unreadable;

/// A message to be applied, in the order of its receipt.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// What it says, or why that could not be read.
    pub content: Result<InventoryUpdate, Box<Unreadable>>,
    /// Its message group: when one of a group fails, the later ones are left alone.
    pub group: Option<String>,
    /// Whether the queue gives up on it after this. Then its group need not wait for it any more.
    pub last_attempt: bool,
}

impl Incoming {
    /// The update's id.
    pub fn id(&self) -> UpdateId {
        match &self.content {
            Ok(update) => update.id,
            Err(unreadable) => unreadable.id,
        }
    }

    /// What it means; of one that could not be read, its bytes.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        match &self.content {
            Ok(update) => update.fingerprint(),
            Err(unreadable) => unreadable.fingerprint,
        }
    }

    /// What it claims, as far as it could be read.
    pub(crate) fn claim(&self) -> Claim {
        match &self.content {
            Ok(update) => Claim::from(update),
            Err(unreadable) => unreadable.claim.clone(),
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is in the stock.
    Applied,
    /// Its update had its end before; nothing changed.
    Duplicate,
    /// Something newer already said otherwise; recorded, nothing changed.
    Superseded,
    /// It can never be applied as it is; the reason is recorded.
    Refused(Refusal),
    /// Not looked at, because an earlier one of its group failed.
    Unstarted,
}
