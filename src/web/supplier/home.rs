//! A supplier's first page: what needs it, what is on its way, and its beans at the café.

use askama::Template;
use chrono::TimeDelta;

use crate::db;
use crate::db::beans::OfferedBean;
use crate::db::update_lists::Filter;
use crate::domain::{SupplierId, UpdateId, UpdateState};
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::updates::{UpdateRow, as_seen};
use crate::web::ui::wording;

/// Enough to see what is going on; the rest is a page of its own.
const MOST: i64 = 50;

/// What is shown of what is done.
const LATELY: TimeDelta = TimeDelta::days(7);

#[derive(Template)]
#[template(path = "supplier/home.html")]
pub(crate) struct HomePage {
    layout: Layout,
    beans: Vec<OfferedBean>,
    /// Whether the café tells how many bags it has.
    sees_levels: bool,
    /// Whether the café does not take its updates.
    is_off: bool,
    needs_you: Vec<UpdateRow>,
    on_its_way: Vec<UpdateRow>,
    lately: Vec<UpdateRow>,
}

impl HomePage {
    /// What keeps it up to date.
    fn live(&self) -> String {
        let shown = [&self.needs_you, &self.on_its_way, &self.lately];
        let updates = shown.into_iter().flatten();
        let ids: Vec<UpdateId> = updates.map(|update| update.line.id).collect();
        paths::live_rows(&ids, Some(self.layout.now))
    }
}

pub(crate) async fn show_home(
    state: &AppState,
    layout: Layout,
    supplier: SupplierId,
) -> Result<Page<HomePage>, WebError> {
    let mut conn = state.connection().await?;
    let sees_levels = state.rules.suppliers_see_stock;
    let beans = db::beans::list_offered_beans(&mut conn, supplier).await?;
    let of_supplier = Filter {
        supplier: Some(supplier),
        ..Filter::default()
    };
    let lately = Filter {
        from: Some(layout.now - LATELY),
        ended: true,
        ..of_supplier.clone()
    };
    let lines = db::update_lists::list_filtered(&mut conn, &lately, None, MOST).await?;
    let mut open = Vec::new();
    for open_state in [
        UpdateState::DeadLettered,
        UpdateState::Accepted,
        UpdateState::Published,
        UpdateState::Refused,
    ] {
        let filter = Filter {
            state: Some(open_state),
            ..of_supplier.clone()
        };
        open.extend(db::update_lists::list_filtered(&mut conn, &filter, None, MOST).await?);
    }
    let row = |line| UpdateRow::from(as_seen(line, sees_levels));
    let (needs_you, on_its_way) = open
        .into_iter()
        .map(row)
        .partition(|update: &UpdateRow| update.line.state == UpdateState::DeadLettered);
    let found = db::suppliers::find_supplier(&mut conn, supplier).await?;
    Ok(Page::ok(HomePage {
        is_off: found.is_some_and(|supplier| !supplier.active),
        layout,
        beans,
        sees_levels,
        needs_you,
        on_its_way,
        lately: lines.into_iter().map(row).collect(),
    }))
}
