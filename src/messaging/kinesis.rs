//! A stream and its shards, as the rest of the program sees them, and that on Kinesis.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};
use chrono::{DateTime, Utc};

use super::{ServiceError, service_error};
use crate::domain::Shard;

/// The most records in one call (Kinesis API Reference, `PutRecords`).
pub const MAX_RECORDS: usize = 500;

/// How much is put in one call at most. `PutRecords` takes 10 MiB, or 5 by older pages, and a call that is refused as a
/// whole would be refused for ever.
pub const MAX_BYTES: usize = 4 << 20;

/// Records of one `GetRecords`: of ours, 300 have 9 MiB at most. After an answer of 10 MiB, Kinesis refuses reads of the
/// shard for five seconds (API Reference, `GetRecords`).
pub const READ_LIMIT: usize = 300;

/// A record to be put on the stream.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Records of one key stay in order.
    pub key: String,
    pub data: Vec<u8>,
}

/// A record that was read.
#[derive(Debug, Clone)]
pub struct Record {
    pub key: String,
    pub data: Vec<u8>,
    /// Its place in the shard: digits, more than any integer type holds.
    pub sequence_number: String,
    /// When the stream took it.
    pub arrived_at: Option<DateTime<Utc>>,
}

/// Some records of a shard.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub records: Vec<Record>,
    /// Where to go on; `None` if the shard ends here.
    pub next: Option<String>,
    /// How far the stream says that this is behind its newest record, in milliseconds.
    pub behind_ms: i64,
}

/// Where to begin in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<'a> {
    /// At the oldest record that is kept.
    TrimHorizon,
    /// After the record with this sequence number.
    AfterSequenceNumber(&'a str),
}

/// A stream's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub arn: String,
    /// Nothing can be put on it before it is `ACTIVE`; while it is `UPDATING`, all works.
    pub status: String,
    pub created_at: DateTime<Utc>,
    /// Whether AWS sees to the number of shards.
    pub is_on_demand: bool,
    pub open_shards: i32,
    pub retention_hours: i32,
    /// The key it is encrypted with.
    pub key: Option<String>,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It was not used for five minutes. Another one can be had.
    #[error("the iterator has expired")]
    Expired,
    /// More was read from the shard than it gives: a second's pause helps.
    #[error("the shard was read too fast")]
    Throttled,
    /// The record to begin after is not kept any more. Kinesis may begin at the oldest one that is without a word, so
    /// that only the gap in a bean's movements tells.
    #[error("the record to begin after is not there any more")]
    Trimmed,
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Why no shard was split or merged.
#[derive(Debug, thiserror::Error)]
pub enum ReshardError {
    /// A stream that is being resharded takes no other change meanwhile.
    #[error("the stream is being resharded")]
    Busy,
    /// It was split or merged before, or has one key only, or they are no neighbours.
    #[error("the shard is not open")]
    NotOpen,
    /// The account has as many shards as it may have, or too much was asked of it in a second.
    #[error("no more shards can be opened")]
    Limit,
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// A stream of records in shards.
pub trait DataStream: Send + Sync + 'static {
    /// Puts up to 500 records on the stream; gives the places of those it did not take. Kinesis promises no order
    /// within a call, so a call has one record of each partition key at most.
    fn put_records(
        &self,
        records: &[NewRecord],
    ) -> impl Future<Output = Result<Vec<usize>, ServiceError>> + Send;

    /// Tells how the stream stands.
    fn describe(&self) -> impl Future<Output = Result<Description, ServiceError>> + Send;

    /// Lists all shards that still have records or take some.
    fn list_shards(&self) -> impl Future<Output = Result<Vec<Shard>, ServiceError>> + Send;

    /// Gives what to read a shard with.
    fn shard_iterator(
        &self,
        shard: &str,
        start: Start<'_>,
    ) -> impl Future<Output = Result<String, ReadError>> + Send;

    /// Reads some records; at most so many.
    fn get_records(
        &self,
        iterator: &str,
        most: usize,
    ) -> impl Future<Output = Result<Page, ReadError>> + Send;
}

/// A stream at Kinesis.
#[derive(Debug, Clone)]
pub struct KinesisStream {
    client: Client,
    name: String,
}

