//! One bean: its numbers, how its stock came to be what it is, and what was said about it.

use askama::Template;
use axum::extract::State;

use super::chart::StepChart;
use super::error::{Missing, WebError};
use super::page::{Page, filters};
use super::paths::Id;
use super::state::AppState;
use super::updates::UpdateRow;
use crate::db;
use crate::db::beans::Bean;
use crate::db::movements::MovementLine;
use crate::domain::BeanId;

/// As many movements as a page can draw and list.
const MOVEMENTS: i64 = 200;
/// The newest updates; the rest are on their own page.
const UPDATES: i64 = 10;

#[derive(Template)]
#[template(path = "beans/page.html")]
pub(super) struct BeanPage {
    bean: Bean,
    chart: Option<StepChart>,
    movements: Vec<MovementLine>,
    updates: Vec<UpdateRow>,
}

/// Shows a bean.
pub(super) async fn show_bean(
    State(state): State<AppState>,
    Id(id): Id<BeanId>,
) -> Result<Page<BeanPage>, WebError> {
    let mut conn = state.connection().await?;
    let bean = db::beans::find_bean(&mut conn, id)
        .await?
        .ok_or(WebError::NotFound(Missing::Bean))?;
    let movements = db::movements::list_movements(&mut conn, id, MOVEMENTS).await?;
    let updates = db::update_lists::list_updates_of_bean(&mut conn, id, UPDATES).await?;
    Ok(Page::ok(BeanPage {
        bean,
        chart: StepChart::new(&movements, state.clock.now()),
        movements,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
    }))
}
