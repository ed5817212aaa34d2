//! What we were told: the newest updates, and each with its timeline.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use chrono::{DateTime, Utc};

use super::error::{Missing, WebError};
use super::page::{Page, filters};
use super::paths::{self, Id};
use super::state::AppState;
use super::wording::{self, Tag};
use crate::db;
use crate::db::timeline::EventLine;
use crate::db::update_lists::{StateCount, UpdateLine};
use crate::domain::{UpdateId, UpdateState};

/// As many as one page can show without becoming slow to read.
const NEWEST: i64 = 200;

/// An update in a list.
#[derive(Debug)]
pub(super) struct UpdateRow {
    pub(super) line: UpdateLine,
    pub(super) tag: Tag,
    pub(super) what: String,
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
    pub(super) fn sender(&self) -> String {
        match (&self.line.supplier_name, self.line.supplier) {
            (Some(name), _) => name.clone(),
            (None, Some(number)) => format!("Supplier {number} (unknown)"),
            (None, None) => "Unknown".to_owned(),
        }
    }

    /// The bean it names, as typed.
    pub(super) fn bean_type(&self) -> &str {
        self.line.bean_type.as_deref().unwrap_or("–")
    }

    /// Why it was refused or overtaken; empty if it was not.
    pub(super) fn reason(&self) -> &str {
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
#[template(path = "updates/list.html")]
pub(super) struct UpdatesPage {
    now: DateTime<Utc>,
    /// Where this very page is.
    path: String,
    chosen: Option<UpdateState>,
    filters: Vec<StateFilter>,
    updates: Vec<UpdateRow>,
}

impl UpdatesPage {
    fn all(&self) -> i64 {
        self.filters.iter().map(|filter| filter.number).sum()
    }

    /// How many there are of what is listed, beyond what is listed.
    fn total(&self) -> i64 {
        let chosen = self.filters.iter().find(|filter| filter.chosen);
        chosen.map_or_else(|| self.all(), |filter| filter.number)
    }

    fn is_cut(&self) -> bool {
        self.total() > NEWEST
    }
}

/// Lists the newest updates, of all states or of the one named in the address.
pub(super) async fn list_updates(
    State(state): State<AppState>,
    uri: Uri,
) -> Result<Page<UpdatesPage>, WebError> {
    let chosen = paths::chosen_state(&uri);
    let mut conn = state.connection().await?;
    let counts = db::update_lists::count_by_state(&mut conn).await?;
    let updates = match chosen {
        Some(chosen) => db::update_lists::list_updates_in_state(&mut conn, chosen, NEWEST).await?,
        None => db::update_lists::list_updates(&mut conn, NEWEST).await?,
    };
    Ok(Page::ok(UpdatesPage {
        now: state.clock.now(),
        path: chosen.map_or_else(|| paths::UPDATES.to_owned(), paths::updates_in),
        chosen,
        filters: StateFilter::list(&counts, chosen),
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
#[template(path = "updates/page.html")]
pub(super) struct UpdatePage {
    update: UpdateRow,
    steps: Vec<Step>,
}

/// Shows one update.
pub(super) async fn show_update(
    State(state): State<AppState>,
    Id(id): Id<UpdateId>,
) -> Result<Page<UpdatePage>, WebError> {
    let mut conn = state.connection().await?;
    let line = db::update_lists::find_update(&mut conn, id)
        .await?
        .ok_or(WebError::NotFound(Missing::Update))?;
    let events = db::timeline::list_events(&mut conn, id).await?;
    Ok(Page::ok(UpdatePage {
        update: line.into(),
        steps: events.into_iter().map(Step::from).collect(),
    }))
}
