//! The way to the database that commands share.

use anyhow::{Context as _, Result};

use crate::aws::{self, database_login};
use crate::config::{
    AwsSettings, DatabaseLogin, DatabaseSettings, MailSettings, MessagingSettings,
};
use crate::db::{self, Pool, PoolSettings};

/// A command that works on the database alone.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    #[command(flatten)]
    pub(super) database: DatabaseSettings,
    #[command(flatten)]
    pub(super) aws: AwsSettings,
}

/// A command that looks at everything.
#[derive(Debug, clap::Args)]
pub(super) struct System {
    #[command(flatten)]
    pub(super) database: DatabaseSettings,
    #[command(flatten)]
    pub(super) messaging: MessagingSettings,
}

/// A command that looks at everything, mail as well.
#[derive(Debug, clap::Args)]
pub(super) struct Checked {
    #[command(flatten)]
    pub(super) system: System,
    #[command(flatten)]
    pub(super) mail: MailSettings,
}

/// Connects, or tells why that is not possible.
pub(super) async fn connect(database: &DatabaseSettings, aws: &AwsSettings) -> Result<Pool> {
    let settings = signed_in(database, aws).await?;
    db::reach(&settings)
        .await
        .with_context(|| unreachable_at(&settings))?;
    Ok(db::connect(&settings))
}

/// Reads where the database is, with credentials from AWS if they come from there.
pub(super) async fn signed_in(
    database: &DatabaseSettings,
    aws: &AwsSettings,
) -> Result<PoolSettings> {
    let mut settings = database.pool()?;
    let login = database.login()?;
    if login != DatabaseLogin::Fixed {
        let sdk = aws::load_sign_in(aws).await;
        if let Some(found) = database_login::sign_in(&settings, &login, &sdk).await? {
            found.put_into(&mut settings);
        }
    }
    Ok(settings)
}

pub(super) fn unreachable_at(settings: &PoolSettings) -> String {
    let host = settings.options.get_host();
    format!("cannot use the database at {host} (DATABASE_URL or APP_DB_HOST)")
}
