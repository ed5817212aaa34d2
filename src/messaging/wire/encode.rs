//! Writes updates as messages.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::domain::{InventoryUpdate, StockChange, UpdateKind};
use crate::messaging::Publication;

/// The only version of the JSON format there is.
pub const VERSION: u64 = 1;

/// The subject the lab's script uses, and so do we.
pub const SUBJECT: &str = "New bean delivery";

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

/// Wraps an encoded update for publishing.
///
/// The group is one per supplier and bean, and the attributes let subscriptions filter. Of two
/// publications with one deduplication id within five minutes, SNS drops the second: right for a repeat by accident, wrong for one on purpose.
pub fn publication(
    deduplication_id: String,
    group: String,
    kind: UpdateKind,
    body: String,
) -> Publication {
    let mut attributes = vec![
        ("event_type", "inventory_update".into()),
        ("kind", kind.code().into()),
    ];
    if kind == UpdateKind::OutOfStock {
        let (name, value) = inventory_alert();
        attributes.push((name, value.into()));
    }
    Publication {
        body,
        subject: Some(SUBJECT.into()),
        group,
        deduplication_id: Some(deduplication_id),
        attributes,
        has_parts: false,
    }
}

/// The lab's attribute on messages that say a supplier is out of a bean.
pub fn inventory_alert() -> (&'static str, &'static str) {
    ("inventory_alert", "out_of_stock")
}
