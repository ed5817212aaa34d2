//! The first page: the stock at a glance, and what needs somebody; for a person, or for a screen on the wall.

use askama::Template;
use axum::response::{IntoResponse as _, Response};

use crate::db;
use crate::web::dashboard::Board;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::consumption::Consumption;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::updates::UpdateRow;

/// Enough to see what is going on; the rest is a page of its own.
const LAST_UPDATES: i64 = 12;

#[derive(Template)]
#[template(path = "staff/home.html")]
struct HomePage {
    layout: Layout,
    board: Board,
    updates: Vec<UpdateRow>,
}

#[derive(Template)]
#[template(path = "staff/wall.html")]
struct WallPage {
    layout: Layout,
    board: Board,
}

impl HomePage {
    fn beans(&self) -> i64 {
        let stock = self.board.figures.stock.value.as_ref();
        stock.map_or(0, |stock| stock.beans)
    }

    /// How many of them are drawn.
    fn drawn(&self) -> i64 {
        i64::try_from(self.board.levels().len()).unwrap_or(i64::MAX)
    }

    /// What keeps the page up to date.
    fn live(&self) -> String {
        let rows = self.updates.iter().map(|update| update.line.id);
        paths::live_board(rows, self.layout.now)
    }
}

/// Shows the café's first page.
pub(crate) async fn show_home(
    state: &AppState,
    layout: Layout,
    is_wall: bool,
) -> Result<Response, WebError> {
    let board = Board {
        figures: state.figures.read(&state.pool, layout.now).await?,
        zone: layout.zone,
        now: layout.now,
    };
    if is_wall {
        return Ok(Page::ok(WallPage { layout, board }).into_response());
    }
    let mut conn = state.connection().await?;
    let updates = db::update_lists::list_updates(&mut conn, LAST_UPDATES, 0).await?;
    Ok(Page::ok(HomePage {
        layout,
        board,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
    })
    .into_response())
}
