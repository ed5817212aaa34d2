//! Sends mails that are due, one after the other, until the mail server takes or refuses them for good.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::mail::{Mailer, Rejection};
use super::notifier::Notifier;
use crate::db::mails::{Attempted, DueMail};
use crate::db::{self, DbResult};

/// So long nobody else sends a mail that somebody has taken; sending takes less.
const LEASE: TimeDelta = TimeDelta::minutes(5);

/// A mail that could not be handed over for so long is given up.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::hours(24);

/// How long the mail server may take.
const SENDING_TAKES: Duration = Duration::from_mins(1);

/// Sends the mail that has been due for longest; tells whether there was one.
pub(super) async fn send_one(notifier: &Notifier) -> DbResult<bool> {
    let Some(mailer) = &notifier.mailer else {
        return Ok(false);
    };
    let now = notifier.clock.now();
    let taking = async |tx: &mut db::Transaction| db::mails::take_due(tx, now, now + LEASE).await;
    let Some(mail) = db::in_transaction(&notifier.pool, taking).await? else {
        return Ok(false);
    };
    let attempted = match hopeless(&mail, now) {
        Some(why) => Attempted::GivenUp(why.to_owned()),
        None => attempt(mailer, &mail, notifier).await,
    };
    match &attempted {
        Attempted::Sent => tracing::info!(mail = mail.id, "sent a mail"),
        Attempted::Again(_, error) => {
            tracing::warn!(mail = mail.id, error, "a mail could not be sent yet");
        }
        Attempted::GivenUp(error) => {
            tracing::error!(mail = mail.id, error, "a mail could not be sent");
        }
    }
    let mut conn = notifier.pool.acquire().await?;
    db::mails::set_attempted(&mut conn, &mail, &attempted, notifier.clock.now()).await?;
    Ok(true)
}

/// Why a mail is not worth sending any more.
fn hopeless(mail: &DueMail, now: DateTime<Utc>) -> Option<&'static str> {
    if mail.is_reader_gone {
        Some("its reader does not sign in for the café any more")
    } else if now - mail.created_at > GIVEN_UP_AFTER {
        Some("it could not be sent within a day")
    } else {
        None
    }
}

async fn attempt(mailer: &Mailer, mail: &DueMail, notifier: &Notifier) -> Attempted {
    let sent = tokio::time::timeout(SENDING_TAKES, mailer.send(mail)).await;
    let rejection = match sent {
        Ok(Ok(())) => return Attempted::Sent,
        Ok(Err(rejection)) => rejection,
        Err(_) => Rejection::for_now("the mail server did not answer within a minute"),
    };
    let now = notifier.clock.now();
    if rejection.is_final {
        return Attempted::GivenUp(rejection.words);
    }
    // 30 s, 1 min, 2 min, … up to an hour.
    let doublings = mail.attempts.clamp(1, 8) - 1;
    let pause = TimeDelta::seconds(30 * (1 << doublings));
    Attempted::Again(now + pause.min(TimeDelta::hours(1)), rejection.words)
}
