//! Waiting at the start until the database lets us in and has its schema: starting must not depend
//! on who starts first.

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;

use super::unreachable_at;
use crate::config::Credentials;
use crate::credentials::{self, SignInError};
use crate::db::{self, DbError, MigrateError, Pool, PoolSettings};
use crate::poller::backoff;
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// So many times in a row the server may turn away credentials that were just read: while they are
/// rotated, and for a moment after a role was allowed, the new ones are not yet known to it.
const TURNED_AWAY_AT_MOST: u32 = 6;

/// A database that is to be opened, and its keys.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) pool: Pool,
    pub(super) settings: PoolSettings,
    pub(super) access: Credentials,
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
        let mut turned_away = 0;
        let mut signed_in = false;
        loop {
            let error = match self.try_once(&mut signed_in).await {
                Ok(()) => {
                    streak.succeeded(WHAT);
                    return Ok(());
                }
                Err(error) => error,
            };
            if matches!(&error, Closed::Reach(error) if error.is_access_denied()) {
                turned_away += 1;
                signed_in = false;
            }
            if self.is_final(&error, turned_away) {
                return Err(error).with_context(|| unreachable_at(&self.settings));
            }
            let failures = streak.failed(WHAT, &error);
            shutdown.sleep(backoff::before_probe(failures)).await;
        }
    }

    async fn try_once(&mut self, signed_in: &mut bool) -> Result<(), Closed> {
        if !*signed_in {
            let found = credentials::sign_in(&self.settings, &self.access, &self.aws).await?;
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

    fn is_final(&self, error: &Closed, turned_away: u32) -> bool {
        match error {
            Closed::SignIn(error) => matches!(error, SignInError::Refused(_)),
            Closed::Reach(error) if error.is_access_denied() => {
                self.access == Credentials::Fixed || turned_away >= TURNED_AWAY_AT_MOST
            }
            Closed::Reach(error) => error.is_refusal() || error.is_tls(),
            Closed::Migrate(error) => !error.is_silence(),
        }
    }
}
