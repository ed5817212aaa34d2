//! What the queue gave up on, grouped by why, and what a count overtook: it waits for somebody.

use askama::Template;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use uuid::Uuid;

use crate::db;
use crate::db::dead_letters::DeadLetterLine;
use crate::domain::Reason;
use crate::messaging::wire;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::Pager;
use crate::web::ui::query::Query;
use crate::web::ui::updates::UpdateRow;

/// As many of a group as the overview shows; the rest is a page away.
const PREVIEW: i64 = 10;

/// As many of a group as one page can show without becoming slow to read.
const PER_PAGE: i64 = 50;

/// A dead letter with the message that the sender wrote, out of its envelope.
struct Letter {
    line: DeadLetterLine,
    message: Option<String>,
}

impl From<DeadLetterLine> for Letter {
    fn from(line: DeadLetterLine) -> Self {
        Self {
            message: wire::message_within(&line.body),
            line,
        }
    }
}

impl Letter {
    /// Whether the form can be filled in with it: it must be known whose beans it may mean.
    fn is_fixable(&self) -> bool {
        self.line.supplier_name.is_some()
    }

    /// Whether the body is longer than the page shows.
    fn is_cut(&self) -> bool {
        self.line.body_length > db::dead_letters::LISTED_CHARACTERS
    }
}

/// Dead letters that share a reason: one page of them.
struct Group {
    title: &'static str,
    path: String,
    pager: Pager,
    letters: Vec<Letter>,
}

/// Updates that a count overtook although nobody said when they happened: one page of them.
struct Overtaken {
    path: String,
    pager: Pager,
    updates: Vec<UpdateRow>,
}

#[derive(Template)]
#[template(path = "staff/dead_letters/list.html")]
pub(crate) struct DeadLettersPage {
    layout: Layout,
    /// Whether only one group was asked for.
    is_one_group: bool,
    open: i64,
    groups: Vec<Group>,
    overtaken: Overtaken,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    reason: String,
    page: String,
}

/// Lists the open dead letters, the first of each reason or all of the one in the address.
pub(super) async fn list_dead_letters(
    State(state): State<AppState>,
    layout: Layout,
    Query(choice): Query<Choice>,
) -> Result<Page<DeadLettersPage>, WebError> {
    let mut conn = state.connection().await?;
    let counts = db::dead_letters::count_open_by_reason(&mut conn).await?;
    let open = counts.iter().map(|(_, number)| number).sum();
    let chosen = |reason: Reason| choice.reason.is_empty() || choice.reason == reason.code();
    let is_one_group = !choice.reason.is_empty();
    let (size, page) = if is_one_group {
        (PER_PAGE, choice.page.as_str())
    } else {
        (PREVIEW, "")
    };
    let mut groups = Vec::new();
    for (reason, number) in counts.into_iter().filter(|(reason, _)| chosen(*reason)) {
        let path = paths::dead_letters_of(reason.code());
        let pager = Pager::new(path.clone(), page, size, number);
        let (limit, offset) = (pager.limit(), pager.offset());
        let letters = db::dead_letters::list_open(&mut conn, Some(reason), limit, offset).await?;
        groups.push(Group {
            title: reason.title(),
            path,
            pager,
            letters: letters.into_iter().map(Letter::from).collect(),
        });
    }
    let superseded = Reason::Superseded;
    let number = db::update_counts::count_overtaken(&mut conn).await?;
    let path = paths::dead_letters_of(superseded.code());
    let pager = Pager::new(path.clone(), page, size, number);
    let updates = if chosen(superseded) {
        let (limit, offset) = (pager.limit(), pager.offset());
        db::update_lists::list_overtaken(&mut conn, limit, offset).await?
    } else {
        Vec::new()
    };
    Ok(Page::ok(DeadLettersPage {
        layout,
        is_one_group,
        open,
        groups,
        overtaken: Overtaken {
            path,
            pager,
            updates: updates.into_iter().map(UpdateRow::from).collect(),
        },
    }))
}

/// Shows the whole of a message, as a text that no browser takes for anything else.
pub(super) async fn show_body(
    State(state): State<AppState>,
    Id(id): Id<Uuid>,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let body = db::dead_letters::find_body(&mut conn, id).await?;
    let body = body.ok_or(WebError::NotFound(Missing::Letter))?;
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{id}.txt\""),
        ),
    ];
    Ok((headers, body).into_response())
}
