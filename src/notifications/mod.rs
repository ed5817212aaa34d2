//! Telling people of alerts, once each, and not more than they can stand.
//!
//! What has happened is turned into a notification for each who wants it, what waits for somebody is written into one
//! mail when mail may reach them, and a mail is sent until the mail server takes it.
//!
//! Each step is a transaction that takes what nobody else has taken, so that any number of processes may do this at
//! once: nothing is told twice, and nothing is lost by a crash. A mail whose process dies after the server has taken
//! it is sent once more, with the same `Message-ID`.

mod mail;
mod send;
mod tell;
mod telling;
mod watch;
mod write;

use std::time::{Duration, Instant};

use chrono::TimeDelta;

pub use self::mail::{Mailer, MailerError};
pub use self::telling::Telling;
use crate::db::{self, DbResult};
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// How often somebody looks whether there is something to tell.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often what is old is forgotten.
const TIDY_EVERY: Duration = Duration::from_hours(1);

/// What was told so long ago is forgotten, and the mail with it.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(30);

impl Telling {
    /// Tells people until this process stops.
    pub async fn run(self, shutdown: Shutdown) {
        const WHAT: &str = "telling people of alerts";
        let mut streak = Streak::default();
        let mut tidied: Option<Instant> = None;
        while shutdown.sleep(LOOK_EVERY).await.is_ok() {
            let mut told = self.tell_once(&shutdown).await;
            if told.is_ok() && tidied.is_none_or(|last| last.elapsed() > TIDY_EVERY) {
                told = self.forget_what_is_old().await;
                tidied = Some(Instant::now());
            }
            match told {
                Ok(()) => streak.succeeded(WHAT),
                Err(error) => {
                    streak.failed(WHAT, &error);
                }
            }
        }
    }

    /// Tells what is to be told now.
    ///
    /// # Errors
    /// The database failed. What was not done is done the next time.
    pub async fn tell_once(&self, shutdown: &Shutdown) -> DbResult<()> {
        while tell::tell_of_alerts(self).await? > 0 {}
        watch::watch_letters(self).await?;
        watch::watch_consumers(self).await?;
        write::write_mails(self).await?;
        while !shutdown.soft.is_cancelled() && send::send_one(self).await? {}
        Ok(())
    }

    async fn forget_what_is_old(&self) -> DbResult<()> {
        let mut conn = self.pool.acquire().await?;
        db::mails::forget_mails(&mut conn, self.clock.now() - KEPT_FOR).await
    }
}
