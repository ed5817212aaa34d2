//! A database server of our own: a `MariaDB` or `MySQL` process with its data in one folder.
//!
//! It listens on a socket only, needs no root and touches no system service. It ends with this
//! program, also when this program is killed; should it ever be left over, the next start ends it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{ConnectOptions as _, Executor as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::server_program::{
    Server, as_root, bound_to_us, find_server, make_private_folder, option, temporary_folder,
};
use super::set_up;

/// The database inside the server.
const NAME: &str = "beanstock";

/// The server's log in its folder. `MariaDB` would add `.err` to a name without an ending.
const LOG: &str = "log.err";

/// Starting takes less than a second; recovering after a crash with a slow disk takes longer.
const START_LIMIT: Duration = Duration::from_mins(1);

/// An orderly stop takes less than a second.
const STOP_LIMIT: Duration = Duration::from_secs(4);

/// The longest path of a Unix socket that every system takes (104 bytes with its end on macOS).
const MAX_SOCKET_PATH: usize = 100;

/// A running private server.
#[derive(Debug)]
pub struct PrivateDatabase {
    child: Child,
    socket: PathBuf,
    folder: PathBuf,
}

/// How carefully commits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is on disk before it is acknowledged.
    Full,
    /// Commits survive the end of the process, not of the machine. For tests.
    Fast,
}

impl PrivateDatabase {
    /// Starts the server with its data in `folder`, which is made if need be.
    pub async fn start(folder: &Path, durability: Durability) -> Result<Self> {
        Self::start_with(folder, durability, &[]).await
    }

    /// The same with further options for the server. For tests.
    pub async fn start_with(
        folder: &Path,
        durability: Durability,
        options: &[OsString],
    ) -> Result<Self> {
        let server = find_server().await?;
        make_private_folder(folder)?;
        let folder = folder.canonicalize()?;
        end_left_over(&folder).await?;
        let data = folder.join("data");
        if !data.exists() {
            set_up::initialise(&server, &folder, &data).await?;
        }
        let socket = socket_path(&folder)?;
        let mut command = server_command(&server, &folder, &data, &socket, durability);
        let child = command
            .env("TMPDIR", temporary_folder(&folder)?)
            .args(options)
            .spawn()
            .with_context(|| format!("starting {}", server.binary.display()))?;
        std::fs::write(
            folder.join("pid"),
            child.id().unwrap_or_default().to_string(),
        )?;
        let mut database = Self {
            child,
            socket,
            folder,
        };
        database.wait_until_ready().await?;
        Ok(database)
    }

    /// How to connect to its one database.
    pub fn options(&self) -> MySqlConnectOptions {
        self.server_options().database(NAME)
    }

    /// How to connect to the server, without choosing a database.
    pub fn server_options(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new()
            .socket(&self.socket)
            // sqlx 0.9 breaks off when it encrypts a Unix socket.
            .ssl_mode(MySqlSslMode::Disabled)
            .username("root")
    }

    /// How other programs connect: `mariadb --socket=…`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the database server ended at once ({status}); its log {} says: {}",
                    self.log().display(),
                    last_lines(&self.log())
                );
            }
            match self.server_options().connect().await {
                Ok(mut connection) => {
                    connection
                        .execute(
                            "CREATE DATABASE IF NOT EXISTS beanstock \
                             CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
                        )
                        .await
                        .context("creating the database")?;
                    return Ok(());
                }
                Err(error) if Instant::now() > deadline => {
                    return Err(error).context(format!(
                        "the database server did not get ready within {} s; see its log {}",
                        START_LIMIT.as_secs(),
                        self.log().display()
                    ));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(30)).await,
            }
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Stops the server in an orderly way; after four seconds, in any way.
    pub async fn stop(mut self) -> Result<()> {
        signal(self.child.id(), Signal::TERM);
        if tokio::time::timeout(STOP_LIMIT, self.child.wait())
            .await
            .is_err()
        {
            self.child.kill().await?;
        }
        // The folder may have been removed meanwhile; the next start looks at it anyway.
        drop(std::fs::remove_file(self.folder.join("pid")));
        Ok(())
    }

    /// Ends the server as a crash would. For tests.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

fn signal(pid: Option<u32>, signal: Signal) {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _gone_is_as_good = kill_process(pid, signal);
    }
}

/// Ends a server that an earlier run left over in this folder, and no other process.
async fn end_left_over(folder: &Path) -> Result<()> {
    let Ok(pid) = std::fs::read_to_string(folder.join("pid")) else {
        return Ok(());
    };
    let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    let is_ours = || {
        let command = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
        let folder = folder.as_os_str().as_encoded_bytes();
        command.is_ok_and(|c| c.windows(folder.len()).any(|part| part == folder))
    };
    let deadline = Instant::now() + STOP_LIMIT;
    let mut how = Signal::TERM;
    while is_ours() && test_kill_process(pid).is_ok() {
        let _gone_is_as_good = kill_process(pid, how);
        if Instant::now() > deadline {
            how = Signal::KILL;
        }
        ensure!(
            Instant::now() < deadline + STOP_LIMIT,
            "a database server of an earlier run does not end; kill process {}",
            pid.as_raw_nonzero()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A socket's path must be short; a folder deep down gets one in the system's temporary folder.
fn socket_path(folder: &Path) -> Result<PathBuf> {
    let socket = folder.join("socket");
    if socket.as_os_str().len() <= MAX_SOCKET_PATH {
        return Ok(socket);
    }
    let id = crate::domain::UpdateId::derive("folder", &folder.to_string_lossy());
    let short = std::env::temp_dir().join(format!("beanstock-{}", id.0.simple()));
    make_private_folder(&short)?;
    Ok(short.join("socket"))
}

fn server_command(
    server: &Server,
    folder: &Path,
    data: &Path,
    socket: &Path,
    durability: Durability,
) -> Command {
    let mut command = bound_to_us(&server.binary);
    command
        .arg("--no-defaults")
        .arg(option("--datadir=", data))
        .arg(option("--socket=", socket))
        .arg(option("--pid-file=", &folder.join("server.pid")))
        .arg(option("--log-error=", &folder.join(LOG)))
        .args(["--skip-networking", "--max-connections=200"])
        .args(["--innodb-buffer-pool-size=128M", "--performance-schema=OFF"])
        .args(as_root());
    if !server.is_mariadb {
        command.arg("--mysqlx=OFF");
    }
    if durability == Durability::Fast {
        command.arg("--innodb-flush-log-at-trx-commit=0");
    }
    // A group of its own, so that Ctrl-C reaches this program only, which then stops in order.
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let errors: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).collect();
    errors[errors.len().saturating_sub(3)..].join(" ")
}
