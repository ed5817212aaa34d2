//! The connection pool, and what every connection is told before its first statement.

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, MySql, MySqlConnection};
use tokio::sync::watch;

use super::doubt::{Doubt, leads_to_writer, no_answer};
use crate::db::{DbError, DbResult};

/// A bounded pool of connections to the writer. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Pool {
    connections: MySqlPool,
    doubt: Arc<Doubt>,
    /// Changes with every commit of this process that fills the outbox.
    outbox: watch::Sender<()>,
    /// Changes with every commit of this process.
    commits: watch::Sender<()>,
}

/// Where the database is and how much of it to use.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Server, user, password and database.
    pub options: MySqlConnectOptions,
    /// The most connections to open.
    pub max_connections: u32,
    /// How long to wait for a free connection.
    pub acquire_timeout: Duration,
    /// How long a statement waits for a row that another transaction has locked, in whole seconds.
    pub lock_wait: Duration,
}

/// How long the program waits for a locked row before it turns to what it can do without it.
pub const LOCK_WAIT: Duration = Duration::from_secs(1);

/// What every connection needs, whatever the server's defaults are.
///
/// READ COMMITTED takes no gap locks; strict mode refuses what does not fit instead of cutting it. The
/// server gives up a connection on which nothing was heard for 90 s: if our machine vanishes inside a
/// transaction, others would wait for its locks for 8 hours, which is the default.
const SESSION: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION wait_timeout = 90, sql_mode = \
     'STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
     NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY'",
];

/// How long undoing what a borrower left behind may take.
const UNDONE_WITHIN: Duration = Duration::from_secs(5);

/// A connection that lay idle for longer is closed, before the server gives it up: the pool looks
/// as often as this.
const MAX_IDLE: Duration = Duration::from_secs(40);

/// Old connections are replaced, so that a moved endpoint is noticed (Aurora DNS: 5 s TTL).
const MAX_LIFETIME: Duration = Duration::from_mins(5);

impl Pool {
    /// Borrows a connection.
    ///
    /// # Errors
    /// [`DbError::Exhausted`] if all of them stay busy for the time allowed.
    pub async fn acquire(&self) -> DbResult<PoolConnection<MySql>> {
        self.connections.acquire().await.map_err(|error| {
            let options = self.connections.options();
            let limit = options.get_max_connections();
            let busy = self.connections.size() >= limit && self.idle() == 0;
            match error {
                sqlx::Error::PoolTimedOut if busy => DbError::Exhausted {
                    limit,
                    waited: options.get_acquire_timeout(),
                },
                error => error.into(),
            }
        })
    }

    /// How many connections lie idle.
    pub fn idle(&self) -> usize {
        self.connections.num_idle()
    }

    /// Uses another user and password for the connections to come.
    pub fn sign_in_as(&self, user: &str, password: &str) {
        let options = self.connections.connect_options();
        let options = options.as_ref().clone().username(user).password(password);
        self.connections.set_connect_options(options);
    }

    /// Closes all connections, after they have been given back.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    /// Tells of commits of this process that fill the outbox.
    pub fn watch_outbox(&self) -> watch::Receiver<()> {
        self.outbox.subscribe()
    }

    /// Tells of commits of this process.
    pub fn watch_commits(&self) -> watch::Receiver<()> {
        self.commits.subscribe()
    }

    pub(super) fn committed(&self) {
        self.commits.send_replace(());
    }

    pub(super) fn outbox_filled(&self) {
        self.outbox.send_replace(());
    }

    /// Has every connection prove itself before it is used again, because a transaction has just
    /// ended badly.
    pub(crate) fn doubt_connections(&self) {
        self.doubt.raise();
    }
}

/// Prepares a pool; the first connection is opened by the first query.
pub fn connect(settings: &PoolSettings) -> Pool {
    let options = settings
        .options
        .clone()
        .charset("utf8mb4")
        .collation("utf8mb4_unicode_ci")
        .pipes_as_concat(false)
        .no_engine_substitution(false);
    let doubt = Arc::new(Doubt::default());
    let connections = MySqlPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        .max_lifetime(MAX_LIFETIME)
        .idle_timeout(MAX_IDLE)
        .test_before_acquire(false)
        .after_connect({
            let lock_wait = settings.lock_wait.as_secs();
            move |connection, _| Box::pin(prepare(connection, lock_wait))
        })
        .before_acquire({
            let doubt = Arc::clone(&doubt);
            move |connection, meta| {
                let doubt = Arc::clone(&doubt);
                Box::pin(async move { doubt.check(connection, meta.idle_for).await })
            }
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                // A future dropped while it began a transaction (a visitor who closed the page)
                // gives back a connection that is still inside it, and sqlx does not notice: the
                // next borrower's writes would vanish. Measured; transact-rs/sqlx issue 4385.
                let undone = connection.execute("ROLLBACK");
                match tokio::time::timeout(UNDONE_WITHIN, undone).await {
                    Ok(undone) => undone.map(|_| true),
                    Err(_) => Err(no_answer()),
                }
            })
        })
        .connect_lazy_with(options);
    Pool {
        connections,
        doubt,
        outbox: watch::Sender::new(()),
        commits: watch::Sender::new(()),
    }
}

async fn prepare(connection: &mut MySqlConnection, lock_wait: u64) -> sqlx::Result<()> {
    for statement in SESSION {
        connection.execute(statement).await?;
    }
    sqlx::query!("SET SESSION innodb_lock_wait_timeout = ?", lock_wait)
        .execute(connection)
        .await?;
    Ok(())
}

/// Opens one connection and closes it again. A pool only tells that it waited in vain; this tells
/// why.
pub async fn reach(settings: &PoolSettings) -> DbResult<()> {
    let connection = settings.options.connect();
    let connected = tokio::time::timeout(settings.acquire_timeout, connection).await;
    let silent = |_elapsed| {
        let seconds = settings.acquire_timeout.as_secs();
        let kind = std::io::ErrorKind::TimedOut;
        sqlx::Error::Io(std::io::Error::new(
            kind,
            format!("no answer within {seconds} s"),
        ))
    };
    let connection = connected.map_err(silent)??;
    connection.close().await.map_err(DbError::from)
}

/// Checks that the server answers.
pub async fn ping(pool: &Pool) -> DbResult<()> {
    pool.acquire().await?.ping().await.map_err(DbError::from)
}

/// Says whether the server takes writes: a reader of a cluster, or the old writer after a failover,
/// does not.
pub async fn takes_writes(pool: &Pool) -> DbResult<bool> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let ask = async { Ok(leads_to_writer(&mut *pool.acquire().await?).await?) };
    let answer = tokio::time::timeout(PATIENCE, ask).await;
    answer.unwrap_or_else(|_elapsed| Err(DbError::Query(no_answer())))
}
