//! Bringing the schema up to date, by one instance at a time.

use std::time::Duration;

use sqlx::migrate::{Migrate as _, MigrateError as SqlxMigrateError, Migration, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, MySql, MySqlConnection};

use super::lab::{Constraint, LabTable, Layout, Place, find_layout};
use super::type_keys;
use crate::db::{DbError, DbResult, Pool, adoptions};

/// How long an instance waits for another one that is migrating.
const LOCK_WAIT: Duration = Duration::from_mins(1);

/// How often it asks. Waiting inside the server would be logged as a slow statement.
const LOCK_QUESTIONS: u32 = 300;

/// Where sqlx notes which migrations were applied.
const BOOKS: &str = "_sqlx_migrations";

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
    /// The lab's tables are where ours belong.
    #[error(
        "this database has the tables of the lab's app; run `beanstock adopt --dry-run` to see \
         how they would be taken over"
    )]
    LabTables,
    /// The lab's tables were moved, but what they hold was not copied.
    #[error(
        "taking over the tables of the lab's app was interrupted; run `beanstock adopt` to \
         finish it"
    )]
    AdoptionInterrupted,
    /// A table that another program made has the name of one of ours.
    #[error(
        "this database has a table `{0}` that beanstock did not make; rename that table, or use \
         another database"
    )]
    TableInTheWay(String),
    /// A constraint that another program made has the name of one of ours.
    #[error(
        "the table `{}` has a constraint `{}`, a name that beanstock needs and no two can have; \
         drop it with ALTER TABLE `{}` DROP {} `{}`, or give it another name, and run this again",
        .0.table, .0.name, .0.table, .0.kind, .0.name
    )]
    ConstraintInTheWay(Constraint),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("a migration failed")]
    Migration(#[source] SqlxMigrateError),
}

impl MigrateError {
    /// Whether the server went away, so that another try may succeed.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Db(error) => error.is_silence(),
            Self::Migration(SqlxMigrateError::Execute(sqlx::Error::Io(_))) => true,
            _ => false,
        }
    }
}

impl From<SqlxMigrateError> for MigrateError {
    fn from(error: SqlxMigrateError) -> Self {
        match error {
            SqlxMigrateError::VersionMissing(version) => Self::NewerSchema(version),
            error => Self::Migration(error),
        }
    }
}

/// Applies what is missing. Any number of instances may call this at once.
pub async fn migrate(pool: &Pool) -> Result<(), MigrateError> {
    let mut lock = MigrationLock::take(pool).await?;
    refuse_labs_tables(lock.connection()).await?;
    lock.migrate().await
}

/// Refuses a database that still belongs to the lab's app, wholly or in part.
pub async fn refuse_labs_tables(conn: &mut MySqlConnection) -> Result<(), MigrateError> {
    let layout = find_layout(conn).await?;
    if layout.has_any_labs(Place::Own) {
        return Err(MigrateError::LabTables);
    }
    if layout.has_any_labs(Place::Moved) && !is_adopted(conn, &layout).await? {
        return Err(MigrateError::AdoptionInterrupted);
    }
    Ok(())
}

async fn is_adopted(conn: &mut MySqlConnection, layout: &Layout) -> DbResult<bool> {
    Ok(layout.has_adoptions() && adoptions::find_adoption(conn).await?.is_some())
}

/// The right to change the schema, which one connection to a database has until it is dropped.
///
/// sqlx's own lock is switched off: it calls `GET_LOCK(?, -1)`, which `MariaDB` answers with NULL at
/// once, and then goes on without the lock.
#[derive(Debug)]
pub struct MigrationLock(PoolConnection<MySql>);

impl MigrationLock {
    /// Waits for the lock, for a minute at most.
    pub async fn take(pool: &Pool) -> Result<Self, MigrateError> {
        let locked = Self::ask(pool).await?;
        locked.ok_or(MigrateError::Locked)
    }

    async fn ask(pool: &Pool) -> DbResult<Option<Self>> {
        let mut connection = pool.acquire().await?;
        // The lock belongs to this connection, which is closed afterwards: whatever happens, it ends.
        connection.close_on_drop();
        // It lies idle while others do the work that it keeps everybody else from.
        connection
            .execute("SET SESSION wait_timeout = 28800")
            .await?;
        for _ in 0..LOCK_QUESTIONS {
            let locked = sqlx::query_scalar!(
                r#"SELECT GET_LOCK(CONCAT('beanstock.migrate.', LEFT(SHA2(DATABASE(), 256), 32)), 0) AS "locked: i64""#,
            )
            .fetch_one(&mut *connection)
            .await?;
            if locked == Some(1) {
                return Ok(Some(Self(connection)));
            }
            tokio::time::sleep(LOCK_WAIT / LOCK_QUESTIONS).await;
        }
        Ok(None)
    }

    /// The connection that has the lock.
    pub fn connection(&mut self) -> &mut MySqlConnection {
        &mut self.0
    }

