//! Announces what has happened to the topic of alerts and to webhooks: at once, and then once a minute at most.

use chrono::TimeDelta;
use uuid::Uuid;

use super::notifier::Notifier;
use crate::db::announcements::Announcement;
use crate::db::outbox::OutboxMessage;
use crate::db::{self, DbResult};
use crate::messaging::digest::{Alert, Digest};

/// No sooner than this after the last message the next one is made.
const PAUSE: TimeDelta = TimeDelta::minutes(1);

/// Puts what waits to be announced into one message of the outbox, unless somebody did within the last minute.
pub(super) async fn announce(notifier: &Notifier) -> DbResult<()> {
    let mut conn = notifier.pool.acquire().await?;
    let is_any = db::announcements::is_any_waiting(&mut conn).await?;
    drop(conn);
    if !is_any {
        return Ok(());
    }
    db::in_transaction(&notifier.pool, async |tx| {
        let now = notifier.clock.now();
        let last = db::announcements::lock_last_digest(tx).await?;
        // A moment to come is that of a clock that is wrong, and nobody waits for it.
        let is_recent = |last| (TimeDelta::zero()..PAUSE).contains(&(now - last));
        if last.is_some_and(is_recent) {
            return Ok(());
        }
        let all = db::announcements::take_announcements(tx).await?;
        if all.is_empty() {
            return Ok(());
        }
        let digest = Digest::of(alerts(notifier, &all), url(notifier, "/alerts"));
        let body = serde_json::json!(digest).to_string();
        for (destination, group) in notifier.announces.all() {
            let message = OutboxMessage {
                id: Uuid::now_v7(),
                update: None,
                group: group.to_owned(),
                body: body.clone(),
                attempts: 0,
            };
            db::outbox::insert_message(tx, destination, &message, now).await?;
        }
        db::announcements::set_last_digest(tx, now).await
    })
    .await
}

fn alerts(notifier: &Notifier, announcements: &[Announcement]) -> Vec<Alert> {
    let alerts = announcements.iter().map(|announcement| {
        let (bean, supplier) = announcement.bean.unzip();
        Alert {
            kind: announcement.kind.code().to_owned(),
            severity: announcement.kind.severity(),
            sentence: announcement.sentence.clone(),
            url: url(notifier, &announcement.path),
            bean_id: bean.map(|id| id.0),
            supplier_id: supplier.map(|id| id.0),
            at: announcement.at,
        }
    });
    alerts.collect()
}

fn url(notifier: &Notifier, path: &str) -> String {
    format!("{}{path}", notifier.site)
}
