//! What was just done, told on the page one is sent to afterwards.

use axum::http::Uri;
use serde::Deserialize;

use super::query::Query;

/// A notice. The address only carries a word of this fixed set, so nobody can put words into our mouth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    BeanAdded,
    BeanChanged,
    BeanRemoved,
    SupplierAdded,
    SupplierChanged,
    SupplierRemoved,
    SignedOut,
    PasswordChanged,
    DisplayChanged,
    SessionEnded,
    RoleChanged,
    SessionsEnded,
    AccountDisabled,
    AccountEnabled,
    UpdateCancelled,
    UpdateHasEnded,
    CannotBeCorrected,
    NothingToFix,
    TooManyForAFile,
    StockAdjusted,
    BagsCounted,
    MovementUndone,
    AlertAcknowledged,
    AlertMuted,
    AlertUnmuted,
    AlertOver,
    AlertLineSet,
    StocktakeBooked,
    StocktakeDropped,
    StocktakeIsOver,
    StocktakeIsBeingBooked,
    SupplierOn,
    SupplierOff,
    UpdateLeft,
    AlreadyDecided,
    BothKept,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
}

impl Notice {
    const ALL: [Self; 36] = [
        Self::BeanAdded,
        Self::BeanChanged,
        Self::BeanRemoved,
        Self::SupplierAdded,
        Self::SupplierChanged,
        Self::SupplierRemoved,
        Self::SignedOut,
        Self::PasswordChanged,
        Self::DisplayChanged,
        Self::SessionEnded,
        Self::RoleChanged,
        Self::SessionsEnded,
        Self::AccountDisabled,
        Self::AccountEnabled,
        Self::UpdateCancelled,
        Self::UpdateHasEnded,
        Self::CannotBeCorrected,
        Self::NothingToFix,
        Self::TooManyForAFile,
        Self::StockAdjusted,
        Self::BagsCounted,
        Self::MovementUndone,
        Self::AlertAcknowledged,
        Self::AlertMuted,
        Self::AlertUnmuted,
        Self::AlertOver,
        Self::AlertLineSet,
        Self::StocktakeBooked,
        Self::StocktakeDropped,
        Self::StocktakeIsOver,
        Self::StocktakeIsBeingBooked,
        Self::SupplierOn,
        Self::SupplierOff,
        Self::UpdateLeft,
        Self::AlreadyDecided,
        Self::BothKept,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::BeanAdded => "bean-added",
            Self::BeanChanged => "bean-changed",
            Self::BeanRemoved => "bean-removed",
            Self::SupplierAdded => "supplier-added",
            Self::SupplierChanged => "supplier-changed",
            Self::SupplierRemoved => "supplier-removed",
            Self::SignedOut => "signed-out",
            Self::PasswordChanged => "password-changed",
            Self::DisplayChanged => "display-changed",
            Self::SessionEnded => "session-ended",
            Self::RoleChanged => "role-changed",
            Self::SessionsEnded => "sessions-ended",
            Self::AccountDisabled => "account-disabled",
            Self::AccountEnabled => "account-enabled",
            Self::UpdateCancelled => "update-cancelled",
            Self::UpdateHasEnded => "update-has-ended",
            Self::CannotBeCorrected => "cannot-be-corrected",
            Self::NothingToFix => "nothing-to-fix",
            Self::TooManyForAFile => "too-many-for-a-file",
            Self::StockAdjusted => "stock-adjusted",
            Self::BagsCounted => "bags-counted",
            Self::MovementUndone => "movement-undone",
            Self::AlertAcknowledged => "alert-acknowledged",
            Self::AlertMuted => "alert-muted",
            Self::AlertUnmuted => "alert-unmuted",
            Self::AlertOver => "alert-over",
            Self::AlertLineSet => "alert-line-set",
            Self::StocktakeBooked => "stocktake-booked",
            Self::StocktakeDropped => "stocktake-dropped",
            Self::StocktakeIsOver => "stocktake-is-over",
            Self::StocktakeIsBeingBooked => "stocktake-is-being-booked",
            Self::SupplierOn => "supplier-on",
            Self::SupplierOff => "supplier-off",
            Self::UpdateLeft => "update-left",
            Self::AlreadyDecided => "already-decided",
            Self::BothKept => "both-kept",
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::BeanAdded => "The bean was added.",
            Self::BeanChanged => "Your changes to the bean were saved.",
            Self::BeanRemoved => "The bean was removed.",
            Self::SupplierAdded => "The supplier was added.",
            Self::SupplierChanged => "Your changes to the supplier were saved.",
            Self::SupplierRemoved => "The supplier was removed.",
            Self::SignedOut => "You are signed out.",
            Self::PasswordChanged => "Your password was changed. Your other sessions have ended.",
            Self::DisplayChanged => "Your choice was saved.",
            Self::SessionEnded => "The session has ended.",
            Self::RoleChanged => "The role was changed. It holds from the next click on.",
            Self::SessionsEnded => "All sessions of this account have ended.",
            Self::AccountDisabled => {
                "The account was disabled. Nobody is signed in with it any more."
            }
            Self::AccountEnabled => {
                "The account was enabled. Its owner can sign in with the old password."
            }
            Self::UpdateCancelled => "The update was cancelled. It changes nothing.",
            Self::UpdateHasEnded => {
                "It was too late to cancel this update. This is what became of it."
            }
            Self::CannotBeCorrected => {
                "The number of this update cannot be corrected now. This is how it stands."
            }
            Self::NothingToFix => {
                "Nothing was sent: this update was fixed, cancelled or applied in the meantime."
            }
            Self::TooManyForAFile => {
                "These are more updates than fit into one file (200,000). Choose a shorter time, then download again."
            }
            Self::StockAdjusted => "The stock was adjusted. You can undo it in the list below.",
            Self::BagsCounted => "The count was booked. You can undo it in the list below.",
            Self::AlertAcknowledged => "The alert now says that you look after it.",
            Self::AlertMuted => "The alert is muted. It stays in this list.",
            Self::AlertUnmuted => "The alert is not muted any more.",
            Self::AlertOver => "That alert is over already.",
            Self::StocktakeBooked => "The counts are booked. The stock is what was on the shelf.",
            Self::StocktakeDropped => "The stocktake was dropped. The stock stays as it was.",
            Self::UpdateLeft => "The count stands. The update changes nothing.",
            Self::AlreadyDecided => {
                "Somebody has decided about this update already, or there is nothing to decide."
            }
            Self::BothKept => {
                "Your changes are saved. What somebody else had changed in the meantime was kept as well."
            }
            Self::SupplierOn => "The supplier is switched on. What it sends is taken again.",
            Self::SupplierOff => {
                "The supplier is switched off. What it sends is refused from now on."
            }
            Self::StocktakeIsOver => {
                "Somebody has finished this stocktake. What you sent was not taken."
            }
            Self::StocktakeIsBeingBooked => {
                "Nothing was dropped: somebody has begun to book the counts, and some are in the stock already."
            }
            Self::AlertLineSet => "The bean now counts as low where you said.",
            Self::MovementUndone => "It was undone. Both movements stay in the list below.",
        }
    }

    /// The address of `path` with this notice on it.
    pub(crate) fn on(self, path: &str) -> String {
        format!("{path}?done={}", self.word())
    }

    /// The same for an address that may have a query already.
    pub(crate) fn on_query(self, address: &str) -> String {
        let joint = if address.contains('?') { '&' } else { '?' };
        format!("{address}{joint}done={}", self.word())
    }

    /// Finds the notice in an address.
    pub(crate) fn in_uri(uri: &Uri) -> Option<Self> {
        let Done { done } = Query::of(uri);
        Self::ALL.into_iter().find(|notice| notice.word() == done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_one_of_ours_or_none() {
        let address = Notice::BeanAdded.on("/beans").parse().unwrap();

        assert_eq!(Notice::in_uri(&address), Some(Notice::BeanAdded));
        let forged = Uri::from_static("/beans?done=you+won");
        assert_eq!(Notice::in_uri(&forged), None);
    }
}
