//! The commands that only look: status, check and audit.

use std::process::ExitCode;

use anyhow::Result;

use super::database::{Database, System, connect, signed_in};
use super::output::print;
use crate::aws::{self, Aws};
use crate::clock::{Clock as _, SystemClock};
use crate::config::MailSettings;
use crate::db::{self, DbError};
use crate::operations::audit::audit;
use crate::operations::audit_stream::audit_stream;
use crate::operations::check::{
    Line, Verdict, check_database, check_mail, check_messaging, check_stream,
};
use crate::operations::status::{QueueStatus, Status, StreamStatus, read_status};

/// `beanstock status`.
pub(super) async fn status(system: &System, json: bool) -> Result<ExitCode> {
    let messaging = &system.messaging;
    let pool = connect(&system.database, &messaging.aws).await?;
    db::refuse_labs_tables(&mut *pool.acquire().await?).await?;
    let status = read_status(&pool, messaging.stream_name(), SystemClock.now()).await;
    let mut status = status.map_err(unmigrated)?;
    if messaging.names_resources() {
        match status
            .read_depths(messaging, &aws::load_aws(messaging).await)
            .await
        {
            Ok(()) => {}
            // What the database says is worth knowing all the same.
            Err(error) => tracing::warn!(%error, "cannot read how many messages the queues hold"),
        }
    }
    if json {
        return print(&serde_json::to_string(&status)?);
    }
    print(&describe(&status))
}

fn describe(status: &Status) -> String {
    let queue = |queue: Option<QueueStatus>| match queue {
        Some(queue) => format!("{} ready, {} in flight", queue.visible, queue.in_flight),
        None => "not configured, or not answering".to_owned(),
    };
    let oldest = |seconds: i64, what: &str| match seconds {
        0 => String::new(),
        seconds => format!(", the oldest {what}for {seconds} s"),
    };
    let ages = oldest(status.oldest_waiting_seconds, "")
        + &oldest(
            status.oldest_unpublished_seconds,
            "that is not on the topic ",
        );
    let unsent = oldest(
        status.oldest_unsent_alert_seconds,
        "alert that was not sent ",
    );
    let stream = status.stream.map_or_else(String::new, describe_stream);
    format!(
        "accepted       {}\napplied        {}\nsuperseded     {}\nwaiting        {}{ages}{unsent}\n\
         dead letters   {}\nqueue          {}\ndead-letter q. {}{stream}",
        status.accepted,
        status.applied,
        status.superseded,
        status.waiting,
        status.dead_letters,
        queue(status.queue),
        queue(status.dead_letter_queue),
    )
}

fn describe_stream(stream: StreamStatus) -> String {
    let StreamStatus {
        unstreamed,
        behind_seconds,
        unread_shards,
        held_beans,
        parked_records,
        ..
    } = stream;
    let problems = [
        (unread_shards, "shards that nobody reads"),
        (held_beans, "beans with a missing movement"),
        (parked_records, "records that nobody can read"),
    ];
    let problems = problems.iter().filter(|(number, _)| *number > 0);
    let problems: Vec<String> = problems
        .map(|(number, what)| format!(", {number} {what}"))
        .collect();
    format!(
        "\nstream         {unstreamed} not on it yet, its reader {behind_seconds} s behind{}",
        problems.concat()
    )
}

/// `beanstock check`.
pub(super) async fn check(system: &System, mail: &MailSettings) -> Result<ExitCode> {
    let messaging = &system.messaging;
    let mut lines = match signed_in(&system.database, &messaging.aws).await {
        Ok(settings) => check_database(&settings, || SystemClock.now()).await,
        Err(error) => vec![Line {
            verdict: Verdict::Broken,
            subject: "database",
            found: format!("{error:#}"),
            remedy: String::new(),
        }],
    };
    let aws = if messaging.names_resources() {
        aws::load_aws(messaging).await
    } else {
        Aws::unused()
    };
    lines.extend(check_messaging(messaging, &aws).await);
    lines.extend(check_stream(messaging, &aws).await);
    lines.extend(check_mail(mail).await);
    for line in &lines {
        print(&line.to_string())?;
    }
    let broken = lines.iter().any(|line| line.verdict == Verdict::Broken);
    Ok(if broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// `beanstock audit`.
pub(super) async fn audit_books(settings: &Database, stream: bool, json: bool) -> Result<ExitCode> {
    let pool = connect(&settings.database, &settings.aws).await?;
    let mut findings = audit(&pool).await.map_err(unmigrated)?;
    if stream {
        findings.extend(audit_stream(&pool).await.map_err(unmigrated)?);
    }
    let clean = findings.iter().all(|finding| finding.broken_by.is_empty());
    if json {
        print(&serde_json::to_string_pretty(&findings)?)?;
    } else {
        for finding in &findings {
            let mark = if finding.broken_by.is_empty() {
                "ok    "
            } else {
                "BROKEN"
            };
            print(&format!("{mark} {}", finding.invariant))?;
            for row in &finding.broken_by {
                print(&format!("         {row}"))?;
            }
            for row in &finding.also {
                print(&format!("  note   {row}"))?;
            }
        }
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn unmigrated(error: DbError) -> anyhow::Error {
    if error.is_missing_table() {
        anyhow::anyhow!(
            "the database's schema is not there yet, or is of an older version; run `beanstock migrate` first"
        )
    } else {
        error.into()
    }
}
