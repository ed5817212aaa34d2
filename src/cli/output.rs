//! What commands print.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;

/// Writes to standard output; a reader that went away is no error.
pub(super) fn print(text: &str) -> Result<ExitCode> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
