//! A stream that does what no emulator can be made to do: let iterators expire, throttle, lose what it kept, and
//! refuse some records of a call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use beanstock::domain::Shard;
use beanstock::messaging::ServiceError;
use beanstock::messaging::kinesis::{
    DataStream, Description, NewRecord, Page, ReadError, Record, Start,
};
use chrono::DateTime;

/// What happens instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Expired,
    Throttled,
    /// Whoever asks may not read it.
    Refused,
    /// No answer, if more than so many records are asked for.
    TooLong(usize),
}

/// A stream in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeStream(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    shards: BTreeMap<String, FakeShard>,
    /// For each read to come.
    faults: VecDeque<Fault>,
    /// For each put to come: the places that are refused.
    refusals: VecDeque<Vec<usize>>,
    /// How many answers to puts are lost: the stream has taken the records.
    lost_answers: usize,
    puts: Vec<Vec<String>>,
    number: u64,
}

#[derive(Debug, Default)]
struct FakeShard {
    parent: Option<String>,
    records: Vec<Record>,
    /// Those before it are not kept any more.
    oldest: usize,
    is_closed: bool,
}

impl FakeStream {
    /// A stream of shards without parents.
    pub(crate) fn of(shards: &[&str]) -> Self {
        let stream = Self::default();
        for shard in shards {
            stream.add_shard(shard, None);
        }
        stream
    }

    pub(crate) fn add_shard(&self, shard: &str, parent: Option<&str>) {
        let added = FakeShard {
            parent: parent.map(str::to_owned),
            ..FakeShard::default()
        };
        self.state().shards.insert(shard.to_owned(), added);
    }

    /// Puts a record into a shard.
    pub(crate) fn push(&self, shard: &str, key: &str, data: &[u8]) {
        let mut state = self.state();
        state.number += 1;
        let record = Record {
            key: key.to_owned(),
            data: data.to_vec(),
            sequence_number: format!("{:056}", state.number),
            arrived_at: DateTime::from_timestamp(1_795_344_127, 0),
        };
        state.shards.get_mut(shard).unwrap().records.push(record);
    }

    pub(crate) fn close(&self, shard: &str) {
        self.state().shards.get_mut(shard).unwrap().is_closed = true;
    }

    /// Keeps only the newest so many records of a shard.
    pub(crate) fn keep_newest(&self, shard: &str, number: usize) {
        let mut state = self.state();
        let shard = state.shards.get_mut(shard).unwrap();
        shard.oldest = shard.records.len() - number;
    }

    pub(crate) fn fail_next_reads(&self, faults: &[Fault]) {
        self.state().faults.extend(faults);
    }

    /// Has the next puts refuse records, by their places.
    pub(crate) fn refuse(&self, refusals: &[&[usize]]) {
        let refusals = refusals.iter().map(|places| places.to_vec());
        self.state().refusals.extend(refusals);
    }

    /// Loses the answer to the next put: its records are taken, and nobody is told.
    pub(crate) fn lose_next_answer(&self) {
        self.state().lost_answers += 1;
    }

    /// The keys of each call that put something.
    pub(crate) fn puts(&self) -> Vec<Vec<String>> {
        self.state().puts.clone()
    }

    /// What a shard holds.
    pub(crate) fn records(&self, shard: &str) -> Vec<Record> {
        self.state().shards[shard].records.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn no_answer() -> ServiceError {
    ServiceError::Unreachable {
        resource: "the stream".to_owned(),
        detail: "no answer".to_owned(),
    }
}

fn refused() -> ServiceError {
    ServiceError::Refused {
        resource: "the stream".to_owned(),
        detail: "not authorized".to_owned(),
    }
}

impl DataStream for FakeStream {
    async fn put_records(&self, records: &[NewRecord]) -> Result<Vec<usize>, ServiceError> {
        let refused = {
            let mut state = self.state();
            state
                .puts
                .push(records.iter().map(|record| record.key.clone()).collect());
            state.refusals.pop_front().unwrap_or_default()
        };
        let shard = self.state().shards.keys().next().unwrap().clone();
        for (place, record) in records.iter().enumerate() {
            if !refused.contains(&place) {
                self.push(&shard, &record.key, &record.data);
            }
        }
        if self.state().lost_answers > 0 {
            self.state().lost_answers -= 1;
            return Err(no_answer());
        }
        Ok(refused)
    }

    async fn describe(&self) -> Result<Description, ServiceError> {
        Ok(Description {
            arn: String::new(),
            status: "ACTIVE".to_owned(),
            created_at: DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
            is_on_demand: false,
            open_shards: 1,
            retention_hours: 24,
            key: None,
        })
    }

    async fn list_shards(&self) -> Result<Vec<Shard>, ServiceError> {
        let state = self.state();
        let shards = state.shards.iter().map(|(id, shard)| Shard {
            id: id.clone(),
            parent: shard.parent.clone(),
            adjacent_parent: None,
            first_hash: "0".to_owned(),
            last_hash: "0".to_owned(),
            is_closed: shard.is_closed,
        });
        Ok(shards.collect())
    }

    async fn shard_iterator(&self, shard: &str, start: Start<'_>) -> Result<String, ReadError> {
        let state = self.state();
        let place = match start {
            Start::TrimHorizon => state.shards[shard].oldest,
            Start::AfterSequenceNumber(number) => {
                let records = &state.shards[shard].records;
                let at = records
                    .iter()
                    .position(|record| record.sequence_number == number);
                let next = at.unwrap() + 1;
                if next < state.shards[shard].oldest {
                    return Err(ReadError::Trimmed);
                }
                next
            }
        };
        Ok(format!("{shard}/{place}"))
    }

    async fn get_records(&self, iterator: &str, most: usize) -> Result<Page, ReadError> {
        let mut state = self.state();
        match state.faults.pop_front() {
            Some(Fault::Expired) => return Err(ReadError::Expired),
            Some(Fault::Throttled) => return Err(ReadError::Throttled),
            Some(Fault::Refused) => return Err(refused().into()),
            Some(Fault::TooLong(bearable)) if most > bearable => {
                state.faults.push_front(Fault::TooLong(bearable));
                return Err(no_answer().into());
            }
            Some(Fault::TooLong(_)) | None => {}
        }
        let (shard, place) = iterator.split_once('/').unwrap();
        let place: usize = place.parse().unwrap();
        let found = &state.shards[shard];
        let records: Vec<Record> = found
            .records
            .iter()
            .skip(place)
            .take(most.min(10))
            .cloned()
            .collect();
        let next = place + records.len();
        let is_end = found.is_closed && records.is_empty();
        Ok(Page {
            records,
            next: (!is_end).then(|| format!("{shard}/{next}")),
            behind_ms: 0,
        })
    }
}
