//! The embedded Kinesis: ferrokinesis, which splits, merges and ends shards as AWS does.
//!
//! Known gaps: `UpdateShardCount` opens shards that name no parent, `GetRecords` names no child shards and mostly says
//! that nobody is behind, `AT_TIMESTAMP` after the last record begins at the shard's start, and nobody is throttled.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use ferrokinesis::store::{DurableStateOptions, StoreOptions};
use serde_json::{Value, json};
use tokio::sync::{Mutex, RwLock};
use tower::ServiceExt as _;

use super::queues::{ACCOUNT, REGION};

/// More than any stream of a café needs; a new account of AWS may have 200 or more.
const MOST_SHARDS: u32 = 200;

/// How often what was appended is dropped, in seconds: ferrokinesis appends the whole of what it keeps at each change.
const WRITE_EVERY: u64 = 10;

/// How often records are dropped that are older than their stream keeps them, in seconds.
const TRIM_EVERY: u64 = 60;

/// The streams, as a service that speaks Kinesis's protocol.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    router: Router,
    /// A record gets its number some time before it can be read, and an empty read moves on to now: what is being put
    /// would be stepped over. So nothing is read while something is put.
    putting: Arc<RwLock<()>>,
    /// One shard is split, or two are merged, at a time.
    resharding: Arc<Mutex<()>>,
}

/// Whether a request is for Kinesis.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    target(headers).starts_with("Kinesis_")
}

fn asks_for(headers: &HeaderMap, operation: &str) -> bool {
    target(headers).rsplit('.').next() == Some(operation)
}

fn target(headers: &HeaderMap) -> &str {
    let target = headers.get("x-amz-target");
    target
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default()
}

/// With how many shards a stream on demand begins (Kinesis Developer Guide, "Choose the data stream capacity mode").
/// ferrokinesis wants to be told.
const SHARDS_ON_DEMAND: u8 = 4;

fn with_shards(body: Bytes) -> Bytes {
    let Ok(mut wanted) = serde_json::from_slice::<Value>(&body) else {
        return body;
    };
    let is_on_demand = wanted["StreamModeDetails"]["StreamMode"] == "ON_DEMAND";
    if !is_on_demand || wanted.get("ShardCount").is_some() {
        return body;
    }
    wanted["ShardCount"] = SHARDS_ON_DEMAND.into();
    wanted.to_string().into()
}

/// Where ferrokinesis appends each change: eight letters, and then entries, each after its length in eight bytes.
const JOURNAL: &str = "wal.log";
const LETTERS: u64 = 8;
const LENGTH: u64 = 8;

/// Leaves the last entry of the journal that was written to its end. Each has all that is kept, so those before it would
/// only be read into memory; and behind one that a killed process did not finish, ferrokinesis would append, and the next
/// time take one for the other and not start any more.
fn keep_last_entry(journal: &Path) -> io::Result<()> {
    let mut file = match File::open(journal) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    if size < LETTERS {
        // Empty, it begins with them again.
        return File::create(journal).map(drop);
    }
    let (from, to) = find_last_entry(&mut file, size)?;
    if (from, to) == (LETTERS, size) {
        return Ok(());
    }
    let shorter = journal.with_extension("shorter");
    let mut kept = File::create(&shorter)?;
    file.rewind()?;
    io::copy(&mut (&file).take(LETTERS), &mut kept)?;
    file.seek(SeekFrom::Start(from))?;
    io::copy(&mut (&file).take(to - from), &mut kept)?;
    kept.sync_all()?;
    std::fs::rename(shorter, journal)
}

/// Where the last entry that was written to its end begins and ends; nowhere if there is none.
fn find_last_entry(file: &mut File, size: u64) -> io::Result<(u64, u64)> {
    let (mut begin, mut end) = (LETTERS, LETTERS);
    let mut length = [0; 8];
    while end + LENGTH <= size {
        file.seek(SeekFrom::Start(end))?;
        file.read_exact(&mut length)?;
        let next = (end + LENGTH).checked_add(u64::from_le_bytes(length));
        match next.filter(|next| *next <= size) {
            Some(next) => (begin, end) = (end, next),
            None => break,
        }
    }
    Ok((begin, end))
}

