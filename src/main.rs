//! The `beanstock` program: reads the command, starts it, and turns its end into an exit code.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use beanstock::cli;
use beanstock::telemetry;

#[tokio::main]
async fn main() -> ExitCode {
    if let Err(error) = without_empty_aws_variables() {
        tell(&error.into());
        return ExitCode::FAILURE;
    }
    let cli = cli::parse();
    telemetry::start(cli.log.log_format, &cli.log.filter);
    for warning in &cli.warnings {
        tracing::warn!("{warning}");
    }
    match cli::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            tell(&error);
            ExitCode::FAILURE
        }
    }
}

/// Starts anew if a variable of AWS is set but empty, as compose files do it: the SDK reads its
/// variables itself and takes an empty endpoint for an endpoint. Returns only if there is none.
fn without_empty_aws_variables() -> std::io::Result<()> {
    let mut again = Command::new(std::env::current_exe()?);
    let mut any = false;
    for (name, value) in std::env::vars_os() {
        if value.is_empty() && name.to_string_lossy().starts_with("AWS_") {
            again.env_remove(name);
            any = true;
        }
    }
    if any {
        Err(again.args(std::env::args_os().skip(1)).exec())
    } else {
        Ok(())
    }
}

/// Tells why it ended, also if nothing is to be logged.
fn tell(error: &anyhow::Error) {
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!("{error:#}");
    } else {
        // Standard error may be closed, and then there is nobody to tell.
        drop(writeln!(std::io::stderr(), "beanstock: {error:#}"));
    }
}
