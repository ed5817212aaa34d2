//! The answers of SNS's query protocol, in XML.

use std::collections::BTreeMap;

use rustack_sns_http::response::XmlWriter;
use rustack_sns_model::error::SnsError;

use super::subscriptions::Subscription;
use crate::local::aws::queues::ACCOUNT;

/// What `ListSubscriptions` gives in place of an ARN while nobody has confirmed.
const PENDING: &str = "PendingConfirmation";

/// An answer with a result that `write` fills.
fn answer(operation: &str, request_id: &str, write: impl FnOnce(&mut XmlWriter)) -> String {
    let mut xml = XmlWriter::new();
    xml.start_response(operation);
    xml.start_result(operation);
    write(&mut xml);
    xml.end_element(&format!("{operation}Result"));
    xml.write_response_metadata(request_id);
    xml.end_element(&format!("{operation}Response"));
    xml.into_string()
}

pub(super) fn done(operation: &str, request_id: &str) -> String {
    answer(operation, request_id, |_| {})
}

pub(super) fn subscription_arn(operation: &str, arn: &str, request_id: &str) -> String {
    answer(operation, request_id, |xml| {
        xml.write_element("SubscriptionArn", arn);
    })
}

pub(super) fn attributes(
    operation: &str,
    attributes: &BTreeMap<String, String>,
    request_id: &str,
) -> String {
    answer(operation, request_id, |xml| {
        xml.raw("<Attributes>");
        for (name, value) in attributes {
            xml.raw("<entry>");
            xml.write_element("key", name);
            xml.write_element("value", value);
            xml.raw("</entry>");
        }
        xml.raw("</Attributes>");
    })
}

pub(super) fn subscriptions(
    operation: &str,
    listed: &[Subscription],
    next: Option<&str>,
    request_id: &str,
) -> String {
    answer(operation, request_id, |xml| {
        xml.raw("<Subscriptions>");
        for one in listed {
            let arn = if one.token.is_some() {
                PENDING
            } else {
                &one.arn
            };
            xml.raw("<member>");
            xml.write_element("SubscriptionArn", arn);
            xml.write_element("Owner", ACCOUNT);
            xml.write_element("Protocol", &one.protocol);
            xml.write_element("Endpoint", &one.endpoint);
            xml.write_element("TopicArn", &one.topic_arn);
            xml.raw("</member>");
        }
        xml.raw("</Subscriptions>");
        xml.write_optional_element("NextToken", next);
    })
}

pub(super) fn published(id: &str, sequence: Option<&str>, request_id: &str) -> String {
    answer("Publish", request_id, |xml| {
        xml.write_element("MessageId", id);
        xml.write_optional_element("SequenceNumber", sequence);
    })
}

/// What became of each entry of a batch.
pub(super) type Answers = [(String, Result<(String, Option<String>), SnsError>)];

pub(super) fn batch(answers: &Answers, request_id: &str) -> String {
    answer("PublishBatch", request_id, |xml| {
        xml.raw("<Successful>");
        for (id, answer) in answers {
            if let Ok((message_id, sequence)) = answer {
                xml.raw("<member>");
                xml.write_element("Id", id);
                xml.write_element("MessageId", message_id);
                xml.write_optional_element("SequenceNumber", sequence.as_deref());
                xml.raw("</member>");
            }
        }
        xml.raw("</Successful><Failed>");
        for (id, answer) in answers {
            if let Err(error) = answer {
                xml.raw("<member>");
                xml.write_element("Id", id);
                xml.write_element("Code", error.code.code());
                xml.write_element("Message", &error.message);
                xml.write_bool_element("SenderFault", error.code.fault() == "Sender");
                xml.raw("</member>");
            }
        }
        xml.raw("</Failed>");
    })
}
