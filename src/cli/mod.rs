//! The commands.

mod complaint;
mod probe;
mod provision;
mod serve;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_config::BehaviorVersion;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::adopt;
use crate::app::{self, Aws};
use crate::audit::audit;
use crate::check::{Line, Verdict, check_database, check_messaging};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Credentials, DatabaseSettings, LogSettings, MessagingSettings};
use crate::credentials;
use crate::db::{self, DbError, Pool, PoolSettings};
use crate::messaging::sns::SnsPublisher;
use crate::messaging::sqs::SqsQueue;
use crate::provision::ResourceSettings;
use crate::publish::{self, Form, Summary};
use crate::status::{QueueStatus, Status, read_status};

/// Keeps a café's coffee-bean inventory right, through SNS and SQS.
///
/// Suppliers' updates come over a topic into a queue; each is applied exactly once to `MySQL`; what
/// cannot be applied waits, with its reason, for somebody to fix it.
///
/// Start with `beanstock local`: it brings its own database, queue and topic.
#[derive(Debug, Parser)]
#[command(name = "beanstock", version)]
pub struct Cli {
    /// How to log.
    #[command(flatten)]
    pub log: LogSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything on this machine: database, SNS, SQS, website and all parts.
    #[cfg(feature = "local")]
    Local(Box<crate::local::LocalSettings>),
    /// Runs the embedded SNS and SQS alone, for tests and benchmarks.
    #[cfg(feature = "local")]
    LocalAws(crate::local::LocalAwsSettings),
    /// Runs the website, the poller, the relay and the collector against your database and AWS.
    Serve(Box<serve::Serve>),
    /// Asks the `serve` on this machine whether it is alive, as a health check does.
    ///
    /// Exits with 1 if it is not.
    Probe(probe::Probe),
    /// Brings the database's schema up to date.
    Migrate {
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Takes over a database of the lab's app; nothing in it is dropped.
    ///
    /// Stop the lab's app first. Killed and run again, this comes to the same end.
    Adopt {
        #[command(flatten)]
        database: DatabaseSettings,
        /// Only list every decision and step; change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Creates the queues, the topic and the subscription, and repairs what has drifted.
    Provision(Box<provision::Provision>),
    /// Tries everything `serve` will need, tells what is wrong and what to do, and changes nothing.
    ///
    /// Exits with 1 if something is broken.
    Check {
        #[command(flatten)]
        database: Box<DatabaseSettings>,
        #[command(flatten)]
        messaging: Box<MessagingSettings>,
    },
    /// Publishes the updates in a file, one a line: `3:Excelsa:9` or JSON.
    Publish(Box<Publish>),
    /// Tells how many updates wait, since when, and how deep the queues are.
    Status {
        #[command(flatten)]
        database: Box<DatabaseSettings>,
        #[command(flatten)]
        messaging: Box<MessagingSettings>,
        /// Print JSON, in one line, so that a log can keep it and a metric filter read it.
        #[arg(long)]
        json: bool,
    },
    /// Proves that the stock is explained and nothing is lost or counted twice.
    ///
    /// Exits with 1 and names the rows if the books are wrong.
    Audit {
        #[command(flatten)]
        database: DatabaseSettings,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Publish {
    /// The file; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Send lines as they are, like the lab's script: one message group for all, and a line that
    /// repeats within five minutes is swallowed.
    #[arg(long)]
    as_is: bool,
    /// Publish to the `beanstock local` that runs on this machine.
    #[cfg(feature = "local")]
    #[arg(long)]
    local: bool,
    /// Port of the embedded SNS and SQS
    #[cfg(feature = "local")]
    #[arg(long, env = "LOCAL_AWS_PORT", default_value_t = 4566)]
    local_aws_port: u16,
    #[command(flatten)]
    resources: ResourceSettings,
    #[command(flatten)]
    messaging: MessagingSettings,
}

/// Reads the command line and the environment. A variable that is set but empty counts as not set,
/// as in `PORT= beanstock serve`.
pub fn parse() -> Cli {
    let mut command = without_empty_variables(command());
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    cli.unwrap_or_else(|error| match complaint::about(&command, &error) {
        Some(complaint) => clap::Error::raw(ErrorKind::InvalidValue, complaint + "\n").exit(),
        None => error.exit(),
    })
}

/// All commands with their settings, as clap knows them.
pub fn command() -> clap::Command {
    Cli::command()
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let value = arg.get_env().and_then(environment_variable);
        if value.is_some_and(|value| value.is_empty()) {
            arg.env(None)
        } else {
            arg
        }
    });
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, without_empty_variables)
    })
}

