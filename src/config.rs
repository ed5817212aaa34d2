//! Settings: each is a flag and an environment variable, read once.
//!
//! The names are AWS's and the lab's where those have one. Secrets never appear in output.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use sqlx::mysql::MySqlConnectOptions;

use crate::db::PoolSettings;
use crate::telemetry::LogFormat;

/// A text that is not shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text itself, to be handed on and not to be printed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// How to log.
#[derive(Debug, Clone, clap::Args)]
pub struct LogSettings {
    /// What to log, like `info` or `beanstock=debug`.
    #[arg(long = "log", env = "RUST_LOG", default_value = "info", global = true)]
    pub filter: String,
    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
}

/// Where the database is.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// The database, like `mysql://user:password@host:3306/beanstock`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<Secret>,
    /// The database's host, instead of a URL (the lab's name).
    #[arg(long, env = "APP_DB_HOST")]
    app_db_host: Option<String>,
    /// The database's user (the lab's name).
    #[arg(long, env = "APP_DB_USER")]
    app_db_user: Option<String>,
    /// That user's password (the lab's name).
    #[arg(long, env = "APP_DB_PASSWORD", hide_env_values = true)]
    app_db_password: Option<Secret>,
    /// The database's name (the lab's name).
    #[arg(long, env = "APP_DB_NAME")]
    app_db_name: Option<String>,
    /// The most connections to open.
    #[arg(long, env = "DATABASE_POOL_SIZE", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    database_pool_size: u32,
}

/// How long to wait for a free connection before saying that the database is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

impl DatabaseSettings {
    /// Reads where the database is.
    ///
    /// # Errors
    /// Neither `DATABASE_URL` nor `APP_DB_HOST` is set, or the URL cannot be read.
    pub fn pool(&self) -> Result<PoolSettings> {
        let options = self.options()?;
        if options.get_database().is_none() {
            bail!(
                "DATABASE_URL names no database; it must be like \
                 mysql://user:password@host:3306/beanstock"
            );
        }
        Ok(PoolSettings {
            options,
            max_connections: self.database_pool_size,
            acquire_timeout: ACQUIRE_TIMEOUT,
        })
    }

    fn options(&self) -> Result<MySqlConnectOptions> {
        let url = self.database_url.as_ref().map(Secret::expose);
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            return MySqlConnectOptions::from_str(url).ok().context(
                "DATABASE_URL cannot be read; it must be like \
                 mysql://user:password@host:3306/beanstock",
            );
        }
        let Some(host) = filled(self.app_db_host.as_ref()) else {
            bail!(
                "no database is set: set DATABASE_URL, like \
                 mysql://user:password@host:3306/beanstock, or run `beanstock local`"
            );
        };
        let mut options = MySqlConnectOptions::new()
            .host(host)
            .username(filled(self.app_db_user.as_ref()).unwrap_or("root"))
            .database(filled(self.app_db_name.as_ref()).unwrap_or("COFFEE"));
        if let Some(password) = &self.app_db_password {
            options = options.password(password.expose());
        }
        Ok(options)
    }
}

/// Where the queue and the topic are.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Queue and topic")]
pub struct MessagingSettings {
    /// AWS region.
    #[arg(long, env = "AWS_REGION")]
    pub aws_region: Option<String>,
    /// AWS region of the queue (the lab's name).
    #[arg(long, env = "SQS_REGION")]
    sqs_region: Option<String>,
    /// Endpoint of SNS and SQS, if it is not AWS.
    #[arg(long, env = "AWS_ENDPOINT_URL")]
    aws_endpoint_url: Option<String>,
    /// URL of the queue; without it nothing is polled.
    #[arg(long, env = "QUEUE_URL")]
    queue_url: Option<String>,
    /// URL of the queue (the lab's name).
    #[arg(long, env = "SQS_ENDPOINT")]
    sqs_endpoint: Option<String>,
    /// URL of the dead-letter queue; found by the queue's redrive policy if not set.
    #[arg(long, env = "DEAD_LETTER_QUEUE_URL")]
    dead_letter_queue_url: Option<String>,
    /// ARN of the topic; without it nothing is published.
    #[arg(long, env = "TOPIC_ARN")]
    topic_arn: Option<String>,
    /// Seconds for which received messages are invisible to others.
    #[arg(long, env = "VISIBILITY_TIMEOUT_IN_SEC", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(5..=43_200))]
    visibility_timeout_in_sec: u64,
    /// Seconds a receive waits for the first message.
    #[arg(long, env = "LONG_POLL_WAIT_IN_SEC", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(0..=20))]
    long_poll_wait_in_sec: u64,
    /// Pollers to run when there is much to do.
    #[arg(long, env = "POLLERS", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub pollers: u16,
    /// Move dead letters into the database, where staff see them.
    #[arg(long, env = "COLLECT_DEAD_LETTERS", default_value_t = true,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub collect_dead_letters: bool,
}

