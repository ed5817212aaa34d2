//! The embedded Kinesis: ferrokinesis, which splits, merges and ends shards as AWS does.
//!
//! Known gaps: `UpdateShardCount` opens shards that name no parent, `GetRecords` names no child shards and mostly says
//! that nobody is behind, `AT_TIMESTAMP` after the last record begins at the shard's start, and nobody is throttled.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use ferrokinesis::store::{Store, StoreOptions};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::queues::{ACCOUNT, REGION};
use super::stream_journal::StreamJournal;

/// More than any stream of a café needs; a new account of AWS may have 200 or more.
const MOST_SHARDS: u32 = 200;

/// How long a stream takes to be created, changed or deleted.
const TRANSITION: Duration = Duration::from_millis(500);

/// The commonest operations of which nothing comes later.
const AT_ONCE: [&str; 7] = [
    "DescribeStream",
    "DescribeStreamSummary",
    "GetRecords",
    "GetShardIterator",
    "ListShards",
    "PutRecord",
    "PutRecords",
];

/// How often records are dropped that are older than their stream keeps them, in seconds.
const TRIM_EVERY: u64 = 60;

/// The streams, as a service that speaks Kinesis's protocol.
#[derive(Clone)]
pub(super) struct Streams {
    router: Router,
    store: Store,
    /// One call is answered at a time. A record gets its number some time before it can be read or kept, and an empty
    /// read moves on to now: what is being put would be stepped over. And one shard would be split twice.
    turn: Arc<Mutex<Option<StreamJournal>>>,
    tasks: TaskTracker,
}

/// Whether a request is for Kinesis.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    target(headers).starts_with("Kinesis_")
}

fn operation(headers: &HeaderMap) -> &str {
    target(headers).rsplit('.').next().unwrap_or_default()
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

impl Streams {
    /// Opens what a file keeps; without one, streams end with the process.
    pub(super) async fn open(journal: Option<&Path>, tasks: TaskTracker) -> Result<Self> {
        let transition = u64::try_from(TRANSITION.as_millis())?;
        let (router, store) = ferrokinesis::create_app(StoreOptions {
            create_stream_ms: transition,
            update_stream_ms: transition,
            delete_stream_ms: transition,
            shard_limit: MOST_SHARDS,
            retention_check_interval_secs: TRIM_EVERY,
            aws_account_id: ACCOUNT.to_owned(),
            aws_region: REGION.to_owned(),
            ..StoreOptions::default()
        });
        let journal = match journal {
            Some(path) => Some(StreamJournal::open(path, &store).await?),
            None => None,
        };
        Ok(Self {
            // The endpoint has looked at the length; without this, axum takes 2 MB, and a call of AWS has more.
            router: router.layer(DefaultBodyLimit::disable()),
            store,
            turn: Arc::new(Mutex::new(journal)),
            tasks,
        })
    }

    pub(super) async fn answer(&self, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
        let answer = self.clone().answer_in_turn(uri, headers, body);
        // Whoever asked may hang up; what is in the store comes into the journal even so.
        let answer = self.tasks.spawn(answer).await;
        answer.unwrap_or_else(|_panic| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }

    /// Answers once the journal has all that the answer may tell, so that a restart takes nothing of it back.
    async fn answer_in_turn(self, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
        let operation = operation(&headers).to_owned();
        let mut turn = self.turn.lock().await;
        let Some(journal) = &mut *turn else {
            return self.carry_out(&operation, uri, headers, body).await;
        };
        if journal.is_behind() && !journal.note(&self.store).await {
            return not_kept();
        }
        let answer = self.carry_out(&operation, uri, headers, body).await;
        if !journal.note(&self.store).await {
            return not_kept();
        }
        if !AT_ONCE.contains(&operation.as_str()) {
            self.tasks.spawn(self.clone().note_later());
        }
        answer
    }

    /// Notes what comes of a call some time after its answer.
    async fn note_later(self) {
        tokio::time::sleep(TRANSITION * 2).await;
        if let Some(journal) = &mut *self.turn.lock().await {
            journal.note(&self.store).await;
        }
    }

    async fn carry_out(
        &self,
        operation: &str,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        let body = if operation == "CreateStream" {
            with_shards(body)
        } else {
            body
        };
        if let "SplitShard" | "MergeShards" = operation
            && let Some(closed) = self.find_closed(&headers, &body).await
        {
            return not_open(&closed);
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

/// What a disk that is full comes to. SDKs try again.
fn not_kept() -> Response {
    let error = json!({
        "__type": "InternalFailure",
        "message": "the journal of the streams cannot be written",
    });
    let kind = [(CONTENT_TYPE, "application/x-amz-json-1.1")];
    (StatusCode::INTERNAL_SERVER_ERROR, kind, error.to_string()).into_response()
}

fn not_open(shard: &str) -> Response {
    let error = json!({
        "__type": "InvalidArgumentException",
        "message": format!("{shard} is closed: it was split or merged before"),
    });
    let kind = [(CONTENT_TYPE, "application/x-amz-json-1.1")];
    (StatusCode::BAD_REQUEST, kind, error.to_string()).into_response()
}
