//! What people do, as the log of activity names it.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    SignedIn,
    SignedOut,
    /// Ended a session elsewhere, their own or somebody's.
    EndedSessions,
    /// Made an account and a link to choose its first password.
    Invited,
    /// Made an account with a password.
    CreatedAccount,
    /// Chose a password by a link.
    ChosePassword,
    ChangedPassword,
    /// Made a link for somebody who has forgotten the password.
    MadeResetLink,
    ChangedRole,
    DisabledAccount,
    EnabledAccount,
    CancelledUpdate,
    SwitchedSupplierOn,
    SwitchedSupplierOff,
    /// Left an update at the count that had overtaken it.
    LeftUpdate,
    DiscardedUpdate,
    RestoredUpdate,
    PausedQueue,
    ResumedQueue,
    ResentUpdate,
    StartedBulkAction,
    StoppedBulkAction,
    NotedOnLetters,
    SettledName,
    UnsettledName,
}

impl Action {
    /// All there are, in the order people choose among them.
    pub const ALL: [Self; 25] = [
        Self::SignedIn,
        Self::SignedOut,
        Self::EndedSessions,
        Self::Invited,
        Self::CreatedAccount,
        Self::ChosePassword,
        Self::ChangedPassword,
        Self::MadeResetLink,
        Self::ChangedRole,
        Self::DisabledAccount,
        Self::EnabledAccount,
        Self::CancelledUpdate,
        Self::SwitchedSupplierOn,
        Self::SwitchedSupplierOff,
        Self::LeftUpdate,
        Self::DiscardedUpdate,
        Self::RestoredUpdate,
        Self::PausedQueue,
        Self::ResumedQueue,
        Self::ResentUpdate,
        Self::StartedBulkAction,
        Self::StoppedBulkAction,
        Self::NotedOnLetters,
        Self::SettledName,
        Self::UnsettledName,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::SignedOut => "signed_out",
            Self::EndedSessions => "ended_sessions",
            Self::Invited => "invited",
            Self::CreatedAccount => "created_account",
            Self::ChosePassword => "chose_password",
            Self::ChangedPassword => "changed_password",
            Self::MadeResetLink => "made_reset_link",
            Self::ChangedRole => "changed_role",
            Self::DisabledAccount => "disabled_account",
            Self::EnabledAccount => "enabled_account",
            Self::CancelledUpdate => "cancelled_update",
            Self::SwitchedSupplierOn => "supplier_on",
            Self::SwitchedSupplierOff => "supplier_off",
            Self::LeftUpdate => "left_update",
            Self::DiscardedUpdate => "discarded_update",
            Self::RestoredUpdate => "restored_update",
            Self::PausedQueue => "paused_queue",
            Self::ResumedQueue => "resumed_queue",
            Self::ResentUpdate => "resent_update",
            Self::StartedBulkAction => "started_bulk_action",
            Self::StoppedBulkAction => "stopped_bulk_action",
            Self::NotedOnLetters => "noted_on_letters",
            Self::SettledName => "settled_name",
            Self::UnsettledName => "unsettled_name",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.code() == code)
    }

    /// What was done, as the log reads it: “Ana signed in”.
    pub fn words(self) -> &'static str {
        match self {
            Self::SignedIn => "signed in",
            Self::SignedOut => "signed out",
            Self::EndedSessions => "ended sessions of",
            Self::Invited => "invited",
            Self::CreatedAccount => "made an account for",
            Self::ChosePassword => "chose a password",
            Self::ChangedPassword => "changed the password",
            Self::MadeResetLink => "made a link for a new password for",
            Self::ChangedRole => "changed the role of",
            Self::DisabledAccount => "disabled the account of",
            Self::EnabledAccount => "enabled the account of",
            Self::CancelledUpdate => "cancelled an update",
            Self::SwitchedSupplierOn => "switched a supplier on",
            Self::SwitchedSupplierOff => "switched a supplier off",
            Self::LeftUpdate => "left an update at the count",
            Self::DiscardedUpdate => "discarded an update",
            Self::RestoredUpdate => "restored an update",
            Self::PausedQueue => "paused a queue",
            Self::ResumedQueue => "resumed a queue",
            Self::ResentUpdate => "sent an update again",
            Self::StartedBulkAction => "started a bulk action",
            Self::StoppedBulkAction => "stopped a bulk action",
            Self::NotedOnLetters => "left a note on dead letters",
            Self::SettledName => "added another name for a bean",
            Self::UnsettledName => "removed another name for a bean",
        }
    }
}
