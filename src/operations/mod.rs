//! For whoever runs the café's system: whether it works, how it stands, and whether its books are right.

pub mod audit;
pub mod check;
pub mod status;
