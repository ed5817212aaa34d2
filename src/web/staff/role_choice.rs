//! The field that chooses a role: a supplier's account has one choice for each supplier.

use crate::db::suppliers::Supplier;
use crate::domain::{Role, SupplierId};
use crate::web::ui::form::Mistakes;

/// The field as the template shows it.
#[derive(Debug)]
pub(super) struct RoleChoice {
    pub(super) chosen: String,
    pub(super) choices: Vec<Choice>,
    pub(super) error: Option<String>,
}

/// One of its choices.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
}

const CAFE: [Role; 3] = [Role::Staff, Role::Manager, Role::Viewer];

impl RoleChoice {
    pub(super) fn new(chosen: &str, suppliers: &[Supplier], mistakes: &Mistakes) -> Self {
        let cafe = CAFE.into_iter().map(|role| Choice {
            value: Self::value(role),
            label: role.label().to_owned(),
        });
        let suppliers = suppliers.iter().map(|supplier| Choice {
            value: Self::value(Role::Supplier(supplier.id)),
            label: format!("Supplier: {} (number {})", supplier.name, supplier.id),
        });
        Self {
            chosen: chosen.to_owned(),
            choices: cafe.chain(suppliers).collect(),
            error: mistakes.of("role").map(str::to_owned),
        }
    }

    /// How the field writes a role.
    pub(super) fn value(role: Role) -> String {
        match role.supplier() {
            Some(supplier) => format!("supplier-{supplier}"),
            None => role.code().to_owned(),
        }
    }

    /// Reads what was chosen. A supplier must be on the list.
    pub(super) fn parse(value: &str, suppliers: &[Supplier]) -> Result<Role, String> {
        let supplier = value
            .strip_prefix("supplier-")
            .and_then(|number| number.parse().ok())
            .map(SupplierId)
            .filter(|id| suppliers.iter().any(|supplier| supplier.id == *id));
        let role = match supplier {
            Some(supplier) => Some(Role::Supplier(supplier)),
            None => Role::from_code(value, None),
        };
        role.ok_or_else(|| "Choose a role".to_owned())
    }
}
