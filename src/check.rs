//! `beanstock check`: tries everything the program will need and changes nothing.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::app::{self, Aws};
use crate::config::MessagingSettings;
use crate::config::database::is_local;
use crate::db::server::{self, Schema, Server};
use crate::db::{self, DbError, Pool, PoolSettings};
use crate::messaging::ServiceError;
use crate::messaging::sns::SnsPublisher;
use crate::messaging::sqs::{SqsQueue, is_fifo};

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Fine,
    /// It works, but not as well as it could.
    Note,
    /// It does not work.
    Broken,
}

/// One line of the report.
#[derive(Debug, Clone)]
pub struct Line {
    /// How it stands.
    pub verdict: Verdict,
    /// With what.
    pub subject: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it; empty if nothing.
    pub remedy: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Fine => "ok    ",
            Verdict::Note => "note  ",
            Verdict::Broken => "BROKEN",
        };
        write!(f, "{mark} {:<18} {}", self.subject, self.found)?;
        if !self.remedy.is_empty() {
            write!(f, ". {}", self.remedy)?;
        }
        Ok(())
    }
}

/// The report so far.
#[derive(Debug, Default)]
struct Report(Vec<Line>);

impl Report {
    fn add(&mut self, verdict: Verdict, subject: &'static str, found: String, remedy: &str) {
        self.0.push(Line {
            verdict,
            subject,
            found,
            remedy: remedy.to_owned(),
        });
    }

    fn fine(&mut self, subject: &'static str, found: impl Into<String>) {
        self.add(Verdict::Fine, subject, found.into(), "");
    }

    fn note(&mut self, subject: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(Verdict::Note, subject, found.into(), remedy);
    }

    fn broken(&mut self, subject: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(Verdict::Broken, subject, found.into(), remedy);
    }
}

/// A difference that shows in the order of counts and movements.
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// Checks the database: the way in, the server, the schema and the clocks.
pub async fn check_database(settings: &PoolSettings, now: impl Fn() -> DateTime<Utc>) -> Vec<Line> {
    let mut report = Report::default();
    if let Err(error) = db::reach(settings).await {
        let found = crate::telemetry::chain(&error);
        report.broken("database", found, cannot_enter(&error));
        return report.0;
    }
    let pool = db::connect(settings);
    if let Err(error) = inspect(&mut report, &pool, settings, now).await {
        let found = crate::telemetry::chain(&error);
        report.broken("database", found, "Ask whoever runs the database");
    }
    pool.close().await;
    report.0
}

fn cannot_enter(error: &DbError) -> &'static str {
    if error.is_access_denied() {
        "Check the user and password in DATABASE_URL, and that the user may use the database"
    } else if error.is_unknown_database() {
        "Create it: CREATE DATABASE beanstock CHARACTER SET utf8mb4"
    } else if error.is_tls() {
        "The connection cannot be encrypted as asked: set DATABASE_CA to the file of the authority \
         that signed the server's certificate (Amazon RDS: global-bundle.pem), or DATABASE_TLS"
    } else {
        "Check the host and port in DATABASE_URL, and that the network (security group) lets this \
         machine through"
    }
}

async fn inspect(
    report: &mut Report,
    pool: &Pool,
    settings: &PoolSettings,
    now: impl Fn() -> DateTime<Utc>,
) -> Result<(), DbError> {
    let mut conn = pool.acquire().await?;
    let before = now();
    let server = server::describe(&mut conn).await?;
    let after = now();
    let schema = server::schema(&mut conn).await?;
    let labs = db::refuse_labs_tables(&mut conn).await;
    drop(conn);
    describe_server(report, &server, settings);
    match labs {
        Ok(()) => describe_schema(report, schema),
        Err(refusal) => report.broken("schema", refusal.to_string(), ""),
    }
    if schema == Schema::Current && !server.read_only {
        match db::probe_writer(pool).await {
            Ok(()) => report.fine("database writes", "a row can be locked"),
            Err(error) => report.broken(
                "database writes",
                crate::telemetry::chain(&error),
                "Grant the user SELECT, INSERT, UPDATE and DELETE",
            ),
        }
    }
    let ahead = (server.now - after).max(before - server.now);
    let ahead = ahead.to_std().unwrap_or_default();
    if ahead > CLOCK_SLACK {
        report.broken(
            "clock",
            format!(
                "this machine and the database are {} s apart",
                ahead.as_secs()
            ),
            "Switch on time synchronisation (NTP); AWS refuses requests that are 5 minutes off",
        );
    } else {
        report.fine("clock", "this machine and the database agree");
    }
    Ok(())
}

