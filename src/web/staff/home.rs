//! The first page: the stock at a glance, and what needs somebody.

use askama::Template;

use super::beans::BeanRow;
use crate::db;
use crate::db::update_lists::UpdateCounts;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::updates::UpdateRow;

/// Enough to see what is going on; the rest is a page of its own.
const LAST_UPDATES: i64 = 8;

/// As many beans as can be compared by eye; the rest are on their own page.
const BARS: usize = 40;

#[derive(Template)]
#[template(path = "staff/home.html")]
pub(crate) struct HomePage {
    layout: Layout,
    beans: usize,
    /// Those with the most bags.
    bars: Vec<BeanRow>,
    suppliers: usize,
    bags: i64,
    at_zero: Vec<BeanRow>,
    flagged: Vec<BeanRow>,
    counts: UpdateCounts,
    dead_letters: i64,
    updates: Vec<UpdateRow>,
}

impl HomePage {
    /// The class of the tile for beans that are out of stock.
    fn at_zero_class(&self) -> &'static str {
        if self.at_zero.is_empty() { "" } else { "alarm" }
    }

    /// The class of the tile for beans that are out of stock at their supplier.
    fn flagged_class(&self) -> &'static str {
        if self.flagged.is_empty() { "" } else { "warn" }
    }

    /// The class of the tile for what needs attention.
    fn attention_class(&self) -> &'static str {
        if self.dead_letters == 0 { "" } else { "alarm" }
    }

    fn is_calm(&self) -> bool {
        self.beans > 0
            && self.at_zero.is_empty()
            && self.flagged.is_empty()
            && self.dead_letters == 0
    }
}

/// Shows the café's first page.
pub(crate) async fn show_home(
    state: &AppState,
    layout: Layout,
) -> Result<Page<HomePage>, WebError> {
    let mut conn = state.connection().await?;
    let beans = db::beans::list_beans(&mut conn).await?;
    let suppliers = db::suppliers::list_suppliers(&mut conn).await?;
    let counts = db::update_lists::count_updates(&mut conn).await?;
    let dead_letters = db::dead_letters::count_open(&mut conn).await?;
    let updates = db::update_lists::list_updates(&mut conn, LAST_UPDATES, 0).await?;

    let mut rows = BeanRow::list(beans);
    let pick =
        |wanted: fn(&BeanRow) -> bool| rows.iter().filter(|row| wanted(row)).cloned().collect();
    let at_zero = pick(|row| row.bean.quantity == 0);
    let flagged = pick(|row| row.bean.out_of_stock_since.is_some());
    rows.sort_by_key(|row| std::cmp::Reverse(row.bean.quantity));
    Ok(Page::ok(HomePage {
        layout,
        suppliers: suppliers.len(),
        bags: rows.iter().map(|row| row.bean.quantity).sum(),
        beans: rows.len(),
        at_zero,
        flagged,
        bars: rows.into_iter().take(BARS).collect(),
        counts,
        dead_letters,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
    }))
}
