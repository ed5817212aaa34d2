//! The `beanstock` program: reads the command, starts it, and turns its end into an exit code.

use std::io::Write as _;
use std::process::ExitCode;

use beanstock::cli;
use beanstock::telemetry;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = cli::parse();
    telemetry::start(cli.log.log_format, &cli.log.filter);
    match cli::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            tell(&error);
            ExitCode::FAILURE
        }
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
