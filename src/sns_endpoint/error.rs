//! Why a delivery is not taken.

use crate::db::DbError;

/// Why a delivery is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// It comes without an envelope, and so without a signature.
    #[error("a raw message has no signature: switch RawMessageDelivery off for this subscription")]
    Raw,
    /// SNS does not send such a thing.
    #[error("not a message of SNS: {0}")]
    Malformed(&'static str),
    #[error("not a message of SNS: {0} is missing")]
    Missing(&'static str),
    /// Nobody has said that messages of its topic are taken.
    #[error("the topic is not in SNS_TOPICS")]
    ForeignTopic,
    /// Version 1, which SNS uses unless it is told otherwise.
    #[error("the message is signed with SHA-1: set the topic's attribute SignatureVersion to 2")]
    OldSignature,
    /// Somebody else than SNS has sent or changed it.
    #[error("the signature cannot be trusted: {0}")]
    Forged(&'static str),
    /// SNS gives up earlier.
    #[error("the message was signed more than two hours ago, or in the future")]
    Stale,
    /// The server of certificates or SNS itself.
    #[error("{0} did not answer; try again")]
    Unreachable(&'static str),
    /// The bean is locked.
    #[error("the bean is being changed by somebody else; try again")]
    Busy,
    #[error("the database is away; try again")]
    Db(#[from] DbError),
}

impl DeliveryError {
    /// Whether SNS is to try again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy | Self::Db(_))
    }
}
