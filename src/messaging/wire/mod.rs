//! The two wire formats and their one decoder.
//!
//! A message is the lab's line (`3:Excelsa:9`) or versioned JSON, each either raw or in an SNS
//! envelope. Whatever arrives, the decoder gives an update or a reason; it never panics, and no
//! part of a message it could not read can touch another update.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

mod encode;
mod envelope;
mod json;
mod line;
mod strict;
mod values;

pub use self::encode::{SUBJECT, VERSION, encode, inventory_alert, publication};
use self::envelope::{Content, Opened};
use self::values::{malformed, parse_object, refuse_other_json, storable};
use crate::domain::{
    Claim, Fingerprint, InventoryUpdate, Reason, Refusal, SupplierId, UpdateId, UpdateKey, quote,
};

/// Larger messages are refused unread. An update with the longest texts stays below 8 KiB.
pub const MAX_BYTES: usize = 64 * 1024;

/// A message that could not be read, with as much as could be made out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The sender's id if it could be read together with the supplier; else the broker's.
    pub key: UpdateKey,
    /// Of the text inside its envelopes, as there is no meaning.
    pub fingerprint: Fingerprint,
    /// What could be made out.
    pub claim: Claim,
    /// What is wrong with it.
    pub refusal: Refusal,
}

/// Reads messages, and knows which topics they may come from.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    topics: Arc<[String]>,
    /// The topics that speak for one supplier alone.
    bound: Arc<[(String, SupplierId)]>,
}

/// Reads a message that came from nowhere in particular. `message_id` is what the queue calls it.
pub fn decode(message_id: &str, body: &str) -> Result<InventoryUpdate, Box<Unreadable>> {
    Decoder::default().decode(message_id, body, None)
}

impl Decoder {
    /// Takes messages in SNS envelopes from these topics only, by ARN; without any, from all.
    pub fn new(topics: &[&str]) -> Self {
        Self {
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            bound: Arc::default(),
        }
    }

    /// Takes messages of these topics as well, each for its supplier alone.
    #[must_use]
    pub fn bind(self, bound: impl IntoIterator<Item = (String, SupplierId)>) -> Self {
        Self {
            bound: bound.into_iter().collect(),
            ..self
        }
    }

    /// Reads a message. `message_id` is what the queue calls it, `queued_at` when the queue got it,
    /// which counts as the time of sending where no envelope tells.
    pub fn decode(
        &self,
        message_id: &str,
        body: &str,
        queued_at: Option<DateTime<Utc>>,
    ) -> Result<InventoryUpdate, Box<Unreadable>> {
        let brokers_id = UpdateId::derive("sqs", message_id);
        let mut reading = Reading::default();
        let read = reading.read(body, brokers_id);
        // Whatever else is wrong with it: what comes from elsewhere touches nobody's update.
        let claimed = reading.claim.supplier.map(SupplierId);
        let read = self.check_topic(&reading.opened, claimed).and(read);
        let update = read.map(|update| InventoryUpdate {
            sent_at: reading.opened.sent_at.or(queued_at.and_then(storable)),
            ..update
        });
        update.map_err(|refusal| Box::new(reading.unreadable(brokers_id, body, refusal)))
    }

    fn check_topic(&self, opened: &Opened, claimed: Option<SupplierId>) -> Result<(), Refusal> {
        let mut bound = self.bound.iter();
        let is_its = |(topic, _): &&(String, SupplierId)| opened.topic.as_ref() == Some(topic);
        if let Some((_, supplier)) = bound.find(is_its) {
            return match claimed {
                Some(claimed) if claimed != *supplier => Err(Refusal::new(
                    Reason::ForeignTopic,
                    format!(
                        "It came from the topic of supplier {supplier}, which speaks for that supplier alone, and \
                         it is about supplier {claimed}."
                    ),
                )),
                _ => Ok(()),
            };
        }
        let is_foreign =
            |topic: &&str| !self.topics.is_empty() && !self.topics.iter().any(|ours| ours == topic);
        match opened.topic.as_deref().filter(is_foreign) {
            None => Ok(()),
            Some(topic) => Err(Refusal::new(
                Reason::ForeignTopic,
                format!(
                    "It came from {}, which is not a topic that TOPIC_ARN lists. If it is one of \
                     yours, add it there.",
                    quote(topic)
                ),
            )),
        }
    }
}

