//! Webhooks that are told of alerts.

use anyhow::{Context as _, Result};
use url::Url;

use super::parse;
use super::secret::Secret;

/// Webhooks.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookSettings {
    /// URLs of webhooks that are told of alerts; with `local`, such of this machine
    #[arg(long, env = "WEBHOOK_URLS", value_delimiter = ',', hide_env_values = true,
          value_parser = parse::webhook)]
    webhook_urls: Vec<Secret>,
    /// Secret that requests to webhooks are signed with, needed with `WEBHOOK_URLS`
    #[arg(long, env = "WEBHOOK_SECRET", hide_env_values = true, value_parser = parse::webhook_secret)]
    webhook_secret: Option<Secret>,
}

impl WebhookSettings {
    /// The webhooks.
    pub fn urls(&self) -> Vec<Url> {
        let urls = self.webhook_urls.iter();
        urls.filter_map(|url| url.expose().parse().ok()).collect()
    }

    /// What requests are signed with.
    ///
    /// # Errors
    /// There are webhooks, and it is not set.
    pub fn secret(&self) -> Result<&str> {
        let secret = self.webhook_secret.as_ref().map(Secret::expose);
        secret.context(
            "WEBHOOK_URLS needs WEBHOOK_SECRET, whsec_ and 24 to 64 bytes in Base64: `echo whsec_$(openssl rand \
             -base64 32)`",
        )
    }
}
