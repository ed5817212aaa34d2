//! The commands.

mod account;
mod complaint;
mod database;
mod lab_names;
mod opening;
mod output;
mod probe;
mod provision;
mod publish;
mod report;
mod serve;
mod sns;
mod subscriptions;

use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::database::{Checked, Database, System, connect};
use self::output::print;
use crate::adopt;
use crate::catalogue::demo;
use crate::clock::SystemClock;
use crate::config::LogSettings;
use crate::db;

/// Keeps a café's coffee-bean stock accurate: applies suppliers' SNS and SQS messages exactly once.
///
/// Suppliers publish updates to a topic, and a queue delivers them. What cannot be applied is kept, with
/// the reason, until somebody fixes it.
///
/// Start with `beanstock local`: it brings its own database, queue and topic.
#[derive(Debug, Parser)]
#[command(name = "beanstock", version)]
pub struct Cli {
    /// How to log.
    #[command(flatten)]
    pub log: LogSettings,
    /// What to warn of before anything is started.
    #[arg(skip)]
    pub warnings: Vec<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything on this machine: database, SNS, SQS, Kinesis, website and all parts.
    Local(Box<crate::local::LocalSettings>),
    /// Runs the embedded SNS, SQS and Kinesis alone, for tests and benchmarks.
    LocalAws(crate::local::LocalAwsSettings),
    /// Runs the website, the poller, the relay, the collector and the reader of the stream against your database and AWS.
    Serve(Box<serve::Serve>),
    /// Asks the `serve` on this machine whether it is alive, as a health check does.
    ///
    /// Exits with 1 if it is not.
    Probe(probe::Probe),
    /// Brings the database's schema up to date.
    Migrate {
        #[command(flatten)]
        database: Database,
        /// Fill an empty database with the lab's suppliers and beans
        #[arg(long, env = "DEMO_DATA", default_value_t = false,
              action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
        demo_data: bool,
    },
    /// Makes accounts, and helps those who cannot sign in.
    Account(Box<account::Account>),
    /// Takes over a database of the lab's app; nothing in it is dropped.
    ///
    /// Stop the lab's app first. Safe to run again if it was interrupted.
    Adopt {
        #[command(flatten)]
        database: Database,
        /// Only list every decision and step; change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Creates the queues, the topic and the subscription, and repairs what has drifted.
    Provision(Box<provision::Provision>),
    /// Tries everything `serve` will need, reports what is wrong and what to do, and changes nothing.
    ///
    /// Exits with 1 if something is broken.
    Check(Box<Checked>),
    /// Publishes the updates in a file, one a line: `3:Excelsa:9` or JSON.
    Publish(Box<publish::Publish>),
    /// Subscribes somebody to a topic: an e-mail address, a phone number, a URL, a queue or a function.
    ///
    /// What SNS would refuse is refused before it is asked.
    Subscribe(Box<subscriptions::Subscribe>),
    /// Ends a subscription.
    Unsubscribe(Box<subscriptions::Unsubscribe>),
    /// Lists who is subscribed to the topics, and who has still to confirm.
    Subscriptions(Box<sns::Sns>),
    /// Reports how many updates wait, since when, and how many messages the queues hold.
    Status {
        #[command(flatten)]
        system: Box<System>,
        /// Print JSON, in one line, so that a log can keep it and a metric filter read it.
        #[arg(long)]
        json: bool,
    },
    /// Proves that the stock is explained and nothing is lost or counted twice.
    ///
    /// Exits with 1 and lists the rows if something is wrong.
    Audit {
        #[command(flatten)]
        database: Database,
        /// Compare the ledger with what the consumer of the stream of stock movements added up, too
        #[arg(long)]
        stream: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Reads the command line and the environment. A variable that is set but empty counts as not set,
/// as in `PORT= beanstock serve`.
pub fn parse() -> Cli {
    let mut command = without_empty_variables(command());
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    let cli = matches.and_then(|matches| {
        let warnings = lab_names::overruled(&matches);
        Cli::from_arg_matches(&matches).map(|cli| Cli { warnings, ..cli })
    });
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
        Command::Local(settings) => {
            Box::pin(crate::local::run(*settings)).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::LocalAws(settings) => {
            crate::local::run_aws(settings).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(settings) => Box::pin(serve::serve(*settings)).await,
        Command::Probe(settings) => probe::probe(settings).await,
        Command::Migrate {
            database,
            demo_data,
        } => migrate(&database, demo_data).await,
        Command::Account(command) => account::run(*command).await,
        Command::Provision(settings) => Box::pin(provision::provision(*settings)).await,
        Command::Check(checked) => Box::pin(report::check(&checked.system, &checked.mail)).await,
        Command::Adopt { database, dry_run } => take_over(&database, dry_run).await,
        Command::Publish(settings) => publish::publish(*settings).await,
        Command::Subscribe(settings) => Box::pin(subscriptions::subscribe(*settings)).await,
        Command::Unsubscribe(settings) => subscriptions::unsubscribe(*settings).await,
        Command::Subscriptions(settings) => subscriptions::list(*settings).await,
        Command::Status { system, json } => report::status(&system, json).await,
        Command::Audit {
            database,
            stream,
            json,
        } => report::audit_books(&database, stream, json).await,
    }
}

async fn migrate(settings: &Database, demo_data: bool) -> Result<ExitCode> {
    let pool = connect(&settings.database, &settings.aws).await?;
    db::migrate(&pool).await?;
    if demo_data && demo::fill_if_empty(&pool, &SystemClock).await? {
        print("Added the demonstration data.")?;
    }
    print("The schema is up to date.")?;
    if db::accounts::has_manager(&mut *pool.acquire().await?).await? {
        return Ok(ExitCode::SUCCESS);
    }
    print(account::HOW_TO_BEGIN)
}

async fn take_over(settings: &Database, dry_run: bool) -> Result<ExitCode> {
    let pool = connect(&settings.database, &settings.aws).await?;
    let report = if dry_run {
        adopt::preview(&pool).await?
    } else {
        adopt::adopt(&pool).await?
    };
    print(&report.to_string())
}
