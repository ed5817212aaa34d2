//! Where somebody sends updates from: for which supplier, about which beans, and what they may see.

use super::card::sees_levels;
use crate::db;
use crate::db::Connection;
use crate::db::beans::OfferedBean;
use crate::db::suppliers::Supplier;
use crate::domain::{BeanType, InventoryUpdate, SupplierId};
use crate::web::access::Viewer;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::InPath as _;
use crate::web::state::AppState;
use crate::web::ui::form::Mistakes;

/// For whom updates are sent, and about which beans.
pub(super) struct Desk {
    pub(super) supplier: Supplier,
    pub(super) beans: Vec<OfferedBean>,
    pub(super) sees_levels: bool,
    /// Whether the café sends for the supplier.
    pub(super) is_cafe: bool,
}

impl Desk {
    /// Finds the desk of whoever asks: a supplier's own, or the one that the café has chosen. `None` if the café
    /// has yet to choose.
    pub(super) async fn find(
        state: &AppState,
        conn: &mut Connection,
        viewer: &Viewer,
        chosen: &str,
    ) -> Result<Option<Self>, WebError> {
        let supplier = match viewer.bound_to() {
            Some(own) => own,
            None if chosen.is_empty() => return Ok(None),
            None => {
                SupplierId::from_segment(chosen).ok_or(WebError::NotFound(Missing::Supplier))?
            }
        };
        let supplier = db::suppliers::find_supplier(conn, supplier).await?;
        let supplier = supplier.ok_or(WebError::NotFound(Missing::Supplier))?;
        Ok(Some(Self {
            beans: db::beans::list_offered_beans(conn, supplier.id).await?,
            supplier,
            sees_levels: sees_levels(state, viewer),
            is_cafe: viewer.bound_to().is_none(),
        }))
    }

    /// Whether nothing can be sent from here, and why.
    pub(super) fn closed_because(&self) -> Option<&'static str> {
        if !self.supplier.active {
            Some("This supplier is switched off, so its updates are not taken.")
        } else if self.beans.is_empty() {
            Some(
                "The café has none of this supplier’s beans on its list yet, so there is nothing to send updates about.",
            )
        } else {
            None
        }
    }

    /// Beans whose types look alike cannot be told apart in a message.
    pub(super) fn refuse_twins(&self, updates: &[InventoryUpdate], numbers: &[usize]) -> Mistakes {
        let mut mistakes = Mistakes::default();
        for (update, number) in updates.iter().zip(numbers) {
            if has_twin(&self.beans, &update.bean_type) {
                mistakes.add(format!("bean-{number}"), TWINS);
            }
        }
        mistakes
    }
}

/// What is said of beans that cannot be told apart.
pub(super) const TWINS: &str = "The café has two of these beans under the same name, so nobody could tell which one is meant. Ask the café to rename one";

/// Whether a message about a type could mean several beans.
pub(super) fn has_twin(beans: &[OfferedBean], bean_type: &BeanType) -> bool {
    let key = |bean: &OfferedBean| BeanType::stored(bean.bean_type.clone()).key();
    let wanted = bean_type.key();
    beans.iter().filter(|bean| key(bean) == wanted).count() > 1
}
