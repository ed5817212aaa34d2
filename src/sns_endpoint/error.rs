//! Why a delivery is not taken.

use crate::db::DbError;

/// Why a delivery is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("raw messages have no signature; switch RawMessageDelivery off for this subscription")]
    Raw,
    #[error("this is no message of SNS: {0}")]
    Malformed(&'static str),
    #[error("the topic is not in SNS_TOPICS")]
    ForeignTopic,
    #[error("the message is signed with SHA-1; set the topic's attribute SignatureVersion to 2")]
    OldSignature,
    #[error("the signature cannot be trusted: {0}")]
    Forged(&'static str),
    #[error("the message was signed more than an hour ago, or in the future")]
    Stale,
    /// The certificate or SNS itself did not answer.
    #[error("{0} did not answer; try again")]
    Unreachable(&'static str),
    #[error("somebody else is busy with the same bean; try again")]
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
