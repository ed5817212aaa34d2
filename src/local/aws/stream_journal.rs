//! Keeps the streams of the embedded Kinesis and their records over a restart, also one by `kill -9`.
//!
//! ferrokinesis holds them in memory; its own way to keep them writes all there is at each change. Here, what is new is
//! appended to a file before whoever put it is answered. Known gaps: a stream that is being created when the process ends
//! is gone, as is one that is being deleted, and another change that is under way does not happen; registered consumers,
//! their tags, policies and account settings are not kept.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context as _, Result};
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
        /// The shard's index in hexadecimal digits, a slash, and the sequence number.
        key: String,
        record: StoredRecord,
    },
    /// A stream that was deleted.
    Deleted(String),
}

/// A stream that an earlier run left.
struct Kept {
    stream: PersistentStream,
    records: BTreeMap<String, StoredRecord>,
}

/// What the file has of a stream.
#[derive(Debug, Clone, Default)]
struct Noted {
    /// When it was created, in seconds since 1970.
    created_at: f64,
    /// The stream without its records, as JSON.
    description: String,
    /// The key of each shard's last record.
    last_keys: HashMap<usize, String>,
}

/// The journal of the streams.
#[derive(Debug)]
pub(super) struct StreamJournal {
    file: JournalFile,
    noted: BTreeMap<String, Noted>,
    /// Whether something could not be written.
    is_behind: bool,
}

impl StreamJournal {
    /// Opens the journal, and fills an empty store with what an earlier run left in it.
    ///
    /// # Errors
    /// The file cannot be read or written. Lines that nobody can read are left out.
    pub(super) async fn open(path: &Path, store: &Store) -> Result<Self> {
        for kept in last_state(journal_file::read(path)?) {
            let restored = restore(store, kept).await;
            restored.with_context(|| format!("restoring the streams in {}", path.display()))?;
        }
        let mut noted = BTreeMap::new();
        let lines = find_new(store, &mut noted).await;
        let file = JournalFile::create(path, &lines)?;
        Ok(Self {
            file,
            noted,
            is_behind: false,
        })
    }

    /// Whether something could not be written. It is new the next time as well.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Notes what is new in the store; gives whether the file has all of it. A record with a lower number than one that was
    /// noted is overlooked, so whoever puts some waits for its turn.
    pub(super) async fn note(&mut self, store: &Store) -> bool {
        let mut noted = self.noted.clone();
        let lines = find_new(store, &mut noted).await;
        // Readers keep in the database how far they are, so a power cut must not take what they were told either.
        let is_kept = lines.is_empty() || (self.file.append(&lines) && self.file.flush());
        self.is_behind = !is_kept;
        if self.is_behind {
            return false;
        }
        self.noted = noted;
        if self.file.is_long() {
            let all = find_new(store, &mut BTreeMap::new()).await;
            self.file.rewrite(&all);
        }
        true
    }
}

