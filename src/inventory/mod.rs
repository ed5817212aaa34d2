//! The one write path of updates: accept one, and apply what the queue delivers.
//!
//! An update's effect, its inbox row, its movement and its timeline commit together or not at all,
//! so that it counts once however often it is delivered. Nothing here knows SQS or the web.

mod accept;
mod apply;
mod busy;
mod correction;
mod end;
mod foresight;
mod handler;
mod identity;
mod plan;
mod rehearsal;
mod resend;
mod slip;
mod which_bean;

pub use accept::{AcceptError, accept_update};
pub use apply::apply_batch;
pub use busy::BusyBeans;
pub use correction::{bags_so_far, difference, moved_at};
pub use end::{
    EndError, RESTORABLE_FOR, cancel_update, close_dead, discard_update, is_cancellable,
    leave_update, restore_update,
};
pub use foresight::{Foresight, foresee};
pub use handler::Apply;
pub(crate) use identity::{Identity, IfLocked, find_ids, lock};
pub use rehearsal::{Prospect, Rehearsal};
pub use resend::{ResendError, resend_update, send_again};
pub use slip::{Following, SentForm, Slip, SlipError, accept_slip};
pub use which_bean::Meant;

use chrono::{DateTime, Utc};

use crate::db::timeline::Attempt;
use crate::db::updates::Content;
use crate::domain::{Claim, Fingerprint, Instance, InventoryUpdate, Refusal, UpdateId, UpdateKey};
use crate::messaging::wire::Unreadable;

/// A message to be applied, in the order of its receipt.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// What it says, or why that could not be read.
    pub content: Result<InventoryUpdate, Box<Unreadable>>,
    /// What the queue calls the message.
    pub message_id: String,
    /// How often the message has been received, this time included.
    pub receive_count: u32,
    /// Its message group: when one of a group fails, the later ones are left alone.
    pub group: Option<String>,
    /// Number of receives after which the queue gives it up; `None` if it never does.
    pub receive_limit: Option<u32>,
}

impl Incoming {
    /// The key that makes its update count once.
    pub fn key(&self) -> UpdateKey {
        match &self.content {
            Ok(update) => update.key(),
            Err(unreadable) => unreadable.key,
        }
    }

    /// Our id for its update, if nobody has seen it before. Where no supplier could be read there is
    /// nothing else to know it by, so it is the broker's.
    pub(crate) fn new_id(key: UpdateKey) -> UpdateId {
        match key.supplier {
            Some(_) => UpdateId::generate(),
            None => key.id,
        }
    }

    /// What it says, or why that could not be read.
    pub(crate) fn says(&self) -> Result<&InventoryUpdate, &Refusal> {
        self.content
            .as_ref()
            .map_err(|unreadable| &unreadable.refusal)
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

    /// What it says, as it is stored.
    pub(crate) fn stored_content(&self) -> Content {
        Content {
            fingerprint: self.fingerprint(),
            claim: self.claim(),
            sent_at: self.sent_at(),
        }
    }

    pub(crate) fn sent_at(&self) -> Option<DateTime<Utc>> {
        self.content.as_ref().ok()?.sent_at
    }

    /// The message as a timeline names it.
    pub(crate) fn attempt(&self) -> Attempt {
        Attempt {
            fingerprint: self.fingerprint(),
            message_id: self.message_id.clone(),
            receive_count: Some(self.receive_count),
            receive_limit: self.receive_limit,
            by: Instance::this(),
        }
    }

    /// Whether the queue gives up on it after this. Then its group need not wait for it any more.
    fn is_last_attempt(&self) -> bool {
        self.receive_limit
            .is_some_and(|limit| self.receive_count >= limit)
    }
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is in the stock.
    Applied,
    /// Its update was in its final state before; nothing changed.
    Duplicate,
    /// Something newer already said otherwise; recorded, nothing changed.
    Superseded,
    /// It can never be applied as it is; the reason is recorded.
    Refused {
        /// Why it was refused.
        refusal: Refusal,
        /// Whether its update was refused before.
        again: bool,
    },
    /// Not looked at, because an earlier one of its group failed.
    Unstarted,
    /// Somebody else has locked its bean or its update, or an earlier one of its group waits for that;
    /// nothing changed.
    Held,
    /// What the tables hold of its update cannot be read, which waiting may mend; nothing changed.
    Postponed,
}

impl Outcome {
    /// Whether it was refused.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// What becomes of the later messages of a group in which a message came to this; `None` if they go
    /// their own ways. A message at its last attempt is not waited for when it is refused.
    fn of_those_behind(&self, message: &Incoming) -> Option<Self> {
        match self {
            Self::Postponed => Some(Self::Unstarted),
            Self::Refused { .. } if !message.is_last_attempt() => Some(Self::Unstarted),
            Self::Unstarted | Self::Held => Some(self.clone()),
            _ => None,
        }
    }
}
