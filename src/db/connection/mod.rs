//! Connections and transactions: borrowed from a bounded pool, checked before use, and closed when a
//! transaction on them did not end properly.

mod doubt;
mod pool;
mod transaction;

pub use self::pool::{LOCK_WAIT, Pool, PoolSettings, connect, ping, reach, takes_writes};
pub use self::transaction::{Transaction, WorkError, in_transaction, probe_writer, snapshot};
