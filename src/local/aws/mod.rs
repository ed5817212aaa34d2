//! The embedded SNS and SQS: rustack's, on one port, speaking the real wire protocol.
//!
//! Any AWS client can use it; nothing in the rest of the program knows that it is not AWS. Composed
//! here are the listener, the way from topic to queue, the journal, and an end to long polls when
//! the program stops. Known gaps: one message of a FIFO group in each receive, no
//! `StartMessageMoveTask`, SQS in its JSON protocol only, no access control; what a topic cannot
//! deliver is dropped.

mod journal;
mod redrive;
mod strangers;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_LENGTH, HOST};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustack_sns_core::config::SnsConfig;
use rustack_sns_core::handler::RustackSnsHandler;
use rustack_sns_core::provider::RustackSns;
use rustack_sns_core::publisher::{DeliveryError, SqsPublisher};
use rustack_sns_http::dispatch::SnsHandler as _;
use rustack_sns_model::error::SnsError;
use rustack_sns_model::operations::SnsOperation;
use rustack_sqs_core::config::SqsConfig;
use rustack_sqs_core::handler::RustackSqsHandler;
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_http::dispatch::SqsHandler as _;
use rustack_sqs_model::error::SqsError;
use rustack_sqs_model::input::{
    CreateQueueInput, DeleteMessageBatchInput, DeleteMessageInput, DeleteQueueInput,
    GetQueueAttributesInput, PurgeQueueInput, ReceiveMessageInput, SendMessageBatchInput,
    SendMessageInput,
};
use rustack_sqs_model::operations::SqsOperation;
use rustack_sqs_model::output::{ReceiveMessageOutput, SendMessageOutput};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::journal::{Journal, Sent};
use self::redrive::RedrivePolicies;

/// The region of the embedded resources.
pub const REGION: &str = "us-east-1";

/// The account of the embedded resources.
pub const ACCOUNT: &str = "000000000000";

/// How often a long poll looks for what nobody tells it: a visibility timeout that ended, or a
/// message behind one that moved to the dead-letter queue.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A batch of ten messages of 1 MiB, with room for the encoding.
const MAX_REQUEST_BYTES: usize = 16 << 20;

/// The embedded SNS and SQS.
#[derive(Debug)]
pub struct LocalAws {
    url: String,
    open: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Endpoint {
    queues: Arc<Queues>,
    sqs: Arc<RustackSqsHandler>,
    sns: Arc<RustackSnsHandler>,
    redrive_policies: Arc<RedrivePolicies>,
    sqs_calls: Arc<AtomicU64>,
    open: Arc<AtomicBool>,
    /// How queues' URLs begin that nobody could use, because it listens on all addresses.
    anywhere: Option<String>,
    on_loopback: bool,
}

/// The queues, and what happens beside keeping messages.
struct Queues {
    provider: Arc<RustackSqs>,
    journal: Option<Journal>,
    /// Told when something happened that may make a message visible.
    changed: Notify,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl LocalAws {
    /// Serves on `listener` until `stopped`. From `stopping` on, long polls return at once.
    ///
    /// Messages are kept in `journal` over restarts; without one they end with the process.
    pub fn start(
        listener: TcpListener,
        journal: Option<&std::path::Path>,
        tasks: &TaskTracker,
        stopping: CancellationToken,
        stopped: CancellationToken,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let journal = journal.map(Journal::open).transpose()?;
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
        let topics = RustackSns::new(
            SnsConfig {
                skip_signature_validation: true,
                default_region: REGION.to_owned(),
                account_id: ACCOUNT.to_owned(),
                host: address.ip().to_string(),
                port: address.port(),
            },
            Arc::new(TopicToQueue(Arc::clone(&queues))),
        );
        let endpoint = Endpoint {
            queues,
            sqs: Arc::new(RustackSqsHandler::new(provider)),
            sns: Arc::new(RustackSnsHandler::new(Arc::new(topics))),
            redrive_policies: Arc::default(),
            sqs_calls: Arc::default(),
            open: Arc::default(),
            on_loopback: address.ip().is_loopback(),
            anywhere: address
                .ip()
                .is_unspecified()
                .then(|| format!("http://{address}/")),
        };
        let open = Arc::clone(&endpoint.open);
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
            .with_state(endpoint);
        let listener = listener.tap_io(|connection| {
            // Answers are small; waiting to fill a packet only delays them.
            let _fails_if_it_is_gone = connection.set_nodelay(true);
        });
        let server =
            axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned());
        tasks.spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the embedded SNS and SQS stopped");
            }
        });
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

