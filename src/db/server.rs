//! What the server says of itself: for `beanstock check`, and its time. Nothing here changes anything.

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::MySqlConnection;
use sqlx::migrate::Migrate as _;

use super::{DbError, DbResult};

/// A server and the way to it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Like `8.4.3` or `10.11.6-MariaDB`.
    pub version: String,
    /// The name of the cipher; `None` if the connection is not encrypted.
    pub cipher: Option<String>,
    /// Whether it refuses writes, like a reader of an Aurora cluster.
    pub read_only: bool,
    /// What time it is there.
    pub now: DateTime<Utc>,
}

/// What is in the database, compared with this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Nobody has migrated it yet.
    Absent,
    /// This many migrations are missing.
    Behind(usize),
    Current,
    /// It has a migration this program does not know.
    Newer(i64),
}

pub async fn describe(conn: &mut MySqlConnection) -> DbResult<Server> {
    let row = sqlx::query!(
        r#"
        SELECT
            VERSION() AS "version!: String",
            @@global.read_only + @@global.innodb_read_only AS "read_only!: i64",
            UTC_TIMESTAMP(6) AS "now!: NaiveDateTime"
        "#
    )
    .fetch_one(&mut *conn)
    .await?;
    let cipher = sqlx::query!("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
    let cipher = cipher.fetch_one(conn).await?.Value;
    Ok(Server {
        version: row.version,
        cipher: (!cipher.is_empty()).then_some(cipher),
        read_only: row.read_only != 0,
        now: row.now.and_utc(),
    })
}

/// Tells the server's time: the one clock that all instances share.
pub async fn tell_time(conn: &mut MySqlConnection) -> DbResult<DateTime<Utc>> {
    let now = sqlx::query_scalar!(r#"SELECT UTC_TIMESTAMP(6) AS "now!: NaiveDateTime""#);
    Ok(now.fetch_one(conn).await?.and_utc())
}

pub async fn schema(conn: &mut MySqlConnection) -> DbResult<Schema> {
    let ours = sqlx::migrate!();
    let applied = match conn.list_applied_migrations(ours.table_name.as_ref()).await {
        Ok(applied) => applied,
        Err(sqlx::migrate::MigrateError::Execute(error)) => {
            let error = DbError::from(error);
            return if error.is_missing_table() {
                Ok(Schema::Absent)
            } else {
                Err(error)
            };
        }
        Err(error) => return Err(sqlx::Error::from(error).into()),
    };
    let newest = applied.iter().map(|migration| migration.version).max();
    let unknown = newest.filter(|newest| ours.iter().all(|known| known.version != *newest));
    if let Some(version) = unknown {
        return Ok(Schema::Newer(version));
    }
    Ok(match ours.iter().count().saturating_sub(applied.len()) {
        0 => Schema::Current,
        missing => Schema::Behind(missing),
    })
}
