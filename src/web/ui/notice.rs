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
    FailuresDismissed,
    PreferencesSaved,
    PreferencesFirst,
    FeedClosed,
    TestMailed,
    TooManyMails,
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
    BeansChanged,
    BeansChangedBack,
    NothingToUndo,
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
    UpdateDiscarded,
    UpdateRestored,
    UpdateMovedOn,
    TooLateToRestore,
    QueuePaused,
    QueueWasPaused,
    QueueResumed,
    ShardSplit,
    ShardsMerged,
    ShardNotOpen,
    StreamElsewhere,
    StreamBusy,
    ShardLimit,
    StreamedAgain,
    RecordsSeen,
    UpdateResent,
    UpdateOnItsWay,
    WouldOnlyComeBack,
    NothingToDo,
    NoteSaved,
    NoteTooLong,
    BulkActionStopped,
    BulkActionOver,
    NameSettled,
    NameUnsettled,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
}

/// Each notice with its word in an address and its sentence on a page.
const NOTICES: [(Notice, &str, &str); 70] = [
    (Notice::BeanAdded, "bean-added", "The bean was added."),
    (
        Notice::BeanChanged,
        "bean-changed",
        "Your changes to the bean were saved.",
    ),
    (Notice::BeanRemoved, "bean-removed", "The bean was removed."),
    (
        Notice::SupplierAdded,
        "supplier-added",
        "The supplier was added.",
    ),
    (
        Notice::SupplierChanged,
        "supplier-changed",
        "Your changes to the supplier were saved.",
    ),
    (
        Notice::SupplierRemoved,
        "supplier-removed",
        "The supplier was removed.",
    ),
    (Notice::SignedOut, "signed-out", "You are signed out."),
    (
        Notice::PasswordChanged,
        "password-changed",
        "Your password was changed. Your other sessions have ended.",
    ),
    (
        Notice::PreferencesSaved,
        "preferences-saved",
        "Your alert settings were saved.",
    ),
    (
        Notice::PreferencesFirst,
        "preferences-first",
        "Save your alert settings first, then create a feed.",
    ),
    (
        Notice::FeedClosed,
        "feed-closed",
        "The feed was closed. Its address no longer works.",
    ),
    (
        Notice::TestMailed,
        "test-mailed",
        "A test email is on its way. See below whether it was sent.",
    ),
    (
        Notice::TooManyMails,
        "too-many-mails",
        "You have had 6 emails within the last hour, and nobody gets more. Try again later.",
    ),
    (
        Notice::DisplayChanged,
        "display-changed",
        "Your choice was saved.",
    ),
    (
        Notice::FailuresDismissed,
        "failures-dismissed",
        "Dismissed. What was not delivered is still tried again for 24 hours.",
    ),
    (
        Notice::SessionEnded,
        "session-ended",
        "The session has ended.",
    ),
    (
        Notice::RoleChanged,
        "role-changed",
        "The role was changed. It holds from the next click on.",
    ),
    (
        Notice::SessionsEnded,
        "sessions-ended",
        "All sessions of this account have ended.",
    ),
    (
        Notice::AccountDisabled,
        "account-disabled",
        "The account was disabled. Nobody is signed in with it any more.",
    ),
    (
        Notice::AccountEnabled,
        "account-enabled",
        "The account was enabled. Its owner can sign in with the old password.",
    ),
    (
        Notice::UpdateCancelled,
        "update-cancelled",
        "The update was cancelled. It changes nothing.",
    ),
    (
        Notice::UpdateHasEnded,
        "update-has-ended",
        "It was too late to cancel this update. This is what became of it.",
    ),
    (
        Notice::CannotBeCorrected,
        "cannot-be-corrected",
        "The number of this update cannot be corrected now. This is how it stands.",
    ),
    (
        Notice::NothingToFix,
        "nothing-to-fix",
        "Nothing was sent: this update was fixed, cancelled or applied in the meantime.",
    ),
    (
        Notice::TooManyForAFile,
        "too-many-for-a-file",
        "These are more updates than fit into one file (200,000). Choose a shorter time, then download again.",
    ),
    (
        Notice::StockAdjusted,
        "stock-adjusted",
        "The stock was adjusted. You can undo it in the list below.",
    ),
    (
        Notice::BagsCounted,
        "bags-counted",
        "The count was booked. You can undo it in the list below.",
    ),
    (
        Notice::MovementUndone,
        "movement-undone",
        "It was undone. Both movements stay in the list below.",
    ),
    (
        Notice::BeansChanged,
        "beans-changed",
        "The beans are changed. You can undo all of it here.",
    ),
    (
        Notice::BeansChangedBack,
        "beans-changed-back",
        "It was undone, except for what has been changed since.",
    ),
    (
        Notice::NothingToUndo,
        "nothing-to-undo",
        "Somebody has undone this already.",
    ),
    (
        Notice::AlertAcknowledged,
        "alert-acknowledged",
        "The alert now says that you look after it.",
    ),
    (
        Notice::AlertMuted,
        "alert-muted",
        "The alert is muted. It stays in this list.",
    ),
    (
        Notice::AlertUnmuted,
        "alert-unmuted",
        "The alert is not muted any more.",
    ),
    (
        Notice::AlertOver,
        "alert-over",
        "That alert is over already.",
    ),
    (
        Notice::AlertLineSet,
        "alert-line-set",
        "The alert line is set.",
    ),
    (
        Notice::StocktakeBooked,
        "stocktake-booked",
        "The counts are booked. The stock is what was on the shelf.",
    ),
    (
        Notice::StocktakeDropped,
        "stocktake-dropped",
        "The stocktake was dropped. The stock stays as it was.",
    ),
    (
        Notice::StocktakeIsOver,
        "stocktake-is-over",
        "Somebody has finished this stocktake. What you sent was not taken.",
    ),
    (
        Notice::StocktakeIsBeingBooked,
        "stocktake-is-being-booked",
        "Nothing was dropped: somebody has begun to book the counts, and some are in the stock already.",
    ),
    (
        Notice::SupplierOn,
        "supplier-on",
        "The supplier is switched on. What it sends is taken again.",
    ),
    (
        Notice::SupplierOff,
        "supplier-off",
        "The supplier is switched off. What it sends is refused from now on.",
    ),
    (
        Notice::UpdateLeft,
        "update-left",
        "The count stands. The update changes nothing.",
    ),
    (
        Notice::AlreadyDecided,
        "already-decided",
        "Somebody has decided about this update already, or there is nothing to decide.",
    ),
    (
        Notice::BothKept,
        "both-kept",
        "Your changes are saved. What somebody else had changed in the meantime was kept as well.",
    ),
    (
        Notice::UpdateDiscarded,
        "update-discarded",
        "The update is discarded. You can restore it for 30 days.",
    ),
    (
        Notice::UpdateRestored,
        "update-restored",
        "The update is restored. It needs attention again.",
    ),
    (
        Notice::UpdateMovedOn,
        "update-moved-on",
        "Nothing was changed: somebody has dealt with this update in the meantime.",
    ),
    (
        Notice::TooLateToRestore,
        "too-late-to-restore",
        "It stays discarded: that was more than 30 days ago, or somebody has just done it. Ask its supplier to send it again.",
    ),
    (
        Notice::QueuePaused,
        "queue-paused",
        "Receiving is being paused: within five seconds nothing more is received. What has been received is still applied.",
    ),
    (
        Notice::QueueWasPaused,
        "queue-was-paused",
        "The queue was paused already, and stays as it was.",
    ),
    (
        Notice::QueueResumed,
        "queue-resumed",
        "The queue is resumed. What has waited is applied now.",
    ),
    (
        Notice::ShardSplit,
        "shard-split",
        "Shard split: what is in it is read to its end, and only then are its two child shards.",
    ),
    (
        Notice::ShardsMerged,
        "shards-merged",
        "Shards merged: both are read to their ends, and only then is the shard they became.",
    ),
    (
        Notice::ShardNotOpen,
        "shard-not-open",
        "That shard is no longer open, or has no neighbour to merge with. The list is up to date now.",
    ),
    (
        Notice::StreamElsewhere,
        "stream-elsewhere",
        "The shards of a stream at AWS are split and merged in AWS.",
    ),
    (
        Notice::ShardLimit,
        "shard-limit",
        "No more shards can be opened: there are as many as the account may have. Merge some first.",
    ),
    (
        Notice::StreamBusy,
        "stream-busy",
        "The stream is being resharded. Try again in a second.",
    ),
    (
        Notice::StreamedAgain,
        "streamed-again",
        "The missing movements are being sent again.",
    ),
    (Notice::RecordsSeen, "records-seen", "Dismissed."),
    (
        Notice::UpdateResent,
        "update-resent",
        "Its message is sent again. What comes of it appears below.",
    ),
    (
        Notice::UpdateOnItsWay,
        "update-on-its-way",
        "Its message was sent again before and is on its way.",
    ),
    (
        Notice::WouldOnlyComeBack,
        "would-only-come-back",
        "It was not sent again: nobody can read it, or it comes from a topic that is not ours. Fix it instead.",
    ),
    (
        Notice::NothingToDo,
        "nothing-to-do",
        "None of these messages is left to deal with.",
    ),
    (Notice::NoteSaved, "note-saved", "The note was saved."),
    (
        Notice::NoteTooLong,
        "note-too-long",
        "The note was not saved: it must be 500 characters or fewer, without control characters.",
    ),
    (
        Notice::BulkActionStopped,
        "bulk-action-stopped",
        "It was stopped. The remaining messages were not touched.",
    ),
    (
        Notice::BulkActionOver,
        "bulk-action-over",
        "This bulk action had already finished.",
    ),
    (
        Notice::NameSettled,
        "name-settled",
        "The other name was added. Messages with it are applied from now on.",
    ),
    (
        Notice::NameUnsettled,
        "name-unsettled",
        "The other name was removed. What was applied by it stays.",
    ),
];

impl Notice {
    /// Its word and its sentence.
    fn told(self) -> (&'static str, &'static str) {
        let row = NOTICES.iter().find(|(notice, ..)| *notice == self);
        row.map_or(("", ""), |(_, word, sentence)| (word, sentence))
    }

    fn word(self) -> &'static str {
        self.told().0
    }

    pub(crate) fn text(self) -> &'static str {
        self.told().1
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
        let row = NOTICES.iter().find(|(_, word, _)| *word == done);
        row.map(|(notice, ..)| *notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_notice_has_a_word_of_its_own_and_a_sentence() {
        for (place, (notice, word, sentence)) in NOTICES.iter().enumerate() {
            assert!(!word.is_empty() && !sentence.is_empty());
            let found = Notice::in_uri(&notice.on("/").parse().unwrap());
            assert_eq!(found, Some(*notice), "row {place}");
        }
    }

    #[test]
    fn a_notice_is_one_of_ours_or_none() {
        let address = Notice::BeanAdded.on("/beans").parse().unwrap();

        assert_eq!(Notice::in_uri(&address), Some(Notice::BeanAdded));
        let forged = Uri::from_static("/beans?done=you+won");
        assert_eq!(Notice::in_uri(&forged), None);
    }
}
