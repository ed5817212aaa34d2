//! What others put around a message: SNS envelopes are opened, other wrappers named.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::values::{malformed, parse_moment, parse_object};
use crate::domain::{Refusal, UpdateId};

/// Envelopes within envelopes, as topics make them that pass messages on. More is no accident.
const MAX_DEPTH: usize = 4;

/// What envelopes say of the message in them.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// The topic that delivered it: that of the outermost envelope.
    pub(super) topic: Option<String>,
    /// Its identity: the SNS message id of the innermost envelope, which stays the same over every
    /// delivery, while SQS gives a new id to each copy.
    pub(super) id: Option<UpdateId>,
    /// The SNS message id of the outermost envelope, which its sender does not choose.
    pub(super) outermost: Option<UpdateId>,
    /// When it was first published.
    pub(super) sent_at: Option<DateTime<Utc>>,
    /// Whether there was an envelope at all.
    pub(super) any: bool,
}

/// What is in the envelopes.
#[derive(Debug)]
pub(super) enum Content {
    Object(Map<String, Value>),
    Text(String),
}

/// Opens SNS envelopes until there is none left.
///
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
pub(super) fn open(body: &str, opened: &mut Opened) -> Result<Content, Refusal> {
    let mut message = without_mark(body).to_owned();
    for _ in 0..=MAX_DEPTH {
        let Some(object) = parse_object(&message)? else {
            return Ok(Content::Text(message));
        };
        if !is_envelope(&object) {
            return match wrapper(&object) {
                Some(what) => Err(malformed(format!(
                    "It is {what}, not an update; take the update out of it before it is sent."
                ))),
                None => Ok(Content::Object(object)),
            };
        }
        without_mark(&open_one(&object, opened)?).clone_into(&mut message);
    }
    Err(malformed(format!(
        "It is in more than {MAX_DEPTH} SNS envelopes, one in the other."
    )))
}

/// Some programs put an invisible byte order mark in front.
fn without_mark(text: &str) -> &str {
    text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace())
}

fn is_envelope(object: &Map<String, Value>) -> bool {
    object.contains_key("Type")
}

fn open_one(envelope: &Map<String, Value>, opened: &mut Opened) -> Result<String, Refusal> {
    let text = |field| envelope.get(field).and_then(Value::as_str);
    if text("Type") != Some("Notification") {
        return Err(malformed(
            "The message is from SNS, but it is not a notification.",
        ));
    }
    if !opened.any {
        opened.topic = text("TopicArn").map(str::to_owned);
        opened.outermost = text("MessageId").map(|id| UpdateId::derive("sns", id));
        opened.any = true;
    }
    if let Some(message_id) = text("MessageId") {
        opened.id = Some(UpdateId::derive("sns", message_id));
    }
    opened.sent_at = text("Timestamp").and_then(parse_moment).or(opened.sent_at);
    let message = text("Message").map(str::to_owned);
    message.ok_or_else(|| malformed("The SNS envelope has no message in it."))
}

/// Names what other services put around a message.
fn wrapper(object: &Map<String, Value>) -> Option<&'static str> {
    let has = |fields: &[&str]| fields.iter().all(|field| object.contains_key(*field));
    let record = || object.get("Records")?.get(0)?.as_object();
    let source = || {
        let record = record()?;
        let source = record.get("eventSource").or(record.get("EventSource"))?;
        source.as_str()
    };
    if has(&["detail-type", "detail"]) {
        return Some("an event of Amazon EventBridge");
    }
    if object.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Some("a test message of Amazon S3");
    }
    if has(&["Records"]) {
        return Some(match source() {
            Some("aws:s3") => "a notification of Amazon S3",
            Some("aws:sns") => "an SNS event as Lambda gets it",
            Some("aws:sqs") => "an SQS event as Lambda gets it",
            _ => "a list of records of another service",
        });
    }
    if has(&["specversion", "source", "type"]) {
        return Some("a CloudEvent");
    }
    if has(&["AlarmName"]) {
        return Some("an alarm of Amazon CloudWatch");
    }
    if has(&["default"]) && !has(&["version"]) {
        return Some("a message with a text for each protocol (MessageStructure “json”)");
    }
    None
}
