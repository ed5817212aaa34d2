//! Bringing the schema up to date, by one instance at a time.

use sqlx::migrate::MigrateError as SqlxMigrateError;

use super::{DbError, Pool};

/// How long an instance waits for another one that is migrating.
const LOCK_WAIT_SECONDS: i64 = 60;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database has a migration this program does not know.
    #[error(
        "the database was last used by a newer version of beanstock (it has migration {0}); \
         start that version, or point DATABASE_URL at another database"
    )]
    NewerSchema(i64),
    /// Another instance held the lock for a minute.
    #[error("another instance has been migrating this database for over a minute; try again later")]
    Locked,
    /// The server failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A migration failed.
    #[error("a migration failed")]
    Migration(#[source] SqlxMigrateError),
}

/// Applies what is missing. Any number of instances may call this at once.
///
/// sqlx's own lock is switched off: it calls `GET_LOCK(?, -1)`, which `MariaDB` answers with NULL at
/// once, and then goes on without the lock.
pub async fn migrate(pool: &Pool) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await?;
    // The lock belongs to this connection, which is closed afterwards: whatever happens, it ends.
    connection.close_on_drop();
    let locked = sqlx::query_scalar!(
        r#"SELECT GET_LOCK(CONCAT('beanstock.migrate.', LEFT(SHA2(DATABASE(), 256), 32)), ?) AS "locked: i64""#,
        LOCK_WAIT_SECONDS,
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(DbError::from)?;
    if locked != Some(1) {
        return Err(MigrateError::Locked);
    }
    let mut migrations = sqlx::migrate!();
    migrations
        .set_locking(false)
        .run_direct(None, &mut *connection, false)
        .await
        .map_err(|error| match error {
            SqlxMigrateError::VersionMissing(version) => MigrateError::NewerSchema(version),
            error => MigrateError::Migration(error),
        })
}
