//! A message on its way to subscribers, in the form that each of them gets.

use rustack_sns_model::input::PublishInput;
use rustack_sns_model::types::MessageAttributeValue;
use serde_json::{Map, Value, json};

use super::signer::Signer;
use super::subscriptions::Subscription;
use crate::messaging::signature::signed_text;

/// What was published, with what SNS has added.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) input: PublishInput,
    pub(super) id: String,
    pub(super) topic_arn: String,
    /// When it was published, as SNS writes it.
    pub(super) timestamp: String,
    /// Of a FIFO topic.
    pub(super) deduplication_id: Option<String>,
}

impl Notice {
    /// The text for a protocol: where there is one for each, its own or the default.
    pub(super) fn text(&self, protocol: &str) -> String {
        if self.input.message_structure.as_deref() != Some("json") {
            return self.input.message.clone();
        }
        let parts: Value = serde_json::from_str(&self.input.message).unwrap_or_default();
        let part = [protocol, "default"];
        let part = part.iter().find_map(|name| parts[*name].as_str());
        part.unwrap_or(&self.input.message).to_owned()
    }

    /// The attributes as filter policies see them. Binary ones are not looked at.
    pub(super) fn filterable(&self) -> Map<String, Value> {
        let attributes = self.input.message_attributes.iter();
        attributes
            .filter_map(|(name, value)| Some((name.clone(), filterable(value)?)))
            .collect()
    }

    /// The envelope that subscribers get who do not ask for the raw message.
    pub(super) fn envelope(&self, subscription: &Subscription, site: &str) -> Map<String, Value> {
        let mut fields = json!({
            "Type": "Notification",
            "MessageId": self.id,
            "TopicArn": self.topic_arn,
            "Message": self.text(&subscription.protocol),
            "Timestamp": self.timestamp,
            "SignatureVersion": "2",
            "Signature": "EXAMPLE",
            "SigningCertURL": format!("{site}{}", super::signer::CERTIFICATE_PATH),
            "UnsubscribeURL": unsubscribe_url(site, &subscription.arn),
        });
        if let Some(subject) = &self.input.subject {
            fields["Subject"] = json!(subject);
        }
        if !self.input.message_attributes.is_empty() {
            let attributes = self.input.message_attributes.iter();
            let attributes: Map<String, Value> = attributes
                .map(|(name, value)| (name.clone(), enveloped(value)))
                .collect();
            fields["MessageAttributes"] = Value::Object(attributes);
        }
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

/// Signs an envelope, for those who look at signatures.
pub(super) fn sign(fields: &mut Map<String, Value>, signer: &Signer) {
    let signature = signed_text(fields).and_then(|text| signer.sign(&text));
    if let Some(signature) = signature {
        fields.insert("Signature".to_owned(), json!(signature));
    }
}

pub(super) fn unsubscribe_url(site: &str, subscription_arn: &str) -> String {
    format!("{site}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}")
}

fn filterable(value: &MessageAttributeValue) -> Option<Value> {
    let text = value.string_value.as_ref()?;
    Some(match value.data_type.as_str() {
        "String.Array" => serde_json::from_str(text).ok()?,
        kind if kind.starts_with("Number") => serde_json::from_str(text).ok()?,
        _ => json!(text),
    })
}

fn enveloped(value: &MessageAttributeValue) -> Value {
    let text = value.string_value.as_ref().or(value.binary_value.as_ref());
    json!({"Type": value.data_type, "Value": text})
}
