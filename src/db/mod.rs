//! The database: how to reach it, how to change it, and the SQL of each table.
//!
//! `MySQL` 8, Aurora `MySQL` 3 and `MariaDB` 10.6 are all meant; only what they share is used. Every
//! query function takes the connection first, so it works alone and inside a [`Transaction`].
//! No decisions are made here.

pub mod adoptions;
pub mod audit;
pub mod beans;
pub mod dead_letters;
mod doubt;
mod error;
pub mod lab;
mod migrate;
mod pool;
mod rows;
mod transaction;

pub mod inbox;
pub mod movements;
pub mod outbox;
pub mod server;
pub mod submissions;
pub mod suppliers;
pub mod timeline;
mod type_keys;
pub mod update_lists;
pub mod updates;

pub use error::{DbError, DbResult, Trouble};
pub use migrate::{MigrateError, MigrationLock, migrate, refuse_labs_tables};
pub use pool::{Pool, PoolSettings, connect, ping, reach, takes_writes};
pub use transaction::{Transaction, probe_writer, within_limit};