fn describe_server(report: &mut Report, server: &Server, settings: &PoolSettings) {
    let host = settings.options.get_host();
    let found = format!("{} at {host}", server.version);
    if server.read_only {
        report.broken(
            "database",
            format!("{found} refuses writes"),
            "Use the cluster's writer endpoint, not the reader's",
        );
    } else {
        report.fine("database", found);
    }
    match &server.cipher {
        None if is_local(&settings.options) => {
            report.fine(
                "database TLS",
                "not encrypted, and not leaving this machine",
            );
        }
        None => report.note(
            "database TLS",
            "not encrypted",
            "Set DATABASE_TLS=required or stronger",
        ),
        Some(cipher) => {
            use sqlx::mysql::MySqlSslMode as Mode;
            let found = format!("encrypted with {cipher}");
            match settings.options.get_ssl_mode() {
                Mode::VerifyCa | Mode::VerifyIdentity => {
                    report.fine("database TLS", format!("{found}, server verified"));
                }
                _ if is_local(&settings.options) => report.fine("database TLS", found),
                _ => report.note(
                    "database TLS",
                    format!("{found}, but anybody could have answered"),
                    "Set DATABASE_CA, so that the server is verified",
                ),
            }
        }
    }
}

fn describe_schema(report: &mut Report, schema: Schema) {
    match schema {
        Schema::Current => report.fine("schema", "up to date"),
        Schema::Absent => report.note(
            "schema",
            "no tables of ours yet",
            "Run `beanstock migrate`; `beanstock serve` does it by itself",
        ),
        Schema::Behind(missing) => report.note(
            "schema",
            format!("{missing} migrations behind"),
            "Run `beanstock migrate`; `beanstock serve` does it by itself",
        ),
        Schema::Newer(version) => report.broken(
            "schema",
            format!("from a newer version of beanstock (migration {version})"),
            "Start that version",
        ),
    }
}

/// Checks queues, topic and subscription: whether they are there, fit each other, and let us in.
pub async fn check_messaging(settings: &MessagingSettings, aws: &Aws) -> Vec<Line> {
    let mut report = Report::default();
    let sqs = app::sqs_client(&aws.sqs, Duration::ZERO);
    let at = |url: &str| SqsQueue::new(sqs.clone(), url.to_owned(), settings.visibility());
    let mut queue_arn = None;
    match settings.queue() {
        None => report.note(
            "queue",
            "neither QUEUE_URL nor SQS_ENDPOINT is set, so nothing is polled",
            "`beanstock provision` prints it",
        ),
        Some(url) => queue_arn = check_queue(&mut report, &at(url)).await,
    }
    for (subject, variable, url) in [
        (
            "dead-letter queue",
            "DEAD_LETTER_QUEUE_URL",
            settings.dead_letter_queue(),
        ),
        (
            "undelivered queue",
            "UNDELIVERED_QUEUE_URL",
            settings.undelivered_queue(),
        ),
    ] {
        match url {
            Some(url) => check_consumed(&mut report, subject, &at(url)).await,
            None => report.note(
                subject,
                format!("{variable} is not set"),
                "`beanstock provision` prints it",
            ),
        }
    }
    match settings.topic() {
        None => report.note(
            "topic",
            "TOPIC_ARN is not set, so accepted updates are not published",
            "`beanstock provision` prints it",
        ),
        Some(arn) => {
            let topic = SnsPublisher::new(app::sns_client(&aws.sns), arn.to_owned());
            check_topic(&mut report, &topic).await;
            if let Some(queue_arn) = queue_arn {
                check_subscription(&mut report, &topic, arn, &queue_arn).await;
            }
        }
    }
    report.0
}

