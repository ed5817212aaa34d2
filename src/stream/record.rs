//! What a record of the stream says, as `deploy/stream.schema.json` describes it.
//!
//! A bean's first record is a snapshot; each later one carries movements that follow each other without a gap.
//! Who booked something by hand, and why, stays in the café.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::db::LATEST;
use crate::domain::{BeanId, MAX_STOCK, MovementKind, SupplierId};

/// The version of the format. A reader takes no other.
const VERSION: u8 = 1;

/// The most movements of one record: so long it has about 30 KiB.
pub(super) const MOST_MOVEMENTS: usize = 100;

/// No bean has moved so often: as much as JSON's numbers hold exactly (RFC 8259, section 6).
const LAST_SEQUENCE: i64 = (1 << 53) - 1;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    pub bean: BeanId,
    pub supplier: SupplierId,
    pub content: Content,
}

/// What a record tells of its bean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Its stock as of a movement, with which its story begins.
    Snapshot(Snapshot),
    /// Movements that follow each other; one at least.
    Movements(Vec<StreamedMovement>),
}

/// A bean's stock as of a movement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The movement; 0 before the first.
    pub sequence: i64,
    pub quantity: i64,
    /// When that movement was booked; for 0, when the bean was added.
    pub as_of: DateTime<Utc>,
}

/// A movement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamedMovement {
    /// Its place in the bean's ledger: 1, 2, 3 …
    pub sequence: i64,
    #[serde(with = "kind")]
    pub kind: MovementKind,
    pub change_by: i64,
    pub quantity_after: i64,
    /// When the bags moved or were counted.
    pub occurred_at: DateTime<Utc>,
    /// When it was booked.
    pub booked_at: DateTime<Utc>,
    /// The update that caused it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_id: Option<uuid::Uuid>,
    /// What it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<Undone>,
}

/// A movement that is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    pub sequence: i64,
    #[serde(with = "kind")]
    pub kind: MovementKind,
    pub occurred_at: DateTime<Utc>,
}

/// Why a record cannot be used, in words for whoever looks at it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    #[error("it uses the aggregation of the Kinesis Producer Library, which is not read here")]
    Aggregated,
    #[error("it is not the JSON of a record of stock movements: {0}")]
    Unreadable(String),
    #[error("it has version {0} of the format, and this program reads version {VERSION}")]
    Version(u64),
    #[error("it has neither a snapshot nor movements, or both")]
    Content,
    #[error("its partition key is not the number of its bean")]
    Key,
    #[error("it has no movements, or they have a gap or do not add up")]
    Broken,
    #[error(
        "it has a moment that cannot be stored: before 1970, after 18 January 2038 or within a leap second"
    )]
    Moment,
    #[error("it has {0} movements, and at most {MOST_MOVEMENTS} are read")]
    Long(usize),
    #[error("it is about bean {0}, and there is none with that number")]
    UnknownBean(i64),
}

#[derive(Serialize, Deserialize)]
struct Wire {
    version: u8,
    bean_id: i64,
    supplier_id: i64,
    /// One of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<Snapshot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    movements: Option<Vec<StreamedMovement>>,
}

impl StreamRecord {
    /// The key that keeps a bean's records in order.
    pub fn key(&self) -> String {
        self.bean.0.to_string()
    }

    #[expect(clippy::missing_panics_doc, reason = "plain values always encode")]
    pub fn to_json(&self) -> Vec<u8> {
        let (snapshot, movements) = match &self.content {
            Content::Snapshot(snapshot) => (Some(snapshot.clone()), None),
            Content::Movements(movements) => (None, Some(movements.clone())),
        };
        let wire = Wire {
            version: VERSION,
            bean_id: self.bean.0,
            supplier_id: self.supplier.0,
            snapshot,
            movements,
        };
        serde_json::to_vec(&wire).expect("a record is plain values that always encode")
    }

