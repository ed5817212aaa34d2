//! The two wire formats and their one decoder.
//!
//! A message is the lab's line (`3:Excelsa:9`) or versioned JSON, each either raw or in an SNS
//! envelope. Whatever arrives, the decoder gives an update or a reason; it never panics, and no
//! part of a message it could not read can touch another update.

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

mod json;

use super::Publication;
use crate::domain::{
    Bags, BeanType, Claim, Fingerprint, InvalidBags, InventoryUpdate, Reason, Refusal, StockChange,
    SupplierId, UpdateId, UpdateKind, parse_integer, quote,
};

/// The only version of the JSON format there is.
pub const VERSION: u64 = 1;

/// Larger messages are refused unread. An update with the longest texts stays below 8 KiB.
pub const MAX_BYTES: usize = 64 * 1024;

/// The subject the lab's script uses, and so do we.
pub const SUBJECT: &str = "New bean delivery";

/// A message that could not be read, with as much as could be made out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Derived from the broker's message id, never from the message itself.
    pub id: UpdateId,
    /// Of the bytes, as there is no meaning.
    pub fingerprint: Fingerprint,
    /// What could be made out.
    pub claim: Claim,
    /// What is wrong with it.
    pub refusal: Refusal,
}

/// Reads a message. `message_id` is what the queue calls it.
pub fn decode(message_id: &str, body: &str) -> Result<InventoryUpdate, Box<Unreadable>> {
    let mut claim = Claim::default();
    let mut id = UpdateId::derive("sqs", message_id);
    read(body, &mut id, &mut claim).map_err(|refusal| {
        Box::new(Unreadable {
            id,
            fingerprint: Sha256::digest(body).into(),
            claim,
            refusal,
        })
    })
}

fn read(body: &str, id: &mut UpdateId, claim: &mut Claim) -> Result<InventoryUpdate, Refusal> {
    if body.len() > MAX_BYTES {
        return Err(malformed(format!(
            "The message is larger than {} KiB.",
            MAX_BYTES / 1024
        )));
    }
    match parse_object(body)? {
        Some(object) if object.contains_key("Type") => {
            let message = open_envelope(&object, id)?;
            match parse_object(message)? {
                Some(object) => json::read(&object, *id, claim),
                None => read_line(message, *id, claim),
            }
        }
        Some(object) => json::read(&object, *id, claim),
        None => read_line(body, *id, claim),
    }
}

fn malformed(explanation: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Malformed, explanation)
}

/// Parses a JSON object; `None` if the text does not even begin like one.
fn parse_object(text: &str) -> Result<Option<Map<String, Value>>, Refusal> {
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| {
        malformed(format!(
            "The message is not valid JSON: line {}, column {}.",
            error.line(),
            error.column()
        ))
    })
}

/// Takes the message out of an SNS envelope and its identity from it: the SNS message id stays the
/// same over every delivery, while SQS gives a new id to each copy.
///
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
fn open_envelope<'a>(
    envelope: &'a Map<String, Value>,
    id: &mut UpdateId,
) -> Result<&'a str, Refusal> {
    if envelope.get("Type").and_then(Value::as_str) != Some("Notification") {
        return Err(malformed(
            "The message is from SNS, but it is not a notification.",
        ));
    }
    if let Some(message_id) = envelope.get("MessageId").and_then(Value::as_str) {
        *id = UpdateId::derive("sns", message_id);
    }
    let message = envelope.get("Message").and_then(Value::as_str);
    message.ok_or_else(|| malformed("The SNS envelope has no message in it."))
}

/// The message that a sender wrote, out of its SNS envelope; `None` if there is no envelope.
pub fn message_within(body: &str) -> Option<String> {
    let envelope = parse_object(body).ok()??;
    let message = envelope.get("Message")?.as_str()?;
    Some(message.to_owned())
}

