//! The page of one update, with its whole timeline.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use super::card::Card;
use super::eyes::Eyes;
use super::slip_page;
use crate::db;
use crate::db::Connection;
use crate::db::update_lists::UpdateLine;
use crate::domain::{SupplierId, UpdateId};
use crate::web::access::Viewer;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id, UpdateName};
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::{PageChoice, Pager};
use crate::web::ui::query::Query;
use crate::web::ui::wording;

/// As many as one page can show without becoming slow to read.
const STEPS_PER_PAGE: i64 = 100;

#[derive(Template)]
#[template(path = "updates/page.html")]
struct UpdatePage {
    layout: Layout,
    card: Card,
    /// The newest first in the list of pages; on a page, the oldest first.
    pager: Pager,
}

impl UpdatePage {
    /// The sender's id, where it is not ours as well.
    fn sender_id(&self) -> Option<UpdateId> {
        let line = &self.card.update.line;
        line.sender_id.filter(|sender_id| *sender_id != line.id)
    }

    fn line(&self) -> &UpdateLine {
        &self.card.update.line
    }
}

/// Shows an update or what was sent at once. An update's sender's id leads there as well, unless several
/// suppliers use that. To a supplier there is nothing but its own.
pub(super) async fn show_named(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Id(name): Id<UpdateName>,
    Query(choice): Query<PageChoice>,
) -> Result<Response, WebError> {
    match name {
        UpdateName::Slip(number) => {
            let page = slip_page::show(&state, &viewer, layout, number).await?;
            Ok(page.into_response())
        }
        UpdateName::Update(id) => {
            let page = show_update(&state, &viewer, layout, id, &choice).await?;
            Ok(page.into_response())
        }
    }
}

async fn show_update(
    state: &AppState,
    viewer: &Viewer,
    layout: Layout,
    id: UpdateId,
    choice: &PageChoice,
) -> Result<Page<UpdatePage>, WebError> {
    let eyes = Eyes::of(state, viewer, &layout);
    let mut conn = state.connection().await?;
    let mut conn = db::snapshot(&mut conn).await?;
    let line = find(&mut conn, id, viewer.bound_to()).await?;
    let total = db::timeline::count_events(&mut conn, line.id).await?;
    let pager = Pager::new(paths::update(line.id), &choice.page, STEPS_PER_PAGE, total);
    let (limit, offset) = (pager.limit(), pager.offset());
    let mut events = db::timeline::list_events(&mut conn, line.id, limit, offset).await?;
    events.reverse();
    let followers = db::update_lists::list_followers(&mut conn, &[line.id]).await?;
    Ok(Page::ok(UpdatePage {
        layout,
        card: Card {
            has_all_steps: !pager.is_needed(),
            ..Card::new(line, events, &followers, eyes)
        },
        pager,
    }))
}

/// Finds an update for somebody who sees all, or those of one supplier.
pub(super) async fn find(
    conn: &mut Connection,
    id: UpdateId,
    supplier: Option<SupplierId>,
) -> Result<UpdateLine, WebError> {
    let may_see =
        |line: &UpdateLine| supplier.is_none_or(|supplier| line.supplier == Some(supplier.0));
    if let Some(line) = db::update_lists::find_update(conn, id).await?
        && may_see(&line)
    {
        return Ok(line);
    }
    let ours = db::update_lists::find_update_of_sender(conn, id, supplier).await?;
    let line = match ours {
        Some(ours) => db::update_lists::find_update(conn, ours).await?,
        None => None,
    };
    line.ok_or(WebError::NotFound(Missing::Update))
}
