//! What we were told: the newest updates, and each with its timeline.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::db;
use crate::db::timeline::EventLine;
use crate::db::update_lists::{StateCount, UpdateLine};
use crate::domain::{UpdateId, UpdateState};
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::{PageChoice, Pager};
use crate::web::ui::query::Query;
use crate::web::ui::wording::{self, Tag};

/// As many as one page can show without becoming slow to read.
const PER_PAGE: i64 = 100;

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

/// Lists the updates, of all states or of the one named in the address, newest first.
pub(crate) async fn list_updates(
    State(state): State<AppState>,
    layout: Layout,
    Query(choice): Query<Choice>,
) -> Result<Page<UpdatesPage>, WebError> {
    let chosen = UpdateState::from_code(&choice.state);
    let mut conn = state.connection().await?;
    let counts = db::update_lists::count_by_state(&mut conn).await?;
    let filters = StateFilter::list(&counts, chosen);
    let listed = filters.iter().filter(|f| chosen.is_none() || f.chosen);
    let total = listed.map(|filter| filter.number).sum();
    let path = chosen.map_or_else(|| paths::UPDATES.to_owned(), paths::updates_in);
    let pager = Pager::new(path, &choice.page, PER_PAGE, total);
    let (limit, offset) = (pager.limit(), pager.offset());
    let updates = match chosen {
        Some(chosen) => {
            db::update_lists::list_updates_in_state(&mut conn, chosen, limit, offset).await?
        }
        None => db::update_lists::list_updates(&mut conn, limit, offset).await?,
    };
    Ok(Page::ok(UpdatesPage {
        layout,
        chosen,
        filters,
        pager,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
    }))
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

/// Shows one update. Its sender's id leads there as well, unless several suppliers use that.
pub(crate) async fn show_update(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<UpdateId>,
    Query(choice): Query<PageChoice>,
) -> Result<Page<UpdatePage>, WebError> {
    let mut conn = state.connection().await?;
    let mut line = db::update_lists::find_update(&mut conn, id).await?;
    if line.is_none()
        && let Some(ours) = db::update_lists::find_update_of_sender(&mut conn, id).await?
    {
        line = db::update_lists::find_update(&mut conn, ours).await?;
    }
    let line = line.ok_or(WebError::NotFound(Missing::Update))?;
    let total = db::timeline::count_events(&mut conn, line.id).await?;
    let pager = Pager::new(paths::update(line.id), &choice.page, PER_PAGE, total);
    let (limit, offset) = (pager.limit(), pager.offset());
    let events = db::timeline::list_events(&mut conn, line.id, limit, offset).await?;
    Ok(Page::ok(UpdatePage {
        layout,
        update: line.into(),
        steps: events.into_iter().rev().map(Step::from).collect(),
        pager,
    }))
}
