//! Suppliers.

use std::fmt;

use super::contact::{EmailAddress, PhoneNumber};
use super::text::ShortText;

/// The number suppliers put at the start of the lab's line (`3:Excelsa:9`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SupplierId(pub i64);

impl fmt::Display for SupplierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the café knows about a supplier, as staff enter it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupplierDetails {
    pub name: ShortText<255>,
    /// Street and number.
    pub address: ShortText<255>,
    pub city: ShortText<255>,
    /// State or region.
    pub state: ShortText<255>,
    /// Where orders are sent.
    pub email: EmailAddress,
    /// Whom to call.
    pub phone: PhoneNumber,
}
