//! What we were told: the newest updates, and each with its timeline.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::db;
use crate::db::Connection;
use crate::db::timeline::EventLine;
use crate::db::update_lists::{StateCount, UpdateLine};
use crate::domain::{SupplierId, UpdateId, UpdateState};
use crate::web::access::Viewer;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::{PageChoice, Pager};
use crate::web::ui::query::Query;
use crate::web::ui::updates::{UpdateRow, told_to_suppliers, without_levels};
use crate::web::ui::wording::{self, Tag};

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
#[template(path = "staff/updates/list.html")]
pub(crate) struct UpdatesPage {
    layout: Layout,
    chosen: Option<UpdateState>,
    filters: Vec<StateFilter>,
    pager: Pager,
    updates: Vec<UpdateRow>,
}

impl UpdatesPage {
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

/// Whether somebody may know how many bags the café has.
pub(crate) fn sees_levels(state: &AppState, viewer: &Viewer) -> bool {
    viewer.bound_to().is_none() || state.rules.suppliers_see_stock
}

/// A step of a timeline.
struct Step {
    line: EventLine,
    tag: Tag,
    sentence: &'static str,
}

impl From<EventLine> for Step {
    fn from(line: EventLine) -> Self {
        Self {
            tag: wording::tag(line.state),
            sentence: wording::step(line.state),
            line,
        }
    }
}

#[derive(Template)]
#[template(path = "staff/updates/page.html")]
pub(crate) struct UpdatePage {
    layout: Layout,
    update: UpdateRow,
    /// The newest first in the list of pages; on a page, the oldest first.
    steps: Vec<Step>,
    pager: Pager,
}

impl UpdatePage {
    /// The bean's bags before and after, if it was applied.
    fn quantities(&self) -> Option<(i64, i64)> {
        let line = &self.update.line;
        line.quantity_before.zip(line.quantity_after)
    }

    /// The sender's id, where it is not ours as well.
    fn sender_id(&self) -> Option<UpdateId> {
        let line = &self.update.line;
        line.sender_id.filter(|sender_id| *sender_id != line.id)
    }
}

/// Shows one update. Its sender's id leads there as well, unless several suppliers use that. To a supplier
/// there are no updates but its own.
pub(crate) async fn show_update(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Id(id): Id<UpdateId>,
    Query(choice): Query<PageChoice>,
) -> Result<Page<UpdatePage>, WebError> {
    let mut conn = state.connection().await?;
    let line = find(&mut conn, id, viewer.bound_to()).await?;
    let mut line = line.ok_or(WebError::NotFound(Missing::Update))?;
    let total = db::timeline::count_events(&mut conn, line.id).await?;
    let pager = Pager::new(paths::update(line.id), &choice.page, PER_PAGE, total);
    let (limit, offset) = (pager.limit(), pager.offset());
    let mut events = db::timeline::list_events(&mut conn, line.id, limit, offset).await?;
    if !sees_levels(&state, &viewer) {
        line = without_levels(line);
        for event in &mut events {
            event.explanation = told_to_suppliers(event.reason, event.explanation.take());
        }
    }
    Ok(Page::ok(UpdatePage {
        layout,
        update: line.into(),
        steps: events.into_iter().rev().map(Step::from).collect(),
        pager,
    }))
}

async fn find(
    conn: &mut Connection,
    id: UpdateId,
    supplier: Option<SupplierId>,
) -> Result<Option<UpdateLine>, WebError> {
    let may_see =
        |line: &UpdateLine| supplier.is_none_or(|supplier| line.supplier == Some(supplier.0));
    if let Some(line) = db::update_lists::find_update(conn, id).await?
        && may_see(&line)
    {
        return Ok(Some(line));
    }
    let ours = db::update_lists::find_update_of_sender(conn, id, supplier).await?;
    Ok(match ours {
        Some(ours) => db::update_lists::find_update(conn, ours).await?,
        None => None,
    })
}