/// What was made out of a message so far.
#[derive(Debug, Default)]
struct Reading {
    opened: Opened,
    claim: Claim,
    /// The id that its sender gave it.
    senders_id: Option<UpdateId>,
    /// The text in its envelopes.
    message: Option<Fingerprint>,
}

impl Reading {
    fn read(&mut self, body: &str, brokers_id: UpdateId) -> Result<InventoryUpdate, Refusal> {
        if body.len() > MAX_BYTES {
            return Err(malformed(format!(
                "The message is larger than {} KiB.",
                MAX_BYTES / 1024
            )));
        }
        let content = envelope::open(body, &mut self.opened)?;
        let derived = self.opened.id.unwrap_or(brokers_id);
        match content {
            Content::Object(object) => {
                self.message =
                    Some(Sha256::digest(Value::Object(object.clone()).to_string()).into());
                json::read(&object, derived, &mut self.senders_id, &mut self.claim)
            }
            Content::Text(text) => {
                self.message = Some(Sha256::digest(&text).into());
                refuse_other_json(&text)?;
                line::read(&text, derived, &mut self.claim)
            }
        }
    }

    /// A message that could not be read keeps its sender's id, so that a correction finds it; one
    /// from a foreign topic does not, so that it touches nobody's update.
    fn unreadable(self, brokers_id: UpdateId, body: &str, refusal: Refusal) -> Unreadable {
        let supplier = self.claim.supplier.map(SupplierId);
        let is_foreign = refusal.reason == Reason::ForeignTopic;
        // What is inside an envelope from elsewhere could be made up, its ids included.
        let derived = if is_foreign {
            self.opened.outermost
        } else {
            self.opened.id
        };
        let derived = derived.unwrap_or(brokers_id);
        let senders_id = self.senders_id.filter(|_| !is_foreign);
        Unreadable {
            key: UpdateKey {
                supplier,
                id: supplier.and(senders_id).unwrap_or(derived),
            },
            fingerprint: self.message.unwrap_or_else(|| Sha256::digest(body).into()),
            claim: self.claim,
            refusal,
        }
    }
}

/// Reads a JSON object as the decoder does; `None` if it is none, or has two fields of one name.
pub fn object_within(text: &str) -> Option<Map<String, Value>> {
    parse_object(text).ok()?
}

