//! An update in a list, as the café and its supplier see it.

use super::wording::{self, Tag};
use crate::db::update_lists::UpdateLine;
use crate::domain::Reason;

/// An update in a list.
#[derive(Debug)]
pub(crate) struct UpdateRow {
    pub(crate) line: UpdateLine,
    pub(crate) tag: Tag,
    pub(crate) what: String,
}

impl From<UpdateLine> for UpdateRow {
    fn from(line: UpdateLine) -> Self {
        Self {
            tag: wording::tag(line.state),
            what: wording::what(line.kind, line.quantity),
            line,
        }
    }
}

impl UpdateRow {
    /// Who it comes from: a name, or what is known instead.
    pub(crate) fn sender(&self) -> String {
        match (&self.line.supplier_name, self.line.supplier) {
            (Some(name), _) => name.clone(),
            (None, Some(number)) => format!("Supplier {number} (unknown)"),
            (None, None) => "Unknown".to_owned(),
        }
    }

    /// The bean it names, as typed.
    pub(crate) fn bean_type(&self) -> &str {
        self.line.bean_type.as_deref().unwrap_or("Unknown bean")
    }

    /// Why it was refused or overtaken; empty if it was not.
    pub(crate) fn reason(&self) -> &str {
        self.line.explanation.as_deref().unwrap_or_default()
    }
}

/// An update as somebody may see it. Where the café does not tell its stock, a supplier sees what an update
/// changes, and no levels.
pub(crate) fn as_seen(line: UpdateLine, sees_levels: bool) -> UpdateLine {
    if sees_levels {
        return line;
    }
    UpdateLine {
        quantity_before: None,
        quantity_after: None,
        explanation: told_to_suppliers(line.reason, line.explanation),
        ..line
    }
}

/// The only reason whose sentence tells how many bags there are.
pub(crate) fn told_to_suppliers(
    reason: Option<Reason>,
    explanation: Option<String>,
) -> Option<String> {
    if reason == Some(Reason::BelowZero) {
        Some("It would take back more bags than the café has in stock.".to_owned())
    } else {
        explanation
    }
}
