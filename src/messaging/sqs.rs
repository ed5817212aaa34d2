//! A [`Queue`] on SQS.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use uuid::Uuid;

use super::{
    FailedEntry, MessageAttribute, Queue, ReceivedMessage, ServiceError, allowed, failed_entries,
    service_error,
};

#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
    visibility: Duration,
}

/// How many messages a queue holds; SQS calls these numbers approximate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be received.
    pub visible: i64,
    /// Received and not deleted yet.
    pub in_flight: i64,
}

/// What a queue's redrive policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    pub dead_letter_queue_arn: String,
    /// After how many receives.
    pub max_receive_count: u32,
}

impl SqsQueue {
    /// Uses the queue at `url`; received messages are invisible to others for `visibility`.
    pub fn new(client: Client, url: String, visibility: Duration) -> Self {
        Self {
            client,
            url,
            visibility,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Finds the queue that messages are moved to, and after how many receives.
    pub async fn redrive(&self) -> Result<Option<Redrive>, ServiceError> {
        let attribute = QueueAttributeName::RedrivePolicy;
        let answer = self.attributes([attribute.clone()]).await?;
        let policy = answer
            .get(&attribute)
            .and_then(|policy| serde_json::from_str::<serde_json::Value>(policy).ok());
        Ok(policy.and_then(|policy| {
            let count = &policy["maxReceiveCount"];
            let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
            Some(Redrive {
                dead_letter_queue_arn: policy["deadLetterTargetArn"].as_str()?.to_owned(),
                max_receive_count: u32::try_from(count).ok()?,
            })
        }))
    }

    /// Asks how many messages there are.
    pub async fn depth(&self) -> Result<Depth, ServiceError> {
        let visible = QueueAttributeName::ApproximateNumberOfMessages;
        let in_flight = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let answer = self
            .attributes([visible.clone(), in_flight.clone()])
            .await?;
        let number = |name| answer.get(name).and_then(|n: &String| n.parse().ok());
        Ok(Depth {
            visible: number(&visible).unwrap_or_default(),
            in_flight: number(&in_flight).unwrap_or_default(),
        })
    }

    pub async fn arn(&self) -> Result<Option<String>, ServiceError> {
        let attribute = QueueAttributeName::QueueArn;
        Ok(self
            .attributes([attribute.clone()])
            .await?
            .remove(&attribute))
    }

    /// Asks to delete and release nothing at all: whoever may not do it is told so, and whoever
    /// may is told that the batch is empty.
    pub async fn may_settle(&self) -> Result<(), ServiceError> {
        let delete = self.client.delete_message_batch().queue_url(&self.url);
        let delete = delete.set_entries(Some(Vec::new())).send().await;
        allowed(delete.err().map(|error| self.failure(&error)))?;
        let release = self.client.change_message_visibility_batch();
        let release = release.queue_url(&self.url).set_entries(Some(Vec::new()));
        let release = release.send().await;
        allowed(release.err().map(|error| self.failure(&error)))
    }

    async fn attributes<const N: usize>(
        &self,
        names: [QueueAttributeName; N],
    ) -> Result<std::collections::HashMap<QueueAttributeName, String>, ServiceError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .map_err(|error| self.failure(&error))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    fn failure<E, R>(&self, error: &SdkError<E, R>) -> ServiceError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        failure(&self.url, error)
    }
}

impl Queue for SqsQueue {
    async fn receive(
        &self,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<ReceivedMessage>, ServiceError> {
        let mut request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(small(most))
            .wait_time_seconds(seconds(wait))
            .visibility_timeout(seconds(self.visibility))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        if is_fifo(&self.url) {
            // The SDK repeats a failed call with the same id, and SQS then gives the same messages
            // again instead of leaving them invisible behind the lost answer.
            request = request.receive_request_attempt_id(Uuid::now_v7().to_string());
        }
        let answer = request.send().await.map_err(|error| self.failure(&error))?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(delivery)
            .collect())
    }

