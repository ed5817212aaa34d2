//! What SNS signs of a message to an HTTP(S) endpoint.
//!
//! SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".

use serde_json::{Map, Value};

const NOTIFICATION: &str = "Notification";

/// The fields that are signed, in their order.
const OF_NOTIFICATIONS: [&str; 6] = [
    "Message",
    "MessageId",
    "Subject",
    "Timestamp",
    "TopicArn",
    "Type",
];
const OF_CONFIRMATIONS: [&str; 7] = [
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
];

/// The text that is signed of a message: each field's name and value, each followed by a line break. A notification may
/// have no subject; whatever else is missing gives nothing.
pub fn signed_text(message: &Map<String, Value>) -> Option<String> {
    let kind = message.get("Type")?.as_str()?;
    let fields: &[&str] = if kind == NOTIFICATION {
        &OF_NOTIFICATIONS
    } else {
        &OF_CONFIRMATIONS
    };
    let mut text = String::new();
    for field in fields {
        let value = match message.get(*field) {
            None | Some(Value::Null) if *field == "Subject" => continue,
            value => value?.as_str()?,
        };
        text.extend([field, "\n", value, "\n"]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_signed_text_is_as_the_guide_writes_it() {
        let message = json!({
            "Type": "Notification",
            "MessageId": "4d4dc071-ddbf-465d-bba8-08f81c89da64",
            "TopicArn": "arn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P",
            "Subject": "My subject",
            "Message": "My message",
            "Timestamp": "2019-01-31T04:37:04.321Z",
        });
        let mut message = message.as_object().unwrap().clone();

        let text = signed_text(&message);

        assert_eq!(
            text.as_deref(),
            Some(
                "Message\nMy message\nMessageId\n4d4dc071-ddbf-465d-bba8-08f81c89da64\nSubject\nMy subject\nTimestamp\n\
                 2019-01-31T04:37:04.321Z\nTopicArn\narn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P\n\
                 Type\nNotification\n"
            )
        );
        message.remove("Subject");
        assert!(!signed_text(&message).unwrap().contains("Subject"));
        message.remove("Timestamp");
        assert_eq!(signed_text(&message), None);
    }
}
