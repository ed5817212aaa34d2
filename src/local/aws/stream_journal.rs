//! Keeps the streams of the embedded Kinesis and their records over a restart, also one by `kill -9`.
//!
//! ferrokinesis holds them in memory; its own way to keep them writes all there is at each change. Here, what is new is
//! appended to a file before whoever put it is answered. Known gaps: a split, a merge or another change that was under
//! way does not happen, and registered consumers and policies are not kept.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::Result;
use ferrokinesis::persistence::PersistentStream;
use ferrokinesis::sequence::{parse_sequence, shard_ix_to_hex};
use ferrokinesis::store::Store;
use ferrokinesis::types::{StoredRecord, Stream, StreamStatus};
use serde::{Deserialize, Serialize};

use super::journal_file::{self, JournalFile};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A stream as it is from now on.
    Stream(Box<PersistentStream>),
    /// A record that came.
    Record {
        stream: String,
        /// The shard's place in hexadecimal digits, a slash, and the sequence number.
        key: String,
        record: StoredRecord,
    },
    /// A stream that is no more.
    Deleted(String),
}

/// A stream that was kept.
struct Kept {
    stream: PersistentStream,
    records: BTreeMap<String, StoredRecord>,
}

/// What the file knows of a stream.
#[derive(Debug, Clone, Default)]
struct Noted {
    /// When it was made, in seconds: under the same name, another one has no records of this one.
    made: f64,
    stream: String,
    /// The key of each shard's last record.
    last: HashMap<usize, String>,
}

/// The journal of the streams.
#[derive(Debug)]
pub(super) struct StreamJournal {
    file: JournalFile,
    noted: BTreeMap<String, Noted>,
}

impl StreamJournal {
    /// Opens the journal, and fills an empty store with what an earlier run left in it.
    pub(super) async fn open(path: &Path, store: &Store) -> Result<Self> {
        for kept in last_state(journal_file::read(path)?) {
            restore(store, kept).await?;
        }
        let mut noted = BTreeMap::new();
        let lines = find_new(store, &mut noted).await;
        let file = JournalFile::create(path, &lines)?;
        Ok(Self { file, noted })
    }

    /// Notes what is new in the store. A record is noted if none with a higher number was noted before it: whoever puts
    /// some waits for its turn.
    pub(super) async fn note(&mut self, store: &Store) {
        // Whoever asks may hang up meanwhile: noted is what was written, and nothing else.
        let mut noted = self.noted.clone();
        let lines = find_new(store, &mut noted).await;
        self.file.append(&lines);
        self.noted = noted;
        if self.file.is_long() {
            let all = find_new(store, &mut BTreeMap::new()).await;
            self.file.rewrite(&all);
        }
    }
}

/// The streams and records that a journal's lines come to.
fn last_state(lines: Vec<Line>) -> Vec<Kept> {
    let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
    for line in lines {
        match line {
            Line::Stream(stream) => {
                let known = kept.remove(&stream.name);
                let made = stream.stream_creation_timestamp;
                let records = known
                    .filter(|known| known.stream.stream_creation_timestamp == made)
                    .map(|known| known.records);
                let stream = Kept {
                    stream: *stream,
                    records: records.unwrap_or_default(),
                };
                kept.insert(stream.stream.name.clone(), stream);
            }
            Line::Record {
                stream,
                key,
                record,
            } => {
                if let Some(kept) = kept.get_mut(&stream) {
                    kept.records.insert(key, record);
                }
            }
            Line::Deleted(name) => drop(kept.remove(&name)),
        }
    }
    kept.into_values().collect()
}

