//! What updates are called: by us, and by their senders.

use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::supplier::SupplierId;

/// Names one update for ever: ours, or what its sender calls it (see [`UpdateKey`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpdateId(pub Uuid);

impl UpdateId {
    /// Makes a new id (`UUIDv7`, RFC 9562): unique, and ordered by the time it was made.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Derives the id of a message that carries none from what the broker calls it.
    ///
    /// The same `source` and `message_id` always give the same id (`UUIDv8` of a SHA-256), so a
    /// redelivered message is recognised.
    pub fn derive(source: &str, message_id: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(source)
            .chain_update([0])
            .chain_update(message_id)
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for UpdateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The key that makes an update count once however often it arrives: what its sender calls it.
///
/// An id belongs to its supplier, so two suppliers may use the same one. Where a message names no
/// supplier, the id is derived from what the broker calls the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpdateKey {
    /// The supplier that the message claims to come from, if it could be read.
    pub supplier: Option<SupplierId>,
    /// The sender's id or, failing that, the broker's.
    pub id: UpdateId,
}
