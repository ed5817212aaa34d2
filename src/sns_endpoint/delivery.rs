//! Reads a delivery as far as is needed to judge it. Nothing in it is believed yet.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::error::DeliveryError;
use crate::messaging::wire;

/// SNS sends up to 256 KiB, in an envelope in which a character may become six (`\u0000`).
pub const MAX_BYTES: usize = 2 << 20;

/// What SNS wants of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Notification,
    SubscriptionConfirmation { token: String },
    UnsubscribeConfirmation,
}

/// A delivery.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) kind: Kind,
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    /// The region of the topic, letters, digits and hyphens.
    pub(super) region: String,
    /// Whether the topic is in one of AWS's Chinese regions.
    pub(super) is_in_china: bool,
    pub(super) timestamp: DateTime<Utc>,
    pub(super) signature: String,
    pub(super) certificate_url: String,
    pub(super) fields: Map<String, Value>,
    /// The envelope, with what is signed alone.
    pub(super) body: String,
}

impl Delivery {
    /// Reads it. `message_type` is what the header says it is.
    pub(super) fn read(message_type: &str, body: &[u8]) -> Result<Self, DeliveryError> {
        if body.len() > MAX_BYTES {
            return Err(DeliveryError::Malformed("it is too long"));
        }
        let text = str::from_utf8(body);
        let text = text.map_err(|_not_utf8| DeliveryError::Malformed("it is not UTF-8"))?;
        // As the decoder will: of two fields of one name, nobody can tell which is signed.
        let fields = wire::object_within(text).ok_or(DeliveryError::Malformed(
            "it is not a JSON object with each field once",
        ))?;
        let field = |name: &'static str| {
            let value = fields.get(name).and_then(Value::as_str);
            value.ok_or(DeliveryError::Missing(name))
        };
        let kind = field("Type")?;
        if kind != message_type {
            return Err(DeliveryError::Malformed(
                "its header x-amz-sns-message-type and its Type differ",
            ));
        }
        let kind = match kind {
            "Notification" => Kind::Notification,
            "SubscriptionConfirmation" => Kind::SubscriptionConfirmation {
                token: field("Token")?.to_owned(),
            },
            "UnsubscribeConfirmation" => Kind::UnsubscribeConfirmation,
            _ => return Err(DeliveryError::Malformed("its Type is unknown")),
        };
        match field("SignatureVersion")? {
            "2" => {}
            "1" => return Err(DeliveryError::OldSignature),
            _ => return Err(DeliveryError::Malformed("its SignatureVersion is unknown")),
        }
        check_lines(&fields)?;
        let topic_arn = field("TopicArn")?;
        let (partition, region) = place_of(topic_arn)?;
        Ok(Self {
            kind,
            message_id: field("MessageId")?.to_owned(),
            topic_arn: topic_arn.to_owned(),
            region: region.to_owned(),
            is_in_china: partition == "aws-cn",
            timestamp: parse_timestamp(field("Timestamp")?)
                .ok_or(DeliveryError::Malformed("its Timestamp is not a moment"))?,
            signature: field("Signature")?.to_owned(),
            certificate_url: field("SigningCertURL")?.to_owned(),
            body: signed_alone(&fields),
            fields,
        })
    }

    /// The host of SNS in the topic's region.
    pub(super) fn service_host(&self) -> String {
        let china = if self.is_in_china { ".cn" } else { "" };
        format!("sns.{}.amazonaws.com{china}", self.region)
    }

    pub(super) fn service_url(&self) -> Result<Url, DeliveryError> {
        let url = format!("https://{}/", self.service_host());
        url.parse()
            .map_err(|_no_url| DeliveryError::Malformed("its TopicArn is not the ARN of a topic"))
    }
}

/// Names and values are signed line by line. With a line break in any of them but the text, one could be moved into
/// another without a change of the signature, and a message would have another id.
fn check_lines(fields: &Map<String, Value>) -> Result<(), DeliveryError> {
    let id = fields.get("MessageId").and_then(Value::as_str);
    let id = id.ok_or(DeliveryError::Missing("MessageId"))?;
    if id.len() != 36 || Uuid::try_parse(id).is_err() {
        return Err(DeliveryError::Malformed("its MessageId is not a UUID"));
    }
    let has_breaks = |name: &&&str| {
        let value = fields.get(**name).and_then(Value::as_str);
        value.is_some_and(|value| value.contains(['\n', '\r']))
    };
    let one_line = ["Subject", "Timestamp", "Token", "TopicArn", "SubscribeURL"];
    match one_line.iter().find(has_breaks) {
        Some(_) => Err(DeliveryError::Malformed(
            "a field other than its Message has a line break",
        )),
        None => Ok(()),
    }
}

/// What SNS has not signed is not handed on.
fn signed_alone(fields: &Map<String, Value>) -> String {
    const SIGNED: [&str; 6] = [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
    ];
    let signed = SIGNED.into_iter().filter_map(|name| {
        let value = fields.get(name)?.clone();
        Some((name.to_owned(), value))
    });
    Value::Object(signed.collect()).to_string()
}

/// The partition and the region of a topic.
fn place_of(topic_arn: &str) -> Result<(&str, &str), DeliveryError> {
    let parts: Vec<&str> = topic_arn.splitn(6, ':').collect();
    let is_region = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !text.is_empty() && text.bytes().all(fits)
    };
    match parts[..] {
        ["arn", partition, "sns", region, _, _] if is_region(region) => Ok((partition, region)),
        _ => Err(DeliveryError::Malformed(
            "its TopicArn is not the ARN of a topic",
        )),
    }
}

/// A moment as SNS writes it.
fn parse_timestamp(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text).ok()?;
    Some(parsed.to_utc())
}
