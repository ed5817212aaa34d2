//! The database: the way in, the server, the schema and the clocks.

use std::time::Duration;

use super::{Line, Report};
use crate::config::database::is_local;
use crate::db::server::{self, Schema, Server};
use crate::db::{self, DbError, Pool, PoolSettings, SslMode};
use chrono::{DateTime, Utc};

/// A difference that shows in the order of counts and movements.
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// Checks the database: the way in, the server, the schema and the clocks.
pub async fn check_database(settings: &PoolSettings, now: impl Fn() -> DateTime<Utc>) -> Vec<Line> {
    let mut report = Report::default();
    if let Err(error) = db::reach(settings).await {
        let found = crate::telemetry::chain(&error);
        report.broken("database", found, &cannot_enter(&error, settings));
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

fn cannot_enter(error: &DbError, settings: &PoolSettings) -> String {
    let advice = if error.is_access_denied() {
        "Check the user and password in DATABASE_URL, and that the user may use the database"
    } else if error.is_unknown_database() {
        let name = settings.options.get_database().unwrap_or("beanstock");
        return format!("Create it: CREATE DATABASE {name} CHARACTER SET utf8mb4");
    } else if error.is_tls() {
        "The connection cannot be encrypted as asked: set DATABASE_CA to the file of the authority \
         that signed the server's certificate (Amazon RDS: global-bundle.pem), or DATABASE_TLS"
    } else {
        "Check the host and port in DATABASE_URL, and that the network (security group) lets this \
         machine through"
    };
    advice.to_owned()
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
            Ok(()) => report.fine(
                "database writes",
                "a row can be written (and was taken back)",
            ),
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
            let found = format!("encrypted with {cipher}");
            match settings.options.get_ssl_mode() {
                SslMode::VerifyCa | SslMode::VerifyIdentity => {
                    report.fine("database TLS", format!("{found}, server verified"));
                }
                _ if is_local(&settings.options) => report.fine("database TLS", found),
                _ => report.note(
                    "database TLS",
                    format!("{found}; the server's identity is not verified"),
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
