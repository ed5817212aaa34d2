//! Log output: readable lines for people, JSON lines for machines.

use std::fmt::Write as _;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `filter` is like `info` or `beanstock=debug,info`.
pub fn start(format: LogFormat, filter: &str) {
    // The embedded Kinesis logs every request that it refuses.
    let filter = format!("ferrokinesis=warn,{filter}");
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second call, as in tests, changes nothing.
    let _already_started = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// Logs a failure that repeats once when it begins and once when it ends.
#[derive(Debug, Default)]
pub struct Streak {
    failures: u32,
}

impl Streak {
    /// Notes a failure; gives how many there were in a row.
    pub fn failed(&mut self, what: &'static str, error: &(dyn std::error::Error + 'static)) -> u32 {
        if self.failures == 0 {
            tracing::warn!(error = chain(error), "{what} failed; trying again");
        }
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// How often in a row it has failed.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    pub fn succeeded(&mut self, what: &'static str) {
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!("{what} works again");
        }
    }
}

/// Writes an error with all its causes: `a: b: c`. Some errors repeat their cause; that is said once.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            write!(text, ": {next}").expect("writing to a string cannot fail");
        }
        cause = error.source();
    }
    text
}
