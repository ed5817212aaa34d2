//! `beanstock probe`: a health check for images that have no other program to ask with.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::config::{ListenSettings, WebSettings};
use crate::web::{HEALTHZ, READYZ};

/// Shorter than what container engines give a health check.
const PATIENCE: Duration = Duration::from_secs(4);

/// More than any answer to a probe.
const MOST_BYTES: u64 = 4096;

#[derive(Debug, clap::Args)]
pub(super) struct Probe {
    /// Ask whether requests can be served (`/readyz`), and not only whether anybody answers
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    listen: ListenSettings,
    #[command(flatten)]
    web: WebSettings,
}

/// Prints the answer; the exit code tells whether it was 200.
pub(super) async fn probe(settings: Probe) -> Result<ExitCode> {
    let address = settings.listen.reached_at(settings.web.port());
    let path = if settings.ready { READYZ } else { HEALTHZ };
    let asking = || format!("asking http://{address}{path}");
    let answer = tokio::time::timeout(PATIENCE, ask(address, path))
        .await
        .with_context(asking)?
        .with_context(asking)?;
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    super::output::print(text)?;
    Ok(match head.split(' ').nth(1) {
        Some("200") => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut server = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    server.take(MOST_BYTES).read_to_string(&mut answer).await?;
    Ok(answer)
}
