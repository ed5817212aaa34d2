//! Reads a delivery as far as is needed to judge it. Nothing in it is believed yet.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::Url;

use super::error::DeliveryError;

/// SNS sends up to 256 KiB, in an envelope in which each character may be escaped.
pub const MAX_BYTES: usize = 512 * 1024;

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
    /// All of it, as it came.
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
        let parsed = serde_json::from_str(text).ok();
        let Some(Value::Object(fields)) = parsed else {
            return Err(DeliveryError::Malformed("it is no JSON object"));
        };
        let field = |name: &'static str| {
            let value = fields.get(name).and_then(Value::as_str);
            value.ok_or(DeliveryError::Malformed(name))
        };
        let kind = field("Type")?;
        if kind != message_type {
            return Err(DeliveryError::Malformed("its header and its Type differ"));
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
        let topic_arn = field("TopicArn")?;
        let (partition, region) = place_of(topic_arn)?;
        Ok(Self {
            kind,
            message_id: field("MessageId")?.to_owned(),
            topic_arn: topic_arn.to_owned(),
            region: region.to_owned(),
            is_in_china: partition == "aws-cn",
            timestamp: parse_timestamp(field("Timestamp")?)
                .ok_or(DeliveryError::Malformed("its Timestamp is none"))?,
            signature: field("Signature")?.to_owned(),
            certificate_url: field("SigningCertURL")?.to_owned(),
            body: text.to_owned(),
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
            .map_err(|_no_url| DeliveryError::Malformed("its TopicArn is none"))
    }
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
        _ => Err(DeliveryError::Malformed("its TopicArn is none")),
    }
}

/// A moment as SNS writes it.
fn parse_timestamp(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text).ok()?;
    Some(parsed.to_utc())
}
