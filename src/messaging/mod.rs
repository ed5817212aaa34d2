//! Queues and topics, as the rest of the program sees them. No AWS types in the signatures.

pub mod digest;
pub mod filter_policy;
pub mod kinesis;
mod role;
pub mod signature;
pub mod sns;
pub mod sqs;
pub mod subscribing;
pub mod wire;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use self::role::{
    ALERTS, ALERTS_TOPIC, DEAD_LETTERS, QueueRole, SUPPLIER_TOPIC, TopicRole, UNDELIVERED, UPDATES,
    UPDATES_TOPIC,
};
use crate::telemetry;

/// The most messages in one receive, delete, visibility change or publish (SQS and SNS quota).
pub const MAX_BATCH: usize = 10;

/// A message that was received and is invisible to others until its visibility timeout ends.
#[derive(Debug, Clone)]
pub struct ReceivedMessage {
    /// What the queue calls the message; stable over redeliveries.
    pub message_id: String,
    /// What to delete or release this delivery with.
    pub receipt: String,
    /// The message, hostile like all of it.
    pub body: String,
    /// The message group, on a FIFO queue.
    pub group: Option<String>,
    /// How often the message has been received, this time included.
    pub receive_count: u32,
    /// When the queue got it.
    pub sent_at: Option<DateTime<Utc>>,
    /// System attributes, all of them texts.
    pub attributes: BTreeMap<String, String>,
    pub message_attributes: BTreeMap<String, MessageAttribute>,
}

/// An attribute that a sender gave a message.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, perhaps with a label of the sender's: `Number.int`.
    #[serde(rename = "Type")]
    pub data_type: String,
    /// The value; Base64 of binary ones.
    pub value: String,
}

/// An entry of a batch call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedEntry {
    /// Its place in the batch that was sent.
    pub position: usize,
    /// Whether the same entry may succeed later; an expired receipt never does.
    pub retryable: bool,
}

/// Why a call to a queue or topic failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The network, a throttle or a fault of the service: try again later.
    #[error("{resource} did not answer: {detail}")]
    Unreachable {
        /// Which queue or topic.
        resource: String,
        detail: String,
    },
    /// The resource is gone or forbidden: somebody has to act.
    #[error("{resource} refused: {detail}")]
    Refused {
        /// Which queue or topic.
        resource: String,
        detail: String,
    },
}

/// A queue of updates.
pub trait Queue: Send + Sync + 'static {
    /// Receives up to `most` messages, ten at most, waiting up to `wait` for the first.
    ///
    /// Dropping the future may leave messages invisible until their timeout ends.
    fn receive(
        &self,
        most: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<ReceivedMessage>, ServiceError>> + Send;

    /// Deletes up to ten messages; tells those it could not.
    fn delete(
        &self,
        receipts: &[&str],
    ) -> impl Future<Output = Result<Vec<FailedEntry>, ServiceError>> + Send;

    /// Sets when up to ten messages become visible again, counted from now; zero releases them.
    fn change_visibility(
        &self,
        entries: &[(&str, Duration)],
    ) -> impl Future<Output = Result<Vec<FailedEntry>, ServiceError>> + Send;
}

/// A message to be published.
#[derive(Debug, Clone, Default)]
pub struct Publication {
    pub body: String,
    /// The subject, if it has one.
    pub subject: Option<Cow<'static, str>>,
    /// The message group; ignored by standard topics.
    pub group: String,
    /// The deduplication id. Without one a FIFO topic deduplicates by content, and then two honest
    /// deliveries of the same amount within five minutes are one.
    pub deduplication_id: Option<String>,
    pub attributes: Vec<(&'static str, AttributeValue)>,
    /// Whether the body is JSON with a text for each protocol (`MessageStructure` = `json`).
    pub has_parts: bool,
}

/// The value of an attribute that subscriptions filter by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    String(String),
    /// A filter lets it through if it lets one of these through (`String.Array`).
    Strings(Vec<String>),
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

/// A topic of updates.
pub trait Publisher: Send + Sync + 'static {
    /// Whether messages of one group arrive in the order in which they were published.
    fn keeps_order(&self) -> bool;

    /// Publishes up to ten messages; tells those it could not.
    fn publish(
        &self,
        batch: &[Publication],
    ) -> impl Future<Output = Result<Vec<FailedEntry>, ServiceError>> + Send;
}

/// What SQS, SNS and Kinesis answer when waiting cannot help: the resource is gone, or access is denied.
///
/// From the error lists of the three API references and their common errors.
const REFUSALS: [&str; 19] = [
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "InvalidAddress",
    "InvalidSecurity",
    "UnsupportedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "NotFound",
    "NotFoundException",
    "InvalidParameter",
    "KmsAccessDenied",
    "KmsDisabled",
    "KmsNotFound",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSNotFoundException",
    "ResourceNotFoundException",
    "InvalidClientTokenId",
];

/// Sorts a failed call by what helps. The detail names the whole chain of causes, but no bodies.
fn service_error(
    resource: String,
    code: Option<&str>,
    error: &(dyn std::error::Error + 'static),
) -> ServiceError {
    let chain = telemetry::chain(error);
    let detail = match code {
        Some(code) if !chain.starts_with(code) => format!("{code}: {chain}"),
        _ => chain,
    };
    if code.is_some_and(|code| REFUSALS.contains(&code)) {
        ServiceError::Refused { resource, detail }
    } else {
        ServiceError::Unreachable { resource, detail }
    }
}

/// Judges the answer to a batch that was empty on purpose. AWS looks at permissions first.
fn allowed(error: Option<ServiceError>) -> Result<(), ServiceError> {
    match error {
        Some(ServiceError::Unreachable { detail, .. } | ServiceError::Refused { detail, .. })
            if EMPTY_BATCH.iter().any(|code| detail.contains(code)) =>
        {
            Ok(())
        }
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// How SQS and SNS call an empty batch, in their old and new protocols.
const EMPTY_BATCH: [&str; 2] = ["EmptyBatchRequest", "MissingParameter"];

/// Lists the entries of a batch that are not among the successful ones; one that is in neither of
/// the answer's lists has failed too. `failed` gives ids and whether the sender is at fault.
fn failed_entries(sent: usize, successful: &[&str], failed: &[(&str, bool)]) -> Vec<FailedEntry> {
    (0..sent)
        .map(|position| (position, position.to_string()))
        .filter(|(_, id)| !successful.contains(&id.as_str()))
        .map(|(position, id)| FailedEntry {
            position,
            retryable: failed
                .iter()
                .find(|(failed, _)| *failed == id)
                .is_none_or(|(_, sender_fault)| !sender_fault),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_missing_from_both_lists_has_failed_too() {
        let entries = failed_entries(4, &["0"], &[("1", true), ("2", false)]);

        assert_eq!(
            entries,
            [(1, false), (2, true), (3, true)].map(|(position, retryable)| FailedEntry {
                position,
                retryable
            })
        );
    }
}
