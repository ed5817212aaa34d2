//! What people do, as the log of activity names it.

/// Makes the enum of actions, each with its stored code and its words.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident $code:literal $words:literal;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $action,)+
        }

        impl Action {
            /// All there are, in the order people choose among them.
            pub const ALL: &'static [Self] = &[$(Self::$action,)+];

            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$action => $code,)+
                }
            }

            /// What was done, as the log reads it: “Ana signed in”.
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$action => $words,)+
                }
            }
        }
    };
}

actions! {
    SignedIn "signed_in" "signed in";
    SignedOut "signed_out" "signed out";
    /// Ended a session elsewhere, their own or somebody's.
    EndedSessions "ended_sessions" "ended sessions of";
    /// Made an account and a link to choose its first password.
    Invited "invited" "invited";
    /// Made an account with a password.
    CreatedAccount "created_account" "made an account for";
    /// Chose a password by a link.
    ChosePassword "chose_password" "chose a password";
    ChangedPassword "changed_password" "changed the password";
    /// Made a link for somebody who has forgotten the password.
    MadeResetLink "made_reset_link" "made a link for a new password for";
    ChangedRole "changed_role" "changed the role of";
    DisabledAccount "disabled_account" "disabled the account of";
    EnabledAccount "enabled_account" "enabled the account of";
    /// Typed updates into the form.
    SentUpdates "sent_updates" "sent updates";
    FixedUpdate "fixed_update" "fixed and resent an update";
    CorrectedUpdate "corrected_update" "corrected an update";
    AppliedUpdate "applied_update" "applied an update despite a later count";
    CancelledUpdate "cancelled_update" "cancelled an update";
    AddedBean "added_bean" "added a bean";
    ChangedBean "changed_bean" "changed a bean";
    ChangedBeans "changed_beans" "changed several beans";
    ChangedBeansBack "changed_beans_back" "undid a change of several beans";
    RemovedBean "removed_bean" "removed a bean";
    UsedBags "used_bags" "used bags";
    AdjustedStock "adjusted_stock" "adjusted the bags";
    CountedBags "counted_bags" "counted the bags";
    UndidMovement "undid_movement" "undid a stock movement";
    StartedStocktake "started_stocktake" "started a stocktake";
    BookedStocktake "booked_stocktake" "booked a stocktake";
    DroppedStocktake "dropped_stocktake" "dropped a stocktake";
    AddedSupplier "added_supplier" "added a supplier";
    ChangedSupplier "changed_supplier" "changed a supplier";
    RemovedSupplier "removed_supplier" "removed a supplier";
    SwitchedSupplierOn "supplier_on" "switched a supplier on";
    SwitchedSupplierOff "supplier_off" "switched a supplier off";
    /// Left an update at the count that had overtaken it.
    LeftUpdate "left_update" "left an update at the count";
    DiscardedUpdate "discarded_update" "discarded an update";
    RestoredUpdate "restored_update" "restored an update";
    PausedQueue "paused_queue" "paused a queue";
    ResumedQueue "resumed_queue" "resumed a queue";
    SplitShard "split_shard" "split a shard of the stream";
    MergedShards "merged_shards" "merged two shards of the stream";
    StreamedAgain "streamed_again" "had movements put on the stream again";
    DismissedRecords "dismissed_records" "dismissed records of the stream";
    ResentUpdate "resent_update" "sent an update again";
    StartedBulkAction "started_bulk_action" "started a bulk action";
    StoppedBulkAction "stopped_bulk_action" "stopped a bulk action";
    NotedOnLetters "noted_on_letters" "left a note on dead letters";
    SettledName "settled_name" "added another name for a bean";
    UnsettledName "unsettled_name" "removed another name for a bean";
    AcknowledgedAlert "acknowledged_alert" "acknowledged an alert";
    MutedAlert "muted_alert" "muted an alert";
    UnmutedAlert "unmuted_alert" "unmuted an alert";
    DismissedFailures "dismissed_failures" "dismissed failures of alert delivery";
    ChoseAlerts "chose_alerts" "chose what to be told";
    MadeFeed "made_feed" "made an address for a feed of alerts";
    ClosedFeed "closed_feed" "closed a feed of alerts";
}

impl Action {
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|action| action.code() == code)
            .copied()
    }
}