    async fn delete(&self, receipts: &[&str]) -> Result<Vec<FailedEntry>, ServiceError> {
        let entries = receipts
            .iter()
            .enumerate()
            .map(|(position, receipt)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(position.to_string())
                    .receipt_handle(*receipt)
                    .build()
                    .expect("id and receipt are set")
            })
            .collect();
        let answer = self
            .client
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| self.failure(&error))?;
        let done: Vec<&str> = answer.successful.iter().map(|e| e.id.as_str()).collect();
        Ok(failed_entries(
            receipts.len(),
            &done,
            &faults(&answer.failed),
        ))
    }

    async fn change_visibility(
        &self,
        entries: &[(&str, Duration)],
    ) -> Result<Vec<FailedEntry>, ServiceError> {
        let requests = entries
            .iter()
            .enumerate()
            .map(|(position, (receipt, delay))| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(position.to_string())
                    .receipt_handle(*receipt)
                    .visibility_timeout(seconds(*delay))
                    .build()
                    .expect("id and receipt are set")
            })
            .collect();
        let answer = self
            .client
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(requests))
            .send()
            .await
            .map_err(|error| self.failure(&error))?;
        let done: Vec<&str> = answer.successful.iter().map(|e| e.id.as_str()).collect();
        Ok(failed_entries(
            entries.len(),
            &done,
            &faults(&answer.failed),
        ))
    }
}

fn faults(failed: &[BatchResultErrorEntry]) -> Vec<(&str, bool)> {
    failed
        .iter()
        .map(|entry| (entry.id.as_str(), entry.sender_fault))
        .collect()
}

fn delivery(message: Message) -> ReceivedMessage {
    let system = message.attributes.unwrap_or_default();
    let system = |name| system.get(&name).cloned();
    let own = message.message_attributes.unwrap_or_default();
    let message_attributes = own
        .into_iter()
        .filter_map(|(name, value)| Some((name, message_attribute(value)?)))
        .collect();
    let mut attributes = BTreeMap::new();
    for name in [
        MessageSystemAttributeName::SenderId,
        MessageSystemAttributeName::SequenceNumber,
        MessageSystemAttributeName::MessageDeduplicationId,
        MessageSystemAttributeName::DeadLetterQueueSourceArn,
        MessageSystemAttributeName::AwsTraceHeader,
    ] {
        if let Some(value) = system(name.clone()) {
            attributes.insert(name.as_str().to_owned(), value);
        }
    }
    let count = system(MessageSystemAttributeName::ApproximateReceiveCount);
    let sent = system(MessageSystemAttributeName::SentTimestamp);
    ReceivedMessage {
        message_id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        group: system(MessageSystemAttributeName::MessageGroupId),
        receive_count: count.and_then(|n| n.parse().ok()).unwrap_or(1),
        sent_at: sent
            .and_then(|ms| ms.parse().ok())
            .and_then(DateTime::from_timestamp_millis),
        attributes,
        message_attributes,
    }
}

fn message_attribute(value: MessageAttributeValue) -> Option<MessageAttribute> {
    let binary = value.binary_value.map(|bytes| STANDARD.encode(bytes));
    Some(MessageAttribute {
        data_type: value.data_type,
        value: value.string_value.or(binary)?,
    })
}

/// Finds the URL of the queue with this ARN.
///
/// # Errors
/// The queue is not there, or cannot be asked for.
pub async fn find_url(client: &Client, arn: &str) -> Result<String, ServiceError> {
    let name = last_part(arn);
    let found = client.get_queue_url().queue_name(name).send().await;
    let found = found.map_err(|error| failure(arn, &error))?;
    Ok(found.queue_url.unwrap_or_default())
}

/// Sorts the SDK's errors by whether waiting can help.
fn failure<E, R>(url_or_arn: &str, error: &SdkError<E, R>) -> ServiceError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let name = last_part(url_or_arn);
    let code = error.as_service_error().and_then(|e| e.code());
    service_error(format!("the SQS queue {name}"), code, error)
}

/// Whether two URLs name the same queue, perhaps by different endpoints.
pub fn is_same(url: &str, other: &str) -> bool {
    last_part(url) == last_part(other)
}

/// The name at the end of a URL or ARN.
pub(super) fn last_part(url_or_arn: &str) -> &str {
    let url = url_or_arn.trim_end_matches('/');
    url.rsplit(['/', ':']).next().unwrap_or(url)
}

/// FIFO queues and topics are known by the suffix that SQS and SNS insist on.
#[expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "it is no file, and AWS compares the case"
)]
pub fn is_fifo(name_or_url_or_arn: &str) -> bool {
    name_or_url_or_arn.ends_with(".fifo")
}

/// Whole seconds, as the API wants them; a started second counts, 12 hours are the most (quota).
fn seconds(duration: Duration) -> i32 {
    const TWELVE_HOURS: u64 = 43_200;
    let started = u64::from(duration.subsec_nanos() > 0);
    i32::try_from((duration.as_secs() + started).min(TWELVE_HOURS)).unwrap_or(0)
}

fn small(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_whole_seconds_within_the_quota() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_secs(100_000)), 43_200);
    }
}