    /// Reads a record that came under a partition key.
    ///
    /// # Errors
    /// It is not one, or contradicts itself.
    pub fn parse(key: &str, data: &[u8]) -> Result<Self, InvalidRecord> {
        /// How the library marks what it packs (KPL, "Aggregation format").
        const AGGREGATED: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
        if data.starts_with(&AGGREGATED) {
            return Err(InvalidRecord::Aggregated);
        }
        let unreadable = |error: serde_json::Error| {
            let told = error.to_string();
            // Some of it is the record's, and is printed on terminals.
            let visible = told
                .chars()
                .map(|c| if c.is_control() { '\u{fffd}' } else { c });
            InvalidRecord::Unreadable(visible.collect())
        };
        let value: serde_json::Value = serde_json::from_slice(data).map_err(unreadable)?;
        if let Some(version) = value["version"]
            .as_u64()
            .filter(|version| *version != u64::from(VERSION))
        {
            return Err(InvalidRecord::Version(version));
        }
        let wire: Wire = serde_json::from_value(value).map_err(unreadable)?;
        let record = Self {
            bean: BeanId(wire.bean_id),
            supplier: SupplierId(wire.supplier_id),
            content: match (wire.snapshot, wire.movements) {
                (Some(snapshot), None) => Content::Snapshot(snapshot),
                (None, Some(movements)) => Content::Movements(movements),
                _ => return Err(InvalidRecord::Content),
            },
        };
        if record.key() != key {
            return Err(InvalidRecord::Key);
        }
        if !record.moments().all(is_storable) {
            return Err(InvalidRecord::Moment);
        }
        record.check()?;
        Ok(record)
    }

    fn moments(&self) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let (snapshot, movements) = match &self.content {
            Content::Snapshot(snapshot) => (Some(snapshot.as_of), [].as_slice()),
            Content::Movements(movements) => (None, movements.as_slice()),
        };
        let movements = movements.iter().flat_map(|movement| {
            let undone = movement.undoes.as_ref().map(|undone| undone.occurred_at);
            [Some(movement.occurred_at), Some(movement.booked_at), undone]
        });
        snapshot.into_iter().chain(movements.flatten())
    }

    /// The place of its first movement; of a snapshot, that of the movement it tells of.
    pub fn first(&self) -> i64 {
        match &self.content {
            Content::Snapshot(snapshot) => snapshot.sequence,
            Content::Movements(movements) => movements.first().map_or(0, |first| first.sequence),
        }
    }

    pub fn is_snapshot(&self) -> bool {
        matches!(self.content, Content::Snapshot(_))
    }

    fn check(&self) -> Result<(), InvalidRecord> {
        match &self.content {
            Content::Snapshot(snapshot) => {
                let is_whole = (0..=LAST_SEQUENCE).contains(&snapshot.sequence)
                    && (0..=MAX_STOCK).contains(&snapshot.quantity);
                is_whole.then_some(()).ok_or(InvalidRecord::Broken)
            }
            Content::Movements(movements) if movements.len() > MOST_MOVEMENTS => {
                Err(InvalidRecord::Long(movements.len()))
            }
            Content::Movements(movements) => {
                let follows = |[one, next]: &[StreamedMovement; 2]| {
                    one.sequence.checked_add(1) == Some(next.sequence)
                        && one.quantity_after.checked_add(next.change_by)
                            == Some(next.quantity_after)
                };
                let stock = 0..=MAX_STOCK;
                let fits = |movement: &StreamedMovement| {
                    let before = movement.quantity_after.checked_sub(movement.change_by);
                    (1..=LAST_SEQUENCE).contains(&movement.sequence)
                        && stock.contains(&movement.quantity_after)
                        && before.is_some_and(|before| stock.contains(&before))
                };
                let is_whole = !movements.is_empty()
                    && movements.iter().all(fits)
                    && movements.array_windows().all(follows);
                is_whole.then_some(()).ok_or(InvalidRecord::Broken)
            }
        }
    }
}

/// The database has no moments before or after these, and no leap seconds, which chrono tells by their nanoseconds.
fn is_storable(at: DateTime<Utc>) -> bool {
    (DateTime::UNIX_EPOCH..LATEST).contains(&at) && at.timestamp_subsec_nanos() < 1_000_000_000
}

