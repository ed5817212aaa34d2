//! The database: how to reach it, how to change it, and the SQL of each table.
//!
//! `MySQL` 8, Aurora `MySQL` 3 and `MariaDB` 10.6 are all meant; only what they share is used. Every
//! query function takes the connection first, so it works alone and inside a [`Transaction`].
//! No decisions are made here.

pub mod account_links;
pub mod accounts;
pub mod activity;
pub mod adoptions;
pub mod alerts;
pub mod announcement_targets;
pub mod announcements;
pub mod audit;
pub mod audit_stream;
pub mod bean_aliases;
pub mod bean_days;
pub mod bean_lists;
pub mod beans;
pub mod bulk_actions;
pub mod bulk_edits;
mod connection;
pub mod consumers;
pub mod dashboard;
pub mod dead_letters;
mod error;
pub mod failed_sign_ins;
pub mod inbox;
pub mod known_updates;
pub mod lanes;
pub mod letter_lists;
pub mod letter_notes;
pub mod live;
pub mod mails;
pub mod minutes;
pub mod movements;
pub mod notification_preferences;
pub mod notifications;
pub mod outbox;
pub mod parked_records;
pub mod queue_pauses;
mod rows;
pub mod schema;
pub mod server;
pub mod sessions;
pub mod slips;
pub mod stocktakes;
pub mod stream_beans;
pub mod stream_held;
pub mod stream_leases;
pub mod stream_marks;
pub mod stream_runs;
pub mod stream_shards;
pub mod submissions;
pub mod supplier_mails;
pub mod suppliers;
pub mod timeline;
pub mod update_counts;
pub mod update_lists;
pub mod updates;

pub use self::connection::{
    LOCK_WAIT, Pool, PoolSettings, Transaction, WorkError, connect, in_transaction, ping,
    probe_writer, reach, snapshot, takes_writes,
};
pub use sqlx::MySqlConnection as Connection;
pub use sqlx::mysql::MySqlSslMode as SslMode;

/// A connection borrowed from the pool.
pub type PooledConnection = sqlx::pool::PoolConnection<sqlx::MySql>;

pub use self::error::{DbError, DbResult, Trouble};
pub use self::rows::LATEST;
pub use self::schema::{MigrateError, MigrationLock, migrate, refuse_labs_tables};
