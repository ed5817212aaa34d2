//! What we were told: the newest updates, and each with its timeline.

use askama::Template;
use axum::extract::State;

use super::error::{Missing, WebError};
use super::page::{Page, filters};
use super::paths::Id;
use super::state::AppState;
use super::wording::{self, Tag};
use crate::db;
use crate::db::updates::{EventLine, UpdateLine};
use crate::domain::UpdateId;

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

#[derive(Template)]
#[template(path = "updates/list.html")]
pub(super) struct UpdatesPage {
    updates: Vec<UpdateRow>,
}

/// Lists the newest updates.
pub(super) async fn list_updates(
    State(state): State<AppState>,
) -> Result<Page<UpdatesPage>, WebError> {
    let mut conn = state.connection().await?;
    let updates = db::updates::list_updates(&mut conn, None, NEWEST).await?;
    Ok(Page::ok(UpdatesPage {
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
    let line = db::updates::find_update(&mut conn, id)
        .await?
        .ok_or(WebError::NotFound(Missing::Update))?;
    let events = db::updates::list_events(&mut conn, id).await?;
    Ok(Page::ok(UpdatePage {
        update: line.into(),
        steps: events.into_iter().map(Step::from).collect(),
    }))
}
