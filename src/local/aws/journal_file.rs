//! A file of JSON lines that is appended to, and written anew once most of it is out of date: what the queues' and the
//! streams' journals have in common.
//!
//! What was appended outlives the process, also a `kill -9`; once it is flushed, a power cut as well.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file is not written anew before it is this long.
pub(super) const REWRITE_ABOVE_BYTES: u64 = 1 << 20;

/// A journal that is open.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    /// How long the file may become before it is written anew.
    limit: u64,
    /// Whether the last line may have been cut short.
    torn: bool,
    /// Whether the last attempt to append something failed.
    is_failing: bool,
}

impl JournalFile {
    /// Puts a file of these lines in the place of what was there, and opens it.
    pub(super) fn create(path: &Path, lines: &[impl Serialize]) -> Result<Self> {
        let file = write(path, lines).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            limit: limit_after(&file),
            file,
            torn: false,
            is_failing: false,
        })
    }

    /// Appends lines; gives whether all of them are there. If not, those before are still good.
    pub(super) fn append(&mut self, lines: &[impl Serialize]) -> bool {
        if lines.is_empty() {
            return true;
        }
        let mut text = String::from(if self.torn { "\n" } else { "" });
        for line in lines {
            text += &serde_json::to_string(line).expect("lines always encode");
            text.push('\n');
        }
        let before = length(&self.file);
        let written = self.file.write_all(text.as_bytes());
        if let Err(error) = &written {
            // Part of a line may be there; the next one must not be joined to it.
            self.torn |= self.file.set_len(before).is_err();
            self.complain(error);
        } else {
            (self.torn, self.is_failing) = (false, false);
        }
        written.is_ok()
    }

    fn complain(&mut self, error: &std::io::Error) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let path = self.path.display();
            tracing::error!(%error, %path, "a journal cannot be written; a restart would lose what came since");
        }
    }

    /// Has the disk take what was appended, for a power cut not to take it; gives whether it has.
    pub(super) fn flush(&self) -> bool {
        self.file.sync_data().is_ok()
    }

    /// Whether it is worth being written anew.
    pub(super) fn is_long(&self) -> bool {
        length(&self.file) > self.limit
    }

    /// Writes it anew, with these lines alone. If that fails, it stays as it is, which is right too, and grows on.
    pub(super) fn rewrite(&mut self, lines: &[impl Serialize]) {
        match write(&self.path, lines) {
            Ok(file) => {
                self.limit = limit_after(&file);
                self.file = file;
                self.torn = false;
            }
            Err(error) => {
                self.limit = length(&self.file) * 2;
                let (error, path) = (format!("{error:#}"), self.path.display());
                tracing::warn!(error, %path, "a journal cannot be written anew; it grows on");
            }
        }
    }

    /// Reads the lines that are there now.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        read(&self.path)
    }

    /// Has every write fail, as on a disk that is full.
    #[cfg(test)]
    pub(super) fn fill_disk(&mut self) -> File {
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        std::mem::replace(&mut self.file, full)
    }

    #[cfg(test)]
    pub(super) fn free_disk(&mut self, file: File) {
        self.file = file;
    }
}

/// Reads the lines of a file, in order; none if there is no file.
///
/// The last one may have been cut short by a crash, and is left out. So is any other that nobody can read, but then the
/// file is kept as it was, under another name.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let mut lines = Vec::new();
    if !path.exists() {
        return Ok(lines);
    }
    let reading = || format!("reading {}", path.display());
    let file = File::open(path).with_context(reading)?;
    let (mut left_out, mut is_last_left_out) = (0, false);
    for line in BufReader::new(file).split(b'\n') {
        let line = line.with_context(reading)?;
        if line.is_empty() {
            continue;
        }
        let read = serde_json::from_slice(&line);
        is_last_left_out = read.is_err();
        left_out += usize::from(is_last_left_out);
        lines.extend(read);
    }
    let damaged = left_out - usize::from(is_last_left_out);
    if damaged > 0 {
        keep_damaged(path, damaged).with_context(reading)?;
    } else if is_last_left_out {
        tracing::warn!(path = %path.display(), "left out the last line of a journal, which was cut short");
    }
    Ok(lines)
}

fn keep_damaged(path: &Path, lines: usize) -> Result<()> {
    let copy = path.with_extension("damaged");
    std::fs::copy(path, &copy)?;
    let (path, copy) = (path.display(), copy.display());
    tracing::error!(%path, %copy, lines, "nobody can read some lines of a journal; it is kept as it was in the copy");
    Ok(())
}

fn length(file: &File) -> u64 {
    file.metadata().map_or(0, |meta| meta.len())
}

/// Far longer than what is kept, so that the file is not written anew for each line.
fn limit_after(written: &File) -> u64 {
    REWRITE_ABOVE_BYTES.max(length(written) * 4)
}

/// Writes the lines to a new file, puts it in the old one's place and opens it.
fn write(path: &Path, lines: &[impl Serialize]) -> Result<File> {
    let mut new: PathBuf = path.to_owned();
    new.set_extension("new");
    // What a run before may have left of it. The file stays open, so that no descriptor is needed
    // once it is in its place.
    drop(std::fs::remove_file(&new));
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    let written = write_lines(&file, lines).and_then(|()| Ok(std::fs::rename(&new, path)?));
    if written.is_err() {
        // Half of it on a full disk would leave less room than before.
        drop(std::fs::remove_file(&new));
    }
    written.map(|()| file)
}

fn write_lines(file: &File, lines: &[impl Serialize]) -> Result<()> {
    let mut buffered = BufWriter::new(file);
    for line in lines {
        serde_json::to_writer(&mut buffered, line)?;
        buffered.write_all(b"\n")?;
    }
    buffered.flush()?;
    Ok(file.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut file = JournalFile::create(&path, &[1]).unwrap();

        let disk = file.fill_disk();
        assert!(!file.append(&[2]));
        file.free_disk(disk);
        file.file.write_all(b"[").unwrap();
        assert!(file.append(&[3]));

        assert_eq!(read::<i64>(&path).unwrap(), [1, 3]);
    }

    #[test]
    fn a_file_with_lines_that_nobody_can_read_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let copy = folder.path().join("journal.damaged");
        std::fs::write(&path, "1\n2\n[").unwrap();
        assert_eq!(read::<i64>(&path).unwrap(), [1, 2]);
        assert!(!copy.exists(), "the last line is lost in any crash");

        std::fs::write(&path, "1\n[\n3\n").unwrap();

        assert_eq!(read::<i64>(&path).unwrap(), [1, 3]);
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "1\n[\n3\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_anew_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut file = JournalFile::create(&path, &["a".repeat(2 << 20)]).unwrap();
        file.limit = 1;
        std::fs::create_dir(folder.path().join("journal.new")).unwrap();

        file.rewrite(&["b"]);

        assert!(!file.is_long(), "it is not tried again at once");
        assert!(file.append(&["c"]));
        assert_eq!(read::<String>(&path).unwrap().len(), 2);
    }
}
