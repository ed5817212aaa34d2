//! Reads the versioned JSON format, field by field, so that every fault names its field.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::encode::VERSION;
use super::values::{check_bags, claim_bean_type, malformed, parse_moment};
use crate::domain::{
    Bags, Claim, InventoryUpdate, Reason, Refusal, ShortText, StockChange, SupplierId, UpdateId,
    UpdateKind, find_forbidden_in_lines, quote,
};

/// The fields of the JSON format.
pub(super) const FIELDS: [&str; 9] = [
    "version",
    "update_id",
    "supplier_id",
    "bean_type",
    "kind",
    "quantity",
    "reference",
    "note",
    "occurred_at",
];

/// Reads versioned JSON. Unknown fields are refused, because a sender who uses one expects it to
/// mean something.
pub(super) fn read(
    object: &Map<String, Value>,
    derived: UpdateId,
    senders_id: &mut Option<UpdateId>,
    claim: &mut Claim,
) -> Result<InventoryUpdate, Refusal> {
    match object.get("version") {
        Some(version) if whole_number(version) == i64::try_from(VERSION).ok() => {}
        Some(version) => {
            return Err(malformed(format!(
                "It is written in version {} of the format; only version {VERSION} is understood.",
                quote(&version.to_string())
            )));
        }
        None => return Err(malformed("The field “version” is missing.")),
    }
    if let Some(field) = object.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(malformed(format!(
            "The field {} is not known.",
            quote(field)
        )));
    }
    claim.supplier = Some(integer(object, "supplier_id")?);
    let supplier = SupplierId(claim.supplier.unwrap_or_default());
    *senders_id = update_id(object)?;
    let bean_type = claim_bean_type(text(object, "bean_type")?, claim)?;
    let kind = kind(object)?;
    claim.kind = Some(kind);
    let occurred_at = moment(object)?;
    claim.occurred_at = occurred_at;
    let change = read_change(object, kind, occurred_at, claim)?;
    claim.reference = short_text::<64>(object, "reference")?;
    claim.note = note(object)?;
    Ok(InventoryUpdate {
        id: senders_id.unwrap_or(derived),
        supplier,
        bean_type,
        change,
        occurred_at: occurred_at.filter(|_| kind != UpdateKind::Count),
        sent_at: None,
        reference: claim.reference.clone(),
        note: claim.note.clone(),
    })
}

fn read_change(
    object: &Map<String, Value>,
    kind: UpdateKind,
    occurred_at: Option<DateTime<Utc>>,
    claim: &mut Claim,
) -> Result<StockChange, Refusal> {
    if kind == UpdateKind::OutOfStock && !object.contains_key("quantity") {
        claim.quantity = Some(0);
        return Ok(StockChange::OutOfStock);
    }
    let bags = bags(object)?;
    claim.quantity = Some(bags);
    match kind {
        UpdateKind::Delivery => Ok(StockChange::Delivery(check_bags(bags, Bags::new(bags))?)),
        UpdateKind::Return => Ok(StockChange::Return(check_bags(bags, Bags::new(bags))?)),
        UpdateKind::OutOfStock if bags == 0 => Ok(StockChange::OutOfStock),
        UpdateKind::OutOfStock => Err(Refusal::new(
            Reason::BadQuantity,
            "Out of stock means 0 bags; omit the quantity.",
        )),
        UpdateKind::Count => Ok(StockChange::Count {
            bags: check_bags(bags, Bags::counted(bags))?,
            counted_at: occurred_at.ok_or_else(|| {
                malformed("A count must say when the bags were counted, in “occurred_at”.")
            })?,
        }),
    }
}

fn present<'a>(object: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    object.get(field).filter(|value| !value.is_null())
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> Result<&'a str, Refusal> {
    let value = present(object, field)
        .ok_or_else(|| malformed(format!("The field “{field}” is missing.")))?;
    value
        .as_str()
        .ok_or_else(|| malformed(format!("The field “{field}” must be a text.")))
}

fn integer(object: &Map<String, Value>, field: &str) -> Result<i64, Refusal> {
    let value = present(object, field)
        .ok_or_else(|| malformed(format!("The field “{field}” is missing.")))?;
    whole_number(value)
        .ok_or_else(|| malformed(format!("The field “{field}” must be a whole number.")))
}

/// Reads a whole number however it is written: `9`, `9.0` and `9e0` are the same (RFC 8259).
fn whole_number(value: &Value) -> Option<i64> {
    /// Above, not every whole number is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |number: &f64| number.fract() == 0.0 && number.abs() < EXACT;
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(whole)?;
        format!("{number:.0}").parse().ok()
    })
}

fn bags(object: &Map<String, Value>) -> Result<i64, Refusal> {
    let value = present(object, "quantity")
        .ok_or_else(|| Refusal::new(Reason::BadQuantity, "It does not say how many bags."))?;
    whole_number(value).ok_or_else(|| {
        Refusal::new(
            Reason::BadQuantity,
            format!(
                "{} is not a whole number of bags.",
                quote(&value.to_string())
            ),
        )
    })
}

fn kind(object: &Map<String, Value>) -> Result<UpdateKind, Refusal> {
    let code = text(object, "kind")?;
    UpdateKind::from_code(code).ok_or_else(|| {
        malformed(format!(
            "{} is not a kind of update; use delivery, return, out_of_stock or count.",
            quote(code)
        ))
    })
}

fn update_id(object: &Map<String, Value>) -> Result<Option<UpdateId>, Refusal> {
    if present(object, "update_id").is_none() {
        return Ok(None);
    }
    let typed = text(object, "update_id")?;
    match Uuid::try_parse(typed) {
        Ok(id) if !id.is_nil() => Ok(Some(UpdateId(id))),
        _ => Err(malformed(format!("{} is not a UUID.", quote(typed)))),
    }
}

fn moment(object: &Map<String, Value>) -> Result<Option<DateTime<Utc>>, Refusal> {
    if present(object, "occurred_at").is_none() {
        return Ok(None);
    }
    let typed = text(object, "occurred_at")?;
    let moment = parse_moment(typed).ok_or_else(|| {
        malformed(format!(
            "{} is not a date and time like 2026-05-12T10:42:07Z.",
            quote(typed)
        ))
    })?;
    Ok(Some(moment))
}

fn short_text<const MAX: usize>(
    object: &Map<String, Value>,
    field: &str,
) -> Result<Option<String>, Refusal> {
    if present(object, field).is_none() {
        return Ok(None);
    }
    let typed = text(object, field)?;
    if typed.trim().is_empty() {
        return Ok(None);
    }
    ShortText::<MAX>::parse(typed)
        .map(|text| Some(text.as_str().to_owned()))
        .map_err(|error| malformed(format!("The field “{field}” {error}.")))
}

/// A note may have several lines.
fn note(object: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    const MAX: usize = 500;
    if present(object, "note").is_none() {
        return Ok(None);
    }
    let typed = text(object, "note")?.trim();
    if typed.chars().count() > MAX {
        return Err(malformed(format!(
            "The field “note” must be {MAX} characters or fewer."
        )));
    }
    if let Some(character) = find_forbidden_in_lines(typed) {
        return Err(malformed(format!(
            "The field “note” contains {character}, which cannot be shown."
        )));
    }
    Ok(Some(typed.to_owned()).filter(|note| !note.is_empty()))
}
