//! A transaction that trusts no connection it could not finish on.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, MySql, MySqlConnection};

use super::{DbError, DbResult, Pool, outbox};

/// A database transaction.
///
/// If it ends in any other way than [`Transaction::commit`] or [`Transaction::rollback`], its
/// connection is closed instead of being used again, and the others have to show that they still
/// lead to the writer. That covers the dropped future, the lost answer to a COMMIT and, after an
/// Aurora failover, the connection to the old writer that answers pings but refuses writes (1290).
#[derive(Debug)]
pub struct Transaction {
    pool: Pool,
    connection: Option<PoolConnection<MySql>>,
}

impl Transaction {
    /// Takes a connection and begins.
    pub async fn begin(pool: &Pool) -> DbResult<Self> {
        let connection = pool.acquire().await?;
        let mut transaction = Self {
            pool: pool.clone(),
            connection: Some(connection),
        };
        transaction.execute("BEGIN").await?;
        Ok(transaction)
    }

    /// Commits. After an error the outcome is unknown, and the connection is closed.
    pub async fn commit(mut self) -> DbResult<()> {
        self.execute("COMMIT").await?;
        self.give_back();
        Ok(())
    }

    /// Undoes everything and gives the connection back for further use.
    pub async fn rollback(mut self) -> DbResult<()> {
        self.execute("ROLLBACK").await?;
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

/// Far longer than any of our transactions takes, all its waits for locks included.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

/// Gives up on database work that takes more than a minute, as on a server that fell silent.
///
/// Only for work inside a [`Transaction`]: cutting one short closes its connection, so that the
/// server rolls it back.
pub async fn within_limit<T>(work: impl Future<Output = DbResult<T>>) -> DbResult<T> {
    let patience = tokio::time::timeout(LIMIT, work).await;
    patience.unwrap_or(Err(DbError::Query(sqlx::Error::PoolTimedOut)))
}

/// Writes a row and takes it back: a server that is up but read-only, like the old writer after an
/// Aurora failover, answers pings and refuses this.
pub async fn probe_writer(pool: &Pool) -> DbResult<()> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let attempt = async {
        let mut tx = Transaction::begin(pool).await?;
        outbox::try_writing(&mut tx).await?;
        tx.rollback().await
    };
    // Cutting a transaction short closes its connection, so this is safe.
    tokio::time::timeout(PATIENCE, attempt)
        .await
        .unwrap_or(Err(DbError::Query(sqlx::Error::PoolTimedOut)))
}
