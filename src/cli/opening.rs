//! Waiting at the start until the database accepts connections and has its schema: starting must not depend
//! on who starts first.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;

use super::database::unreachable_at;
use crate::aws::database_login::{self, SignInError};
use crate::backoff;
use crate::config::DatabaseLogin;
use crate::db::{self, DbError, MigrateError, Pool, PoolSettings};
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// For so long the server may turn away credentials that were just read: while they are rotated, and
/// for some seconds after a role was allowed, it does not know the new ones.
const TURNED_AWAY_FOR_AT_MOST: Duration = Duration::from_mins(1);

/// Servers shut out whoever tries too often.
const PAUSE_AFTER_TURNED_AWAY: Duration = Duration::from_secs(2);

/// A database that is to be opened, and how to sign in to it.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) pool: Pool,
    pub(super) settings: PoolSettings,
    pub(super) login: DatabaseLogin,
    pub(super) aws: SdkConfig,
}

#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    Reach(DbError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

impl Opening {
    /// Signs in, reaches the server and brings the schema up to date, again and again until that
    /// succeeds or cannot succeed.
    ///
    /// # Errors
    /// Somebody has to act: a wrong setting, a password that is not taken, a schema that is newer.
    pub(super) async fn wait(mut self, shutdown: &Shutdown) -> Result<()> {
        const WHAT: &str = "reaching the database";
        let mut streak = Streak::default();
        let mut turned_away = None;
        let mut signed_in = false;
        loop {
            let error = match self.try_once(&mut signed_in).await {
                Ok(()) => {
                    streak.succeeded(WHAT);
                    return Ok(());
                }
                Err(error) => error,
            };
            let denied = matches!(&error, Closed::Reach(error) if error.is_access_denied());
            turned_away = denied.then(|| turned_away.unwrap_or_else(Instant::now));
            signed_in &= !denied;
            if self.is_final(&error, turned_away) {
                return Err(error).with_context(|| unreachable_at(&self.settings));
            }
            let failures = streak.failed(WHAT, &error);
            let pause = if denied {
                PAUSE_AFTER_TURNED_AWAY
            } else {
                backoff::before_probe(failures)
            };
            let slept = shutdown.sleep(pause).await;
            slept.context("while waiting for the database")?;
        }
    }

    async fn try_once(&mut self, signed_in: &mut bool) -> Result<(), Closed> {
        if !*signed_in {
            let found = database_login::sign_in(&self.settings, &self.login, &self.aws).await?;
            if let Some(found) = found {
                found.put_into(&mut self.settings);
                self.pool.sign_in_as(&found.user, &found.password);
            }
            *signed_in = true;
        }
        db::reach(&self.settings).await.map_err(Closed::Reach)?;
        db::migrate(&self.pool).await?;
        Ok(())
    }

    fn is_final(&self, error: &Closed, turned_away: Option<Instant>) -> bool {
        match error {
            Closed::SignIn(error) => matches!(error, SignInError::Refused(_)),
            Closed::Reach(error) if error.is_access_denied() => {
                let too_long = |since: Instant| since.elapsed() >= TURNED_AWAY_FOR_AT_MOST;
                self.login == DatabaseLogin::Fixed || turned_away.is_some_and(too_long)
            }
            Closed::Reach(error) => error.is_refusal() || error.is_tls(),
            Closed::Migrate(error) => !error.is_silence(),
        }
    }
}
