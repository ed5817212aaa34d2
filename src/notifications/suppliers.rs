//! Mails suppliers who want it about updates of theirs that need attention.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use super::notifier::Notifier;
use crate::db::mails::MailText;
use crate::db::supplier_mails::NeedingUpdate;
use crate::db::{self, DbResult, Transaction};
use crate::domain::{AccountId, MAILS_AN_HOUR};

/// As many lines as one mail lists; it says how many more there are.
const LINES: usize = 12;

/// What was collected less long ago may not be committed yet, and is told of with the next look.
const SETTLED_AFTER: TimeDelta = TimeDelta::seconds(10);

#[derive(Template)]
#[template(path = "mail/needs.txt", escape = "none")]
struct Text<'a> {
    site: &'a str,
    updates: &'a [NeedingUpdate],
    more: usize,
}

#[derive(Template)]
#[template(path = "mail/needs.html")]
struct Html<'a> {
    site: &'a str,
    updates: &'a [NeedingUpdate],
    more: usize,
}

/// Writes the mails that are due.
pub(super) async fn write_mails(notifier: &Notifier) -> DbResult<()> {
    if notifier.mailer.is_none() {
        return Ok(());
    }
    let until = notifier.clock.now() - SETTLED_AFTER;
    let mut conn = notifier.pool.acquire().await?;
    let due = db::supplier_mails::list_due(&mut conn, until).await?;
    drop(conn);
    for account in due {
        let write = async |tx: &mut Transaction| write_to(tx, notifier, account, until).await;
        db::in_transaction(&notifier.pool, write).await?;
    }
    Ok(())
}

async fn write_to(
    tx: &mut Transaction,
    notifier: &Notifier,
    account: AccountId,
    until: DateTime<Utc>,
) -> DbResult<()> {
    let Some((supplier, after)) = db::supplier_mails::lock_reader(tx, account).await? else {
        return Ok(());
    };
    let now = notifier.clock.now();
    let mails = db::mails::count_mails_since(tx, account, now - TimeDelta::hours(1)).await?;
    if mails >= MAILS_AN_HOUR || after >= until {
        return Ok(());
    }
    let all = db::supplier_mails::list_needing(tx, supplier, after, until).await?;
    db::supplier_mails::set_mailed_until(tx, account, Some(until)).await?;
    if all.is_empty() {
        return Ok(());
    }
    let updates = &all[..all.len().min(LINES)];
    let (site, more) = (notifier.site.as_str(), all.len() - updates.len());
    let subject = match all.as_slice() {
        [only] => format!("Needs attention: {}", only.name()),
        all => format!("{} of your updates need attention", all.len()),
    };
    let text = Text {
        site,
        updates,
        more,
    };
    let html = Html {
        site,
        updates,
        more,
    };
    let said = MailText {
        // A line break in a name would end a header.
        subject: &subject.split_whitespace().collect::<Vec<_>>().join(" "),
        text: &text.render().expect("text is written into a string"),
        html: &html.render().expect("text is written into a string"),
    };
    let mail = db::mails::insert_mail(tx, account, Some(supplier), now).await?;
    db::mails::set_text(tx, mail, &said).await
}
