//! Which of a pool's connections can be trusted, and how the others prove themselves.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, MySqlConnection};

/// Far longer than any of our transactions takes, its waits for locks included.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

/// How long a connection may take to prove itself. After a failover the old writer's machine may be
/// gone without a word, and then nothing ever answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// A connection that lay idle for longer is pinged before it is lent out.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);

/// What is known of the connections that lie idle.
#[derive(Debug, Default)]
pub(crate) struct Doubt(Mutex<Known>);

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// When a transaction last ended badly.
    bad_end: Option<Instant>,
    /// When a connection last gave no answer.
    silence: Option<Instant>,
}

impl Doubt {
    /// No transaction keeps a connection busy for longer.
    const LASTS: Duration = LIMIT;

    /// After an Aurora failover all of a pool's connections lead to a server that has become a
    /// reader. It answers pings and refuses writes, so without this each of them would fail one
    /// transaction. Those that were busy when the doubt arose come back later, so for
    /// [`Doubt::LASTS`] every connection is asked each time it is lent; one that lay idle since then
    /// is asked however late.
    pub(crate) fn raise(&self) {
        self.known().bad_end = Some(Instant::now());
    }

    /// What gave no answer cost time; the others that lay idle then are not asked at all.
    fn note_silence(&self) {
        self.known().silence = Some(Instant::now());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn check(
        &self,
        connection: &mut MySqlConnection,
        idle_for: Duration,
    ) -> sqlx::Result<bool> {
        let Known { bad_end, silence } = *self.known();
        if silence.is_some_and(|since| since.elapsed() <= idle_for) {
            return Err(no_answer());
        }
        let doubtful = bad_end.is_some_and(|since| since.elapsed() <= idle_for + Self::LASTS);
        let proof = prove(connection, doubtful, idle_for);
        let in_time = tokio::time::timeout(ANSWERS_WITHIN, proof).await;
        in_time.unwrap_or_else(|_elapsed| {
            self.note_silence();
            Err(no_answer())
        })
    }
}

/// Has the pool drop the connection without closing it properly, for which it would wait again.
pub(crate) fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(
        io::ErrorKind::TimedOut,
        "a connection gave no answer and is left",
    ))
}

async fn prove(
    connection: &mut MySqlConnection,
    doubtful: bool,
    idle_for: Duration,
) -> sqlx::Result<bool> {
    if doubtful {
        return leads_to_writer(connection).await;
    }
    if idle_for > PING_AFTER_IDLE {
        connection.ping().await?;
    }
    Ok(true)
}

/// Whether the server at the other end takes writes. `MariaDB`, `MySQL` and Aurora know both names.
pub(crate) async fn leads_to_writer(connection: &mut MySqlConnection) -> sqlx::Result<bool> {
    let read_only = sqlx::query_scalar!(
        r#"SELECT @@global.read_only + @@global.innodb_read_only AS "read_only!: i64""#
    );
    Ok(read_only.fetch_one(connection).await? == 0)
}
