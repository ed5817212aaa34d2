//! Publishing: one message, a batch, or a text message to a number.

use std::collections::HashSet;

use rustack_sns_http::request::{
    get_optional_param, get_required_param, parse_message_attributes, parse_publish_batch_entries,
};
use rustack_sns_model::error::{SnsError, SnsErrorCode};
use rustack_sns_model::input::PublishInput;

use super::fan_out::PUBLISHED;
use super::subscriptions::invalid;
use super::{Parameters, Topics, xml};
use crate::outgoing::Way;

/// As many entries one batch has.
const MOST_ENTRIES: usize = 10;

impl Topics {
    /// Publishes, and gives the message's id and place.
    async fn publish(&self, input: PublishInput) -> Result<(String, Option<String>), SnsError> {
        let subject = input.subject.as_deref().unwrap_or_default();
        if subject.len() >= 100 || subject.chars().any(char::is_control) {
            // SNS API Reference, `Publish`.
            return Err(invalid(
                "Subject: it is 100 characters long or more, or has a line break",
            ));
        }
        let publishing = self.provider.publish(input.clone());
        let output = PUBLISHED.scope(input, publishing).await?;
        Ok((
            output.message_id.unwrap_or_default(),
            output.sequence_number,
        ))
    }

    pub(super) async fn publish_one(
        &self,
        parameters: &Parameters,
    ) -> Result<(String, Option<String>), SnsError> {
        let text = |name: &str| get_optional_param(parameters, name).map(str::to_owned);
        let message = get_required_param(parameters, "Message")?;
        if let Some(number) = text("PhoneNumber") {
            let (to, text) = (number, message.to_owned());
            self.fan_out.ways.show(Way::Sms, to, String::new(), text);
            return Ok((uuid::Uuid::new_v4().to_string(), None));
        }
        let input = PublishInput {
            topic_arn: text("TopicArn"),
            target_arn: text("TargetArn"),
            phone_number: None,
            message: message.to_owned(),
            subject: text("Subject"),
            message_structure: text("MessageStructure"),
            message_attributes: parse_message_attributes(parameters, "MessageAttributes")?,
            message_deduplication_id: text("MessageDeduplicationId"),
            message_group_id: text("MessageGroupId"),
        };
        self.publish(input).await
    }

    pub(super) async fn publish_batch(
        &self,
        parameters: &Parameters,
        request_id: &str,
    ) -> Result<String, SnsError> {
        let topic_arn = get_required_param(parameters, "TopicArn")?;
        self.topic_attributes(topic_arn)?;
        let entries = parse_publish_batch_entries(parameters)?;
        let ids: HashSet<&String> = entries.iter().map(|entry| &entry.id).collect();
        let refused = match entries.len() {
            0 => Some((SnsErrorCode::EmptyBatchRequest, "it has no entries")),
            number if number > MOST_ENTRIES => Some((
                SnsErrorCode::TooManyEntriesInBatchRequest,
                "it has more than ten entries",
            )),
            number if number > ids.len() => Some((
                SnsErrorCode::BatchEntryIdsNotDistinct,
                "two entries have one id",
            )),
            _ => None,
        };
        if let Some((code, why)) = refused {
            return Err(SnsError::new(code, format!("The batch request: {why}")));
        }
        let mut answers = Vec::with_capacity(entries.len());
        for entry in entries {
            let input = PublishInput {
                topic_arn: Some(topic_arn.to_owned()),
                target_arn: None,
                phone_number: None,
                message: entry.message,
                subject: entry.subject,
                message_structure: entry.message_structure,
                message_attributes: entry.message_attributes,
                message_deduplication_id: entry.message_deduplication_id,
                message_group_id: entry.message_group_id,
            };
            answers.push((entry.id, self.publish(input).await));
        }
        Ok(xml::batch(&answers, request_id))
    }
}
