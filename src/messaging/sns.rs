//! A [`Publisher`] for SNS.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::sqs::{is_fifo, last_part};
use super::{
    AttributeValue, FailedEntry, MAX_BATCH, Publication, Publisher, ServiceError, allowed,
    failed_entries, service_error,
};

#[derive(Debug, Clone)]
pub struct SnsPublisher {
    client: Client,
    topic_arn: String,
}

/// How a queue is subscribed to the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// Without the SNS envelope. That works, but SNS message ids are lost.
    pub raw: bool,
    /// Only messages that match a filter policy come through.
    pub filtered: bool,
    /// What cannot be delivered goes to a dead-letter queue instead of being dropped.
    pub keeps_undelivered: bool,
}

impl SnsPublisher {
    /// Publishes to the topic.
    pub fn new(client: Client, topic_arn: String) -> Self {
        Self { client, topic_arn }
    }

    /// Makes sure that the topic is there, and asks to publish nothing at all: whoever may not do
    /// it is told so, and whoever may is told that the batch is empty.
    pub async fn may_publish(&self) -> Result<(), ServiceError> {
        let attributes = self.client.get_topic_attributes();
        let found = attributes.topic_arn(&self.topic_arn).send().await;
        found.map_err(|error| self.failure(&error))?;
        let publish = self.client.publish_batch().topic_arn(&self.topic_arn);
        let publish = publish.set_publish_batch_request_entries(Some(Vec::new()));
        let publish = publish.send().await;
        allowed(publish.err().map(|error| self.failure(&error)))
    }

    /// Finds the subscription of a queue to the topic.
    pub async fn subscription_of(
        &self,
        queue_arn: &str,
    ) -> Result<Option<Subscription>, ServiceError> {
        let list = self.client.list_subscriptions_by_topic();
        let list = list.topic_arn(&self.topic_arn);
        let mut pages = list.into_paginator().items().send();
        while let Some(found) = pages.next().await {
            let found = found.map_err(|error| self.failure(&error))?;
            if found.endpoint() != Some(queue_arn) {
                continue;
            }
            let arn = found.subscription_arn().unwrap_or_default();
            let attributes = self.client.get_subscription_attributes();
            let answer = attributes.subscription_arn(arn).send().await;
            let attributes = answer
                .map_err(|error| self.failure(&error))?
                .attributes
                .unwrap_or_default();
            let is = |name: &str, value: &str| attributes.get(name).is_some_and(|v| v == value);
            return Ok(Some(Subscription {
                raw: is("RawMessageDelivery", "true"),
                filtered: attributes.contains_key("FilterPolicy"),
                keeps_undelivered: attributes.contains_key("RedrivePolicy"),
            }));
        }
        Ok(None)
    }

    fn entry(&self, position: usize, publication: &Publication) -> PublishBatchRequestEntry {
        let mut entry = PublishBatchRequestEntry::builder()
            .id(position.to_string())
            .message(&publication.body)
            .set_subject(publication.subject.as_deref().map(str::to_owned));
        if publication.has_parts {
            entry = entry.message_structure("json");
        }
        for (name, value) in &publication.attributes {
            entry = entry.message_attributes(*name, attribute(value));
        }
        if is_fifo(&self.topic_arn) {
            entry = entry
                .message_group_id(&publication.group)
                .set_message_deduplication_id(publication.deduplication_id.clone());
        }
        entry.build().expect("id and message are set")
    }

    /// Sorts the SDK's errors by whether waiting can help.
    fn failure<E, R>(&self, error: &SdkError<E, R>) -> ServiceError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let name = last_part(&self.topic_arn);
        let code = error.as_service_error().and_then(|e| e.code());
        service_error(format!("the SNS topic {name}"), code, error)
    }
}

fn attribute(value: &AttributeValue) -> MessageAttributeValue {
    let (data_type, value) = match value {
        AttributeValue::String(text) => ("String", text.clone()),
        AttributeValue::Strings(texts) => ("String.Array", serde_json::json!(texts).to_string()),
    };
    MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()
        .expect("the type is set")
}

impl Publisher for SnsPublisher {
    fn keeps_order(&self) -> bool {
        is_fifo(&self.topic_arn)
    }

    /// Ten updates are at most 80 KiB, a third of what SNS takes in one batch (256 KiB); of the messages about alerts,
    /// there is one a minute.
    async fn publish(&self, batch: &[Publication]) -> Result<Vec<FailedEntry>, ServiceError> {
        debug_assert!(batch.len() <= MAX_BATCH, "SNS takes ten at a time");
        let entries = batch
            .iter()
            .enumerate()
            .map(|(position, publication)| self.entry(position, publication))
            .collect();
        let answer = self
            .client
            .publish_batch()
            .topic_arn(&self.topic_arn)
            .set_publish_batch_request_entries(Some(entries))
            .send()
            .await
            .map_err(|error| self.failure(&error))?;
        let done: Vec<&str> = answer
            .successful()
            .iter()
            .filter_map(|entry| entry.id.as_deref())
            .collect();
        let faults: Vec<(&str, bool)> = answer
            .failed()
            .iter()
            .map(|entry| (entry.id.as_str(), entry.sender_fault))
            .collect();
        Ok(failed_entries(batch.len(), &done, &faults))
    }
}
