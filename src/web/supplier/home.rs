//! A supplier's first page: its beans at the café, and what it has sent.

use askama::Template;

use crate::db;
use crate::db::beans::Bean;
use crate::domain::SupplierId;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::updates::{UpdateRow, without_levels};
use crate::web::ui::wording;

/// Enough to see what is going on; the rest is a page of its own.
const LAST_UPDATES: i64 = 8;

#[derive(Template)]
#[template(path = "supplier/home.html")]
pub(crate) struct HomePage {
    layout: Layout,
    beans: Vec<Bean>,
    /// Whether the café tells how many bags it has.
    sees_levels: bool,
    updates: Vec<UpdateRow>,
}

pub(crate) async fn show_home(
    state: &AppState,
    layout: Layout,
    supplier: SupplierId,
) -> Result<Page<HomePage>, WebError> {
    let mut conn = state.connection().await?;
    let mut beans = db::beans::list_beans(&mut conn).await?;
    beans.retain(|bean| bean.supplier == supplier);
    let lines =
        db::update_lists::list_updates_of_supplier(&mut conn, supplier, None, LAST_UPDATES, 0);
    let mut lines = lines.await?;
    let sees_levels = state.rules.suppliers_see_stock;
    if !sees_levels {
        lines = lines.into_iter().map(without_levels).collect();
    }
    Ok(Page::ok(HomePage {
        layout,
        beans,
        sees_levels,
        updates: lines.into_iter().map(UpdateRow::from).collect(),
    }))
}
