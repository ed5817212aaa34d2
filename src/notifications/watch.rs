//! What begins and ends without anybody doing something: dead letters that wait for too long, and no consumer that
//! runs. Each is told once when it begins; the second also when it is over.

use chrono::{DateTime, TimeDelta, Utc};

use super::fan_out::{Event, tell_of_events};
use super::notifier::Notifier;
use crate::db::notification_preferences::Subscriber;
use crate::db::notifications::Stopped;
use crate::db::{self, DbResult, Transaction};
use crate::domain::NotificationKind;
use crate::messaging::UPDATES;

/// No consumer has been seen to run for so long: a deployment takes less.
const STOPPED_AFTER: TimeDelta = TimeDelta::minutes(2);

/// Tells those who want to know that dead letters have waited for longer than they say.
pub(super) async fn watch_letters(notifier: &Notifier) -> DbResult<()> {
    let mut conn = notifier.pool.acquire().await?;
    let subscribers = db::notification_preferences::list_subscribers(&mut conn).await?;
    let asked = subscribers
        .iter()
        .filter(|subscriber| subscriber.preferences.letters_after_hours.is_some());
    let asked: Vec<&Subscriber> = asked.collect();
    if asked.is_empty() {
        return Ok(());
    }
    let oldest = db::dead_letters::find_oldest_open(&mut conn).await?;
    drop(conn);
    let now = notifier.clock.now();
    for subscriber in asked {
        let hours = subscriber
            .preferences
            .letters_after_hours
            .unwrap_or_default();
        let is_late = oldest.is_some_and(|oldest| oldest < now - TimeDelta::hours(hours.into()));
        if is_late == subscriber.letters_notified {
            continue;
        }
        let event = Event {
            kind: NotificationKind::Letters,
            sentence: format!(
                "Updates that could not be applied have waited for more than {hours} {}. Look at them under Needs attention.",
                if hours == 1 { "hour" } else { "hours" }
            ),
            path: "/dead-letters".to_owned(),
            bean: None,
            at: now,
            is_told_by: None,
        };
        db::in_transaction(&notifier.pool, async |tx| {
            let account = subscriber.account;
            let locked = db::notification_preferences::lock_subscriber(tx, account).await?;
            let Some(locked) = locked.filter(|locked| locked.letters_notified != is_late) else {
                return DbResult::Ok(());
            };
            if is_late {
                let notification = event.tell(&locked, notifier.mailer.is_some());
                db::notifications::insert_notifications(tx, &[notification]).await?;
            }
            db::notification_preferences::set_letters_notified(tx, account, is_late).await
        })
        .await?;
    }
    Ok(())
}

/// Tells those who want to know that no consumer applies updates, or that one does again. Paused queues are told by
/// whoever paused them.
pub(super) async fn watch_consumers(notifier: &Notifier) -> DbResult<()> {
    let mut conn = notifier.pool.acquire().await?;
    let consumers = db::consumers::list_consumers(&mut conn).await?;
    let pauses = db::queue_pauses::list_pauses(&mut conn).await?;
    let is_paused = pauses.iter().any(|pause| pause.queue == UPDATES.code);
    drop(conn);
    if is_paused {
        return Ok(());
    }
    let runs = consumers
        .iter()
        .any(|consumer| consumer.queue == UPDATES.code && !consumer.is_silent());
    db::in_transaction(&notifier.pool, async |tx| settle(tx, notifier, runs).await).await
}

/// Notes whether a consumer runs, and tells if that has changed. Where none ever ran, nobody has begun yet.
async fn settle(tx: &mut Transaction, notifier: &Notifier, runs: bool) -> DbResult<()> {
    let now = notifier.clock.now();
    let Some(known) = db::notifications::lock_stopped(tx).await? else {
        return Ok(());
    };
    let has_stopped = !runs
        && known
            .ran_at
            .is_some_and(|ran_at| ran_at < now - STOPPED_AFTER);
    let event = match known.since {
        None if has_stopped => Some(stopped(now)),
        Some(_) if runs => Some(running(now)),
        _ => None,
    };
    if let Some(event) = &event {
        let subscribers = db::notification_preferences::list_subscribers(tx).await?;
        let events = std::slice::from_ref(event);
        tell_of_events(tx, notifier, &subscribers, events).await?;
    }
    let since = if runs {
        None
    } else {
        known.since.or_else(|| has_stopped.then_some(now))
    };
    let ran_at = if runs { Some(now) } else { known.ran_at };
    db::notifications::set_stopped(tx, Stopped { since, ran_at }).await
}

fn stopped(at: DateTime<Utc>) -> Event {
    Event {
        kind: NotificationKind::Stopped,
        sentence: "Updates are not being applied: no consumer runs. What suppliers send waits in the queue, and \
                   nothing is lost."
            .to_owned(),
        path: "/consumers".to_owned(),
        bean: None,
        at,
        is_told_by: None,
    }
}

fn running(at: DateTime<Utc>) -> Event {
    Event {
        kind: NotificationKind::Running,
        sentence: "Updates are being applied again.".to_owned(),
        path: "/consumers".to_owned(),
        bean: None,
        at,
        is_told_by: None,
    }
}
