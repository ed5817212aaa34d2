//! Another client of the database, which holds locks while a test looks on.

use std::ops::{Deref, DerefMut};

use beanstock::db::{self, DbResult, Pool};
use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, MySql, MySqlConnection};
use tokio::sync::Notify;

/// A transaction of somebody else.
pub(crate) struct OtherClient(PoolConnection<MySql>);

impl OtherClient {
    pub(crate) async fn begin(pool: &Pool) -> Self {
        let mut connection = pool.acquire().await.unwrap();
        connection.execute("BEGIN").await.unwrap();
        Self(connection)
    }

    /// Makes what it did lasting.
    pub(crate) async fn commit(mut self) {
        self.0.execute("COMMIT").await.unwrap();
    }

    /// Releases its locks.
    pub(crate) async fn rollback(mut self) {
        self.0.execute("ROLLBACK").await.unwrap();
    }
}

impl Deref for OtherClient {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        &self.0
    }
}

impl DerefMut for OtherClient {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        &mut self.0
    }
}

/// Begins a transaction of ours, has `work` done in it, and drops it before its end.
pub(crate) async fn drop_a_transaction(
    pool: &Pool,
    work: impl AsyncFnOnce(&mut db::Transaction) + Copy,
) {
    let done = Notify::new();
    let endless = db::in_transaction(pool, async |tx| {
        work(tx).await;
        done.notify_one();
        std::future::pending::<DbResult<()>>().await
    });
    tokio::select! {
        _ = endless => panic!("it has no end"),
        () = done.notified() => {}
    }
}
