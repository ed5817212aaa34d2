//! The commands.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tokio::net::TcpListener;

use crate::app::{self, App, Part};
use crate::audit::audit;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{DatabaseSettings, LogSettings, MessagingSettings, WebSettings};
use crate::db::{self, DbError, Pool, PoolSettings};
use crate::messaging::sns::SnsPublisher;
use crate::messaging::sqs::SqsQueue;
use crate::poller::backoff;
use crate::provision::{self, Names};
use crate::publish::{self, Form, Summary};
use crate::shutdown::Shutdown;
use crate::status::{QueueStatus, Status, read_status};
use crate::telemetry::Streak;

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
    Serve(Box<Serve>),
    /// Brings the database's schema up to date.
    Migrate {
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Creates the queues, the topic and the subscription, and repairs what has drifted.
    Provision {
        #[command(flatten)]
        names: Names,
        #[command(flatten)]
        messaging: MessagingSettings,
    },
    /// Publishes the updates in a file, one a line: `3:Excelsa:9` or JSON.
    Publish(Box<Publish>),
    /// Tells how many updates wait, since when, and how deep the queues are.
    Status {
        #[command(flatten)]
        database: DatabaseSettings,
        #[command(flatten)]
        messaging: MessagingSettings,
        /// Print JSON.
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
struct Serve {
    /// Run only these parts.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Part>,
    #[command(flatten)]
    web: WebSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    messaging: MessagingSettings,
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
    /// Port of that one's SNS and SQS.
    #[cfg(feature = "local")]
    #[arg(long, env = "LOCAL_AWS_PORT", default_value_t = 4566)]
    local_aws_port: u16,
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    messaging: MessagingSettings,
}

/// Reads the command line and the environment. A variable that is set but empty counts as not set,
/// as in `PORT= beanstock serve`.
pub fn parse() -> Cli {
    let command = without_empty_variables(Cli::command());
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
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

/// How long `serve` lets its parts finish; container engines kill after ten seconds. A long poll
/// that is cut off may leave messages invisible until their timeout ends, and that is all.
const GRACE: Duration = Duration::from_secs(7);

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
        Command::Serve(settings) => serve(*settings).await,
        Command::Migrate { database } => {
            db::migrate(&connect(&database).await?).await?;
            print("The schema is up to date.")
        }
        Command::Provision { names, messaging } => provision(&names, &messaging).await,
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
    let settings = database.pool()?;
    db::reach(&settings)
        .await
        .with_context(|| unreachable_at(&settings))?;
    Ok(db::connect(&settings))
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

/// Waits until the database is there: starting must not depend on who starts first. A server that
/// answers and refuses will go on refusing.
async fn wait_for_database(settings: &PoolSettings, shutdown: &Shutdown) -> Result<()> {
    let mut streak = Streak::default();
    loop {
        let error = match db::reach(settings).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if error.is_refusal() {
            return Err(error).with_context(|| unreachable_at(settings));
        }
        let failures = streak.failed("reaching the database", &error);
        shutdown.sleep(backoff::before_probe(failures)).await;
    }
}

/// A part that was asked for by name cannot do without its setting.
fn check_parts(only: &[Part], messaging: &MessagingSettings) -> Result<()> {
    for part in only {
        match part {
            Part::Poller | Part::Collector if messaging.queue().is_none() => {
                bail!("--only {part:?} needs QUEUE_URL (`beanstock provision` prints it)")
            }
            Part::Relay if messaging.topic().is_none() => {
                bail!("--only {part:?} needs TOPIC_ARN (`beanstock provision` prints it)")
            }
            _ => {}
        }
    }
    Ok(())
}

async fn serve(settings: Serve) -> Result<ExitCode> {
    check_parts(&settings.only, &settings.messaging)?;
    let parts = if settings.only.is_empty() {
        Part::ALL.to_vec()
    } else {
        settings.only
    };
    let database = settings.database.pool()?;
    let pool = db::connect(&database);
    let shutdown = Shutdown::default();
    let app = App::new(pool.clone(), shutdown.clone());
    app.expect(&parts);
    if parts.contains(&Part::Web) {
        let port = settings.web.port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| {
                format!("cannot listen on 127.0.0.1:{port}; set PORT to a port that is free")
            })?;
        tracing::info!("the website is at http://{}", listener.local_addr()?);
        app.start_web(listener);
    }
    let work = async {
        wait_for_database(&database, &shutdown).await?;
        db::migrate(&pool).await?;
        if parts.iter().any(|part| *part != Part::Web) {
            let aws = app::load_aws(&settings.messaging).await;
            app.start_messaging(&settings.messaging, &aws, &parts)
                .await?;
        }
        anyhow::Ok(())
    };
    let result = tokio::select! {
        result = work => match result {
            Ok(()) => shutdown.requested().await.map_err(anyhow::Error::from),
            Err(error) => Err(error),
        },
        result = shutdown.requested() => result.map_err(anyhow::Error::from),
    };
    tracing::info!("stopping");
    shutdown.finish(GRACE).await;
    result.map(|()| ExitCode::SUCCESS)
}

async fn provision(names: &Names, messaging: &MessagingSettings) -> Result<ExitCode> {
    let aws = app::load_aws(messaging).await;
    let sqs = app::sqs_client(&aws, Duration::ZERO);
    let sns = app::sns_client(&aws);
    let provisioned = provision::provision(&sqs, &sns, names).await?;
    for change in &provisioned.changes {
        print(change)?;
    }
    if provisioned.changes.is_empty() {
        print("Everything was right already.")?;
    }
    print(&format!(
        "\nQUEUE_URL={}\nDEAD_LETTER_QUEUE_URL={}\nTOPIC_ARN={}",
        provisioned.queue_url, provisioned.dead_letter_queue_url, provisioned.topic_arn
    ))
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
            settings.names.topic_name
        );
        let sns = app::sns_client(&crate::local::sdk_config(&endpoint).await);
        return Ok(SnsPublisher::new(sns, arn));
    }
    let topic = settings.messaging.topic().context(
        "no topic is set: set TOPIC_ARN (`beanstock provision` prints it), or use --local for the \
         one that runs on this machine",
    )?;
    let aws = app::load_aws(&settings.messaging).await;
    Ok(SnsPublisher::new(app::sns_client(&aws), topic.to_owned()))
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
        let sqs = app::sqs_client(&aws, Duration::ZERO);
        let depth = async |url: Option<&str>| -> Result<Option<QueueStatus>> {
            let Some(url) = url else { return Ok(None) };
            let queue = SqsQueue::new(sqs.clone(), url.to_owned(), messaging.visibility());
            Ok(Some(queue.depth().await?.into()))
        };
        status.queue = depth(messaging.queue()).await?;
        status.dead_letter_queue = depth(messaging.dead_letter_queue()).await?;
    }
    if json {
        return print(&serde_json::to_string_pretty(&status)?);
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
