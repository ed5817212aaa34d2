//! Notifying people of alerts: once each, and in at most six emails an hour.
//!
//! What has happened is turned into a notification for each who wants it, what waits for somebody is written into one
//! mail when mail may reach them, and a mail is sent until the mail server takes it.
//!
//! Each step is a transaction that takes what nobody else has taken, so that any number of processes may do this at
//! once: nothing is told twice, and nothing is lost by a crash. A mail whose process dies after the server has taken
//! it is sent once more, with the same `Message-ID`.

mod announce;
mod fan_out;
mod mail;
mod notifier;
mod out_of_stock;
mod send;
mod suppliers;
mod watch;
mod write;

use std::time::{Duration, Instant};

use chrono::TimeDelta;

pub use self::mail::{Mailer, MailerError};
pub use self::notifier::{Announces, Notifier};
pub use self::out_of_stock::TellOfOutOfStock;
pub use self::write::write_test;
use crate::db::{self, DbResult};
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// How often somebody looks whether there is something to tell, or to send.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often somebody looks whether dead letters wait and consumers run.
const WATCH_EVERY: Duration = Duration::from_secs(30);

/// How often what is old is forgotten.
const TIDY_EVERY: Duration = Duration::from_hours(1);

/// What was told so long ago is forgotten, and the mail with it.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(30);

/// What is to be announced to a webhook that no process knows any more is forgotten after so long, and so is the webhook.
const NOBODYS_AFTER: TimeDelta = TimeDelta::days(2);

/// What is done only now and then.
struct NowAndThen {
    every: Duration,
    last: Option<Instant>,
}

impl NowAndThen {
    fn is_due(&mut self) -> bool {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= self.every);
        if is_due {
            self.last = Some(Instant::now());
        }
        is_due
    }
}

impl Notifier {
    /// Turns what happens into notifications and mails until this process stops.
    pub async fn run(self, shutdown: Shutdown) {
        const WHAT: &str = "notifying people of alerts";
        let mut streak = Streak::default();
        let [mut watch, mut tidy] =
            [WATCH_EVERY, TIDY_EVERY].map(|every| NowAndThen { every, last: None });
        while shutdown.sleep(LOOK_EVERY).await.is_ok() {
            match self.look(&mut watch, &mut tidy).await {
                Ok(()) => streak.succeeded(WHAT),
                Err(error) => {
                    streak.failed(WHAT, &error);
                }
            }
        }
    }

    async fn look(&self, watch: &mut NowAndThen, tidy: &mut NowAndThen) -> DbResult<()> {
        self.notify_once().await?;
        if watch.is_due() {
            self.watch_once().await?;
        }
        if tidy.is_due() {
            self.forget_what_is_old().await?;
        }
        Ok(())
    }

    /// Tells of alerts that have begun or are over, announces them, and writes the mails that may go now.
    ///
    /// # Errors
    /// The database failed. What was not done is done the next time.
    pub async fn notify_once(&self) -> DbResult<()> {
        while fan_out::tell_of_alerts(self).await? > 0 {}
        announce::announce(self).await?;
        write::write_mails(self).await?;
        suppliers::write_mails(self).await
    }

    /// Tells of dead letters that wait for too long, and of consumers that have stopped or run again.
    ///
    /// # Errors
    /// The database failed. What was not done is done the next time.
    pub async fn watch_once(&self) -> DbResult<()> {
        watch::watch_letters(self).await?;
        watch::watch_consumers(self).await
    }

    async fn forget_what_is_old(&self) -> DbResult<()> {
        let mut conn = self.pool.acquire().await?;
        let now = self.clock.now();
        db::mails::forget_mails(&mut conn, now - KEPT_FOR).await?;
        db::outbox::delete_old_announcements(&mut conn, now - NOBODYS_AFTER).await?;
        let webhooks = &self.announces.to_webhooks;
        db::announcement_targets::forget_webhooks_but(&mut conn, webhooks, now - NOBODYS_AFTER)
            .await
    }

    /// Sends mails until this process stops. A mail server that takes its time holds up nobody but the mails.
    pub async fn send(self, shutdown: Shutdown) {
        const WHAT: &str = "reading the mails to be sent";
        let mut streak = Streak::default();
        while shutdown.sleep(LOOK_EVERY).await.is_ok() {
            match self.send_once(&shutdown).await {
                Ok(()) => streak.succeeded(WHAT),
                Err(error) => {
                    streak.failed(WHAT, &error);
                }
            }
        }
    }

    /// Sends the mails that are due.
    ///
    /// # Errors
    /// The database failed. What was not done is done the next time.
    pub async fn send_once(&self, shutdown: &Shutdown) -> DbResult<()> {
        while !shutdown.soft.is_cancelled() && send::send_one(self).await? {}
        Ok(())
    }
}
