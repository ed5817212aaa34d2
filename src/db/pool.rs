//! The connection pool, and what every connection is told before its first statement.

use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::{DbError, DbResult};

/// A pool of connections to the writer.
pub type Pool = MySqlPool;

/// Where the database is and how much of it to use.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Server, user, password and database.
    pub options: MySqlConnectOptions,
    /// The most connections to open.
    pub max_connections: u32,
    /// How long to wait for a free connection.
    pub acquire_timeout: Duration,
}

/// What every connection needs, whatever the server's defaults are.
///
/// READ COMMITTED takes no gap locks; 5 s is far less than a message's visibility; strict mode
/// refuses what does not fit instead of cutting it.
const SESSION: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION innodb_lock_wait_timeout = 5, sql_mode = \
     'STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
     NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY'",
];

/// A connection that lay idle for longer is pinged before it is lent out.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);

/// Old connections are replaced, so that a moved endpoint is noticed (Aurora DNS: 5 s TTL).
const MAX_LIFETIME: Duration = Duration::from_mins(5);

/// Prepares a pool; the first connection is opened by the first query.
pub fn connect(settings: &PoolSettings) -> Pool {
    let options = settings
        .options
        .clone()
        .charset("utf8mb4")
        .collation("utf8mb4_unicode_ci")
        .pipes_as_concat(false)
        .no_engine_substitution(false);
    MySqlPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        .max_lifetime(MAX_LIFETIME)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                for statement in SESSION {
                    connection.execute(statement).await?;
                }
                Ok(())
            })
        })
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > PING_AFTER_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                // A future dropped while it began a transaction (a visitor who closed the page)
                // gives back a connection that is still inside it, and sqlx does not notice: the
                // next borrower's writes would vanish. Measured; transact-rs/sqlx issue 4385.
                connection.execute("ROLLBACK").await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

/// Opens one connection and closes it again. A pool only tells that it waited in vain; this tells
/// why.
pub async fn reach(settings: &PoolSettings) -> DbResult<()> {
    let connection = settings.options.connect();
    let connected = tokio::time::timeout(settings.acquire_timeout, connection).await;
    let connection = connected.map_err(|_elapsed| sqlx::Error::PoolTimedOut)??;
    connection.close().await.map_err(DbError::from)
}

/// Asks the server for a sign of life.
pub async fn ping(pool: &Pool) -> DbResult<()> {
    pool.acquire().await?.ping().await.map_err(DbError::from)
}
