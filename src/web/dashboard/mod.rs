//! The dashboard: figures that are read once a second for all who look at them, and drawn for each.

mod board;
mod figures;
mod part;

pub(crate) use self::board::Board;
pub(crate) use self::figures::{Figures, SharedFigures};
pub(crate) use self::part::{Part, PartPage};
