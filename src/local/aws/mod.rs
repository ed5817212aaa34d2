//! The embedded SNS, SQS and Kinesis, on one port, speaking the real wire protocols: rustack's SNS and SQS, and
//! ferrokinesis.
//!
//! Any AWS client can use it; nothing in the rest of the program knows that it is not AWS. Composed
//! here are the listener, what is kept over restarts, and an end to long polls when the program stops; [`sns`] has what
//! subscribes to topics. Known gaps: one message of a FIFO group in each receive, no
//! `StartMessageMoveTask`, SQS in its JSON protocol only, no access control; those of Kinesis stand in [`kinesis`] and [`stream_journal`].

mod journal_file;
mod kinesis;
mod queue_journal;
mod queues;
mod sns;
mod strangers;
mod stream_journal;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, HOST};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use rustack_sns_core::config::SnsConfig;
use rustack_sns_model::error::SnsError;
use rustack_sns_model::operations::SnsOperation;
use rustack_sqs_core::config::SqsConfig;
use rustack_sqs_core::handler::RustackSqsHandler;
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_http::dispatch::SqsHandler as _;
use rustack_sqs_model::error::SqsError;
use rustack_sqs_model::input::{DeleteQueueInput, PurgeQueueInput};
use rustack_sqs_model::operations::SqsOperation;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::kinesis::Streams;
use self::queue_journal::QueueJournal;
pub use self::queues::{ACCOUNT, REGION};
use self::queues::{Queues, queue_name};
use self::sns::Topics;
use crate::outgoing::Outgoing;

/// A batch of ten messages of 1 MiB, with room for the encoding.
const MAX_REQUEST_BYTES: usize = 16 << 20;

/// What is kept over restarts, and where; what is not ends with the process.
#[derive(Debug, Clone, Default)]
pub struct Keeping {
    /// The file for messages in queues.
    pub messages: Option<PathBuf>,
    /// The file for subscriptions of people and endpoints.
    pub subscriptions: Option<PathBuf>,
    /// The file for streams and their records.
    pub streams: Option<PathBuf>,
    /// What would have left this machine.
    pub outgoing: Outgoing,
}

/// The embedded SNS, SQS and Kinesis.
#[derive(Debug)]
pub struct LocalAws {
    url: String,
    open: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Endpoint {
    queues: Arc<Queues>,
    sqs: Arc<RustackSqsHandler>,
    topics: Arc<Topics>,
    streams: Streams,
    sqs_calls: Arc<AtomicU64>,
    open: Arc<AtomicBool>,
    /// How queues' URLs begin that nobody could use, because it listens on all addresses.
    anywhere: Option<String>,
    on_loopback: bool,
}

impl LocalAws {
    /// Serves on `listener` until `stopped`. From `stopping` on, long polls return at once.
    ///
    /// # Errors
    /// What an earlier run kept cannot be read or written.
    pub async fn start(
        listener: TcpListener,
        keeping: Keeping,
        tasks: &TaskTracker,
        stopping: CancellationToken,
        stopped: CancellationToken,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let journal = keeping.messages.as_deref();
        let journal = journal.map(QueueJournal::open).transpose()?;
        let provider = Arc::new(RustackSqs::new(SqsConfig {
            skip_signature_validation: true,
            default_region: REGION.to_owned(),
            account_id: ACCOUNT.to_owned(),
            host: address.ip().to_string(),
            port: address.port(),
        }));
        let queues = Arc::new(Queues {
            provider: Arc::clone(&provider),
            journal,
            changed: Notify::new(),
            stopping,
            tasks: tasks.clone(),
        });
        let topics = Topics::new(
            SnsConfig {
                skip_signature_validation: true,
                default_region: REGION.to_owned(),
                account_id: ACCOUNT.to_owned(),
                host: address.ip().to_string(),
                port: address.port(),
            },
            Arc::clone(&queues),
            keeping.outgoing,
            keeping.subscriptions.as_deref(),
        )?;
        let endpoint = Endpoint {
            queues,
            sqs: Arc::new(RustackSqsHandler::new(provider)),
            topics: Arc::new(topics),
            streams: Streams::open(keeping.streams.as_deref(), tasks.clone()).await?,
            sqs_calls: Arc::default(),
            open: Arc::default(),
            on_loopback: address.ip().is_loopback(),
            anywhere: address
                .ip()
                .is_unspecified()
                .then(|| format!("http://{address}/")),
        };
        let open = Arc::clone(&endpoint.open);
        tasks.spawn(serve(listener, endpoint, stopped));
        Ok(Self {
            url: format!("http://{address}"),
            open,
        })
    }

