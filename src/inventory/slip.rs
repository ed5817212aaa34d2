//! Takes a slip in: what somebody sends at once is accepted as a whole, once, however often its form comes.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::accept::Message;
use super::correction::bags_so_far;
use super::end::{ByHand, EndError, end_by_hand};
use crate::clock::Clock;
use crate::db::activity::Actor;
use crate::db::slips::NewSlip;
use crate::db::updates::Source;
use crate::db::{self, Connection, DbError, Pool, Transaction, WorkError};
use crate::domain::{
    AccountId, Action, Follows, FollowsAs, InventoryUpdate, Origin, Refusal, SlipNumber,
    SupplierId, UpdateId, UpdateState,
};

/// What somebody sends at once.
#[derive(Debug, Clone)]
pub struct Slip {
    /// For whom; all updates claim to come from there.
    pub supplier: SupplierId,
    /// Who typed it, and at which network address.
    pub sender: AccountId,
    pub address: String,
    pub form: SentForm,
    /// At least one.
    pub updates: Vec<InventoryUpdate>,
    /// What the one update of the slip follows, if it follows something.
    pub follows: Option<Following>,
}

impl Slip {
    /// What sending it does, for the log of what people did.
    fn activity(&self, number: SlipNumber) -> (Action, String) {
        match self.follows {
            None => {
                let (updates, supplier) = (self.updates.len(), self.supplier);
                let details = format!("{number}: {updates} for supplier {supplier}");
                (Action::SentUpdates, details)
            }
            Some(Following::Fix(update)) => (Action::FixedUpdate, format!("{update}, by {number}")),
            Some(Following::Correction { update, .. }) => {
                (Action::CorrectedUpdate, format!("{update}, by {number}"))
            }
            Some(Following::Anyway(update)) => {
                (Action::AppliedUpdate, format!("{update}, by {number}"))
            }
        }
    }
}

/// The form a slip was typed into.
#[derive(Debug, Clone, Copy)]
pub struct SentForm {
    key: [u8; 32],
    content: [u8; 32],
}

impl SentForm {
    /// The form that `sender` got under this key, and what they typed. `None` without a key: it could not be
    /// told from the same form sent twice.
    pub fn new(sender: AccountId, key: &str, content: &[&str]) -> Option<Self> {
        let sender = sender.to_string();
        (!key.is_empty()).then(|| Self {
            key: digest(&[&sender, key]),
            content: digest(content),
        })
    }

    /// Finds the slip that it has become if it was sent before, by a double click or because its answer was
    /// lost. What it says may not be possible any more by then.
    ///
    /// # Errors
    /// [`SlipError::UsedForAnother`] if something else was typed into it then.
    pub async fn find_sent(&self, conn: &mut Connection) -> Result<Option<SlipNumber>, SlipError> {
        match db::slips::find_sent_form(conn, &self.key).await? {
            Some(sent) if sent.content_hash == self.content => Ok(Some(sent.number)),
            Some(sent) => Err(SlipError::UsedForAnother(sent.number)),
            None => Ok(None),
        }
    }
}

fn digest(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

/// What an update on a slip follows.
#[derive(Debug, Clone, Copy)]
pub enum Following {
    /// It takes the place of an update that the queue has given up.
    Fix(UpdateId),
    /// It corrects an applied update, which its sender took to stand for so many bags so far.
    Correction { update: UpdateId, stood_for: i64 },
    /// It is applied although a count has overtaken an update, about which nobody has decided yet.
    Anyway(UpdateId),
}

/// Why a slip was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SlipError {
    /// The same form was sent before, with something else in it.
    #[error("this form was sent before, as {0}")]
    UsedForAnother(SlipNumber),
    /// What it follows was ended, fixed or corrected meanwhile, or cannot be followed like this: it is
    /// another supplier's, a correction that is to be fixed, or followed by several updates at once.
    #[error("the update it follows has moved on")]
    MovedOn,
    /// An update could not be read again from the message that would carry it.
    #[error(transparent)]
    Unreadable(Refusal),
    /// The database failed; whether the slip was stored is unknown, and sending the form again is safe.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for SlipError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EndError> for SlipError {
    fn from(error: EndError) -> Self {
        match error {
            EndError::Db(error) => Self::Db(error),
            EndError::Unknown | EndError::MovedOn(_) => Self::MovedOn,
        }
    }
}

