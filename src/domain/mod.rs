//! The café's rules, as values and pure functions.
//!
//! No I/O here: nothing in this module knows the database, the queue or the web. Everything that
//! arrives from outside becomes one of these types first (parse, don't validate), and the same
//! types decide for forms, messages and files alike.

mod account;
mod bean;
mod reason;
mod stock;
mod suggest;
mod text;
mod update;

pub use account::{EmailAddress, PhoneNumber, SupplierId};
pub(crate) use bean::parse_integer;
pub use bean::{
    Bags, BagsInStock, BeanId, BeanType, InvalidBags, InvalidBagsInStock, InvalidBeanType,
    InvalidPrice, Price,
};
pub use reason::{Reason, Refusal};
pub use stock::{Decision, MAX_STOCK, MovementKind, Stock, decide};
pub use suggest::did_you_mean;
pub use text::{InvalidText, NamedCharacter, ShortText};
pub(crate) use text::{find_forbidden_in_lines, isolate, quote};
pub use update::{
    Claim, Fingerprint, InventoryUpdate, Origin, StockChange, UpdateId, UpdateKey, UpdateKind,
    UpdateState,
};