/// The streams and records that a journal's lines come to.
fn last_state(lines: Vec<Line>) -> Vec<Kept> {
    let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
    for line in lines {
        match line {
            Line::Stream(stream) => {
                let created_at = stream.stream_creation_timestamp;
                let records = kept
                    .remove(&stream.name)
                    .filter(|known| known.stream.stream_creation_timestamp == created_at)
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
        if let Some((shard, number)) = numbered(&key)
            && let Some(counter) = counters.get_mut(shard)
        {
            *counter = (*counter).max(number + 1);
        }
        store.put_record(&name, &key, &record).await?;
    }
    store
        .delete_expired_records(&name, stream.retention_period_hours)
        .await;
    for (shard, counter) in counters.into_iter().enumerate() {
        count_up_to(store, &stream, shard, counter).await?;
    }
    Ok(())
}

/// The index of a record's shard, and the record's number in it.
fn numbered(key: &str) -> Option<(usize, u64)> {
    let (shard, sequence_number) = key.split_once('/')?;
    let number = parse_sequence(sequence_number).ok()?.seq_ix?;
    Some((usize::from_str_radix(shard, 16).ok()?, number))
}

/// Makes sure that a shard's next record has a higher sequence number than any before. ferrokinesis counts from one and
/// can only be told to count on, which takes some microseconds a number. A closed shard gets no more records.
async fn count_up_to(store: &Store, stream: &Stream, shard: usize, counter: u64) -> Result<()> {
    const AT_ONCE: usize = 1_000;
    let found = &stream.shards[shard];
    if found.sequence_number_range.ending_sequence_number.is_some() {
        return Ok(());
    }
    let (name, key) = (&stream.stream_name, found.hash_key_range.start_u128());
    let next = store.current_shard_seq(name, index(shard)).await;
    let mut missing = usize::try_from(counter.saturating_sub(next))?;
    while missing > 0 {
        let keys = vec![key; missing.min(AT_ONCE)];
        store.allocate_sequences_batch(name, &keys).await?;
        missing -= keys.len();
    }
    Ok(())
}

fn index(shard: usize) -> i64 {
    i64::try_from(shard).unwrap_or_default()
}

/// Finds what is in the store and was not noted yet, and counts it as noted.
async fn find_new(store: &Store, noted: &mut BTreeMap<String, Noted>) -> Vec<Line> {
    let mut lines = Vec::new();
    let names = store.list_stream_names().await;
    let gone = noted.extract_if(.., |name, _| !names.contains(name));
    lines.extend(gone.map(|(name, _)| Line::Deleted(name)));
    for name in names {
        // It may be gone by now.
        let Ok(stream) = store.get_stream(&name).await else {
            continue;
        };
        let noted = noted.entry(name.clone()).or_default();
        let created_at = stream.stream_creation_timestamp.0;
        if noted.created_at.total_cmp(&created_at).is_ne() {
            // Another one had that name, and its records are not this one's.
            *noted = Noted {
                created_at,
                ..Noted::default()
            };
        }
        lines.extend(find_change(store, &name, &stream, noted).await);
        for shard in 0..stream.shards.len() {
            lines.extend(find_records(store, &name, shard, noted).await);
        }
    }
    lines
}

/// A stream that is not as it was noted.
async fn find_change(
    store: &Store,
    name: &str,
    stream: &Stream,
    noted: &mut Noted,
) -> Option<Line> {
    let with = |counters| PersistentStream::from_stream(name.to_owned(), stream, counters);
    let description = serde_json::to_string(&with(Vec::new())).expect("streams always encode");
    if noted.description == description {
        return None;
    }
    noted.description = description;
    let mut counters = Vec::new();
    for shard in 0..stream.shards.len() {
        counters.push(store.current_shard_seq(name, index(shard)).await);
    }
    Some(Line::Stream(Box::new(with(counters))))
}

/// The records of a shard that came after the last one that was noted.
async fn find_records(store: &Store, name: &str, shard: usize, noted: &mut Noted) -> Vec<Line> {
    let hex = shard_ix_to_hex(index(shard));
    // A zero byte makes it the next key; a colon comes after all digits.
    let last = noted.last_keys.get(&shard);
    let from = last.map_or_else(|| format!("{hex}/"), |last| format!("{last}\0"));
    let records = store
        .get_records_range(name, &from, &format!("{hex}/:"))
        .await;
    if let Some((last, _)) = records.last() {
        noted.last_keys.insert(shard, last.clone());
    }
    let lines = records.into_iter().map(|(key, record)| Line::Record {
        stream: name.to_owned(),
        key,
        record,
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ferrokinesis::sequence::{SeqObj, stringify_sequence};
    use ferrokinesis::store::StoreOptions;
    use ferrokinesis::types::{
        EpochSeconds, HashKeyRange, SequenceNumberRange, Shard, StreamBuilder,
    };
    use tempfile::TempDir;

    use super::*;

    const NAME: &str = "Foo";

    fn store() -> Store {
        Store::new(StoreOptions::default())
    }

    fn file() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("streams.jsonl");
        (folder, path)
    }

    /// A stream of one shard.
    async fn create(store: &Store, created_at: u32) {
        let begin = SeqObj {
            shard_create_time: u64::from(created_at) * 1_000,
            seq_ix: Some(0),
            byte1: None,
            seq_time: None,
            seq_rand: None,
            shard_ix: 0,
            version: 2,
        };
        let shard = Shard {
            shard_id: "shardId-000000000000".to_owned(),
            hash_key_range: HashKeyRange::new("0".to_owned(), u128::MAX.to_string()),
            sequence_number_range: SequenceNumberRange {
                starting_sequence_number: stringify_sequence(&begin),
                ending_sequence_number: None,
            },
            parent_shard_id: None,
            adjacent_parent_shard_id: None,
        };
        let created_at = EpochSeconds(f64::from(created_at));
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/Foo".to_owned();
        let stream = StreamBuilder::new(
            NAME.to_owned(),
            arn,
            StreamStatus::Active,
            created_at,
            vec![shard],
        );
        store.put_stream(NAME, stream.build()).await.unwrap();
    }

    async fn put(store: &Store, letters: usize) -> String {
        let place = store.allocate_sequence(NAME, &0).await.unwrap();
        let record = StoredRecord {
            partition_key: "123".to_owned(),
            data: "a".repeat(letters),
            approximate_arrival_timestamp: 1_795_000_000.0,
        };
        let put = store.put_record(NAME, &place.stream_key, &record).await;
        put.unwrap();
        place.stream_key
    }

    async fn records(store: &Store) -> Vec<String> {
        store.get_record_store(NAME).await.into_keys().collect()
    }

    #[tokio::test]
    async fn a_file_that_was_written_anew_has_what_the_stream_has() {
        let (_folder, path) = file();
        let store = store();
        let mut journal = StreamJournal::open(&path, &store).await.unwrap();
        create(&store, 1).await;
        let mut keys = Vec::new();
        for _ in 0..40 {
            keys.push(put(&store, 100_000).await);
            journal.note(&store).await;
            // As records are that are older than their stream keeps them.
            let old: Vec<String> = keys.drain(..keys.len().saturating_sub(2)).collect();
            store.delete_record_keys(NAME, &old).await;
        }
        let length = std::fs::metadata(&path).unwrap().len();
        assert!(length < 1_500_000, "of 4,000,000: {length}");

        let next = self::store();
        StreamJournal::open(&path, &next).await.unwrap();

        let restored = records(&next).await;
        assert!(restored.ends_with(&keys), "{restored:?}");
        // Those that came since it was written anew are there, too old or not.
        assert!(restored.len() < 15, "of 40: {}", restored.len());
    }

    #[tokio::test]
    async fn numbers_go_on_after_those_of_records_that_are_not_kept_any_more() {
        let (_folder, path) = file();
        let store = store();
        create(&store, 1).await;
        let mut last = String::new();
        for _ in 0..5 {
            last = put(&store, 1).await;
        }
        store.delete_record_keys(NAME, &records(&store).await).await;
        let (shard, number) = numbered(&last).unwrap();
        StreamJournal::open(&path, &store).await.unwrap();

        for _restart in 0..2 {
            StreamJournal::open(&path, &self::store()).await.unwrap();
        }
        let next = self::store();
        StreamJournal::open(&path, &next).await.unwrap();

        // Nor do they run away from restart to restart: that would slow down each.
        assert_eq!(numbered(&put(&next, 1).await), Some((shard, number + 1)));
    }

    #[tokio::test]
    async fn a_stream_that_took_a_deleted_ones_name_has_none_of_its_records() {
        let (_folder, path) = file();
        let store = store();
        create(&store, 1).await;
        let old = put(&store, 1).await;
        let mut journal = StreamJournal::open(&path, &store).await.unwrap();
        store.delete_record_keys(NAME, &[old]).await;
        create(&store, 2).await;
        let new = put(&store, 1).await;
        journal.note(&store).await;

        let next = self::store();
        StreamJournal::open(&path, &next).await.unwrap();

        assert_eq!(records(&next).await, [new]);
    }

    #[tokio::test]
    async fn what_a_full_disk_did_not_take_is_written_once_there_is_room() {
        let (_folder, path) = file();
        let store = store();
        let mut journal = StreamJournal::open(&path, &store).await.unwrap();
        let disk = journal.file.fill_disk();
        create(&store, 1).await;
        let first = put(&store, 1).await;
        assert!(!journal.note(&store).await && journal.is_behind());
        journal.file.free_disk(disk);
        let second = put(&store, 1).await;
        assert!(journal.note(&store).await && !journal.is_behind());

        let next = self::store();
        StreamJournal::open(&path, &next).await.unwrap();

        assert_eq!(records(&next).await, [first, second]);
    }
}