/// Reads the lab's line: `SupplierId:BeanType:Quantity`, where quantity 0 means out of stock.
fn read_line(line: &str, id: UpdateId, claim: &mut Claim) -> Result<InventoryUpdate, Refusal> {
    let line = line.trim();
    let parts: Vec<&str> = line.splitn(4, ':').collect();
    let [supplier, bean_type, quantity] = parts[..] else {
        return Err(malformed(format!(
            "{} is not of the form supplier:bean:bags, like 3:Excelsa:9.",
            quote(line)
        )));
    };
    let supplier = parse_integer(supplier.trim()).ok_or_else(|| {
        malformed(format!(
            "{} is not a supplier's number, in {}.",
            quote(supplier),
            quote(line)
        ))
    })?;
    claim.supplier = Some(supplier);
    let bean_type = claim_bean_type(bean_type, claim)?;
    let bags = parse_integer(quantity.trim()).ok_or_else(|| {
        Refusal::new(
            Reason::BadQuantity,
            format!("{} is not a whole number of bags.", quote(quantity)),
        )
    })?;
    let change = if bags == 0 {
        claim.kind = Some(UpdateKind::OutOfStock);
        StockChange::OutOfStock
    } else {
        claim.kind = Some(UpdateKind::Delivery);
        StockChange::Delivery(check_bags(bags, Bags::new(bags))?)
    };
    claim.quantity = Some(bags);
    Ok(InventoryUpdate {
        id,
        supplier: SupplierId(supplier),
        bean_type,
        change,
        occurred_at: None,
        reference: None,
        note: None,
    })
}

fn claim_bean_type(typed: &str, claim: &mut Claim) -> Result<BeanType, Refusal> {
    let bean_type = BeanType::parse(typed)
        .map_err(|error| malformed(format!("In {}, {error}.", quote(typed))))?;
    claim.bean_type = Some(bean_type.as_str().to_owned());
    Ok(bean_type)
}

fn check_bags(bags: i64, checked: Result<Bags, InvalidBags>) -> Result<Bags, Refusal> {
    checked.map_err(|error| Refusal::new(Reason::BadQuantity, format!("{bags} {error}.")))
}

/// Writes an update as versioned JSON.
pub fn encode(update: &InventoryUpdate) -> String {
    let occurred_at = match update.change {
        StockChange::Count { counted_at, .. } => Some(counted_at),
        _ => update.occurred_at,
    };
    let mut object = json!({
        "version": VERSION,
        "update_id": update.id.to_string(),
        "supplier_id": update.supplier.0,
        "bean_type": update.bean_type.as_str(),
        "kind": update.change.kind().code(),
        "quantity": update.change.bags(),
    });
    let mut set = |field: &str, value: Option<String>| {
        if let Some(value) = value {
            object[field] = Value::String(value);
        }
    };
    set("reference", update.reference.clone());
    set("note", update.note.clone());
    set(
        "occurred_at",
        occurred_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)),
    );
    object.to_string()
}

/// Wraps an encoded update for publishing: the deduplication id is the update id, the group one per
/// supplier and bean, and the attributes let subscriptions filter.
pub fn publication(id: UpdateId, group: String, kind: UpdateKind, body: String) -> Publication {
    let mut attributes = vec![
        ("event_type", "inventory_update".to_owned()),
        ("kind", kind.code().to_owned()),
    ];
    if kind == UpdateKind::OutOfStock {
        attributes.push(inventory_alert());
    }
    Publication {
        body,
        subject: Some(SUBJECT),
        group,
        deduplication_id: Some(id.to_string()),
        attributes,
    }
}

/// The lab's attribute on messages that say a supplier is out of a bean.
pub fn inventory_alert() -> (&'static str, String) {
    ("inventory_alert", "out_of_stock".to_owned())
}

#[cfg(test)]
mod tests {
    use super::json::FIELDS;
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

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
                reference: Some("DN-4411".to_owned()),
                note: Some("two\nlines & <b>".to_owned()),
            };

            assert_eq!(decode("m", &encode(&update)).unwrap(), update);
            assert_eq!(decode("m", &enveloped(&encode(&update))).unwrap(), update);
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
                "is not a moment",
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

        assert_eq!(unreadable.id, UpdateId::derive("sqs", "m"));
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
                prop_assert!(!unreadable.refusal.reason.is_transient());
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