impl Streams {
    /// Opens what a folder keeps; without one, streams end with the process. Needs a runtime.
    pub(super) fn open(folder: Option<PathBuf>) -> Self {
        if let Some(folder) = &folder
            && let Err(error) = keep_last_entry(&folder.join(JOURNAL))
        {
            tracing::error!(%error, "the journal of the embedded Kinesis cannot be mended");
        }
        let durable = folder.map(|state_dir| DurableStateOptions {
            state_dir,
            snapshot_interval_secs: WRITE_EVERY,
            max_retained_bytes: None,
        });
        let (router, _store) = ferrokinesis::create_app(StoreOptions {
            shard_limit: MOST_SHARDS,
            retention_check_interval_secs: TRIM_EVERY,
            durable,
            aws_account_id: ACCOUNT.to_owned(),
            aws_region: REGION.to_owned(),
            ..StoreOptions::default()
        });
        // The endpoint has looked at the length; without this, axum takes 2 MB, and a call of AWS has more.
        Self {
            router: router.layer(DefaultBodyLimit::disable()),
            putting: Arc::default(),
            resharding: Arc::default(),
        }
    }

    pub(super) async fn answer(&self, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
        let body = if asks_for(&headers, "CreateStream") {
            with_shards(body)
        } else {
            body
        };
        let (_putting, _reading, _resharding);
        if asks_for(&headers, "SplitShard") || asks_for(&headers, "MergeShards") {
            _resharding = self.resharding.lock().await;
            if let Some(closed) = self.find_closed(&headers, &body).await {
                return not_open(&closed);
            }
        }
        if target(&headers).contains(".PutRecord") {
            _putting = self.putting.read().await;
        } else if asks_for(&headers, "GetRecords") {
            _reading = self.putting.write().await;
        }
        self.pass_on(uri, headers, body).await
    }

    async fn pass_on(&self, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let answer = self.router.clone().oneshot(request).await;
        answer.unwrap_or_else(|_never| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    /// A shard that is to be split or merged and takes no more records: ferrokinesis would open its children twice.
    async fn find_closed(&self, headers: &HeaderMap, body: &Bytes) -> Option<String> {
        let wanted: Value = serde_json::from_slice(body).ok()?;
        let stream = json!({"StreamName": wanted["StreamName"]}).to_string();
        let summary = self.ask(headers, "DescribeStreamSummary", &stream).await?;
        // While another change is under way, ferrokinesis says so.
        if summary["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE" {
            return None;
        }
        let listed = self.ask(headers, "ListShards", &stream).await?;
        let named = ["ShardToSplit", "ShardToMerge", "AdjacentShardToMerge"];
        let named: Vec<&str> = named
            .iter()
            .filter_map(|key| wanted[key].as_str())
            .collect();
        let mut shards = listed["Shards"].as_array()?.iter();
        let closed = shards.find(|shard| {
            let id = shard["ShardId"].as_str();
            let is_closed = shard["SequenceNumberRange"]["EndingSequenceNumber"].is_string();
            is_closed && id.is_some_and(|id| named.contains(&id))
        });
        closed.and_then(|shard| Some(shard["ShardId"].as_str()?.to_owned()))
    }

    /// Asks ferrokinesis something on behalf of whoever sent a request.
    async fn ask(&self, headers: &HeaderMap, operation: &str, body: &str) -> Option<Value> {
        let mut headers = headers.clone();
        headers.remove(CONTENT_LENGTH);
        let target = format!("Kinesis_20131202.{operation}");
        headers.insert("x-amz-target", target.parse().ok()?);
        let answer = self.pass_on(Uri::from_static("/"), headers, body.to_owned().into());
        let answer = to_bytes(answer.await.into_body(), usize::MAX).await.ok()?;
        serde_json::from_slice(&answer).ok()
    }
}

fn not_open(shard: &str) -> Response {
    let error = json!({
        "__type": "InvalidArgumentException",
        "message": format!("{shard} is closed: it was split or merged before"),
    });
    let kind = [(CONTENT_TYPE, "application/x-amz-json-1.1")];
    (StatusCode::BAD_REQUEST, kind, error.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_that_was_written_to_its_end_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join(JOURNAL);
        let entry = |text: &str| [&text.len().to_le_bytes(), text.as_bytes()].concat();
        let (letters, one, two) = (b"FKWALv2\n".as_slice(), entry("one"), entry("two"));
        let whole = [letters, &two].concat();
        let left = |written: &[&[u8]]| {
            std::fs::write(&journal, written.concat()).unwrap();
            keep_last_entry(&journal).unwrap();
            std::fs::read(&journal).unwrap()
        };

        assert_eq!(left(&[letters, &two]), whole);
        assert_eq!(left(&[letters, &one, &two]), whole);
        for torn in [
            entry("half")[..10].to_vec(),
            u64::MAX.to_le_bytes().to_vec(),
            vec![9, 0, 0],
        ] {
            assert_eq!(left(&[letters, &one, &two, &torn]), whole);
            assert_eq!(left(&[letters, &torn]), letters);
        }
        assert_eq!(left(&[letters]), letters);
        assert_eq!(left(&[b"FKW"]), b"");
        assert!(keep_last_entry(&folder.path().join("none")).is_ok());
    }
}
