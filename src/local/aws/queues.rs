//! The embedded SQS: rustack's queues, with a journal and long polls that end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_model::error::SqsError;
use rustack_sqs_model::input::{
    CreateQueueInput, DeleteMessageBatchInput, DeleteMessageInput, GetQueueAttributesInput,
    ReceiveMessageInput, SendMessageBatchInput, SendMessageInput,
};
use rustack_sqs_model::output::{ReceiveMessageOutput, SendMessageOutput};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::queue_journal::{QueueJournal, Sent};

/// The region of the embedded resources.
pub const REGION: &str = "us-east-1";

/// The account of the embedded resources.
pub const ACCOUNT: &str = "000000000000";

/// How often a long poll looks for what nobody tells it: a visibility timeout that ended, or a
/// message behind one that moved to the dead-letter queue.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The queues, and what happens beside keeping messages.
pub(super) struct Queues {
    pub(super) provider: Arc<RustackSqs>,
    pub(super) journal: Option<QueueJournal>,
    /// Told when something happened that may make a message visible.
    pub(super) changed: Notify,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Queues {
    pub(super) async fn send(
        &self,
        input: SendMessageInput,
    ) -> Result<SendMessageOutput, SqsError> {
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

    pub(super) async fn send_batch(
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
    pub(super) async fn receive(
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

    pub(super) async fn delete(
        &self,
        input: DeleteMessageInput,
    ) -> Result<impl Serialize + use<>, SqsError> {
        let receipt = input.receipt_handle.clone();
        let output = self.provider.delete_message(input).await?;
        self.note_deleted(&receipt);
        Ok(output)
    }

    pub(super) async fn delete_batch(
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

    pub(super) fn note_emptied(&self, queue: Option<String>) {
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
    pub(super) async fn create(
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

    async fn send_again(&self, journal: &QueueJournal, mut sent: Sent, url: &str) {
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

pub(super) fn queue_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}
