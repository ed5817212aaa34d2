//! The first page: the stock at a glance, and what needs somebody; for a person, or for a screen on the wall.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use chrono::TimeDelta;

use crate::db::bean_days::{UnusualMovement, Whose};
use crate::db::beans::Bean;
use crate::db::{self, Connection};
use crate::domain::day_in;
use crate::web::dashboard::Board;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::consumption::Consumption;
use crate::web::ui::lasting::{Lasting, Lastings};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::updates::UpdateRow;
use crate::web::ui::wording;

/// Enough to see what is going on; the rest is a page of its own.
const LAST_UPDATES: i64 = 12;

#[derive(Template)]
#[template(path = "staff/home.html")]
struct HomePage {
    layout: Layout,
    board: Board,
    updates: Vec<UpdateRow>,
    running_out: Vec<RunningOut>,
    unusual: Vec<UnusualMovement>,
}

/// A bean that is likely to run out soon.
struct RunningOut {
    bean: Bean,
    lasting: Lasting,
}

/// What is likely to run out within so many days is told, of so many beans.
const SOON: TimeDelta = TimeDelta::days(7);
const RUNNING_OUT: i64 = 6;

/// As many unusual movements, of so many days.
const UNUSUAL: i64 = 4;
const UNUSUAL_SHOWN: TimeDelta = TimeDelta::days(7);

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
    let since = layout.now - UNUSUAL_SHOWN;
    let unusual = db::bean_days::list_unusual(&mut conn, Whose::default(), since, UNUSUAL).await?;
    Ok(Page::ok(HomePage {
        running_out: list_running_out(&mut conn, &layout).await?,
        unusual,
        layout,
        board,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
    })
    .into_response())
}

/// The beans that are likely to run out soon, the next ones first.
async fn list_running_out(
    conn: &mut Connection,
    layout: &Layout,
) -> Result<Vec<RunningOut>, WebError> {
    let by = day_in(layout.zone, layout.now + SOON);
    // Some of the forecasts that are kept are older than the last delivery.
    let ids = db::bean_days::list_running_out(conn, by, 4 * RUNNING_OUT).await?;
    let lastings = Lastings::read(conn, &ids, layout).await?;
    let beans = db::bean_lists::list_beans_by_id(conn, &ids).await?;
    let mut running_out: Vec<RunningOut> = beans
        .into_iter()
        .map(|bean| RunningOut {
            lasting: lastings.of(bean.id, bean.quantity),
            bean,
        })
        .collect();
    let is_soon = |days| days <= SOON.num_days();
    running_out.retain(|row| row.lasting.days.is_some_and(is_soon));
    running_out.sort_by_key(|row| (row.lasting.days, row.bean.id.0));
    running_out.truncate(usize::try_from(RUNNING_OUT).unwrap_or(usize::MAX));
    Ok(running_out)
}
