//! The log of what people did.

use askama::Template;
use axum::extract::State;

use crate::db;
use crate::db::activity::ActivityLine;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::{PageChoice, Pager};
use crate::web::ui::query::Query;

/// As many as one page can show without becoming slow to read.
const PER_PAGE: i64 = 100;

#[derive(Template)]
#[template(path = "staff/activity.html")]
pub(super) struct ActivityPage {
    layout: Layout,
    lines: Vec<ActivityLine>,
    pager: Pager,
}

pub(super) async fn list_activity(
    State(state): State<AppState>,
    layout: Layout,
    Query(choice): Query<PageChoice>,
) -> Result<Page<ActivityPage>, WebError> {
    let mut conn = state.connection().await?;
    let total = db::activity::count_activity(&mut conn).await?;
    let pager = Pager::new(paths::ACTIVITY.to_owned(), &choice.page, PER_PAGE, total);
    let lines = db::activity::list_activity(&mut conn, pager.limit(), pager.offset()).await?;
    Ok(Page::ok(ActivityPage {
        layout,
        lines,
        pager,
    }))
}