/// Gives the queue's ARN.
async fn check_queue(report: &mut Report, queue: &SqsQueue) -> Option<String> {
    let arn = match queue.arn().await {
        Ok(arn) => arn,
        Err(error) => {
            report.broken("queue", error.to_string(), cannot_use(&error));
            return None;
        }
    };
    match queue.redrive().await {
        Ok(Some(redrive)) => report.fine(
            "redrive policy",
            format!("dead letters after {} receives", redrive.max_receive_count),
        ),
        Ok(None) => report.broken(
            "redrive policy",
            "the queue has no dead-letter queue, so what cannot be applied comes again for ever",
            "Run `beanstock provision`",
        ),
        Err(error) => report.broken("redrive policy", error.to_string(), cannot_use(&error)),
    }
    check_consumed(report, "queue", queue).await;
    arn
}

async fn check_consumed(report: &mut Report, subject: &'static str, queue: &SqsQueue) {
    let tried = async {
        let depth = queue.depth().await?;
        queue.may_settle().await?;
        Ok::<_, ServiceError>(depth)
    };
    match tried.await {
        // Receiving cannot be tried: it would count towards the receives of what is there.
        Ok(depth) => report.fine(
            subject,
            format!(
                "{} messages ready, {} in flight; may delete and release",
                depth.visible, depth.in_flight
            ),
        ),
        Err(error) => report.broken(subject, error.to_string(), cannot_use(&error)),
    }
}

async fn check_topic(report: &mut Report, topic: &SnsPublisher) {
    match topic.may_publish().await {
        Ok(()) => report.fine("topic", "may publish"),
        Err(error) => report.broken("topic", error.to_string(), cannot_use(&error)),
    }
}

async fn check_subscription(
    report: &mut Report,
    topic: &SnsPublisher,
    topic_arn: &str,
    queue_arn: &str,
) {
    const SUBJECT: &str = "subscription";
    if is_fifo(topic_arn) != is_fifo(queue_arn) {
        report.note(
            SUBJECT,
            "one of queue and topic is FIFO and the other is not",
            "Run `beanstock provision` with names of one kind",
        );
    }
    match topic.subscription_of(queue_arn).await {
        Err(error) => report.broken(SUBJECT, error.to_string(), cannot_use(&error)),
        Ok(None) => report.broken(
            SUBJECT,
            "the queue is not subscribed to the topic, so nothing published arrives",
            "Run `beanstock provision`",
        ),
        Ok(Some(found)) if found.filtered => report.broken(
            SUBJECT,
            "a filter policy keeps updates back",
            "Remove the subscription's filter policy",
        ),
        Ok(Some(found)) if found.raw || !found.keeps_undelivered => report.note(
            SUBJECT,
            if found.raw {
                "delivers without the SNS envelope, so the SNS message ids are lost"
            } else {
                "drops what it cannot deliver"
            },
            "Run `beanstock provision`",
        ),
        Ok(Some(_)) => report.fine(SUBJECT, "the topic delivers to the queue"),
    }
}

fn cannot_use(error: &ServiceError) -> &'static str {
    match error {
        ServiceError::Refused { .. } => {
            "Check that it exists, that its URL or ARN is right, and that the role has what \
             `beanstock provision --print iam` lists for the application"
        }
        ServiceError::Unreachable { .. } => {
            "Check AWS_REGION, AWS_ENDPOINT_URL, the credentials, and the way there (internet or \
             VPC endpoint)"
        }
    }
}
