//! The schema: brought up to date by migrations, and the lab's, which may be there instead.

pub mod lab;
mod migrate;
mod type_keys;

pub use self::migrate::{MigrateError, MigrationLock, migrate, refuse_labs_tables};
