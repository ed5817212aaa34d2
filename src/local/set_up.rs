//! Sets up the data folder of a private database server, with the server's own program alone.
//!
//! `mariadb-install-db` does the same by calling programs of other packages, which are not everywhere
//! (Debian's `my_print_defaults` is one); all it feeds the server is SQL that comes with it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::server_program::{
    Server, as_root, bound_to_us, make_private_folder, option, temporary_folder,
};

/// Makes the data folder beside its place and moves it there when it is whole.
pub(super) async fn initialise(server: &Server, folder: &Path, data: &Path) -> Result<()> {
    // A name of its own: what a killed start left may still be written to for a moment.
    let unfinished = folder.join(format!("unfinished-{}", std::process::id()));
    remove_unfinished(folder);
    let mut command = bound_to_us(&server.binary);
    command
        .arg("--no-defaults")
        .arg(option("--datadir=", &unfinished))
        .env("TMPDIR", temporary_folder(folder)?)
        .args(as_root());
    let statements = if server.is_mariadb {
        make_private_folder(&unfinished)?;
        command.arg("--bootstrap");
        system_tables(&server.binary)?
    } else {
        command.arg("--initialize-insecure");
        Vec::new()
    };
    run(command, statements).await?;
    std::fs::rename(&unfinished, data)?;
    Ok(())
}

/// The names of one file in `MariaDB`'s newer and older versions.
type Names = [&'static str; 2];

/// What makes the system tables: the tables, the views on performance, and the first rows.
const SCRIPTS: [Names; 3] = [
    ["mariadb_system_tables.sql", "mysql_system_tables.sql"],
    [
        "mariadb_performance_tables.sql",
        "mysql_performance_tables.sql",
    ],
    [
        "mariadb_system_tables_data.sql",
        "mysql_system_tables_data.sql",
    ],
];

/// The statements that make the system tables, with a root who needs no password: only who may use
/// the folder can connect.
fn system_tables(binary: &Path) -> Result<Vec<u8>> {
    let mut statements = b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n\
        SET @skip_auth_anonymous = 1;\n"
        .to_vec();
    for names in SCRIPTS {
        let script = find_script(binary, names).with_context(|| {
            format!(
                "the database server {} comes without {}, which makes its system tables; install \
                 MariaDB's server package again",
                binary.display(),
                names[1]
            )
        })?;
        let text =
            std::fs::read(&script).with_context(|| format!("reading {}", script.display()))?;
        statements.extend(text);
        statements.push(b'\n');
    }
    Ok(statements)
}

/// Servers keep their scripts in `share` beside the folder of their program.
fn find_script(binary: &Path, names: Names) -> Option<PathBuf> {
    let real = binary.canonicalize().unwrap_or_else(|_| binary.to_owned());
    let beside = [binary, &real].map(|program| Some(program.parent()?.parent()?.to_owned()));
    let prefixes = beside
        .into_iter()
        .flatten()
        .chain(["/usr", "/usr/local", "/opt/homebrew"].map(PathBuf::from));
    let folders = prefixes
        .flat_map(|prefix| ["share/mariadb", "share/mysql"].map(|share| prefix.join(share)));
    let mut candidates = folders.flat_map(|folder| names.map(|name| folder.join(name)));
    candidates.find(|script| script.is_file())
}

async fn run(mut command: Command, statements: Vec<u8>) -> Result<()> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting the database server to set up its data folder")?;
    let mut stdin = child.stdin.take().context("it was given an input")?;
    // A server that stops at a mistake does not read to the end; its output tells why.
    let feed = async move {
        let _it_may_have_stopped = stdin.write_all(&statements).await;
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output?;
    ensure!(
        output.status.success(),
        "the database's data folder could not be set up: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Removes what starts that were killed have left, as far as nobody writes to it any more.
fn remove_unfinished(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_unfinished = |name: OsString| name.to_string_lossy().starts_with("unfinished-");
    for entry in entries {
        if is_unfinished(entry.file_name()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}
