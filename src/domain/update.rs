//! The unit of work: one inventory update, what it means and where it stands.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::bean::{Bags, BeanType};
use super::supplier::SupplierId;
use super::update_id::{UpdateId, UpdateKey};

/// The four kinds of update, without their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpdateKind {
    /// Bags arrived: adds.
    Delivery,
    /// Bags went back: subtracts.
    Return,
    /// The supplier has none: changes nothing, flags the bean.
    OutOfStock,
    /// Staff counted: sets.
    Count,
}

impl UpdateKind {
    pub const ALL: [Self; 4] = [Self::Delivery, Self::Return, Self::OutOfStock, Self::Count];

    /// The stored and published code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Return => "return",
            Self::OutOfStock => "out_of_stock",
            Self::Count => "count",
        }
    }

    /// Finds the kind a code stands for.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// What an update does to the stock of its bean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockChange {
    /// Adds bags that were delivered.
    Delivery(Bags),
    /// Takes away bags that were sent back.
    Return(Bags),
    /// Changes nothing, and flags the bean as not to be had.
    OutOfStock,
    /// Sets the stock to what was counted.
    Count {
        /// How many bags there were; none is allowed.
        bags: Bags,
        /// When they were counted; anything that moved later is newer than the count.
        counted_at: DateTime<Utc>,
    },
}

impl StockChange {
    /// The change without its numbers.
    pub fn kind(&self) -> UpdateKind {
        match self {
            Self::Delivery(_) => UpdateKind::Delivery,
            Self::Return(_) => UpdateKind::Return,
            Self::OutOfStock => UpdateKind::OutOfStock,
            Self::Count { .. } => UpdateKind::Count,
        }
    }

    /// The number of bags it speaks of; 0 for [`StockChange::OutOfStock`].
    pub fn bags(&self) -> i64 {
        match self {
            Self::Delivery(bags) | Self::Return(bags) | Self::Count { bags, .. } => bags.get(),
            Self::OutOfStock => 0,
        }
    }
}

/// One update as its sender meant it. Supplier and bean are claims until they are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryUpdate {
    /// What its sender calls it.
    pub id: UpdateId,
    /// The supplier it claims to come from.
    pub supplier: SupplierId,
    /// The bean it is about, as typed.
    pub bean_type: BeanType,
    pub change: StockChange,
    /// When it happened, if the sender said so.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it was sent. Stands in where nothing says when it happened; no part of the meaning.
    pub sent_at: Option<DateTime<Utc>>,
    /// The sender's own reference; at most 64 characters.
    pub reference: Option<String>,
    /// A note for the café; at most 500 characters.
    pub note: Option<String>,
}

/// What a message claims, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// The supplier it names.
    pub supplier: Option<i64>,
    /// The bean it names.
    pub bean_type: Option<String>,
    pub kind: Option<UpdateKind>,
    pub quantity: Option<i64>,
    pub reference: Option<String>,
    pub note: Option<String>,
    /// When it happened, or when the bags were counted.
    pub occurred_at: Option<DateTime<Utc>>,
}

impl From<&InventoryUpdate> for Claim {
    fn from(update: &InventoryUpdate) -> Self {
        Self {
            supplier: Some(update.supplier.0),
            bean_type: Some(update.bean_type.as_str().to_owned()),
            kind: Some(update.change.kind()),
            quantity: Some(update.change.bags()),
            reference: update.reference.clone(),
            note: update.note.clone(),
            occurred_at: match update.change {
                StockChange::Count { counted_at, .. } => Some(counted_at),
                _ => update.occurred_at,
            },
        }
    }
}

/// SHA-256 over what an update means. Two messages with one key but different fingerprints are two
/// updates, unless the first was refused and the second corrects it.
pub type Fingerprint = [u8; 32];

impl InventoryUpdate {
    /// The key that makes it count once.
    pub fn key(&self) -> UpdateKey {
        UpdateKey {
            supplier: Some(self.supplier),
            id: self.id,
        }
    }

    /// When it happened: as its sender says or, failing that, when it was sent. A time of sending in
    /// the future is a wrong clock and taken as `now`.
    pub fn moment(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let sent_at = || self.sent_at.map_or(now, |sent_at| sent_at.min(now));
        self.occurred_at.unwrap_or_else(sent_at)
    }

    /// Hashes the meaning, not the bytes, so that a re-encoded repeat is still a repeat.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        };
        field(&self.supplier.0.to_be_bytes());
        field(self.bean_type.key_of_fingerprints().as_bytes());
        field(self.change.kind().code().as_bytes());
        field(&self.change.bags().to_be_bytes());
        let moment = match self.change {
            StockChange::Count { counted_at, .. } => Some(counted_at),
            _ => self.occurred_at,
        };
        field(&moment.map_or(0, |at| at.timestamp_micros()).to_be_bytes());
        field(self.reference.as_deref().unwrap_or_default().as_bytes());
        field(self.note.as_deref().unwrap_or_default().as_bytes());
        hash.finalize().into()
    }

    /// The message group: one line of order per supplier and bean, so that a bad update holds up
    /// nobody else. A digest, because the SQS quota is 128 characters of a limited alphabet.
    pub fn message_group(&self) -> String {
        let bean = UpdateId::derive("bean", &self.bean_type.key());
        format!("{}:{}", self.supplier, bean.0.simple())
    }
}

/// How an update reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A form on the website.
    Web,
    Csv,
    Api,
    /// A message on the topic that nobody announced, like the lab's script sends.
    External,
}

