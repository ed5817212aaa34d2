//! Settings: each is a flag and an environment variable of the same name, read once.
//!
//! The names are AWS's and the lab's where those have one. Secrets never appear in output. What a
//! value must look like stands in [`reference::SETTINGS`].

mod aws;
pub mod database;
mod mail;
mod messaging;
mod parse;
pub mod reference;
mod secret;
mod web;
mod webhooks;

pub use self::aws::AwsSettings;
pub use self::database::{DatabaseLogin, DatabaseSettings};
pub use self::mail::MailSettings;
pub use self::messaging::MessagingSettings;
pub(crate) use self::parse::{
    kms_key, principal, resource_name, role_arn, stream_name, supplier_publisher,
    supplier_topic_name, tag,
};
pub use self::secret::Secret;
pub use self::web::{ListenSettings, WebSettings, cannot_listen};
pub use self::webhooks::WebhookSettings;
use crate::telemetry::LogFormat;

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