impl MessagingSettings {
    /// The region, under either name.
    pub fn region(&self) -> Option<&str> {
        filled(self.aws_region.as_ref()).or(filled(self.sqs_region.as_ref()))
    }

    /// The endpoint, if it is not AWS.
    pub fn endpoint(&self) -> Option<&str> {
        filled(self.aws_endpoint_url.as_ref())
    }

    /// The queue's URL, under either name.
    pub fn queue(&self) -> Option<&str> {
        filled(self.queue_url.as_ref()).or(filled(self.sqs_endpoint.as_ref()))
    }

    /// The dead-letter queue's URL.
    pub fn dead_letter_queue(&self) -> Option<&str> {
        filled(self.dead_letter_queue_url.as_ref())
    }

    /// The topic's ARN.
    pub fn topic(&self) -> Option<&str> {
        filled(self.topic_arn.as_ref())
    }

    /// How long received messages are invisible to others.
    pub fn visibility(&self) -> Duration {
        Duration::from_secs(self.visibility_timeout_in_sec)
    }

    /// How long a receive waits.
    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.long_poll_wait_in_sec)
    }

    /// Points at what was provisioned.
    pub fn set_resources(&mut self, found: &crate::provision::Provisioned) {
        self.queue_url = Some(found.queue_url.clone());
        self.dead_letter_queue_url = Some(found.dead_letter_queue_url.clone());
        self.topic_arn = Some(found.topic_arn.clone());
    }

    /// Points at another endpoint.
    pub fn set_endpoint(&mut self, url: String, region: &str) {
        self.aws_endpoint_url = Some(url);
        self.aws_region = Some(region.to_owned());
    }
}

/// Where the website listens. Only on this machine, until there are accounts.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Website")]
pub struct WebSettings {
    /// Port of the website, on 127.0.0.1 [default: 8080].
    #[arg(long, env = "PORT")]
    port: Option<u16>,
    /// Port of the website (the lab's name).
    #[arg(long, env = "APP_PORT")]
    app_port: Option<u16>,
}

impl WebSettings {
    /// The port, under either name.
    pub fn port(&self) -> u16 {
        self.port.or(self.app_port).unwrap_or(8080)
    }
}

/// Takes an empty value for none, as in `QUEUE_URL= beanstock serve`.
fn filled(value: Option<&String>) -> Option<&str> {
    value
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Settings {
        #[command(flatten)]
        database: DatabaseSettings,
        #[command(flatten)]
        messaging: MessagingSettings,
    }

    fn parse(args: &[&str]) -> Settings {
        Settings::parse_from([&["test"], args].concat())
    }

    #[test]
    fn a_secret_is_never_shown() {
        let settings = parse(&["--database-url", "mysql://u:hunter2@h/d"]);

        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn a_wrong_url_names_the_variable_and_not_the_secret() {
        let settings = parse(&["--database-url", "hunter2"]);

        let error = settings.database.pool().unwrap_err().to_string();
        assert!(
            error.contains("DATABASE_URL") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn the_labs_names_mean_the_same() {
        let url = "http://127.0.0.1:4566/000000000000/updated_beans.fifo";
        let settings = parse(&["--sqs-endpoint", url, "--sqs-region", "eu-west-1"]);

        assert_eq!(settings.messaging.queue(), Some(url));
        assert_eq!(settings.messaging.region(), Some("eu-west-1"));
    }
}