/// Accepts a slip with all its updates, and gives its number: the same one however often the form comes.
/// Once this returns `Ok`, none of the updates is ever lost.
///
/// # Errors
/// A [`SlipError`]; nothing was stored then, unless it is [`SlipError::Db`].
pub async fn accept_slip(
    pool: &Pool,
    clock: &dyn Clock,
    slip: &Slip,
) -> Result<SlipNumber, SlipError> {
    let messages: Result<Vec<Message<'_>>, Refusal> =
        slip.updates.iter().map(Message::of).collect();
    let messages = messages.map_err(SlipError::Unreadable)?;
    let now = clock.now();
    // Whoever meets the same form, or the same number, in another transaction comes here again.
    db::in_transaction(pool, async |tx| {
        if let Some(number) = slip.form.find_sent(tx).await? {
            return Ok(number);
        }
        let number = SlipNumber::generate();
        store(tx, slip, &messages, number, now).await?;
        Ok(number)
    })
    .await
}

async fn store(
    tx: &mut Transaction,
    slip: &Slip,
    messages: &[Message<'_>],
    number: SlipNumber,
    now: DateTime<Utc>,
) -> Result<(), SlipError> {
    let new = NewSlip {
        number,
        supplier: slip.supplier,
        sender: slip.sender,
        form_key: &slip.form.key,
        content_hash: &slip.form.content,
    };
    let id = db::slips::insert_slip(tx, &new, now).await?;
    let follows = match slip.follows {
        Some(following) => Some(follow(tx, slip, following, now).await?),
        None => None,
    };
    let source = Source {
        origin: Origin::Web,
        slip: Some(id),
        follows,
    };
    for message in messages {
        message.store(tx, source, now).await?;
    }
    let actor = Actor {
        account: Some(slip.sender),
        address: &slip.address,
    };
    let (action, details) = slip.activity(number);
    db::activity::insert_activity(tx, &actor.did(action, &details)).await?;
    Ok(())
}

/// Makes sure that what is followed still stands where its sender saw it.
async fn follow(
    tx: &mut Transaction,
    slip: &Slip,
    following: Following,
    now: DateTime<Utc>,
) -> Result<Follows, SlipError> {
    let (Following::Fix(update) | Following::Correction { update, .. } | Following::Anyway(update)) =
        following;
    db::known_updates::lock_updates(tx, &[update]).await?;
    let followed = db::update_lists::find_update(tx, update).await?;
    let followed = followed.ok_or(SlipError::MovedOn)?;
    if followed.supplier != Some(slip.supplier.0) || slip.updates.len() != 1 {
        return Err(SlipError::MovedOn);
    }
    match following {
        Following::Fix(update) => {
            // A correction that failed is cancelled, and its update corrected anew.
            if followed.is_correction() {
                return Err(SlipError::MovedOn);
            }
            let may_end = |state| state == UpdateState::DeadLettered;
            let end = ByHand {
                state: UpdateState::Fixed,
                why: None,
            };
            end_by_hand(tx, update, end, may_end, now).await?;
            Ok(Follows {
                update,
                how: FollowsAs::Fix,
            })
        }
        Following::Anyway(update) => {
            if followed.state != UpdateState::Superseded || followed.decided_at.is_some() {
                return Err(SlipError::MovedOn);
            }
            db::updates::set_decided(tx, update, now).await?;
            Ok(Follows {
                update,
                how: FollowsAs::Anyway,
            })
        }
        Following::Correction { update, stood_for } => {
            let followers = db::update_lists::list_followers(tx, &[update]).await?;
            if bags_so_far(&followed, &followers) != Some(stood_for) {
                return Err(SlipError::MovedOn);
            }
            Ok(Follows {
                update,
                how: FollowsAs::Correction,
            })
        }
    }
}
