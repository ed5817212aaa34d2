//! What all forms of messages have in common: values, and the sentences that refuse them.

use chrono::{DateTime, Datelike as _, Utc};
use serde_json::{Map, Value};

use super::strict::{self, NotStrict};
use crate::domain::{Bags, BeanType, Claim, InvalidBags, Reason, Refusal, quote};

pub(super) fn malformed(explanation: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Malformed, explanation)
}

/// Parses a JSON object; `None` if the text does not even begin like one.
pub(super) fn parse_object(text: &str) -> Result<Option<Map<String, Value>>, Refusal> {
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    match strict::parse(text) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Ok(None),
        Err(NotStrict::Twice(field)) => Err(malformed(format!(
            "The field {} appears twice, so it is not clear which one counts.",
            quote(&field)
        ))),
        Err(NotStrict::Syntax(_)) if is_several(text) => Err(malformed(
            "It has more than one JSON object. Send each update in a message of its own.",
        )),
        Err(NotStrict::Syntax(error)) => Err(malformed(format!(
            "The message is not valid JSON: line {}, column {}.",
            error.line(),
            error.column()
        ))),
    }
}

fn is_several(text: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    matches!((values.next(), values.next()), (Some(Ok(_)), Some(Ok(_))))
}

pub(super) fn parse_moment(text: &str) -> Option<DateTime<Utc>> {
    storable(DateTime::parse_from_rfc3339(text).ok()?.into())
}

/// A time that DATETIME can hold and a café can mean, to the microsecond. A leap second is the first of
/// the next minute.
pub(super) fn storable(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at = DateTime::from_timestamp_micros(at.timestamp_micros())?;
    (2000..2200).contains(&at.year()).then_some(at)
}

/// Names JSON that is no object; the lab's line never begins like it.
pub(super) fn refuse_other_json(text: &str) -> Result<(), Refusal> {
    let what = match text.trim_start().as_bytes().first() {
        Some(b'[') => "a JSON list. Send each update in a message of its own",
        Some(b'"') => "a JSON string. Send what stands in the quotes as the message itself",
        _ => return Ok(()),
    };
    Err(malformed(format!("It is {what}.")))
}

pub(super) fn claim_bean_type(typed: &str, claim: &mut Claim) -> Result<BeanType, Refusal> {
    let bean_type = BeanType::parse(typed)
        .map_err(|error| malformed(format!("In {}, {error}.", quote(typed))))?;
    claim.bean_type = Some(bean_type.as_str().to_owned());
    Ok(bean_type)
}

pub(super) fn check_bags(bags: i64, checked: Result<Bags, InvalidBags>) -> Result<Bags, Refusal> {
    checked.map_err(|error| Refusal::new(Reason::BadQuantity, format!("{bags} {error}.")))
}