/// SQS names its operation in a header, SNS in the form it is sent. Anybody who asks without
/// posting is told how many calls were answered, with 503 until it is open.
async fn answer(
    State(endpoint): State<Endpoint>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
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
        let service = serde_json::json!({"service": "SNS and SQS", "sqs_calls": calls});
        return (status, Json(service)).into_response();
    }
    let request_id = Uuid::new_v4().to_string();
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
        let policies = &self.redrive_policies;
        if let Some(done) = policies.set(operation, &parameters, request_id) {
            return Ok(done);
        }
        let response = self.sns.handle_operation(operation, body).await?;
        let response = response.map(axum::body::Body::new);
        Ok(policies.show(operation, &parameters, response).await)
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

impl Queues {
    async fn send(&self, input: SendMessageInput) -> Result<SendMessageOutput, SqsError> {
        let output = self.provider.send_message(input.clone()).await?;
        self.note_sent(output.message_id.as_deref(), input);
        self.changed.notify_waiters();
        Ok(output)
    }

    fn note_sent(&self, id: Option<&str>, input: SendMessageInput) {
        if let (Some(journal), Some(id)) = (&self.journal, id) {
            journal.sent(Sent {
                queue: queue_name(&input.queue_url).to_owned(),
                id: id.to_owned(),
                input,
            });
        }
    }

    async fn send_batch(
        &self,
        input: SendMessageBatchInput,
    ) -> Result<impl Serialize + use<>, SqsError> {
        let output = self.provider.send_message_batch(input.clone()).await?;
        for entry in input.entries {
            let sent = output.successful.iter().find(|done| done.id == entry.id);
            let id = sent.and_then(|done| serde_json::to_value(&done.message_id).ok());
            self.note_sent(
                id.as_ref().and_then(serde_json::Value::as_str),
                SendMessageInput {
                    queue_url: input.queue_url.clone(),
                    message_body: entry.message_body,
                    message_deduplication_id: entry.message_deduplication_id,
                    message_group_id: entry.message_group_id,
                    message_attributes: entry.message_attributes,
                    ..SendMessageInput::default()
                },
            );
        }
        Ok(output)
    }

