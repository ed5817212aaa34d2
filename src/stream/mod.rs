//! The stream of stock movements: every movement is put on it, and a consumer learns from it how fast beans are used.
//!
//! The [`StreamRelay`] reads the ledger and puts [records](StreamRecord) on a Kinesis data stream, in each bean's order.
//! The [`StreamConsumer`] takes its share of the shards; a [`ShardReader`] reads each and applies it page by page: it
//! adds up each bean's stock a second time, without ever looking into the ledger, so that an audit can compare the two,
//! and notes what was used on each day, from which days left are forecast.

mod apply;
mod consumer;
mod fold;
mod forecasts;
mod next_records;
mod reader;
mod readings;
mod record;
mod relay;
mod shard_task;

pub use self::consumer::StreamConsumer;
pub use self::forecasts::StreamForecasts;
pub use self::reader::{ShardReader, Step, StepError};
pub use self::record::{Content, InvalidRecord, Snapshot, StreamRecord, StreamedMovement, Undone};
pub use self::relay::{RelayError, StreamRelay, Streamed};
