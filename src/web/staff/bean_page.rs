//! One bean: its numbers, how its stock came to be what it is, and what was said about it.

use askama::Template;
use axum::extract::State;

use crate::db;
use crate::db::beans::Bean;
use crate::db::movements::MovementLine;
use crate::domain::{BeanId, BeanType, MovementKind};
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::chart::StepChart;
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::{PageChoice, Pager};
use crate::web::ui::query::Query;
use crate::web::ui::updates::UpdateRow;
use crate::web::ui::wording;

/// As many movements as a page can draw and list.
const MOVEMENTS: i64 = 50;
/// The newest updates; the rest are on their own page.
const UPDATES: i64 = 10;

#[derive(Template)]
#[template(path = "staff/beans/page.html")]
pub(crate) struct BeanPage {
    layout: Layout,
    bean: Bean,
    /// Other beans of the supplier whose types mean the same.
    twins: Vec<Bean>,
    chart: Option<StepChart>,
    movements: Vec<MovementLine>,
    pager: Pager,
    updates: Vec<UpdateRow>,
    /// How many updates of it there are.
    all_updates: i64,
}

impl BeanPage {
    fn stock_class(&self) -> &'static str {
        if self.bean.quantity == 0 {
            "main alarm"
        } else {
            "main"
        }
    }

    /// Whether somebody may take a movement back here; what an update did is corrected on its own page.
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn is_undoable(&self, movement: &MovementLine) -> bool {
        let is_final = matches!(movement.kind, MovementKind::Undo | MovementKind::Removal);
        let is_of_update = movement.update.is_some() && movement.kind != MovementKind::Count;
        movement.undone_by.is_none() && !is_final && !is_of_update
    }

    fn fits_a_line(&self) -> bool {
        BeanType::stored(self.bean.bean_type.clone()).fits_a_line()
    }
}

pub(crate) async fn show_bean(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<BeanId>,
    Query(choice): Query<PageChoice>,
) -> Result<Page<BeanPage>, WebError> {
    let mut conn = state.connection().await?;
    let bean = db::beans::find_bean(&mut conn, id)
        .await?
        .ok_or(WebError::NotFound(Missing::Bean))?;
    let twins = db::beans::list_beans(&mut conn).await?;
    let total = db::movements::count_movements(&mut conn, id).await?;
    let pager = Pager::new(paths::bean(id), &choice.page, MOVEMENTS, total);
    let (limit, offset) = (pager.limit(), pager.offset());
    let movements = db::movements::list_movements(&mut conn, id, limit, offset).await?;
    let updates = db::update_lists::list_updates_of_bean(&mut conn, id, UPDATES).await?;
    Ok(Page::ok(BeanPage {
        layout,
        twins: twins
            .into_iter()
            .filter(|other| are_twins(&bean, other))
            .collect(),
        // A page of older movements ends where the next newer one begins.
        chart: (pager.page == 1)
            .then(|| StepChart::new(&movements, state.clock.now()))
            .flatten(),
        movements,
        pager,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
        all_updates: db::update_lists::count_updates_of_bean(&mut conn, id).await?,
        bean,
    }))
}

/// Whether a message could mean either of two beans.
fn are_twins(one: &Bean, other: &Bean) -> bool {
    let key = |bean: &Bean| BeanType::stored(bean.bean_type.clone()).key();
    one.id != other.id && one.supplier == other.supplier && key(one) == key(other)
}