impl KinesisStream {
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Asks to put a record without a key: whoever may not put any is told so, and whoever may is told what is
    /// wrong with it.
    ///
    /// # Errors
    /// It may not, or nobody answers.
    pub async fn may_put(&self) -> Result<(), ServiceError> {
        let record = NewRecord {
            key: String::new(),
            data: Vec::new(),
        };
        let call = self.client.put_records().stream_name(&self.name);
        match call.records(entry(&record)).send().await {
            Ok(_) => Ok(()),
            Err(error) => match code(&error) {
                Some("ValidationException" | "InvalidArgumentException") => Ok(()),
                _ => Err(self.failure(&error)),
            },
        }
    }

    /// Splits a shard in the middle of its keys.
    ///
    /// # Errors
    /// It is not open, or has one key only; the stream is being resharded; or Kinesis does not answer.
    pub async fn split(&self, shard: &Shard) -> Result<(), ReshardError> {
        let (first, last) = shard.hash_keys();
        let middle = first + (last - first) / 2 + 1;
        let call = self.client.split_shard().stream_name(&self.name);
        let call = call.shard_to_split(&shard.id);
        let split = call.new_starting_hash_key(middle.to_string()).send().await;
        split
            .map(drop)
            .map_err(|error| self.reshard_failure(&error))
    }

    /// Merges a shard with the one whose keys come after its own.
    ///
    /// # Errors
    /// They are not open or not neighbours; the stream is being resharded; or Kinesis does not answer.
    pub async fn merge(&self, shard: &str, next: &str) -> Result<(), ReshardError> {
        let call = self.client.merge_shards().stream_name(&self.name);
        let call = call.shard_to_merge(shard).adjacent_shard_to_merge(next);
        let merged = call.send().await;
        merged
            .map(drop)
            .map_err(|error| self.reshard_failure(&error))
    }

    /// Sorts the SDK's errors by whether waiting can help.
    fn failure<E, R>(&self, error: &SdkError<E, R>) -> ServiceError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        service_error(format!("the stream {}", self.name), code(error), error)
    }

    /// What to say of an answer without what every answer has.
    fn unusable_answer(&self, detail: &str) -> ServiceError {
        ServiceError::Unreachable {
            resource: format!("the stream {}", self.name),
            detail: detail.to_owned(),
        }
    }

    fn reshard_failure<E, R>(&self, error: &SdkError<E, R>) -> ReshardError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        match code(error) {
            Some("ResourceInUseException") => ReshardError::Busy,
            Some("InvalidArgumentException") => ReshardError::NotOpen,
            Some("LimitExceededException") => ReshardError::Limit,
            _ => self.failure(error).into(),
        }
    }

    fn read_failure<E, R>(&self, error: &SdkError<E, R>) -> ReadError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        match code(error) {
            // The second if the clock of whoever made the iterator was ahead.
            Some("ExpiredIteratorException" | "InvalidArgumentException") => ReadError::Expired,
            Some(
                "ProvisionedThroughputExceededException"
                | "LimitExceededException"
                | "KMSThrottlingException",
            ) => ReadError::Throttled,
            _ => self.failure(error).into(),
        }
    }
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(|error| error.code())
}

fn entry(record: &NewRecord) -> PutRecordsRequestEntry {
    let entry = PutRecordsRequestEntry::builder().partition_key(&record.key);
    let entry = entry.data(Blob::new(record.data.as_slice())).build();
    entry.expect("data and key are set")
}

fn listed(shard: &aws_sdk_kinesis::types::Shard) -> Shard {
    let keys = shard.hash_key_range();
    let numbers = shard.sequence_number_range();
    Shard {
        id: shard.shard_id().to_owned(),
        parent: shard.parent_shard_id().map(str::to_owned),
        adjacent_parent: shard.adjacent_parent_shard_id().map(str::to_owned),
        first_hash: keys.map_or("", |keys| keys.starting_hash_key()).to_owned(),
        last_hash: keys.map_or("", |keys| keys.ending_hash_key()).to_owned(),
        is_closed: numbers.is_some_and(|numbers| numbers.ending_sequence_number().is_some()),
    }
}

/// A record as it was read; `None` without a sequence number, which nobody could go on after.
fn arrived(record: aws_sdk_kinesis::types::Record) -> Option<Record> {
    let number = record.sequence_number;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Record {
        key: record.partition_key.unwrap_or_default(),
        data: record.data.into_inner(),
        sequence_number: number,
        arrived_at: record
            .approximate_arrival_timestamp
            .as_ref()
            .and_then(moment),
    })
}

