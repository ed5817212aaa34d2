//! Keeps the messages of the embedded queues over a restart, also one by `kill -9`.
//!
//! The embedded endpoint holds its queues in memory. Every message that is sent and every one that
//! is deleted is appended to a file; on the next start, what was sent and not deleted is sent again
//! as soon as its queue exists. Such a message keeps the id under which it was first known, because
//! the inbox knows messages without an update id by it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use rustack_sqs_model::input::SendMessageInput;
use serde::{Deserialize, Serialize};

use super::journal_file::{self, JournalFile};

/// SQS answers a repeat of a message with the first one's id for five minutes, also after that was
/// deleted; such a repeat must not come back to life. This many ids are more than five minutes' worth.
const REMEMBERED_DELETES: usize = 100_000;

/// A message that was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// The queue's name.
    pub(crate) queue: String,
    /// The id it got when it was first sent.
    pub(crate) id: String,
    /// What was sent.
    pub(crate) input: SendMessageInput,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Sent(Box<Sent>),
    Deleted(String),
}

/// The journal of the queues.
#[derive(Debug)]
pub(crate) struct QueueJournal {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: JournalFile,
    /// The ids of the messages that were not deleted yet.
    live: HashMap<String, Live>,
    deleted: HashSet<String>,
    deleted_in_order: VecDeque<String>,
    /// From an earlier run, waiting for their queues.
    waiting: HashMap<String, Vec<Sent>>,
    /// The ids under which messages of an earlier run are known now → their first ids.
    first_ids: HashMap<String, String>,
}

/// A message that was not deleted yet.
#[derive(Debug)]
struct Live {
    /// The queue it was sent to.
    queue: String,
    /// Whether it was ever received: from then on it may be in the dead-letter queue.
    received: bool,
}

impl Live {
    fn new(sent: &Sent) -> Self {
        Self {
            queue: sent.queue.clone(),
            received: false,
        }
    }
}

impl QueueJournal {
    /// Opens the journal and takes up what an earlier run left in it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let left = live(journal_file::read(path)?);
        let file = JournalFile::create(path, &lines_of(&left))?;
        let mut waiting: HashMap<String, Vec<Sent>> = HashMap::new();
        let live = left.iter().map(|sent| (sent.id.clone(), Live::new(sent)));
        let live = live.collect();
        for sent in left {
            waiting.entry(sent.queue.clone()).or_default().push(sent);
        }
        Ok(Self {
            state: Mutex::new(State {
                file,
                live,
                deleted: HashSet::new(),
                deleted_in_order: VecDeque::new(),
                waiting,
                first_ids: HashMap::new(),
            }),
        })
    }

    /// Notes a message that was sent.
    pub(crate) fn sent(&self, sent: Sent) {
        let mut state = self.lock();
        if state.deleted.contains(&sent.id) || state.live.contains_key(&sent.id) {
            return;
        }
        state.live.insert(sent.id.clone(), Live::new(&sent));
        state.file.append(&[Line::Sent(Box::new(sent))]);
    }

    /// Notes a message that was deleted; `id` is the one under which it is known now.
    pub(crate) fn deleted(&self, id: &str) {
        let mut state = self.lock();
        let first_id = state.first_ids.remove(id).unwrap_or_else(|| id.to_owned());
        state.delete(first_id);
        state.rewrite_if_long();
    }

    /// Notes that a message was received; gives the id under which it was first known.
    pub(crate) fn received(&self, id: &str) -> Option<String> {
        let mut state = self.lock();
        let first_id = state.first_ids.get(id).cloned();
        let known = first_id.as_deref().unwrap_or(id);
        if let Some(live) = state.live.get_mut(known) {
            live.received = true;
        }
        first_id
    }

    /// Notes that all messages of a queue were deleted. Nobody tells which ones were there, and what
    /// was received before may be in the dead-letter queue by now, so that comes back after a
    /// restart: better twice than never.
    pub(crate) fn purged(&self, queue: &str) {
        let mut state = self.lock();
        state.waiting.remove(queue);
        let gone = |(id, live): (&String, &Live)| {
            (live.queue == queue && !live.received).then(|| id.clone())
        };
        let ids: Vec<String> = state.live.iter().filter_map(gone).collect();
        for id in ids {
            state.delete(id);
        }
        state.rewrite_if_long();
    }

    /// Takes the messages of an earlier run that wait for this queue.
    pub(crate) fn take_waiting(&self, queue: &str) -> Vec<Sent> {
        self.lock().waiting.remove(queue).unwrap_or_default()
    }

    /// Notes that a message of an earlier run is known by a new id now.
    pub(crate) fn resent(&self, first_id: String, id: String) {
        self.lock().first_ids.insert(id, first_id);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remember_deleted(&mut self, id: String) {
        if !self.deleted.insert(id.clone()) {
            return;
        }
        self.deleted_in_order.push_back(id);
        if self.deleted_in_order.len() > REMEMBERED_DELETES
            && let Some(oldest) = self.deleted_in_order.pop_front()
        {
            self.deleted.remove(&oldest);
        }
    }

    /// A message may be received and deleted before it is noted that it was sent.
    fn delete(&mut self, first_id: String) {
        if self.live.remove(&first_id).is_some() {
            self.file.append(&[Line::Deleted(first_id.clone())]);
        }
        self.remember_deleted(first_id);
    }

    fn rewrite_if_long(&mut self) {
        if self.file.is_long()
            && let Ok(lines) = self.file.read()
        {
            self.file.rewrite(&lines_of(&live(lines)));
        }
    }
}