    /// Waits as long as asked for the first message, but asks rustack without waiting: its own
    /// long poll overlooks the messages behind one that has just moved to the dead-letter queue.
    async fn receive(
        &self,
        mut input: ReceiveMessageInput,
    ) -> Result<ReceiveMessageOutput, SqsError> {
        let wait = match input.wait_time_seconds.replace(0) {
            Some(seconds) => seconds,
            None => self.default_wait(&input.queue_url).await?,
        };
        let wait = Duration::from_secs(u64::try_from(wait).unwrap_or(0));
        let deadline = Instant::now() + wait;
        let mut output = loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let output = self.provider.receive_message(input.clone()).await?;
            if !output.messages.is_empty() || Instant::now() >= deadline {
                break output;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = self.stopping.cancelled() => break output,
            }
        };
        if let Some(journal) = &self.journal {
            for message in &mut output.messages {
                let first_id = message
                    .message_id
                    .as_deref()
                    .and_then(|id| journal.received(id));
                message.message_id = first_id.or(message.message_id.take());
            }
        }
        Ok(output)
    }

    async fn delete(&self, input: DeleteMessageInput) -> Result<impl Serialize + use<>, SqsError> {
        let receipt = input.receipt_handle.clone();
        let output = self.provider.delete_message(input).await?;
        self.note_deleted(&receipt);
        Ok(output)
    }

    async fn delete_batch(
        &self,
        input: DeleteMessageBatchInput,
    ) -> Result<impl Serialize + use<>, SqsError> {
        let entries = input.entries.clone();
        let output = self.provider.delete_message_batch(input).await?;
        for done in &output.successful {
            if let Some(entry) = entries.iter().find(|entry| entry.id == done.id) {
                self.note_deleted(&entry.receipt_handle);
            }
        }
        Ok(output)
    }

    fn note_emptied(&self, queue: Option<String>) {
        if let (Some(journal), Some(queue)) = (&self.journal, queue) {
            journal.purged(&queue);
        }
    }

    async fn default_wait(&self, queue_url: &str) -> Result<i32, SqsError> {
        let name = "ReceiveMessageWaitTimeSeconds";
        let input = GetQueueAttributesInput {
            queue_url: queue_url.to_owned(),
            attribute_names: vec![name.to_owned()],
        };
        let output = self.provider.get_queue_attributes(input).await?;
        let wait = output
            .attributes
            .get(name)
            .and_then(|wait| wait.parse().ok());
        Ok(wait.unwrap_or(0))
    }

    /// A receipt handle of rustack is the base64 of `message id:time:nonce`.
    fn note_deleted(&self, receipt: &str) {
        let Some(journal) = &self.journal else {
            return;
        };
        let decoded = STANDARD.decode(receipt).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((id, _)) = decoded.as_deref().and_then(|text| text.split_once(':')) {
            journal.deleted(id);
        }
    }

    /// Creates a queue and sends it what an earlier run left for it, all of it even if the client
    /// does not wait for so long.
    async fn create(
        self: &Arc<Self>,
        input: CreateQueueInput,
    ) -> Result<impl Serialize + use<>, SqsError> {
        let name = input.queue_name.clone();
        let output = self.provider.create_queue(input).await?;
        if let Some(url) = output.queue_url.clone() {
            let filling = self.tasks.spawn(Arc::clone(self).fill(name, url));
            filling
                .await
                .map_err(|error| SqsError::internal_error(error.to_string()))?;
        }
        Ok(output)
    }

    async fn fill(self: Arc<Self>, name: String, url: String) {
        if let Some(journal) = &self.journal {
            for sent in journal.take_waiting(&name) {
                self.send_again(journal, sent, &url).await;
            }
        }
    }

    async fn send_again(&self, journal: &Journal, mut sent: Sent, url: &str) {
        url.clone_into(&mut sent.input.queue_url);
        if sent.input.message_group_id.is_some() {
            sent.input.message_deduplication_id = Some(sent.id.clone());
        }
        match self.provider.send_message(sent.input).await {
            Ok(output) => journal.resent(sent.id, output.message_id.unwrap_or_default()),
            Err(error) => tracing::error!(%error, "a kept message could not be sent again"),
        }
    }
}

/// What carries a topic's messages into its queues.
struct TopicToQueue(Arc<Queues>);

#[async_trait::async_trait]
impl SqsPublisher for TopicToQueue {
    fn validate(&self, queue_arn: &str) -> Result<(), DeliveryError> {
        let known = self.0.provider.queue_url_for_arn(queue_arn);
        known
            .map(|_| ())
            .map_err(|error| undeliverable(queue_arn, &error))
    }

    async fn send_message(
        &self,
        queue_arn: &str,
        message_body: &str,
        message_group_id: Option<&str>,
        message_deduplication_id: Option<&str>,
    ) -> Result<(), DeliveryError> {
        let failed = |error| undeliverable(queue_arn, &error);
        let input = SendMessageInput {
            queue_url: self
                .0
                .provider
                .queue_url_for_arn(queue_arn)
                .map_err(failed)?,
            message_body: message_body.to_owned(),
            message_group_id: message_group_id.map(str::to_owned),
            message_deduplication_id: message_deduplication_id.map(str::to_owned),
            ..SendMessageInput::default()
        };
        self.0.send(input).await.map_err(failed)?;
        Ok(())
    }
}

fn undeliverable(queue_arn: &str, error: &SqsError) -> DeliveryError {
    DeliveryError::SqsDeliveryFailed {
        queue_arn: queue_arn.to_owned(),
        reason: error.to_string(),
    }
}

fn queue_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
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