fn environment_variable(name: &std::ffi::OsStr) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// Runs the chosen command. The exit code tells success from findings and refusals; errors come
/// back as errors.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        #[cfg(feature = "local")]
        Command::Local(settings) => {
            crate::local::run(*settings).await?;
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(feature = "local")]
        Command::LocalAws(settings) => {
            crate::local::run_aws(settings).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(settings) => serve::serve(*settings).await,
        Command::Probe(settings) => probe::probe(settings).await,
        Command::Migrate { database } => {
            db::migrate(&connect(&database).await?).await?;
            print("The schema is up to date.")
        }
        Command::Provision(settings) => provision::provision(*settings).await,
        Command::Check {
            database,
            messaging,
        } => check(&database, &messaging).await,
        Command::Adopt { database, dry_run } => take_over(&database, dry_run).await,
        Command::Publish(settings) => publish(*settings).await,
        Command::Status {
            database,
            messaging,
            json,
        } => status(&database, &messaging, json).await,
        Command::Audit { database, json } => audit_books(&database, json).await,
    }
}

/// Writes to standard output; a reader that went away is no error.
fn print(text: &str) -> Result<ExitCode> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Connects, or tells why that is not possible.
async fn connect(database: &DatabaseSettings) -> Result<Pool> {
    let settings = signed_in(database).await?;
    db::reach(&settings)
        .await
        .with_context(|| unreachable_at(&settings))?;
    Ok(db::connect(&settings))
}

/// Reads where the database is, with credentials from AWS if they come from there.
async fn signed_in(database: &DatabaseSettings) -> Result<PoolSettings> {
    let mut settings = database.pool()?;
    let access = database.credentials()?;
    if access != Credentials::Fixed {
        let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
        credentials::sign_in(&mut settings, &access, &aws).await?;
    }
    Ok(settings)
}

fn unreachable_at(settings: &PoolSettings) -> String {
    let host = settings.options.get_host();
    format!("cannot use the database at {host} (DATABASE_URL or APP_DB_HOST)")
}

fn unmigrated(error: DbError) -> anyhow::Error {
    if error.is_missing_table() {
        anyhow::anyhow!("the database has no tables yet; run `beanstock migrate` first")
    } else {
        error.into()
    }
}

async fn take_over(database: &DatabaseSettings, dry_run: bool) -> Result<ExitCode> {
    let pool = connect(database).await?;
    let report = if dry_run {
        adopt::preview(&pool).await?
    } else {
        adopt::adopt(&pool, &SystemClock).await?
    };
    print(&report.to_string())
}

async fn publish(settings: Publish) -> Result<ExitCode> {
    let form = if settings.as_is {
        Form::AsIs
    } else {
        Form::Update
    };
    let publisher = publisher(&settings).await?;
    let summary = if settings.file == Path::new("-") {
        let input = BufReader::new(std::io::stdin());
        publish::publish(&publisher, input, None, form).await?
    } else {
        let open = || {
            File::open(&settings.file)
                .with_context(|| format!("cannot read {}", settings.file.display()))
        };
        let lines = BufReader::new(open()?)
            .split(b'\n')
            .map_while(Result::ok)
            .count();
        let input = BufReader::new(open()?);
        publish::publish(&publisher, input, u64::try_from(lines).ok(), form).await?
    };
    tell(&summary)
}

