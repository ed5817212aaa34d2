//! Turns alerts that have begun or are over into notifications, one for each who wants it.

use chrono::{DateTime, TimeDelta, Utc};

use super::notifier::Notifier;
use crate::db::announcements::Announcement;
use crate::db::notification_preferences::Subscriber;
use crate::db::notifications::{Notification, UnnotifiedAlert};
use crate::db::{self, DbResult, Transaction};
use crate::domain::{AlertKind, BeanId, NotificationKind, SupplierId};

/// What happened longer ago is not told any more: nothing told of alerts for so long.
const NEWS_FOR: TimeDelta = TimeDelta::days(1);

/// As many alerts are taken at once.
const TAKEN_AT_ONCE: i64 = 100;

/// Takes the next alerts, and tells all who want to know; gives how many these were.
pub(super) async fn tell_of_alerts(notifier: &Notifier) -> DbResult<usize> {
    db::in_transaction(&notifier.pool, async |tx| {
        let alerts = db::notifications::take_unnotified(tx, TAKEN_AT_ONCE).await?;
        tell(tx, notifier, &alerts).await?;
        Ok(alerts.len())
    })
    .await
}

/// Tells of one bean's alert of a kind, if nobody has yet.
pub(super) async fn tell_of_bean(
    notifier: &Notifier,
    bean: BeanId,
    kind: AlertKind,
) -> DbResult<()> {
    db::in_transaction(&notifier.pool, async |tx| {
        let alerts = db::notifications::take_unnotified_of(tx, bean, kind).await?;
        tell(tx, notifier, &alerts).await
    })
    .await
}

async fn tell(
    tx: &mut Transaction,
    notifier: &Notifier,
    alerts: &[UnnotifiedAlert],
) -> DbResult<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    let now = notifier.clock.now();
    let subscribers = db::notification_preferences::list_subscribers(tx).await?;
    let news = alerts.iter().filter(|alert| is_news(alert, now));
    let events: Vec<Event> = news.flat_map(events).collect();
    tell_of_events(tx, notifier, &subscribers, &events).await?;
    let ids: Vec<i64> = alerts.iter().map(|alert| alert.id).collect();
    db::notifications::set_told(tx, &ids).await
}

/// Tells everybody who wants to know, and has it announced.
pub(super) async fn tell_of_events(
    tx: &mut Transaction,
    notifier: &Notifier,
    subscribers: &[Subscriber],
    events: &[Event],
) -> DbResult<()> {
    let has_mailer = notifier.mailer.is_some();
    let told = events.iter();
    let told = told.flat_map(|event| for_each(subscribers, event, has_mailer));
    let told: Vec<Notification> = told.collect();
    db::notifications::insert_notifications(tx, &told).await?;
    if !notifier.announces.is_any() {
        return Ok(());
    }
    // The topic hears all, so what one event says better than another is said by that one only.
    let announced = events.iter().filter(|event| event.is_told_by.is_none());
    let announced: Vec<Announcement> = announced.map(Event::announcement).collect();
    db::announcements::insert_announcements(tx, &announced).await
}

/// Whether anybody should still hear of it: it is not muted, and what was over before it could be told, or is as old as
/// that, is no news.
fn is_news(alert: &UnnotifiedAlert, now: DateTime<Utc>) -> bool {
    let is_muted = alert.muted_until.is_some_and(|until| until > now);
    let is_over = alert.tells_begin && alert.ended_at.is_some();
    let happened = alert.ended_at.unwrap_or(alert.began_at);
    !is_muted && !is_over && now - happened < NEWS_FOR
}

/// Something that has happened.
pub(super) struct Event {
    pub(super) kind: NotificationKind,
    pub(super) sentence: String,
    pub(super) path: String,
    /// The bean it has happened to, and its supplier.
    pub(super) bean: Option<(BeanId, SupplierId)>,
    pub(super) at: DateTime<Utc>,
    /// What else is told of the same and says more: whoever wants that is told that only.
    pub(super) is_told_by: Option<NotificationKind>,
}

/// The same for everybody who wants to know.
fn for_each(subscribers: &[Subscriber], event: &Event, has_mailer: bool) -> Vec<Notification> {
    let says_more = |subscriber: &&Subscriber| {
        event
            .is_told_by
            .is_some_and(|kind| subscriber.preferences.wants(kind))
    };
    let wanting = subscribers
        .iter()
        .filter(|subscriber| subscriber.preferences.wants(event.kind) && !says_more(subscriber));
    wanting
        .map(|subscriber| event.tell(subscriber, has_mailer))
        .collect()
}

impl Event {
    fn announcement(&self) -> Announcement {
        Announcement {
            kind: self.kind,
            sentence: self.sentence.clone(),
            path: self.path.clone(),
            bean: self.bean,
            at: self.at,
        }
    }

    pub(super) fn tell(&self, subscriber: &Subscriber, has_mailer: bool) -> Notification {
        Notification {
            account: subscriber.account,
            kind: self.kind,
            sentence: self.sentence.clone(),
            path: self.path.clone(),
            at: self.at,
            by_mail: has_mailer && subscriber.preferences.by_mail,
        }
    }
}

/// What has happened to a bean, in the order it did.
fn events(alert: &UnnotifiedAlert) -> Vec<Event> {
    let is_out = alert.kind == AlertKind::Low && alert.quantity == 0;
    let event = |kind: NotificationKind, sentence: String, at| Event {
        is_told_by: match kind {
            NotificationKind::Alert(AlertKind::Low) if is_out => {
                Some(NotificationKind::Alert(AlertKind::Out))
            }
            _ => None,
        },
        kind,
        sentence,
        path: format!("/beans/{}", alert.bean),
        bean: Some((alert.bean, alert.supplier)),
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
