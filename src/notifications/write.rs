//! Writes what waits for somebody into one mail, when mail may reach them.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::notifier::Notifier;
use crate::db::mails::MailText;
use crate::db::notification_preferences::Subscriber;
use crate::db::notifications::NotificationLine;
use crate::db::{self, DbResult, Pool, Transaction};
use crate::domain::{AccountId, MAILS_AN_HOUR};

/// As many lines as one mail lists; it says how many more there are.
const LINES: i64 = 12;

#[derive(Template)]
#[template(path = "mail/alerts.txt", escape = "none")]
struct Text<'a> {
    site: &'a str,
    lines: &'a [NotificationLine],
    more: i64,
    zone: Tz,
}

#[derive(Template)]
#[template(path = "mail/alerts.html")]
struct Html<'a> {
    site: &'a str,
    lines: &'a [NotificationLine],
    more: i64,
    zone: Tz,
}

impl Text<'_> {
    fn when(&self, line: &NotificationLine) -> String {
        when(line, self.zone)
    }
}

impl Html<'_> {
    fn when(&self, line: &NotificationLine) -> String {
        when(line, self.zone)
    }
}

fn when(line: &NotificationLine, zone: Tz) -> String {
    let local = line.at.with_timezone(&zone);
    local.format("%-d %b, %H:%M").to_string()
}

#[derive(Template)]
#[template(path = "mail/test.txt", escape = "none")]
struct TestText<'a> {
    site: &'a str,
}

#[derive(Template)]
#[template(path = "mail/test.html")]
struct TestHtml<'a> {
    site: &'a str,
}

/// Writes a mail to somebody that says that mail reaches them, unless they have got as many within the last hour as
/// anybody gets; tells whether it did.
///
/// # Errors
/// The database failed, and nothing was written.
pub async fn write_test(
    pool: &Pool,
    account: AccountId,
    site: &str,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let said = MailText {
        subject: "A test from Beanstock",
        text: &rendered(&TestText { site }),
        html: &rendered(&TestHtml { site }),
    };
    db::in_transaction(pool, async |tx| {
        let hour = TimeDelta::hours(1);
        if db::mails::count_mails_since(tx, account, now - hour).await? >= MAILS_AN_HOUR {
            return Ok(false);
        }
        let mail = db::mails::insert_mail(tx, account, None, now).await?;
        db::mails::set_text(tx, mail, &said).await?;
        Ok(true)
    })
    .await
}

fn rendered(template: &impl Template) -> String {
    template.render().expect("text is written into a string")
}

/// Writes the mails that are due.
pub(super) async fn write_mails(notifier: &Notifier) -> DbResult<()> {
    if notifier.mailer.is_none() {
        return Ok(());
    }
    let mut conn = notifier.pool.acquire().await?;
    let waiting = db::notifications::list_waiting(&mut conn).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let subscribers = db::notification_preferences::list_subscribers(&mut conn).await?;
    drop(conn);
    let now = notifier.clock.now();
    for (account, since) in waiting {
        let its = subscribers.iter().find(|other| other.account == account);
        let may_mail = its.is_some_and(|its| {
            let zone = zone(its, notifier.zone);
            its.preferences.may_mail(since, 0, now, zone)
        });
        if may_mail {
            let write = async |tx: &mut Transaction| write_to(tx, notifier, account, since).await;
            db::in_transaction(&notifier.pool, write).await?;
        }
    }
    Ok(())
}

async fn write_to(
    tx: &mut Transaction,
    notifier: &Notifier,
    account: AccountId,
    since: DateTime<Utc>,
) -> DbResult<()> {
    let Some(subscriber) = db::notification_preferences::lock_subscriber(tx, account).await? else {
        return Ok(());
    };
    let (now, zone) = (notifier.clock.now(), zone(&subscriber, notifier.zone));
    let mails = db::mails::count_mails_since(tx, account, now - TimeDelta::hours(1)).await?;
    let may_mail = subscriber.preferences.may_mail(since, mails, now, zone);
    if !may_mail || !db::notifications::is_waiting(tx, account).await? {
        return Ok(());
    }
    let mail = db::mails::insert_mail(tx, account, None, now).await?;
    // What it carries is settled before it is read: others may add to what waits at any moment.
    db::notifications::set_mailed(tx, account, mail).await?;
    let (lines, number) = db::notifications::list_of_mail(tx, mail, LINES).await?;
    let more = number - i64::try_from(lines.len()).unwrap_or(number);
    let (site, lines) = (notifier.site.as_str(), lines.as_slice());
    let text = Text {
        site,
        lines,
        more,
        zone,
    };
    let html = Html {
        site,
        lines,
        more,
        zone,
    };
    let said = MailText {
        subject: &subject(lines, number),
        text: &rendered(&text),
        html: &rendered(&html),
    };
    db::mails::set_text(tx, mail, &said).await
}

fn zone(subscriber: &Subscriber, cafes: Tz) -> Tz {
    let chosen = subscriber.zone.as_ref().and_then(|name| name.parse().ok());
    chosen.unwrap_or(cafes)
}

/// The one thing that happened, or how many did; line breaks in names would end a header.
fn subject(lines: &[NotificationLine], number: i64) -> String {
    let subject = match lines {
        [only] => only.sentence.clone(),
        _ => format!("{number} alerts from Beanstock"),
    };
    let subject: String = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    match subject.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &subject[..end]),
        None => subject,
    }
}