/// The message that a sender wrote, out of its SNS envelopes; `None` if there is no envelope.
pub fn message_within(body: &str) -> Option<String> {
    let envelope = parse_object(body).ok()??;
    let message = envelope.get("Message")?.as_str()?;
    Some(message_within(message).unwrap_or_else(|| message.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::json::FIELDS;
    use proptest::prelude::*;

    use serde_json::json;

    use super::*;
    use crate::domain::{Bags, BeanType, StockChange, UpdateKind};

    fn refusal(body: &str) -> (Reason, String) {
        let unreadable = decode("m", body).unwrap_err();
        (unreadable.refusal.reason, unreadable.refusal.explanation)
    }

    fn enveloped(message: &str) -> String {
        json!({
            "Type": "Notification",
            "MessageId": "sns-1",
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:updated_beans_sns.fifo",
            "Subject": SUBJECT,
            "Message": message,
            "Timestamp": "2026-05-12T10:42:07.000Z",
            "MessageAttributes": {"inventory_alert": {"Type": "String", "Value": "out_of_stock"}},
        })
        .to_string()
    }

    #[test]
    fn the_labs_line_is_a_delivery() {
        let update = decode("m", "3:Excelsa:9").unwrap();

        assert_eq!(update.supplier, SupplierId(3));
        assert_eq!(update.bean_type.as_str(), "Excelsa");
        assert_eq!(update.change, StockChange::Delivery(Bags::new(9).unwrap()));
        assert_eq!(update.id, UpdateId::derive("sqs", "m"));
    }

    #[test]
    fn the_labs_line_with_nothing_is_out_of_stock() {
        let update = decode("m", "4:liberica:0\n").unwrap();

        assert_eq!(update.change, StockChange::OutOfStock);
    }

    #[test]
    fn an_enveloped_message_is_known_by_its_sns_id() {
        let line = decode("sqs-1", &enveloped("3:Excelsa:9")).unwrap();
        let again = decode("sqs-2", &enveloped("3:Excelsa:9")).unwrap();

        assert_eq!(line, again);
        assert_eq!(line.id, UpdateId::derive("sns", "sns-1"));
    }

    #[test]
    fn every_form_of_json_round_trips() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        for change in [
            StockChange::Delivery(Bags::new(9).unwrap()),
            StockChange::Return(Bags::new(1_000_000).unwrap()),
            StockChange::OutOfStock,
            StockChange::Count {
                bags: Bags::counted(0).unwrap(),
                counted_at: at,
            },
        ] {
            let update = InventoryUpdate {
                id: UpdateId::generate(),
                supplier: SupplierId(3),
                bean_type: BeanType::parse("قهوة “☕”").unwrap(),
                change,
                occurred_at: (change.kind() != UpdateKind::Count).then_some(at),
                sent_at: None,
                reference: Some("DN-4411".to_owned()),
                note: Some("two\nlines & <b>".to_owned()),
            };

            assert_eq!(decode("m", &encode(&update)).unwrap(), update);
            let sent_at = DateTime::parse_from_rfc3339("2026-05-12T10:42:07Z").unwrap();
            let sent = InventoryUpdate {
                sent_at: Some(sent_at.into()),
                ..update
            };
            assert_eq!(decode("m", &enveloped(&encode(&sent))).unwrap(), sent);
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    fn every_fault_is_told_in_plain_words() {
        let deep = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
        for (body, reason, words) in [
            (
                "",
                Reason::Malformed,
                "“” is not of the form supplier:bean:bags, like 3:Excelsa:9.",
            ),
            (
                "3:Excelsa",
                Reason::Malformed,
                "“3:Excelsa” is not of the form",
            ),
            ("3:Ex:celsa:9", Reason::Malformed, "is not of the form"),
            (
                "x:Excelsa:9",
                Reason::Malformed,
                "“x” is not a supplier's number",
            ),
            ("3::9", Reason::Malformed, "the bean type is empty"),
            (
                "3:Excelsa:nine",
                Reason::BadQuantity,
                "“nine” is not a whole number of bags.",
            ),
            (
                "3:Excelsa:-4",
                Reason::BadQuantity,
                "-4 must be between 1 and 1,000,000 bags.",
            ),
            (
                "3:Excelsa:1000001",
                Reason::BadQuantity,
                "1000001 must be between",
            ),
            (
                "3:Excelsa:99999999999999999999",
                Reason::BadQuantity,
                "must be between",
            ),
            ("{", Reason::Malformed, "not valid JSON: line 1, column 1."),
            ("{\"a\":\"\\ud800\"}", Reason::Malformed, "not valid JSON"),
            ("{}", Reason::Malformed, "The field “version” is missing."),
            (
                "{\"version\":2}",
                Reason::Malformed,
                "version “2” of the format",
            ),
            (
                "{\"version\":1,\"colour\":1}",
                Reason::Malformed,
                "The field “colour” is not known.",
            ),
            (
                "{\"version\":1}",
                Reason::Malformed,
                "The field “supplier_id” is missing.",
            ),
            (
                "{\"Type\":\"SubscriptionConfirmation\"}",
                Reason::Malformed,
                "not a notification",
            ),
            (
                "{\"Type\":\"Notification\"}",
                Reason::Malformed,
                "no message in it",
            ),
            (&deep, Reason::Malformed, "not valid JSON"),
            (
                &"9".repeat(1 << 20),
                Reason::Malformed,
                "larger than 64 KiB",
            ),
        ] {
            let (got, sentence) = refusal(body);

            assert_eq!(got, reason, "{sentence}");
            assert!(sentence.contains(words), "{sentence}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    fn every_fault_in_a_field_names_the_field() {
        for (field, value, reason, words) in [
            (
                "supplier_id",
                json!("3"),
                Reason::Malformed,
                "“supplier_id” must be a whole number",
            ),
            (
                "bean_type",
                json!(7),
                Reason::Malformed,
                "“bean_type” must be a text",
            ),
            (
                "bean_type",
                json!("a\u{0}b"),
                Reason::Malformed,
                "cannot be shown",
            ),
            (
                "kind",
                json!("gift"),
                Reason::Malformed,
                "“gift” is not a kind of update",
            ),
            (
                "quantity",
                json!(1.5),
                Reason::BadQuantity,
                "“1.5” is not a whole number of bags",
            ),
            (
                "quantity",
                json!(null),
                Reason::BadQuantity,
                "does not say how many bags",
            ),
            (
                "quantity",
                json!(1e300),
                Reason::BadQuantity,
                "is not a whole number of bags",
            ),
            (
                "update_id",
                json!("7"),
                Reason::Malformed,
                "“7” is not a UUID",
            ),
            (
                "occurred_at",
                json!("yesterday"),
                Reason::Malformed,
                "is not a date and time",
            ),
            (
                "reference",
                json!("x".repeat(65)),
                Reason::Malformed,
                "“reference” must be 64",
            ),
            (
                "note",
                json!("x".repeat(501)),
                Reason::Malformed,
                "“note” must be 500",
            ),
        ] {
            let mut object = json!({
                "version": 1, "supplier_id": 3, "bean_type": "Excelsa",
                "kind": "delivery", "quantity": 9,
            });
            object[field] = value;

            let (got, sentence) = refusal(&object.to_string());

            assert_eq!(got, reason, "{sentence}");
            assert!(sentence.contains(words), "{sentence}");
        }
    }

    #[test]
    fn an_unreadable_message_cannot_claim_another_updates_id() {
        let body = json!({"version": 2, "update_id": UpdateId::generate().to_string()});

        let unreadable = decode("m", &body.to_string()).unwrap_err();

        assert_eq!(unreadable.key.id, UpdateId::derive("sqs", "m"));
    }

    fn json_with(field: &str, value: &str) -> String {
        format!(
            r#"{{"version":1,"supplier_id":3,"bean_type":"Excelsa","kind":"delivery","{field}":{value}}}"#
        )
    }

    #[test]
    fn a_refused_update_keeps_its_senders_id_so_that_a_correction_finds_it() {
        let id = UpdateId::generate();
        let body = json!({
            "version": 1, "supplier_id": 3, "update_id": id.to_string(), "bean_type": "Excelsa",
            "kind": "delivery", "quantity": 9.5,
        });

        let unreadable = decode("m", &body.to_string()).unwrap_err();

        let supplier = Some(SupplierId(3));
        assert_eq!(unreadable.key, UpdateKey { supplier, id });
        assert_eq!(unreadable.refusal.reason, Reason::BadQuantity);
    }

    #[test]
    fn a_whole_number_may_be_written_in_any_way() {
        for nine in ["9", "9.0", "9e0", "0.9e1", "9.000"] {
            let update = decode("m", &json_with("quantity", nine)).unwrap();
            assert_eq!(update.change.bags(), 9, "{nine}");
        }
        for (number, words) in [
            ("9.5", "“9.5” is not a whole number of bags."),
            ("-3.0", "-3 must be between 1 and 1,000,000 bags."),
            ("1e400", "not valid JSON"),
            ("\"9\"", "is not a whole number of bags."),
        ] {
            let (_, sentence) = refusal(&json_with("quantity", number));
            assert!(sentence.contains(words), "{sentence}");
        }
    }

    #[test]
    fn a_field_that_stands_twice_is_not_guessed_at() {
        let twice = json_with("quantity", "1,\"quantity\":100");
        let deep = json_with("note", "{\"a\":[{\"b\":1,\"b\":1}]}");
        for body in [&twice, &deep, &enveloped(&twice)] {
            let (reason, sentence) = refusal(body);
            assert_eq!(reason, Reason::Malformed);
            assert!(sentence.contains("appears twice"), "{sentence}");
        }
        let envelope = enveloped("3:Excelsa:9").replacen('{', "{\"Message\":\"3:Excelsa:1\",", 1);
        assert!(refusal(&envelope).1.contains("“Message” appears twice"));
    }

    #[test]
    fn what_can_only_mean_one_thing_is_read() {
        for body in [
            "\u{feff}3:Excelsa:9",
            " \n\u{feff}3:Excelsa:9",
            &enveloped("\u{feff}3:Excelsa:9"),
            &enveloped(&enveloped("3:Excelsa:9")),
            &format!("\u{feff}{}", json_with("quantity", "9")),
            "\n3:Excelsa:9\r\n",
        ] {
            assert_eq!(decode("m", body).unwrap().change.bags(), 9, "{body}");
        }
        let twice_wrapped = enveloped(&enveloped("3:Excelsa:9"));
        assert_eq!(message_within(&twice_wrapped).unwrap(), "3:Excelsa:9");
    }

    #[test]
    fn what_is_no_update_is_named() {
        for (body, words) in [
            ("3:Excelsa:9\n6:Arabica:6", "more than one line"),
            ("{\"a\":1}\n{\"a\":2}", "more than one JSON object"),
            ("[{\"version\":1}]", "a JSON list"),
            ("\"3:Excelsa:9\"", "a JSON string"),
            (
                r#"{"version":"0","id":"1","detail-type":"x","source":"y","detail":{}}"#,
                "EventBridge",
            ),
            (
                r#"{"Records":[{"eventSource":"aws:s3"}]}"#,
                "notification of Amazon S3",
            ),
            (
                r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#,
                "test message of Amazon S3",
            ),
            (r#"{"Records":[{"EventSource":"aws:sns"}]}"#, "SNS event"),
            (r#"{"default":"3:Excelsa:9"}"#, "MessageStructure"),
            (
                r#"{"specversion":"1.0","source":"s","type":"t","id":"1"}"#,
                "CloudEvent",
            ),
        ] {
            for body in [body.to_owned(), enveloped(body)] {
                let (reason, sentence) = refusal(&body);
                assert_eq!(reason, Reason::Malformed);
                assert!(sentence.contains(words), "{sentence}");
            }
        }
        let deep = (0..5).fold("3:Excelsa:9".to_owned(), |inner, _| enveloped(&inner));
        assert!(deep.len() < MAX_BYTES);
        assert!(refusal(&deep).1.contains("SNS envelopes"));
    }

    #[test]
    fn the_time_of_sending_is_that_of_the_envelope_else_of_the_queue() {
        let queued_at = DateTime::from_timestamp(1_700_000_000, 0);
        let decoder = Decoder::default();

        let raw = decoder.decode("m", "3:Excelsa:9", queued_at).unwrap();
        let wrapped = decoder.decode("m", &enveloped("3:Excelsa:9"), queued_at);

        assert_eq!(raw.sent_at, queued_at);
        for (timestamp, expected) in [
            ("2026-06-30T23:59:60Z", Some("2026-07-01T00:00:00+00:00")),
            ("0000-01-01T00:00:00+23:59", None),
            ("9999-12-31T23:59:59.9999999Z", None),
            ("soon", None),
        ] {
            let envelope = enveloped("3:Excelsa:9").replace("2026-05-12T10:42:07.000Z", timestamp);
            assert!(envelope.contains(timestamp), "{envelope}");
            let update = decoder.decode("m", &envelope, queued_at).unwrap();
            let expected = expected.map(|at| at.parse().unwrap()).or(queued_at);
            assert_eq!(update.sent_at, expected, "{timestamp}");
        }
        let sent_at = wrapped.unwrap().sent_at.unwrap();
        assert_eq!(sent_at.to_rfc3339(), "2026-05-12T10:42:07+00:00");
    }

    #[test]
    fn an_envelope_of_a_foreign_topic_is_refused_and_touches_nobodys_id() {
        let ours = "arn:aws:sns:us-east-1:000000000000:updated_beans_sns.fifo";
        let id = UpdateId::generate().to_string();
        let message = json_with("quantity", &format!("9,\"update_id\":\"{id}\""));
        let decode = |topics: &[&str], body: &str| Decoder::new(topics).decode("m", body, None);

        let foreign = decode(&["arn:aws:sns:x"], &enveloped(&message)).unwrap_err();

        assert_eq!(foreign.refusal.reason, Reason::ForeignTopic);
        assert_eq!(foreign.key.id, UpdateId::derive("sns", "sns-1"));
        let wrong = message.replace(":9,", ":9.5,");
        let unreadable = decode(&["arn:aws:sns:x"], &enveloped(&wrong)).unwrap_err();
        assert_eq!(unreadable.refusal.reason, Reason::ForeignTopic);
        assert_eq!(unreadable.key.id, UpdateId::derive("sns", "sns-1"));
        assert!(decode(&["arn:aws:sns:x", ours], &enveloped(&message)).is_ok());
        assert!(decode(&[], &enveloped(&message)).is_ok(), "no topic is set");
        assert!(decode(&["arn:aws:sns:x"], &message).is_ok(), "no envelope");
        let nameless = r#"{"Type":"Notification","MessageId":"1","Message":"3:Excelsa:9"}"#;
        assert!(decode(&[ours], nameless).is_ok(), "no topic is named");
    }

    #[test]
    fn a_count_must_say_when() {
        let body = json!({
            "version": 1, "supplier_id": 3, "bean_type": "Excelsa", "kind": "count", "quantity": 0,
        });

        assert!(
            refusal(&body.to_string())
                .1
                .contains("when the bags were counted")
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((".{0,6}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// An object with the format's fields, each absent, right or anything at all.
    fn almost_right() -> impl Strategy<Value = Value> {
        let right = [
            json!(1),
            json!("0192f3c4-0000-7000-8000-000000000000"),
            json!(3),
            json!("Excelsa"),
            json!("delivery"),
            json!(9),
            json!("DN-1"),
            json!("note"),
            json!("2026-05-12T10:42:07Z"),
        ];
        prop::collection::vec((0..10u8, any_json()), FIELDS.len()).prop_map(move |choices| {
            let fields = FIELDS.iter().zip(&right).zip(choices);
            let kept = fields.filter_map(|((field, right), (choice, any))| match choice {
                0 => None,
                1 => Some(((*field).to_owned(), any)),
                _ => Some(((*field).to_owned(), right.clone())),
            });
            Value::Object(kept.collect())
        })
    }

    proptest! {
        #[test]
        fn any_text_gives_an_update_or_a_reason(body in "\\PC{0,200}|.{0,40}:.{0,40}:.{0,40}") {
            if let Err(unreadable) = decode("m", &body) {
                prop_assert!(!unreadable.refusal.explanation.is_empty());
            }
        }

        #[test]
        fn any_bytes_give_an_update_or_a_reason(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let body = String::from_utf8_lossy(&bytes);
            prop_assert_eq!(decode("m", &body), decode("m", &body));
        }

        #[test]
        fn any_json_gives_an_update_or_a_reason(value in prop_oneof![any_json(), almost_right()]) {
            let raw = decode("m", &value.to_string());
            let wrapped = decode("m", &enveloped(&value.to_string()));

            prop_assert_eq!(raw.is_ok(), wrapped.is_ok());
        }

        #[test]
        fn what_was_read_can_be_written_and_read_again(value in almost_right()) {
            if let Ok(update) = decode("m", &value.to_string()) {
                prop_assert_eq!(decode("other", &encode(&update)).unwrap(), update);
            }
        }

        #[test]
        fn any_line_of_the_labs_form_is_read(supplier in any::<u32>(), bags in 1..=Bags::MAX) {
            let update = decode("m", &format!("{supplier}:Arabica:{bags}")).unwrap();

            prop_assert_eq!(update.change.bags(), bags);
        }
    }
}
