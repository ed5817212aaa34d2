//! Why an update was not applied: one vocabulary for forms, files, the API and dead letters.

use std::fmt;

/// The kinds of reasons. Their codes are stored and published; they never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The message was not in a form we can read.
    Malformed,
    /// There is no such supplier.
    UnknownSupplier,
    /// The supplier has no bean of that type.
    UnknownBean,
    /// The supplier has several beans whose types mean the same.
    AmbiguousBean,
    /// Not a whole number of bags within the limits.
    BadQuantity,
    /// It would leave less than no bags.
    BelowZero,
    /// The supplier is switched off.
    SupplierInactive,
    /// Something newer already says otherwise.
    Superseded,
    /// It came from a topic that is not one of ours.
    ForeignTopic,
    /// The queue gave it up before anybody here had tried it.
    NeverTried,
    /// The database did not answer.
    Unavailable,
}

impl Reason {
    /// Every reason, in the order people read them.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::UnknownSupplier,
        Self::UnknownBean,
        Self::AmbiguousBean,
        Self::BadQuantity,
        Self::BelowZero,
        Self::SupplierInactive,
        Self::Superseded,
        Self::ForeignTopic,
        Self::NeverTried,
        Self::Unavailable,
    ];

    /// The stored and published code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownSupplier => "unknown_supplier",
            Self::UnknownBean => "unknown_bean",
            Self::AmbiguousBean => "ambiguous_bean",
            Self::BadQuantity => "bad_quantity",
            Self::BelowZero => "below_zero",
            Self::SupplierInactive => "supplier_inactive",
            Self::Superseded => "superseded",
            Self::ForeignTopic => "foreign_topic",
            Self::NeverTried => "never_tried",
            Self::Unavailable => "unavailable",
        }
    }

    /// Finds the reason a code stands for.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// A heading of a few words, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Malformed => "Could not be read",
            Self::UnknownSupplier => "Unknown supplier",
            Self::UnknownBean => "Unknown bean",
            Self::AmbiguousBean => "Could mean more than one bean",
            Self::BadQuantity => "Invalid number of bags",
            Self::BelowZero => "Not enough bags in stock",
            Self::SupplierInactive => "Supplier is switched off",
            Self::Superseded => "Overtaken by a newer count",
            Self::ForeignTopic => "From an unknown topic",
            Self::NeverTried => "Never attempted",
            Self::Unavailable => "Database did not answer",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A reason together with the sentence that explains it to the people concerned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{explanation}")]
pub struct Refusal {
    pub reason: Reason,
    /// One or two plain sentences: what is wrong and what would help. At most 1,000 characters.
    pub explanation: String,
}

impl Refusal {
    /// The column's limit; what is quoted from a message is cut to fit.
    const MAX_CHARS: usize = 1_000;

    /// Puts a reason into words.
    pub fn new(reason: Reason, explanation: impl Into<String>) -> Self {
        let mut explanation: String = explanation.into();
        if let Some((cut, _)) = explanation.char_indices().nth(Self::MAX_CHARS - 1) {
            explanation.truncate(cut);
            explanation.push('…');
        }
        Self {
            reason,
            explanation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_again_by_its_code() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
        }
    }

    #[test]
    fn an_explanation_always_fits_its_column() {
        let refusal = Refusal::new(Reason::Malformed, "é".repeat(5_000));

        assert_eq!(refusal.explanation.chars().count(), 1_000);
    }
}
