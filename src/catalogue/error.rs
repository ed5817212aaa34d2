//! Why staff's changes are refused.

use crate::db::{DbError, WorkError};

/// Why a change of the list was refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The supplier or bean is not on the list (any more).
    #[error("it is not on the list")]
    NotFound,
    /// The chosen supplier is not on the list.
    #[error("there is no such supplier")]
    UnknownSupplier,
    /// The supplier has a bean of that type already.
    #[error("this supplier has a bean of that type already")]
    DuplicateType,
    /// The supplier still has this many beans on the list.
    #[error("the supplier still has {0} beans on the list")]
    HasBeans(i64),
    /// The stock moved while somebody was editing; this is what it is now.
    #[error("the stock changed to {0} in the meantime")]
    StockChanged(i64),
    /// The supplier or bean was changed while somebody was editing it.
    #[error("it was changed in the meantime")]
    ChangedMeanwhile,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for CatalogueError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}
