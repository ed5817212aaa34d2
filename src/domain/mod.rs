//! The café's rules, as values and pure functions.
//!
//! No I/O here: nothing in this module knows the database, the queue or the web. Everything that
//! arrives from outside becomes one of these types first (parse, don't validate), and the same
//! types decide for forms, messages and files alike.

mod account;
mod action;
mod alert;
mod bean;
mod bean_day;
mod bulk_action;
mod contact;
mod daily_use;
mod decide;
mod demand;
mod follows;
mod instance;
mod notification_preferences;
mod reason;
mod run_rate;
mod shard;
mod shelf;
mod slip;
mod stock;
mod suggest;
mod supplier;
mod text;
mod update;
mod update_id;
mod usual_sizes;

pub use account::{
    AccountId, InvalidPassword, MAX_PASSWORD, MIN_PASSWORD, NewPassword, Role, email_key,
};
pub use action::Action;
pub use alert::{AlertKind, Crossing, crossings};
pub(crate) use bean::parse_integer;
pub use bean::{
    Bags, BagsInStock, BeanDetails, BeanId, BeanTerms, BeanType, InvalidBags, InvalidBagsInStock,
    InvalidBeanType, InvalidPrice, MAX_STOCK, Price,
};
pub use bean_day::{BeanDay, day_in};
pub use bulk_action::BulkKind;
pub use contact::{EmailAddress, PhoneNumber};
pub use decide::{Decision, decide};
pub use demand::{DaysLeft, Demand, FURTHEST, WATCHED_DAYS};
pub use follows::{Follows, FollowsAs};
pub use instance::Instance;
pub use notification_preferences::{
    MAILS_AN_HOUR, NotificationKind, NotificationPreferences, Severity, TimeOfDay,
};
pub use reason::{Reason, Refusal};
pub use run_rate::{Gone, RunRate, Usage};
pub use shard::{Shard, neighbours};
pub use shelf::{Adjustment, Final, Uncountable, Undoable, count, undo};
pub use slip::SlipNumber;
pub use stock::{BeanStock, Cause, Immovable, Movement, MovementKind, Stock};
pub use suggest::did_you_mean;
pub(crate) use suggest::nearest;
pub use supplier::{SupplierDetails, SupplierId};
pub use text::{InvalidText, NamedCharacter, ShortText};
pub(crate) use text::{find_forbidden_in_lines, isolate, normalized, quote};
pub use update::{
    Claim, Fingerprint, InventoryUpdate, Origin, StockChange, UpdateKind, UpdateState,
};
pub use update_id::{UpdateId, UpdateKey};
pub use usual_sizes::UsualSizes;
