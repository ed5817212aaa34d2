//! For whoever runs the café's system: whether it works, how it stands, and whether its stock is explained.

pub mod audit;
pub mod audit_stream;
pub mod check;
pub mod status;