/// What was sent and not deleted, in order.
fn live(lines: Vec<Line>) -> Vec<Sent> {
    let mut sent: Vec<Sent> = Vec::new();
    let mut deleted = HashSet::new();
    for line in lines {
        match line {
            Line::Sent(message) => sent.push(*message),
            Line::Deleted(id) => {
                deleted.insert(id);
            }
        }
    }
    sent.retain(|message| !deleted.contains(&message.id));
    sent
}

fn lines_of(sent: &[Sent]) -> Vec<Line> {
    let lines = sent.iter().cloned().map(Box::new);
    lines.map(Line::Sent).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn sent(id: &str) -> Sent {
        Sent {
            queue: "q".to_owned(),
            id: id.to_owned(),
            input: SendMessageInput {
                message_body: format!("body of {id}"),
                ..SendMessageInput::default()
            },
        }
    }

    fn left(journal: &QueueJournal) -> Vec<String> {
        journal
            .take_waiting("q")
            .into_iter()
            .map(|sent| sent.id)
            .collect()
    }

    #[test]
    fn what_was_sent_and_not_deleted_is_there_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = QueueJournal::open(&path).unwrap();
        for id in ["a", "b", "c"] {
            journal.sent(sent(id));
        }
        journal.deleted("b");
        // As `kill -9` in the middle of a line leaves it.
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        file.write_all(b"{\"sent\":{\"caf\xc3").unwrap();

        let next = QueueJournal::open(&path).unwrap();

        assert_eq!(left(&next), ["a", "c"]);
    }

    #[test]
    fn a_message_keeps_its_first_id_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        QueueJournal::open(&path).unwrap().sent(sent("a"));
        let second = QueueJournal::open(&path).unwrap();
        second.resent("a".to_owned(), "a2".to_owned());

        assert_eq!(second.received("a2").as_deref(), Some("a"));
        second.deleted("a2");

        assert!(left(&QueueJournal::open(&path).unwrap()).is_empty());
    }

    #[test]
    fn messages_of_a_purged_queue_do_not_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = QueueJournal::open(&path).unwrap();
        journal.sent(sent("a"));
        let other = Sent {
            queue: "other".to_owned(),
            ..sent("b")
        };
        journal.sent(other);
        journal.sent(sent("dead"));
        journal.received("dead");

        journal.purged("other");
        journal.purged("q");

        let next = QueueJournal::open(&path).unwrap();
        assert!(next.take_waiting("other").is_empty());
        assert_eq!(left(&next), ["dead"], "it may be in the dead-letter queue");
    }

    /// Whoever receives it may be faster than whoever notes that it was sent.
    #[test]
    fn what_is_deleted_before_it_was_noted_stays_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = QueueJournal::open(&path).unwrap();

        journal.deleted("a");
        journal.sent(sent("a"));

        assert!(left(&QueueJournal::open(&path).unwrap()).is_empty());
    }

    /// One message that nobody deletes must not keep all others in the file.
    #[test]
    fn the_file_does_not_grow_with_what_was_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = QueueJournal::open(&path).unwrap();
        journal.sent(sent("kept"));

        for number in 0..20_000 {
            let id = number.to_string();
            journal.sent(sent(&id));
            journal.deleted(&id);
        }

        let length = std::fs::metadata(&path).unwrap().len();
        assert!(
            length <= journal_file::REWRITE_ABOVE_BYTES + 1_000,
            "{length}"
        );
        assert_eq!(left(&QueueJournal::open(&path).unwrap()), ["kept"]);
    }

    #[test]
    fn a_swallowed_repeat_of_a_deleted_message_stays_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = QueueJournal::open(&path).unwrap();
        journal.sent(sent("a"));
        journal.deleted("a");

        journal.sent(sent("a"));

        assert!(left(&QueueJournal::open(&path).unwrap()).is_empty());
    }
}
