//! `beanstock publish`: sends a file's lines to the topic, as the lab's script does.

use std::io::{BufRead, IsTerminal as _};
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use crate::backoff;
use crate::domain::{InventoryUpdate, StockChange, UpdateId};
use crate::messaging::{MAX_BATCH, Publication, Publisher, ServiceError, wire};

/// The group that all of the lab's messages share.
const LAB_GROUP: &str = "bean_message_group";

/// A batch the topic does not answer is sent this often.
const MAX_TRIES: u32 = 6;

/// How to send lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As versioned JSON with an id: a repeated line counts twice, and a bad one holds up only its
    /// own bean.
    Update,
    /// As they are, like the lab's script: one group for all, and deduplicated by content.
    AsIs,
}

/// A line that was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RefusedLine {
    /// Its number, from 1.
    pub(super) number: usize,
    /// Why, in plain words.
    pub(super) why: String,
}

/// What became of the lines.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// On the topic.
    pub(super) published: usize,
    /// Not on the topic.
    pub(super) refused: Vec<RefusedLine>,
}

struct Line {
    number: usize,
    publication: Publication,
}

/// Publishes every line of `input` that can be read as an update.
///
/// # Errors
/// The input cannot be read. What the topic refuses is in the summary.
pub(super) async fn publish<P: Publisher>(
    publisher: &P,
    input: impl BufRead,
    lines_expected: Option<u64>,
    form: Form,
) -> Result<Summary> {
    let progress = progress_bar(lines_expected);
    let mut summary = Summary::default();
    let mut batch = Vec::with_capacity(MAX_BATCH);
    let mut lines = Lines::new(input);
    for number in 1.. {
        let line = lines.next_line();
        let Some(line) = line.with_context(|| format!("reading line {number}"))? else {
            break;
        };
        progress.inc(1);
        match prepare(&line, form) {
            Ok(Some(publication)) => batch.push(Line {
                number,
                publication,
            }),
            Ok(None) => {}
            Err(why) => summary.refused.push(RefusedLine { number, why }),
        }
        if batch.len() == MAX_BATCH {
            send(publisher, std::mem::take(&mut batch), &mut summary).await;
        }
    }
    send(publisher, batch, &mut summary).await;
    progress.finish_and_clear();
    summary.refused.sort_by_key(|line| line.number);
    Ok(summary)
}

/// The lines of a text, whichever way they end: LF, CR LF or, as old spreadsheets write, CR alone.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    /// A line feed that comes now belongs to the line before.
    after_return: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads lines from `input`.
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            after_return: false,
        }
    }

    /// Reads the next line without its end; `None` after the last.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) fn next_line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        loop {
            let part = self.input.fill_buf()?;
            if part.is_empty() {
                return Ok((!line.is_empty()).then_some(line));
            }
            if std::mem::take(&mut self.after_return) && part[0] == b'\n' {
                self.input.consume(1);
                continue;
            }
            let end = part.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            line.extend_from_slice(&part[..end.unwrap_or(part.len())]);
            let taken = end.map_or(part.len(), |end| end + 1);
            self.after_return = end.is_some_and(|end| part[end] == b'\r');
            self.input.consume(taken);
            if end.is_some() {
                return Ok(Some(line));
            }
        }
    }
}

fn progress_bar(lines: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "  {pos} of {len} lines  {wide_bar}  {per_sec}, {eta} left";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    match lines {
        Some(lines) => ProgressBar::new(lines).with_style(style),
        None => ProgressBar::new_spinner(),
    }
}

/// Turns a line into what is published; `None` for an empty one.
fn prepare(line: &[u8], form: Form) -> Result<Option<Publication>, String> {
    let line = std::str::from_utf8(line)
        .map_err(|_not_text| "The line is not UTF-8 text.".to_owned())?
        // Some editors put an invisible mark at the start of a file.
        .trim_start_matches('\u{feff}')
        .trim();
    if line.is_empty() {
        return Ok(None);
    }
    // A key that no message has, to see whether the line brings an id of its own.
    let key = UpdateId::generate().to_string();
    let mut update = wire::decode(&key, line).map_err(|error| error.refusal.explanation)?;
    if form == Form::AsIs {
        return Ok(Some(as_is(line, &update)));
    }
    if update.id == UpdateId::derive("sqs", &key) {
        update.id = UpdateId::generate();
    }
    let (group, kind) = (update.message_group(), update.change.kind());
    let body = wire::encode(&update);
    // Who publishes a file again means it: SNS must not take that for a repeat and drop it.
    let deduplication_id = format!("{}:{}", update.id, Uuid::now_v7().simple());
    Ok(Some(wire::publication(deduplication_id, group, kind, body)))
}

fn as_is(line: &str, update: &InventoryUpdate) -> Publication {
    let out_of_stock = update.change == StockChange::OutOfStock;
    Publication {
        body: line.to_owned(),
        subject: Some(wire::SUBJECT.into()),
        group: LAB_GROUP.to_owned(),
        deduplication_id: None,
        attributes: out_of_stock
            .then(wire::inventory_alert)
            .map(|(name, value)| (name, value.into()))
            .into_iter()
            .collect(),
        has_parts: false,
    }
}

async fn send<P: Publisher>(publisher: &P, mut batch: Vec<Line>, summary: &mut Summary) {
    for tries in 1..=MAX_TRIES {
        if batch.is_empty() {
            return;
        }
        let publications: Vec<Publication> =
            batch.iter().map(|line| line.publication.clone()).collect();
        let why = match publisher.publish(&publications).await {
            Ok(failed) => {
                summary.published += batch.len() - failed.len();
                let failed: Vec<usize> = failed.iter().map(|entry| entry.position).collect();
                let mut position = 0..;
                batch.retain(|_| position.next().is_some_and(|p| failed.contains(&p)));
                "The topic refused it.".to_owned()
            }
            Err(error @ ServiceError::Refused { .. }) => {
                refuse_all(&batch, &format!("{error}."), summary);
                return;
            }
            Err(error) => format!("{error}."),
        };
        if tries == MAX_TRIES {
            refuse_all(&batch, &why, summary);
        } else if !batch.is_empty() {
            let cap = Duration::from_secs(5);
            tokio::time::sleep(backoff::full_jitter(tries, Duration::from_millis(200), cap)).await;
        }
    }
}

fn refuse_all(batch: &[Line], why: &str, summary: &mut Summary) {
    summary.refused.extend(batch.iter().map(|line| RefusedLine {
        number: line.number,
        why: why.to_owned(),
    }));
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_end_in_any_way() {
        for (text, lines) in [
            ("a\nb\n", &["a", "b"][..]),
            ("a\r\nb", &["a", "b"]),
            ("a\rb\r", &["a", "b"]),
            ("a\n\nb", &["a", "", "b"]),
            ("a\r\rb", &["a", "", "b"]),
            ("", &[]),
        ] {
            for size in 1..4 {
                let mut read = Lines::new(BufReader::with_capacity(size, text.as_bytes()));
                let next = || read.next_line().unwrap();
                let found = std::iter::from_fn(next).map(|line| String::from_utf8(line).unwrap());
                let found: Vec<String> = found.collect();
                assert_eq!(found, lines, "{text:?}");
            }
        }
    }
}