async fn publisher(settings: &Publish) -> Result<SnsPublisher> {
    #[cfg(feature = "local")]
    if settings.local {
        use crate::local::aws::{ACCOUNT, REGION};
        let endpoint = format!("http://127.0.0.1:{}", settings.local_aws_port);
        let arn = format!(
            "arn:aws:sns:{REGION}:{ACCOUNT}:{}",
            settings.resources.topic_name
        );
        let sns = app::sns_client(&crate::local::sdk_config(&endpoint).await);
        return Ok(SnsPublisher::new(sns, arn));
    }
    let topic = settings.messaging.topic().context(
        "no topic is set: set TOPIC_ARN (`beanstock provision` prints it), or use --local for the \
         one that runs on this machine",
    )?;
    let aws = app::load_aws(&settings.messaging).await;
    Ok(SnsPublisher::new(
        app::sns_client(&aws.sns),
        topic.to_owned(),
    ))
}

fn tell(summary: &Summary) -> Result<ExitCode> {
    for line in &summary.refused {
        print(&format!("line {}: {}", line.number, line.why))?;
    }
    print(&format!(
        "{} published, {} refused.",
        summary.published,
        summary.refused.len()
    ))?;
    Ok(if summary.refused.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn status(
    database: &DatabaseSettings,
    messaging: &MessagingSettings,
    json: bool,
) -> Result<ExitCode> {
    let pool = connect(database).await?;
    let status = read_status(&pool, SystemClock.now()).await;
    let mut status = status.map_err(unmigrated)?;
    if messaging.queue().is_some() || messaging.dead_letter_queue().is_some() {
        let aws = app::load_aws(messaging).await;
        let sqs = app::sqs_client(&aws.sqs, Duration::ZERO);
        let depth = async |url: Option<&str>| -> Result<Option<QueueStatus>> {
            let Some(url) = url else { return Ok(None) };
            let queue = SqsQueue::new(sqs.clone(), url.to_owned(), messaging.visibility());
            Ok(Some(queue.depth().await?.into()))
        };
        status.queue = depth(messaging.queue()).await?;
        status.dead_letter_queue = depth(messaging.dead_letter_queue()).await?;
    }
    if json {
        return print(&serde_json::to_string(&status)?);
    }
    print(&describe(&status))
}

fn describe(status: &Status) -> String {
    let queue = |queue: Option<QueueStatus>| match queue {
        Some(queue) => format!("{} ready, {} in flight", queue.visible, queue.in_flight),
        None => "not set".to_owned(),
    };
    let oldest = match status.oldest_waiting_seconds {
        Some(seconds) => format!(", the oldest for {seconds} s"),
        None => String::new(),
    };
    format!(
        "accepted       {}\napplied        {}\nsuperseded     {}\nwaiting        {}{oldest}\n\
         dead letters   {}\nqueue          {}\ndead-letter q. {}",
        status.accepted,
        status.applied,
        status.superseded,
        status.waiting,
        status.dead_letters,
        queue(status.queue),
        queue(status.dead_letter_queue),
    )
}

async fn check(database: &DatabaseSettings, messaging: &MessagingSettings) -> Result<ExitCode> {
    let mut lines = match signed_in(database).await {
        Ok(settings) => check_database(&settings, || SystemClock.now()).await,
        Err(error) => vec![Line {
            verdict: Verdict::Broken,
            subject: "database",
            found: format!("{error:#}"),
            remedy: String::new(),
        }],
    };
    let aws = if messaging.names_resources() {
        app::load_aws(messaging).await
    } else {
        Aws::unused()
    };
    lines.extend(check_messaging(messaging, &aws).await);
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

async fn audit_books(database: &DatabaseSettings, json: bool) -> Result<ExitCode> {
    let findings = audit(&connect(database).await?).await.map_err(unmigrated)?;
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
        }
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
