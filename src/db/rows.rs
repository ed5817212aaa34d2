//! Many rows in one statement: a JSON array as the parameter, unpacked by `JSON_TABLE`.
//!
//! The SQL text stays fixed, so that it can be checked and prepared, whatever the number of rows.
//! `MySQL` 8.0.4 and `MariaDB` 10.6 know `JSON_TABLE`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::{DbError, DbResult};
use crate::domain::BeanId;

/// The driver sends moments as `TIMESTAMP`s, of which there are none before 1970 and none later than this (19
/// January 2038).
pub const LATEST: DateTime<Utc> = DateTime::from_timestamp(2_147_483_647, 0).unwrap();

/// Encodes rows for `JSON_TABLE(?, '$[*]' …)`.
pub(super) fn json(rows: &impl Serialize) -> String {
    serde_json::to_string(rows).expect("rows are plain values that always encode")
}

/// Encodes the numbers of beans for `JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$'))`.
pub(super) fn numbers(beans: &[BeanId]) -> String {
    let numbers: Vec<i64> = beans.iter().map(|bean| bean.0).collect();
    json(&numbers)
}

/// Encodes an id for `UNHEX`.
pub(super) fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// Puts what was found into the order in which it was asked for. The database would copy all of it to sort it.
pub(super) fn in_order_of<T>(ids: &[Uuid], mut found: Vec<T>, id: impl Fn(&T) -> Uuid) -> Vec<T> {
    let places: HashMap<Uuid, usize> = ids.iter().copied().zip(0..).collect();
    found.sort_by_key(|one| places.get(&id(one)).copied());
    found
}

/// Encodes bytes for `UNHEX`.
pub(super) fn hex_bytes(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

/// Encodes a moment as a `DATETIME(6)` literal in UTC, the session's time zone.
#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
pub(super) fn datetime<S: Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(&at.format("%Y-%m-%d %H:%M:%S%.6f")),
        None => serializer.serialize_none(),
    }
}

/// Reads a code that a row keeps for one of our values.
pub(super) fn code<T>(
    table: &'static str,
    column: &'static str,
    code: &str,
    from_code: impl Fn(&str) -> Option<T>,
) -> DbResult<T> {
    from_code(code).ok_or(DbError::Corrupt { table, column })
}

/// The pattern of `LIKE` for texts that contain these words.
pub(super) fn like(words: &str) -> String {
    let words = words
        .replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_");
    format!("%{words}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_hex() {
        let mut bytes = [0; 32];
        bytes[0] = 0xaf;
        bytes[31] = 0x01;

        let hex = hex_bytes(&bytes);

        assert_eq!(hex.len(), 64);
        assert!(hex.starts_with("af00") && hex.ends_with("0001"));
    }
}
