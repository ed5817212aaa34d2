//! The café's list of suppliers and beans, as staff change it: one transaction each.
//!
//! Stock is never set here without a movement that says why. A form that is sent twice has one effect,
//! and one that was filled in from what has changed meanwhile has none.

mod beans;
mod bulk;
pub mod demo;
mod error;
mod suppliers;
mod version;

pub use self::beans::{Change, Correction, add_bean, change_bean, remove_bean, set_alert_at};
pub use self::bulk::{TermsChange, change_terms, undo_terms};
pub use self::error::CatalogueError;
pub use self::suppliers::{add_supplier, change_supplier, remove_supplier, switch_supplier};
pub use self::version::Version;