impl Origin {
    pub const ALL: [Self; 4] = [Self::Web, Self::Csv, Self::Api, Self::External];

    /// Finds the origin a code stands for.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.code() == code)
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Csv => "csv",
            Self::Api => "api",
            Self::External => "external",
        }
    }
}

/// Where an update stands, and the steps of its timeline.
///
/// Applied, superseded, fixed, discarded and cancelled are ends: an update has at most one, and it stays. A
/// dead-lettered one may come again and be applied after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpdateState {
    /// Stored with its outbox row; not yet on the topic.
    Accepted,
    Published,
    /// Refused at least once, and still in the queue.
    Refused,
    /// Its effect is in the stock.
    Applied,
    /// Something newer already said otherwise; recorded, no effect.
    Superseded,
    /// Given up by the queue; waits for somebody.
    DeadLettered,
    /// Replaced by a corrected update.
    Fixed,
    /// Came again after the queue had given it up. Only a step, never where an update stands.
    Resent,
    /// Closed by somebody, with a reason.
    Discarded,
    /// Taken back by its sender before it had any effect.
    Cancelled,
}

impl UpdateState {
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Published,
        Self::Refused,
        Self::Applied,
        Self::Superseded,
        Self::DeadLettered,
        Self::Fixed,
        Self::Resent,
        Self::Discarded,
        Self::Cancelled,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Published => "published",
            Self::Refused => "refused",
            Self::Applied => "applied",
            Self::Superseded => "superseded",
            Self::DeadLettered => "dead_lettered",
            Self::Fixed => "fixed",
            Self::Resent => "resent",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing can happen to the update any more; later copies of it are duplicates.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Applied | Self::Superseded | Self::Fixed | Self::Discarded | Self::Cancelled
        )
    }

    /// Whether the update was refused and may be corrected under the same id.
    pub fn is_open_to_correction(self) -> bool {
        matches!(self, Self::Refused | Self::DeadLettered)
    }

    /// Whether its message is in the outbox.
    pub fn is_in_outbox(self) -> bool {
        matches!(self, Self::Accepted | Self::Published)
    }

    /// Finds the state a code stands for.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The word people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Accepted => "Sending",
            Self::Published => "Waiting",
            Self::Refused => "Retrying",
            Self::Applied => "Applied",
            Self::Superseded => "Superseded",
            Self::DeadLettered => "Needs attention",
            Self::Fixed => "Replaced",
            Self::Resent => "Sent again",
            Self::Discarded => "Closed",
            Self::Cancelled => "Cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(bean_type: &str) -> InventoryUpdate {
        InventoryUpdate {
            id: UpdateId::derive("test", "1"),
            supplier: SupplierId(3),
            bean_type: BeanType::parse(bean_type).unwrap(),
            change: StockChange::Delivery(Bags::new(9).unwrap()),
            occurred_at: None,
            sent_at: None,
            reference: None,
            note: None,
        }
    }

    #[test]
    fn a_derived_id_is_stable_and_depends_on_its_source() {
        let id = UpdateId::derive("sns", "m-1");

        assert_eq!(id, UpdateId::derive("sns", "m-1"));
        assert_ne!(id, UpdateId::derive("sqs", "m-1"));
        assert_ne!(id, UpdateId::derive("sns", "m-2"));
    }

    #[test]
    fn a_fingerprint_is_of_the_meaning() {
        let update = delivery("Excelsa");

        assert_eq!(update.fingerprint(), delivery("EXCELSA").fingerprint());
        let mut note = update.clone();
        note.note = Some("x".to_owned());
        let mut reference = update.clone();
        reference.reference = Some("x".to_owned());
        assert_ne!(note.fingerprint(), update.fingerprint());
        assert_ne!(note.fingerprint(), reference.fingerprint());
        let mut sent = update.clone();
        sent.sent_at = DateTime::from_timestamp(1, 0);
        assert_eq!(sent.fingerprint(), update.fingerprint());
    }

    /// As version 0.1 made it: what was seen before an upgrade must be known after it.
    #[test]
    fn a_fingerprint_stays_what_it_was() {
        let fingerprint = delivery("Café  NOIR").fingerprint();

        let halves = fingerprint.as_chunks::<16>().0.iter();
        let hex: Vec<String> = halves
            .map(|half| format!("{:032x}", u128::from_be_bytes(*half)))
            .collect();
        let hex = hex.concat();
        assert_eq!(
            hex,
            "71eefc363945b5ac414c2f0124a29a77d9688e1c6e1fe4b1005a1f9db11062dd"
        );
    }

    #[test]
    fn a_message_group_is_one_per_supplier_and_bean_and_always_legal() {
        let group = delivery("Excelsa").message_group();

        assert_eq!(group, delivery("excelsa").message_group());
        assert_ne!(group, delivery("Robusta").message_group());
        assert_eq!(group, delivery("Excelsa\u{200b}").message_group());
        let exotic = delivery(&"☕".repeat(100)).message_group();
        assert!(exotic.len() <= 128 && exotic.is_ascii());
    }

    #[test]
    fn codes_find_their_kinds_and_states_again() {
        for kind in UpdateKind::ALL {
            assert_eq!(UpdateKind::from_code(kind.code()), Some(kind));
        }
        for state in UpdateState::ALL {
            assert_eq!(UpdateState::from_code(state.code()), Some(state));
        }
    }
}
