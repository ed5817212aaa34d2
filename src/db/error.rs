//! What can go wrong with the database, sorted by what helps.

use std::time::Duration;

/// The result of every query function.
pub type DbResult<T> = Result<T, DbError>;

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The server or the way to it failed, or it refused the statement.
    #[error("database query failed")]
    Query(#[from] sqlx::Error),
    /// All connections the pool may open stayed busy.
    #[error(
        "all {limit} database connections were busy for {} s; if that happens often, raise \
         DATABASE_POOL_SIZE",
        waited.as_secs()
    )]
    Exhausted {
        /// The most connections the pool may open.
        limit: u32,
        /// How long one was waited for.
        waited: Duration,
    },
    /// The server had not finished the statements of a transaction within its limit. They were never
    /// committed.
    #[error("the database took more than {} s", limit.as_secs())]
    TimedOut { limit: Duration },
    /// The answer to COMMIT was lost, so the change was made or not; doing it again is safe.
    #[error("the database did not confirm a change")]
    Unconfirmed(#[source] sqlx::Error),
    /// A row holds something that this program never writes.
    #[error("unexpected value in {table}.{column}")]
    Corrupt {
        table: &'static str,
        column: &'static str,
    },
}

/// What to do about a [`DbError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Two transactions met (1213, 1205, 1020, 3572): roll back and do the whole of it again.
    Conflict,
    /// A unique key says the row is there already (1062).
    Duplicate,
    /// The statement's data cannot be stored; trying again cannot help.
    BadData,
    /// The server is away, read-only, full, or refusing access: wait, on a new connection.
    Unavailable,
}

impl DbError {
    /// Sorts the error by what helps.
    ///
    /// The numbers are those of the `MySQL` 8 server error reference; 1020 and 4025 are `MariaDB`'s.
    pub fn trouble(&self) -> Trouble {
        match self.number() {
            Some(1213 | 1205 | 1020 | 3572) => Trouble::Conflict,
            Some(1062) => Trouble::Duplicate,
            Some(
                1048 | 1264 | 1265 | 1292 | 1300 | 1366 | 1406 | 1411 | 1452 | 1690 | 3156 | 3819
                | 4025,
            ) => Trouble::BadData,
            _ if self.is_data_exception() => Trouble::BadData,
            _ => Trouble::Unavailable,
        }
    }

    /// Whether another transaction kept a row locked for longer than we wait.
    pub fn is_lock_wait(&self) -> bool {
        self.number() == Some(1205)
    }

    /// Whether the server says so itself: class 22 of `SQLSTATE`, whatever the number.
    fn is_data_exception(&self) -> bool {
        let Self::Query(error) = self else {
            return false;
        };
        let state = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        state.is_some_and(|state| state.starts_with("22"))
    }

    /// Whether the server answered, and would refuse again: the user, the password or the database
    /// is wrong. A server that is full, starting or stopping will take us later.
    pub fn is_refusal(&self) -> bool {
        self.is_access_denied() || self.is_unknown_database()
    }

    /// Whether the server knows neither the user nor the password.
    pub fn is_access_denied(&self) -> bool {
        matches!(self.number(), Some(1044 | 1045 | 1698))
    }

    /// Whether the user lacks a right on a table.
    pub fn is_forbidden(&self) -> bool {
        matches!(self.number(), Some(1142 | 1143 | 1227))
    }

    /// Whether there was no answer at all, so that another try may get one.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Query(error) => matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut),
            Self::Exhausted { .. } | Self::TimedOut { .. } | Self::Unconfirmed(_) => true,
            Self::Corrupt { .. } => false,
        }
    }

    /// Whether a change may have been made although this error came back.
    pub fn is_unsure(&self) -> bool {
        matches!(self, Self::Unconfirmed(_))
    }

    /// Whether a row holds something that this program never writes; a newer version may have.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }

    /// Whether the connection it came over can be used again.
    pub(super) fn leaves_a_good_connection(&self) -> bool {
        self.is_corrupt() || self.trouble() != Trouble::Unavailable
    }

    /// Whether there was an answer and no other transaction is to blame: asking again would bring the same.
    pub fn is_answer(&self) -> bool {
        !self.is_silence() && self.trouble() != Trouble::Conflict
    }

    /// Whether the server has no database of that name.
    pub fn is_unknown_database(&self) -> bool {
        self.number() == Some(1049)
    }

    /// Whether the connection could not be encrypted, or the server not be verified.
    pub fn is_tls(&self) -> bool {
        let Self::Query(error) = self else {
            return false;
        };
        match error {
            sqlx::Error::Tls(_) => true,
            // rustls tells a certificate it does not like this way.
            sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
            _ => false,
        }
    }

    /// Whether a table or column is missing: nobody has migrated this database yet, or not with this
    /// version.
    pub fn is_missing_table(&self) -> bool {
        matches!(self.number(), Some(1054 | 1146))
    }

    /// The server's error number, if it was the server that refused.
    fn number(&self) -> Option<u16> {
        let Self::Query(error) = self else {
            return None;
        };
        let error = error.as_database_error()?;
        let error = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?;
        Some(error.number())
    }
}
