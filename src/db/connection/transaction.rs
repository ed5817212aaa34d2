//! Transactions: one helper begins them, tries them again, and ends them.

use std::io::ErrorKind;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Executor as _, MySql, MySqlConnection};

use super::doubt::LIMIT;
use super::pool::Pool;
use crate::db::error::{DbError, DbResult, Trouble};

/// Two transactions that meet are tried again this often; each waits up to 1 s for a lock.
const MAX_TRIES: u32 = 20;

/// No further try begins after this: whoever meets others hears from us within about 30 s.
const TRY_AGAIN_WITHIN: Duration = Duration::from_secs(25);

/// A database transaction, as [`in_transaction`] hands it to the work.
///
/// If it is neither committed nor rolled back, its connection is closed instead of being used again,
/// and the others have to show that they still lead to the writer. That covers the dropped future, the
/// lost answer to a COMMIT and, after an Aurora failover, the connection to the old writer that answers
/// pings but refuses writes (1290).
#[derive(Debug)]
pub struct Transaction {
    pool: Pool,
    connection: Option<PoolConnection<MySql>>,
    fills_outbox: bool,
}

/// An error of work in a transaction, which may have come from the database.
pub trait WorkError: From<DbError> {
    /// What the database said, if it was the database.
    fn db_error(&self) -> Option<&DbError>;
}

impl WorkError for DbError {
    fn db_error(&self) -> Option<&DbError> {
        Some(self)
    }
}

/// Runs `work` in a transaction: commits it if `work` succeeds, rolls it back if not.
///
/// The whole of it is done again if it met another transaction (deadlock, lock wait, a row that somebody
/// else has just inserted), so `work` must change nothing but the database. Of these errors only those
/// are returned that go on for [`MAX_TRIES`] tries or 25 s.
///
/// # Errors
/// What `work` returned, or [`DbError::TimedOut`] if a try of it took more than a minute: nothing was
/// changed. [`DbError::Unconfirmed`] if the answer to COMMIT was lost or took that long: it was changed or
/// not.
pub async fn in_transaction<T, E: WorkError>(
    pool: &Pool,
    work: impl AsyncFnOnce(&mut Transaction) -> Result<T, E> + Copy,
) -> Result<T, E> {
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        let error = match attempt(pool, work).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        tries += 1;
        let met_another = matches!(
            error.db_error().map(DbError::trouble),
            Some(Trouble::Conflict | Trouble::Duplicate)
        );
        if !met_another || tries == MAX_TRIES || begun.elapsed() > TRY_AGAIN_WITHIN {
            return Err(error);
        }
        let most = Duration::from_millis(10 << tries.min(5));
        tokio::time::sleep(most.mul_f64(fastrand::f64())).await;
    }
}

async fn attempt<T, E: WorkError>(
    pool: &Pool,
    work: impl AsyncFnOnce(&mut Transaction) -> Result<T, E>,
) -> Result<T, E> {
    let work = async {
        let mut tx = Transaction::begin(pool).await?;
        let worked = work(&mut tx).await;
        Ok::<_, E>((tx, worked))
    };
    let (tx, worked) = within(LIMIT, work).await?;
    match worked {
        Ok(done) => {
            tx.commit().await?;
            Ok(done)
        }
        Err(error) => {
            // Whoever answered has a connection that is good for another try. If that fails now, the
            // connection is closed; what the work said is still what happened.
            if error
                .db_error()
                .is_none_or(DbError::leaves_a_good_connection)
            {
                tx.rollback().await.ok();
            }
            Err(error)
        }
    }
}

/// A transaction that is cut short closes its connection, and the server rolls it back; that is the one
/// safe way to cancel a database future.
async fn within<T, E: WorkError>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let in_time = tokio::time::timeout(limit, work).await;
    in_time.unwrap_or_else(|_elapsed| Err(DbError::TimedOut { limit }.into()))
}

impl Transaction {
    /// Has the relays of this process look into the outbox once this is committed.
    pub(in crate::db) fn wake_relays(&mut self) {
        self.fills_outbox = true;
    }

    async fn begin(pool: &Pool) -> DbResult<Self> {
        let connection = pool.acquire().await?;
        let mut transaction = Self {
            pool: pool.clone(),
            connection: Some(connection),
            fills_outbox: false,
        };
        transaction.execute("BEGIN").await?;
        Ok(transaction)
    }

    async fn commit(mut self) -> DbResult<()> {
        let answer = tokio::time::timeout(LIMIT, self.execute("COMMIT")).await;
        match answer.unwrap_or_else(|_elapsed| Err(sqlx::Error::Io(ErrorKind::TimedOut.into()))) {
            Ok(_) => {
                self.give_back();
                self.pool.committed();
                if self.fills_outbox {
                    self.pool.outbox_filled();
                }
                Ok(())
            }
            // A server that answers has not committed.
            Err(error) if error.as_database_error().is_some() => Err(error.into()),
            Err(error) => Err(DbError::Unconfirmed(error)),
        }
    }

    async fn rollback(mut self) -> DbResult<()> {
        let rolled_back = async { Ok::<_, DbError>(self.execute("ROLLBACK").await?) };
        within(LIMIT, rolled_back).await?;
        self.give_back();
        Ok(())
    }

    fn give_back(&mut self) {
        drop(self.connection.take());
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
            self.pool.doubt_connections();
        }
    }
}

const OPEN: &str = "a transaction has its connection until it ends";

impl Deref for Transaction {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        self.connection.as_ref().expect(OPEN)
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        self.connection.as_mut().expect(OPEN)
    }
}

/// Has all that is read on a connection stand for one moment, until the result is dropped.
///
/// What is committed meanwhile is not seen, neither in part nor whole, and nothing can be written.
pub async fn snapshot(conn: &mut MySqlConnection) -> DbResult<sqlx::Transaction<'_, MySql>> {
    const BEGIN: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                         START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    Ok(conn.begin_with(BEGIN).await?)
}

/// Writes a row and takes it back: a server that is up but read-only, like the old writer after an
/// Aurora failover, answers pings and refuses this.
pub async fn probe_writer(pool: &Pool) -> DbResult<()> {
    const LIMIT: Duration = Duration::from_secs(10);
    let attempt = async {
        let mut tx = Transaction::begin(pool).await?;
        try_writing(&mut tx).await?;
        tx.rollback().await
    };
    within(LIMIT, attempt).await
}

/// Writes, changes and deletes a row, which is to be rolled back: a server that refuses writes
/// refuses this, and so does one on which we lack the right to one of them.
async fn try_writing(conn: &mut MySqlConnection) -> DbResult<()> {
    sqlx::query!("INSERT INTO relay_claims (id) VALUES (0)")
        .execute(&mut *conn)
        .await?;
    sqlx::query!("UPDATE relay_claims SET id = 0 WHERE id = 0")
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM relay_claims WHERE id = 0")
        .execute(conn)
        .await?;
    Ok(())
}