    /// Lets clients publish. Until the topic has its subscription, what they publish would be
    /// acknowledged and reach nobody.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// The endpoint for AWS clients.
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn serve(listener: TcpListener, endpoint: Endpoint, stopped: CancellationToken) {
    let router = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(endpoint);
    let listener = listener.tap_io(|connection| {
        // Answers are small; waiting to fill a packet only delays them.
        let _fails_if_it_is_gone = connection.set_nodelay(true);
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned());
    if let Err(error) = server.await {
        tracing::error!(%error, "the embedded SNS, SQS and Kinesis stopped");
    }
}

/// SQS and Kinesis name their operation in a header, SNS in the form it is sent. Anybody who asks without
/// posting is told how many calls were answered, with 503 until it is open.
async fn answer(
    State(endpoint): State<Endpoint>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request_id = Uuid::new_v4().to_string();
    // Whoever follows a link in a mail knows its token, so it does not matter where the link is.
    if method == Method::GET
        && let Some(followed) = {
            let query = uri.query().unwrap_or_default();
            let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
            let wants_page = accepts.is_some_and(|kinds| kinds.contains("text/html"));
            let topics = &endpoint.topics;
            topics.follow(uri.path(), query, wants_page, &request_id)
        }
    {
        return followed;
    }
    if let Some(why) = strangers::refuse(&headers, endpoint.on_loopback) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    if method != Method::POST {
        let calls = endpoint.sqs_calls.load(Ordering::Relaxed);
        let status = if endpoint.open.load(Ordering::Acquire) {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let service = serde_json::json!({"service": "SNS, SQS and Kinesis", "sqs_calls": calls});
        return (status, Json(service)).into_response();
    }
    if kinesis::is_asked(&headers) {
        return endpoint.streams.answer(uri, headers, body).await;
    }
    if !headers.contains_key("x-amz-target") {
        return endpoint.answer_sns(body, &request_id).await;
    }
    endpoint.sqs_calls.fetch_add(1, Ordering::Relaxed);
    match endpoint.answer_sqs(&headers, body, &request_id).await {
        Ok(response) => endpoint.name_as_asked(response, &headers).await,
        Err(error) => {
            let response = rustack_sqs_http::response::error_to_response(&error, &request_id);
            response.map(axum::body::Body::new).into_response()
        }
    }
}

impl Endpoint {
    async fn answer_sns(&self, body: Bytes, request_id: &str) -> Response {
        self.try_answer_sns(body, request_id)
            .await
            .unwrap_or_else(|error| {
                rustack_sns_http::response::error_to_response(&error, request_id)
                    .map(axum::body::Body::new)
            })
    }

    async fn try_answer_sns(&self, body: Bytes, request_id: &str) -> Result<Response, SnsError> {
        let parameters = rustack_sns_http::request::parse_form_params(&body);
        let operation = rustack_sns_http::router::resolve_operation(&parameters)?;
        if let SnsOperation::Publish | SnsOperation::PublishBatch = operation {
            if !self.open.load(Ordering::Acquire) {
                // SDKs try again.
                return Ok((StatusCode::SERVICE_UNAVAILABLE, "not open yet").into_response());
            }
            if is_too_long(&parameters) {
                let reason = "Invalid parameter: Message too long";
                return Err(SnsError::invalid_parameter(reason));
            }
        }
        self.topics.answer(operation, body, request_id).await
    }

    async fn answer_sqs(
        &self,
        headers: &HeaderMap,
        body: Bytes,
        request_id: &str,
    ) -> Result<Response, SqsError> {
        let queues = &self.queues;
        let operation = rustack_sqs_http::router::resolve_operation(headers)?;
        if operation == SqsOperation::ReceiveMessage {
            return json(&queues.receive(parse(&body)?).await?, request_id);
        }
        let response = self.change_sqs(operation, body, request_id).await;
        queues.changed.notify_waiters();
        response
    }

    /// Gives URLs of queues the host under which it was asked.
    async fn name_as_asked(&self, response: Response, headers: &HeaderMap) -> Response {
        let asked = headers.get(HOST).and_then(|host| host.to_str().ok());
        let (Some(anywhere), Some(asked), true) = (&self.anywhere, asked, gives_urls(headers))
        else {
            return response;
        };
        let (mut parts, body) = response.into_parts();
        let Ok(body) = axum::body::to_bytes(body, MAX_REQUEST_BYTES).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let text = String::from_utf8_lossy(&body);
        let named = text.replace(anywhere, &format!("http://{asked}/"));
        parts.headers.remove(CONTENT_LENGTH);
        Response::from_parts(parts, named.into())
    }

    async fn change_sqs(
        &self,
        operation: SqsOperation,
        body: Bytes,
        request_id: &str,
    ) -> Result<Response, SqsError> {
        let queues = &self.queues;
        match operation {
            SqsOperation::SendMessage => json(&queues.send(parse(&body)?).await?, request_id),
            SqsOperation::SendMessageBatch => {
                json(&queues.send_batch(parse(&body)?).await?, request_id)
            }
            SqsOperation::DeleteMessage => json(&queues.delete(parse(&body)?).await?, request_id),
            SqsOperation::DeleteMessageBatch => {
                json(&queues.delete_batch(parse(&body)?).await?, request_id)
            }
            SqsOperation::CreateQueue => json(&queues.create(parse(&body)?).await?, request_id),
            operation => {
                let emptied = emptied_by(operation, &body)?;
                let response = self.sqs.handle_operation(operation, body).await?;
                queues.note_emptied(emptied);
                Ok(response.map(axum::body::Body::new).into_response())
            }
        }
    }
}

/// Whether an operation of SQS answers with the URLs of queues, and nothing that clients wrote.
fn gives_urls(headers: &HeaderMap) -> bool {
    const OPERATIONS: [&str; 4] = [
        "AmazonSQS.CreateQueue",
        "AmazonSQS.GetQueueUrl",
        "AmazonSQS.ListQueues",
        "AmazonSQS.ListDeadLetterSourceQueues",
    ];
    let target = headers.get("x-amz-target");
    target.is_some_and(|target| OPERATIONS.iter().any(|operation| target == operation))
}

/// Whether a message would not fit into its queue once it is in its envelope. rustack would
/// acknowledge it and drop it.
fn is_too_long(parameters: &[(String, String)]) -> bool {
    const QUEUE_LIMIT: usize = 256 * 1024;
    const ENVELOPE: usize = 4 * 1024;
    let messages = parameters
        .iter()
        .filter(|(name, _)| name.ends_with("Message"));
    messages
        .map(|(_, message)| serde_json::Value::from(message.as_str()).to_string().len())
        .any(|length| length + ENVELOPE > QUEUE_LIMIT)
}

/// The queue that loses all its messages by an operation.
fn emptied_by(operation: SqsOperation, body: &[u8]) -> Result<Option<String>, SqsError> {
    let url = match operation {
        SqsOperation::PurgeQueue => parse::<PurgeQueueInput>(body)?.queue_url,
        SqsOperation::DeleteQueue => parse::<DeleteQueueInput>(body)?.queue_url,
        _ => return Ok(None),
    };
    Ok(Some(queue_name(&url).to_owned()))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body)
        .map_err(|error| SqsError::invalid_parameter_value(format!("unreadable request: {error}")))
}

fn json(output: &impl Serialize, request_id: &str) -> Result<Response, SqsError> {
    let json = serde_json::to_vec(output)
        .map_err(|error| SqsError::internal_error(format!("unwritable answer: {error}")))?;
    let response = rustack_sqs_http::response::json_response(json, request_id);
    Ok(response.map(axum::body::Body::new).into_response())
}
