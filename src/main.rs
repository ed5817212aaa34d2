//! The `beanstock` program: reads the command, starts it, and turns its end into an exit code.

use std::process::ExitCode;

use beanstock::cli::{self, Cli};
use beanstock::telemetry;
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::start(cli.log.log_format, &cli.log.filter);
    match cli::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
