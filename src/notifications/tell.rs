//! Turns alerts that have begun or are over into notifications, one for each who wants it.

use chrono::{DateTime, Utc};

use super::telling::Telling;
use crate::db::notification_wishes::Wisher;
use crate::db::notifications::{Notification, UntoldAlert};
use crate::db::{self, DbResult};
use crate::domain::{AlertKind, NotificationKind};

/// As many alerts are taken at once.
const TAKEN_AT_ONCE: i64 = 100;

/// Takes the next alerts, and tells all who want to know; gives how many these were.
pub(super) async fn tell_of_alerts(telling: &Telling) -> DbResult<usize> {
    let now = telling.clock.now();
    db::in_transaction(&telling.pool, async |tx| {
        let alerts = db::notifications::take_untold(tx, TAKEN_AT_ONCE).await?;
        if alerts.is_empty() {
            return Ok(0);
        }
        let wishers = db::notification_wishes::list_wishers(tx).await?;
        let told: Vec<Notification> = alerts
            .iter()
            .filter(|alert| alert.muted_until.is_none_or(|until| until <= now))
            .flat_map(events)
            .flat_map(|event| for_each(&wishers, &event, telling.mailer.is_some()))
            .collect();
        db::notifications::insert_notifications(tx, &told).await?;
        let ids: Vec<i64> = alerts.iter().map(|alert| alert.id).collect();
        db::notifications::set_told(tx, &ids).await?;
        Ok(alerts.len())
    })
    .await
}

/// Something that has happened.
pub(super) struct Event {
    pub(super) kind: NotificationKind,
    pub(super) sentence: String,
    pub(super) path: String,
    pub(super) at: DateTime<Utc>,
}

/// The same for everybody who wants to know.
pub(super) fn for_each(wishers: &[Wisher], event: &Event, has_mailer: bool) -> Vec<Notification> {
    let wanting = wishers
        .iter()
        .filter(|wisher| wisher.wishes.wants(event.kind));
    wanting
        .map(|wisher| event.tell(wisher, has_mailer))
        .collect()
}

impl Event {
    pub(super) fn tell(&self, wisher: &Wisher, has_mailer: bool) -> Notification {
        Notification {
            account: wisher.account,
            kind: self.kind,
            sentence: self.sentence.clone(),
            path: self.path.clone(),
            at: self.at,
            by_mail: has_mailer && wisher.wishes.by_mail,
        }
    }
}

/// What has happened to a bean, in the order it did.
fn events(alert: &UntoldAlert) -> Vec<Event> {
    let event = |kind: NotificationKind, sentence: String, at| Event {
        kind,
        sentence,
        path: format!("/beans/{}", alert.bean),
        at,
    };
    let name = format!("{} from {}", alert.product_name, alert.supplier_name);
    let begun = alert.tells_begin.then(|| {
        let sentence = match (alert.kind, alert.alert_at) {
            (AlertKind::Low, Some(line)) => {
                let (left, line) = (bags(alert.quantity), bags(line));
                format!("{name} is low: {left} left, and the line is at {line}.")
            }
            (AlertKind::Low, None) => format!("{name} is low: {} left.", bags(alert.quantity)),
            (AlertKind::Out, _) => format!("{name} is out of stock."),
            (AlertKind::OutAtSupplier, _) => {
                let (bean, supplier) = (&alert.product_name, &alert.supplier_name);
                format!(
                    "{supplier} says that it has no {bean}. You have {}.",
                    bags(alert.quantity)
                )
            }
        };
        event(
            NotificationKind::Alert(alert.kind),
            sentence,
            alert.began_at,
        )
    });
    let ended = alert.ended_at.filter(|_| alert.tells_end).map(|at| {
        let have = bags(alert.quantity_now);
        let sentence = match alert.kind {
            AlertKind::Low => format!("{name} is not low any more: you have {have}."),
            AlertKind::Out => format!("{name} is in stock again: you have {have}."),
            AlertKind::OutAtSupplier => {
                format!("{} has {} again.", alert.supplier_name, alert.product_name)
            }
        };
        event(NotificationKind::Recovered(alert.kind), sentence, at)
    });
    begun.into_iter().chain(ended).collect()
}

fn bags(number: i64) -> String {
    if number == 1 {
        "1 bag".to_owned()
    } else {
        format!("{number} bags")
    }
}