fn moment(at: &aws_sdk_kinesis::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), at.subsec_nanos())
}

impl DataStream for KinesisStream {
    async fn put_records(&self, records: &[NewRecord]) -> Result<Vec<usize>, ServiceError> {
        debug_assert!(records.len() <= MAX_RECORDS, "Kinesis takes 500 at a time");
        let entries = records.iter().map(entry);
        let call = self.client.put_records().stream_name(&self.name);
        let answer = call.set_records(Some(entries.collect())).send().await;
        let answer = answer.map_err(|error| self.failure(&error))?;
        // Answers stand in the order of the records; one that is missing was not taken.
        let taken = answer.records().iter();
        let taken =
            taken.map(|entry| entry.error_code().is_none() && entry.sequence_number().is_some());
        let taken = taken.chain(std::iter::repeat(false));
        let places = taken.take(records.len()).enumerate();
        Ok(places
            .filter(|(_, taken)| !taken)
            .map(|(place, _)| place)
            .collect())
    }

    async fn describe(&self) -> Result<Description, ServiceError> {
        let call = self
            .client
            .describe_stream_summary()
            .stream_name(&self.name);
        let answer = call.send().await.map_err(|error| self.failure(&error))?;
        let Some(summary) = answer.stream_description_summary() else {
            return Err(self.unusable_answer("Kinesis described nothing"));
        };
        let mode = summary.stream_mode_details();
        Ok(Description {
            arn: summary.stream_arn().to_owned(),
            status: summary.stream_status().as_str().to_owned(),
            created_at: moment(summary.stream_creation_timestamp()).unwrap_or_default(),
            is_on_demand: mode.is_some_and(|mode| mode.stream_mode().as_str() == "ON_DEMAND"),
            open_shards: summary.open_shard_count(),
            retention_hours: summary.retention_period_hours(),
            key: summary.key_id().map(str::to_owned),
        })
    }

    async fn list_shards(&self) -> Result<Vec<Shard>, ServiceError> {
        let mut shards = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let call = self.client.list_shards();
            // With a token, the name is refused.
            let call = match &next {
                Some(token) => call.next_token(token),
                None => call.stream_name(&self.name),
            };
            let answer = call.send().await.map_err(|error| self.failure(&error))?;
            shards.extend(answer.shards().iter().map(listed));
            next = answer.next_token;
            if next.is_none() {
                return Ok(shards);
            }
        }
    }

    async fn shard_iterator(&self, shard: &str, start: Start<'_>) -> Result<String, ReadError> {
        let call = self.client.get_shard_iterator().stream_name(&self.name);
        let call = match start {
            Start::TrimHorizon => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Start::AfterSequenceNumber(number) => call
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(number),
        };
        let answer = call.shard_id(shard).send().await;
        let answer = answer.map_err(|error| match (start, code(&error)) {
            (Start::AfterSequenceNumber(_), Some("InvalidArgumentException")) => ReadError::Trimmed,
            _ => self.read_failure(&error),
        })?;
        answer.shard_iterator.ok_or(ReadError::Expired)
    }

    async fn get_records(&self, iterator: &str, most: usize) -> Result<Page, ReadError> {
        let call = self.client.get_records().shard_iterator(iterator);
        let answer = call
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .send()
            .await;
        let answer = answer.map_err(|error| self.read_failure(&error))?;
        let records: Option<Vec<Record>> = answer.records.into_iter().map(arrived).collect();
        let Some(records) = records else {
            return Err(self
                .unusable_answer("Kinesis gave a record without a sequence number")
                .into());
        };
        Ok(Page {
            records,
            next: answer.next_shard_iterator,
            behind_ms: answer.millis_behind_latest.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_a_sequence_number_is_none() {
        let numbered = |number: &str| {
            let record = aws_sdk_kinesis::types::Record::builder().sequence_number(number);
            let record = record.data(Blob::new("{}")).partition_key("7");
            arrived(record.build().unwrap())
        };

        assert!(numbered("").is_none());
        assert!(numbered("LATEST").is_none());
        let number = "4".repeat(56);
        let record = numbered(&number).unwrap();
        assert_eq!(
            (record.sequence_number, record.key),
            (number, "7".to_owned())
        );
    }
}
