//! What begins and ends without anybody doing something: dead letters that wait for too long, and no consumer that
//! runs. Each is told once when it begins; the second also when it is over.

use chrono::TimeDelta;

use super::tell::{Event, for_each};
use super::telling::Telling;
use crate::db::consumers::ConsumerLine;
use crate::db::notification_wishes::Wisher;
use crate::db::{self, DbResult};
use crate::domain::NotificationKind;
use crate::messaging::UPDATES;

/// Consumers that have been silent for so long are taken to have stopped: a deployment takes less.
const SILENT_FOR_SECONDS: i64 = 120;

/// Tells those who want to know that dead letters have waited for longer than they say.
pub(super) async fn watch_letters(telling: &Telling) -> DbResult<()> {
    let mut conn = telling.pool.acquire().await?;
    let wishers = db::notification_wishes::list_wishers(&mut conn).await?;
    let asked = wishers
        .iter()
        .filter(|wisher| wisher.wishes.letters_after_hours.is_some());
    let asked: Vec<&Wisher> = asked.collect();
    if asked.is_empty() {
        return Ok(());
    }
    let oldest = db::dead_letters::find_oldest_open(&mut conn).await?;
    drop(conn);
    let now = telling.clock.now();
    for wisher in asked {
        let hours = wisher.wishes.letters_after_hours.unwrap_or_default();
        let is_late = oldest.is_some_and(|oldest| oldest < now - TimeDelta::hours(hours.into()));
        if is_late == wisher.letters_told {
            continue;
        }
        let event = Event {
            kind: NotificationKind::Letters,
            sentence: format!(
                "Updates that could not be applied have waited for more than {hours} {}. Somebody has to look at them.",
                if hours == 1 { "hour" } else { "hours" }
            ),
            path: "/dead-letters".to_owned(),
            at: now,
        };
        db::in_transaction(&telling.pool, async |tx| {
            let account = wisher.account;
            let locked = db::notification_wishes::lock_wisher(tx, account).await?;
            let Some(locked) = locked.filter(|locked| locked.letters_told != is_late) else {
                return DbResult::Ok(());
            };
            if is_late {
                let notification = event.tell(&locked, telling.mailer.is_some());
                db::notifications::insert_notifications(tx, &[notification]).await?;
            }
            db::notification_wishes::set_letters_told(tx, account, is_late).await
        })
        .await?;
    }
    Ok(())
}

/// Tells those who want to know that no consumer applies updates, or that one does again. Paused queues are told by
/// whoever paused them.
pub(super) async fn watch_consumers(telling: &Telling) -> DbResult<()> {
    let mut conn = telling.pool.acquire().await?;
    let consumers = db::consumers::list_consumers(&mut conn).await?;
    let pauses = db::queue_pauses::list_pauses(&mut conn).await?;
    let is_paused = pauses.iter().any(|pause| pause.queue == UPDATES.code);
    drop(conn);
    let polls = |consumer: &&ConsumerLine| consumer.queue == UPDATES.code;
    let mut polling = consumers.iter().filter(polls).peekable();
    // Where none was heard within a day, nobody has begun yet.
    let was_heard = polling.peek().is_some();
    let runs = polling.any(|consumer| consumer.silent_seconds < SILENT_FOR_SECONDS);
    if !was_heard || is_paused {
        return Ok(());
    }
    let now = telling.clock.now();
    db::in_transaction(&telling.pool, async |tx| {
        let Some(since) = db::notifications::lock_stopped(tx).await? else {
            return DbResult::Ok(());
        };
        if since.is_none() == runs {
            return Ok(());
        }
        let event = if runs {
            Event {
                kind: NotificationKind::Running,
                sentence: "Updates are being applied again.".to_owned(),
                path: "/consumers".to_owned(),
                at: now,
            }
        } else {
            Event {
                kind: NotificationKind::Stopped,
                sentence: "Updates are not being applied: no consumer runs. What suppliers send waits in the queue, \
                           and nothing is lost."
                    .to_owned(),
                path: "/consumers".to_owned(),
                at: now,
            }
        };
        let wishers = db::notification_wishes::list_wishers(tx).await?;
        let told = for_each(&wishers, &event, telling.mailer.is_some());
        db::notifications::insert_notifications(tx, &told).await?;
        db::notifications::set_stopped(tx, (!runs).then_some(now)).await
    })
    .await
}