/// Kinds by the codes of the ledger.
mod kind {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::MovementKind;
    use crate::domain::quote;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(
        kind: &MovementKind,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(kind.code())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<MovementKind, D::Error> {
        let code = String::deserialize(deserializer)?;
        MovementKind::from_code(&code).ok_or_else(|| {
            D::Error::custom(format_args!(
                "there is no kind of movement {}",
                quote(&code)
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn movement(sequence: i64, change_by: i64, quantity_after: i64) -> StreamedMovement {
        let at = DateTime::from_timestamp(1_795_344_127, 0).unwrap();
        StreamedMovement {
            sequence,
            kind: MovementKind::Use,
            change_by,
            quantity_after,
            occurred_at: at,
            booked_at: at,
            update_id: None,
            undoes: None,
        }
    }

    fn record(movements: Vec<StreamedMovement>) -> StreamRecord {
        StreamRecord {
            bean: BeanId(3),
            supplier: SupplierId(1),
            content: Content::Movements(movements),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let written = record(vec![movement(4, -2, 198), movement(5, -1, 197)]);

        let json = written.to_json();

        assert_eq!(StreamRecord::parse("3", &json), Ok(written));
        insta::assert_snapshot!(String::from_utf8(json).unwrap(), @r#"{"version":1,"bean_id":3,"supplier_id":1,"movements":[{"sequence":4,"kind":"use","change_by":-2,"quantity_after":198,"occurred_at":"2026-11-22T10:42:07Z","booked_at":"2026-11-22T10:42:07Z"},{"sequence":5,"kind":"use","change_by":-1,"quantity_after":197,"occurred_at":"2026-11-22T10:42:07Z","booked_at":"2026-11-22T10:42:07Z"}]}"#);
    }

    #[test]
    fn a_record_that_contradicts_itself_is_refused() {
        let refused =
            |movements| StreamRecord::parse("3", &record(movements).to_json()).unwrap_err();

        assert_eq!(refused(vec![]), InvalidRecord::Broken);
        assert_eq!(refused(vec![movement(0, 1, 1)]), InvalidRecord::Broken);
        assert_eq!(
            refused(vec![movement(4, -2, 198), movement(6, -1, 197)]),
            InvalidRecord::Broken,
            "a gap"
        );
        assert_eq!(
            refused(vec![movement(4, -2, 198), movement(5, -1, 198)]),
            InvalidRecord::Broken,
            "bags out of nowhere"
        );
        assert_eq!(refused(vec![movement(4, 9, 8)]), InvalidRecord::Broken);
        assert_eq!(
            refused(vec![movement(i64::MAX, i64::MIN, i64::MAX)]),
            InvalidRecord::Broken
        );
    }

    #[test]
    fn what_is_no_record_says_why() {
        let good = record(vec![movement(4, -2, 198)]).to_json();
        let newer = String::from_utf8(good.clone()).unwrap();
        let newer = newer.replace("\"version\":1", "\"version\":2");

        assert_eq!(StreamRecord::parse("4", &good), Err(InvalidRecord::Key));
        assert_eq!(
            StreamRecord::parse("3", newer.as_bytes()),
            Err(InvalidRecord::Version(2))
        );
        assert_eq!(
            StreamRecord::parse("3", b"\xf3\x89\x9a\xc2\x0a"),
            Err(InvalidRecord::Aggregated)
        );
        for text in [
            "",
            "[]",
            "{}",
            "3:Excelsa:9",
            r#"{"version":1,"bean_id":3}"#,
            "{\"version\":1,\"bean_id\":3,\"supplier_id\":\"\\u001b[2Jfine\",\"movements\":[]}",
        ] {
            let refused = StreamRecord::parse("3", text.as_bytes());
            let Err(InvalidRecord::Unreadable(why)) = refused else {
                panic!("{text} was read as {refused:?}")
            };
            assert!(!why.contains(char::is_control), "{why:?}");
        }
        let kind = String::from_utf8(good.clone()).unwrap();
        let kind = kind.replace("\"use\"", "\"\\u001b[2J\\nok     everything is fine\"");
        let refused = StreamRecord::parse("3", kind.as_bytes()).unwrap_err();
        assert!(
            !refused.to_string().contains(char::is_control),
            "{refused:?}"
        );
        let both = String::from_utf8(good).unwrap();
        let snapshot = r#""snapshot":{"sequence":1,"quantity":2,"as_of":"2026-11-22T10:42:07Z"},"#;
        for content in [
            both.replace("\"movements\"", &format!("{snapshot}\"movements\"")),
            r#"{"version":1,"bean_id":3,"supplier_id":1}"#.to_owned(),
        ] {
            let refused = StreamRecord::parse("3", content.as_bytes());
            assert_eq!(refused, Err(InvalidRecord::Content));
        }
    }
}
