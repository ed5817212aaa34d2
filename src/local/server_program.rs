//! The database server's program: where it is, and how it is called.

use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

/// Which of the two servers was found.
pub(super) struct Server {
    pub(super) binary: PathBuf,
    pub(super) is_mariadb: bool,
}

pub(super) async fn find_server() -> Result<Server> {
    let path = std::env::split_paths(&search_path()).collect::<Vec<_>>();
    let system = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from);
    let folders = path.iter().chain(&system);
    let candidates =
        folders.flat_map(|folder| ["mariadbd", "mysqld"].map(|name| folder.join(name)));
    for binary in candidates {
        if !binary.is_file() {
            continue;
        }
        let version = Command::new(&binary).arg("--version").output().await;
        if let Ok(version) = version {
            let text = String::from_utf8_lossy(&version.stdout);
            return Ok(Server {
                is_mariadb: text.contains("MariaDB"),
                binary,
            });
        }
    }
    bail!(
        "no database server was found: install MariaDB or MySQL so that mariadbd or mysqld is on \
         the PATH (Debian, Ubuntu: apt-get install mariadb-server-core; Fedora: dnf install \
         mariadb-server; macOS: brew install mariadb), or set DATABASE_URL and run `beanstock serve`"
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "where programs are is the system's matter"
)]
fn search_path() -> OsString {
    std::env::var("PATH").unwrap_or_default().into()
}

pub(super) fn make_private_folder(folder: &Path) -> Result<()> {
    let result = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    result.with_context(|| format!("cannot write to {} (BEANSTOCK_DATA)", folder.display()))
}

/// A server that starts removes the temporary tables it finds in its temporary folder, also those
/// of other servers that are running: each gets a folder of its own.
pub(super) fn temporary_folder(folder: &Path) -> Result<PathBuf> {
    let temporary = folder.join("tmp");
    make_private_folder(&temporary)?;
    Ok(temporary)
}

/// A command that ends with this program. On Linux the kernel tells it when this program is gone,
/// however it went.
pub(super) fn bound_to_us(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.is_file() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "TERM"]).arg(program);
    command
}

/// Both servers refuse to run as root unless they are told so.
pub(super) fn as_root() -> Option<&'static str> {
    rustix::process::geteuid()
        .is_root()
        .then_some("--user=root")
}

/// A path after an option, without passing through UTF-8.
pub(super) fn option(name: &str, path: &Path) -> OsString {
    let mut text = OsString::from(name);
    text.push(path);
    text
}