    /// Refuses a database on which the migrations could only stop half-way.
    pub async fn check(&mut self, layout: &Layout) -> Result<(), MigrateError> {
        let migrations = sqlx::migrate!();
        let (applied, interrupted) = if layout.has(BOOKS) {
            let applied = self.0.list_applied_migrations(BOOKS).await?;
            (applied, self.0.dirty_version(BOOKS).await?)
        } else {
            (Vec::new(), None)
        };
        let known = |version| migrations.version_exists(version);
        if let Some(unknown) = applied.iter().find(|applied| !known(applied.version)) {
            return Err(MigrateError::NewerSchema(unknown.version));
        }
        let is_missing = |one: &&Migration| !applied.iter().any(|has| has.version == one.version);
        let mut missing = migrations.iter().filter(is_missing);
        if let Some(table) = missing.find_map(|one| table_in_the_way(one, layout)) {
            return Err(MigrateError::TableInTheWay(table.to_owned()));
        }
        // One that was interrupted is done again, unless its table shows that it was done.
        let is_to_do = |one: &&Migration| {
            let again = interrupted == Some(one.version);
            is_missing(one) || (again && table_in_the_way(one, layout).is_none())
        };
        let to_do = migrations.iter().filter(is_to_do);
        let mut constraints = to_do.flat_map(created_constraints);
        match constraints.find_map(|name| layout.find_constraint(name)) {
            Some(constraint) => Err(MigrateError::ConstraintInTheWay(constraint.clone())),
            None => Ok(()),
        }
    }

    /// Applies what is missing.
    pub async fn migrate(&mut self) -> Result<(), MigrateError> {
        let layout = find_layout(&mut self.0).await?;
        self.check(&layout).await?;
        let mut migrations = sqlx::migrate!();
        if layout.has(BOOKS) {
            settle_interrupted(&mut self.0, &migrations, &layout).await?;
        }
        if !layout.has(BOOKS) || !self.is_up_to_date(&migrations).await? {
            migrations
                .set_locking(false)
                .run_direct(None, &mut *self.0, false)
                .await?;
        }
        Ok(type_keys::refresh(&mut self.0).await?)
    }
}

impl MigrationLock {
    /// Whether there is nothing to do. Then nothing is written either, so that the application may
    /// be a user that cannot change the schema.
    async fn is_up_to_date(&mut self, migrations: &Migrator) -> Result<bool, MigrateError> {
        if self.0.dirty_version(BOOKS).await?.is_some() {
            return Ok(false);
        }
        let applied = self.0.list_applied_migrations(BOOKS).await?;
        Ok(migrations.iter().all(|ours| {
            applied
                .iter()
                .any(|one| one.version == ours.version && one.checksum == ours.checksum)
        }))
    }
}

/// The table that a migration creates, if that is what it does.
fn created_table(migration: &Migration) -> Option<&str> {
    let (_, rest) = migration.sql.as_str().split_once("CREATE TABLE ")?;
    rest.split_whitespace().next()
}

/// The table that a migration drops, if that is what it does.
fn dropped_table(migration: &Migration) -> Option<&str> {
    let (_, rest) = migration.sql.as_str().split_once("DROP TABLE ")?;
    rest.split([' ', ';', '\n']).next()
}

/// The table and the first of the columns that a migration adds to it, if that is what it does. They
/// are added all together or not at all.
fn added_column(migration: &Migration) -> Option<(&str, &str)> {
    let (_, rest) = migration.sql.as_str().split_once("ALTER TABLE ")?;
    let table = rest.split_whitespace().next()?;
    let (_, rest) = rest.split_once("ADD COLUMN ")?;
    Some((table, rest.split_whitespace().next()?))
}

/// Whether a change of the schema was made; `None` for a migration that changes rows, which its
/// transaction makes whole or undoes.
fn was_made(migration: &Migration, layout: &Layout) -> Option<bool> {
    if let Some(table) = created_table(migration) {
        return Some(layout.has(table));
    }
    if let Some(table) = dropped_table(migration) {
        return Some(!layout.has(table));
    }
    let (table, column) = added_column(migration)?;
    let columns = layout.columns_of(table);
    Some(columns.iter().any(|known| known == column))
}

/// The constraints that a migration names.
fn created_constraints(migration: &Migration) -> impl Iterator<Item = &str> {
    let parts = migration.sql.as_str().split("CONSTRAINT ").skip(1);
    parts.filter_map(|rest| rest.split_whitespace().next())
}

/// The table that a migration creates, if it is there already and will not be moved.
fn table_in_the_way<'a>(migration: &'a Migration, layout: &Layout) -> Option<&'a str> {
    let table = created_table(migration)?;
    let is_moved = |lab: LabTable| lab.name() == table && layout.has_labs(lab, Place::Own);
    let stays = !LabTable::ALL.into_iter().any(is_moved);
    (layout.has(table) && stays).then_some(table)
}

/// Finds out how a migration ended whose instance was killed.
///
/// CREATE, ALTER and DROP TABLE commit by themselves, before sqlx can note that they succeeded. As a migration
/// is one statement, and [`MigrationLock::check`] has kept it from a table of the same name, the table
/// or column shows whether it happened.
#[expect(
    clippy::disallowed_methods,
    reason = "sqlx's own table is not in our schema"
)]
async fn settle_interrupted(
    conn: &mut MySqlConnection,
    migrations: &Migrator,
    layout: &Layout,
) -> Result<(), MigrateError> {
    let Some(version) = conn.dirty_version(BOOKS).await? else {
        return Ok(());
    };
    let mut migrations = migrations.iter();
    let interrupted = migrations.find(|migration| migration.version == version);
    let Some(was_made) = interrupted.and_then(|one| was_made(one, layout)) else {
        return Ok(());
    };
    let sql = if was_made {
        "UPDATE _sqlx_migrations SET success = TRUE WHERE version = ?"
    } else {
        "DELETE FROM _sqlx_migrations WHERE version = ?"
    };
    let settled = sqlx::query(sql).bind(version).execute(conn).await;
    settled.map_err(DbError::from)?;
    Ok(())
}
