//! Settings: each is a flag and an environment variable of the same name, read once.
//!
//! The names are AWS's and the lab's where those have one. Secrets never appear in output. What a
//! value must look like stands in [`reference::SETTINGS`].

mod aws;
pub mod database;
mod messaging;
mod parse;
pub mod reference;
mod web;

use std::fmt;
use std::str::FromStr;

pub use self::aws::AwsSettings;
pub use self::database::{DatabaseLogin, DatabaseSettings};
pub use self::messaging::MessagingSettings;
pub(crate) use self::parse::{kms_key, principal, resource_name, role_arn, tag};
pub use self::web::{ListenSettings, WebSettings, cannot_listen};
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
    /// Log level or filters
    #[arg(long = "rust-log", alias = "log", env = "RUST_LOG", default_value = "info", global = true,
          value_parser = parse::log_filter)]
    pub filter: String,
    /// Format of log lines
    #[arg(
        long,
        env = "LOG_FORMAT",
        default_value = "text",
        global = true,
        hide_possible_values = true
    )]
    pub log_format: LogFormat,
}
