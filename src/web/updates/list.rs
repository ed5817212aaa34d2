//! What we were told: the newest updates.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::card::sees_levels;
use crate::db;
use crate::db::update_lists::StateCount;
use crate::domain::{UpdateId, UpdateState};
use crate::web::access::Viewer;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::Pager;
use crate::web::ui::query::Query;
use crate::web::ui::updates::{UpdateRow, without_levels};

/// As many as one page can show without becoming slow to read.
const PER_PAGE: i64 = 100;

/// A link that leaves only the updates of one state.
struct StateFilter {
    state: UpdateState,
    number: i64,
    chosen: bool,
}

impl StateFilter {
    /// One for every state where updates stand, and for the chosen one even if it is empty.
    fn list(counts: &[StateCount], chosen: Option<UpdateState>) -> Vec<Self> {
        UpdateState::ALL
            .into_iter()
            .map(|state| Self {
                state,
                number: counts
                    .iter()
                    .find(|count| count.state == state)
                    .map_or(0, |count| count.number),
                chosen: chosen == Some(state),
            })
            .filter(|filter| filter.number > 0 || filter.chosen)
            .collect()
    }
}

#[derive(Template)]
#[template(path = "updates/list.html")]
pub(crate) struct UpdatesPage {
    layout: Layout,
    chosen: Option<UpdateState>,
    filters: Vec<StateFilter>,
    pager: Pager,
    updates: Vec<UpdateRow>,
}

impl UpdatesPage {
    /// What keeps it up to date; only the first page of all updates tells of new ones.
    fn live(&self) -> String {
        let ids: Vec<UpdateId> = self.updates.iter().map(|update| update.line.id).collect();
        let is_first = self.chosen.is_none() && self.pager.previous().is_none();
        paths::live_rows(&ids, is_first.then_some(self.layout.now))
    }

    fn all(&self) -> i64 {
        self.filters.iter().map(|filter| filter.number).sum()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Choice {
    state: String,
    page: String,
}

/// Lists the updates, of all states or of the one named in the address, newest first. A supplier's own.
pub(crate) async fn list_updates(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Query(choice): Query<Choice>,
) -> Result<Page<UpdatesPage>, WebError> {
    let chosen = UpdateState::from_code(&choice.state);
    let mut conn = state.connection().await?;
    let supplier = viewer.bound_to();
    let counts = db::update_lists::count_by_state(&mut conn, supplier).await?;
    let filters = StateFilter::list(&counts, chosen);
    let listed = filters.iter().filter(|f| chosen.is_none() || f.chosen);
    let total = listed.map(|filter| filter.number).sum();
    let path = chosen.map_or_else(|| paths::UPDATES.to_owned(), paths::updates_in);
    let pager = Pager::new(path, &choice.page, PER_PAGE, total);
    let (limit, offset) = (pager.limit(), pager.offset());
    let mut updates = match (supplier, chosen) {
        (Some(supplier), chosen) => {
            let conn = &mut conn;
            db::update_lists::list_updates_of_supplier(conn, supplier, chosen, limit, offset)
                .await?
        }
        (None, Some(chosen)) => {
            db::update_lists::list_updates_in_state(&mut conn, chosen, limit, offset).await?
        }
        (None, None) => db::update_lists::list_updates(&mut conn, limit, offset).await?,
    };
    if !sees_levels(&state, &viewer) {
        updates = updates.into_iter().map(without_levels).collect();
    }
    Ok(Page::ok(UpdatesPage {
        layout,
        chosen,
        filters,
        pager,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
    }))
}