async fn restore(store: &Store, kept: Kept) -> Result<()> {
    let (name, mut stream, mut counters) = kept.stream.into_parts();
    if let StreamStatus::Creating | StreamStatus::Deleting = stream.stream_status {
        return Ok(());
    }
    stream.stream_status = StreamStatus::Active;
    store.put_stream(&name, stream.clone()).await?;
    counters.resize(stream.shards.len(), 0);
    for (key, record) in kept.records {
        if let Some((place, number)) = numbered(&key)
            && let Some(counter) = counters.get_mut(place)
        {
            *counter = (*counter).max(number + 1);
        }
        store.put_record(&name, &key, &record).await?;
    }
    for (place, counter) in counters.into_iter().enumerate() {
        count_up_to(store, &stream, place, counter).await?;
    }
    Ok(())
}

/// The place of a record's shard, and the record's place in it.
fn numbered(key: &str) -> Option<(usize, u64)> {
    let (place, number) = key.split_once('/')?;
    let number = parse_sequence(number).ok()?.seq_ix?;
    Some((usize::from_str_radix(place, 16).ok()?, number))
}

/// Has a shard's next record come after all that it ever had: ferrokinesis begins at one, and gives no other way to
/// count on. One that is closed gets no more.
async fn count_up_to(store: &Store, stream: &Stream, place: usize, counter: u64) -> Result<()> {
    const AT_ONCE: u64 = 1_000;
    let shard = &stream.shards[place];
    if shard.sequence_number_range.ending_sequence_number.is_some() {
        return Ok(());
    }
    let (name, key) = (&stream.stream_name, shard.hash_key_range.start_u128());
    let now = store.current_shard_seq(name, index(place)).await;
    let mut missing = counter.saturating_sub(now);
    while missing > 0 {
        let some = missing.min(AT_ONCE);
        let keys = vec![key; usize::try_from(some).unwrap_or_default()];
        store.allocate_sequences_batch(name, &keys).await?;
        missing -= some;
    }
    Ok(())
}

fn index(place: usize) -> i64 {
    i64::try_from(place).unwrap_or_default()
}

/// Finds what is in the store and was not noted yet, and notes it.
async fn find_new(store: &Store, noted: &mut BTreeMap<String, Noted>) -> Vec<Line> {
    let mut lines = Vec::new();
    let names = store.list_stream_names().await;
    let gone = noted.extract_if(.., |name, _| !names.contains(name));
    lines.extend(gone.map(|(name, _)| Line::Deleted(name)));
    for name in names {
        // It may be gone by now.
        if let Ok(stream) = store.get_stream(&name).await {
            let noted = noted.entry(name.clone()).or_default();
            find_new_of(store, &name, &stream, noted, &mut lines).await;
        }
    }
    lines
}

async fn find_new_of(
    store: &Store,
    name: &str,
    stream: &Stream,
    noted: &mut Noted,
    lines: &mut Vec<Line>,
) {
    let made = stream.stream_creation_timestamp.0;
    if noted.made.total_cmp(&made).is_ne() {
        *noted = Noted {
            made,
            ..Noted::default()
        };
    }
    let text = PersistentStream::from_stream(name.to_owned(), stream, Vec::new());
    let text = serde_json::to_string(&text).expect("streams always encode");
    if noted.stream != text {
        noted.stream = text;
        let mut counters = Vec::new();
        for place in 0..stream.shards.len() {
            counters.push(store.current_shard_seq(name, index(place)).await);
        }
        let stream = PersistentStream::from_stream(name.to_owned(), stream, counters);
        lines.push(Line::Stream(Box::new(stream)));
    }
    for place in 0..stream.shards.len() {
        let shard = shard_ix_to_hex(index(place));
        // A zero byte makes it the next key; a colon comes after all digits.
        let after = noted.last.get(&place);
        let from = after.map_or_else(|| format!("{shard}/"), |last| format!("{last}\0"));
        let new = store
            .get_records_range(name, &from, &format!("{shard}/:"))
            .await;
        if let Some((last, _)) = new.last() {
            noted.last.insert(place, last.clone());
        }
        lines.extend(new.into_iter().map(|(key, record)| Line::Record {
            stream: name.to_owned(),
            key,
            record,
        }));
    }
}
