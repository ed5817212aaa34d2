//! Writes what waits for somebody into one mail, when mail may reach them.

use askama::Template;
use chrono::TimeDelta;
use chrono_tz::Tz;

use super::telling::Telling;
use crate::db::mails::NewMail;
use crate::db::notification_wishes::Wisher;
use crate::db::notifications::NotificationLine;
use crate::db::{self, DbResult, Transaction};
use crate::domain::AccountId;

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

/// Writes the mails that are due.
pub(super) async fn write_mails(telling: &Telling) -> DbResult<()> {
    if telling.mailer.is_none() {
        return Ok(());
    }
    let mut conn = telling.pool.acquire().await?;
    let waiting = db::notifications::list_waiting(&mut conn).await?;
    drop(conn);
    for (account, _) in waiting {
        db::in_transaction(&telling.pool, async |tx| {
            write_to(tx, telling, account).await
        })
        .await?;
    }
    Ok(())
}

async fn write_to(tx: &mut Transaction, telling: &Telling, account: AccountId) -> DbResult<()> {
    let Some(wisher) = db::notification_wishes::lock_wisher(tx, account).await? else {
        return Ok(());
    };
    let (lines, number) = db::notifications::list_for_mail(tx, account, LINES).await?;
    let Some(first) = lines.first() else {
        return Ok(());
    };
    let (now, zone) = (telling.clock.now(), zone(&wisher, telling.zone));
    let mails = db::mails::count_mails_since(tx, account, now - TimeDelta::hours(1)).await?;
    if !wisher.wishes.let_mail_go(first.at, mails, now, zone) {
        return Ok(());
    }
    let more = number - i64::try_from(lines.len()).unwrap_or(number);
    let (site, lines) = (telling.site.as_str(), lines.as_slice());
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
    let mail = NewMail {
        account,
        subject: &subject(lines, number),
        text: &text.render().unwrap_or_default(),
        html: &html.render().unwrap_or_default(),
    };
    let mail = db::mails::insert_mail(tx, &mail, now).await?;
    db::notifications::set_mailed(tx, account, mail).await
}

fn zone(wisher: &Wisher, cafes: Tz) -> Tz {
    let chosen = wisher.zone.as_ref().and_then(|name| name.parse().ok());
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
