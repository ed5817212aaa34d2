//! One bean: its numbers, how its stock came to be what it is, and what was said about it.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::db;
use crate::db::Connection;
use crate::db::bean_days::{UnusualMovement, Whose};
use crate::db::beans::{Bean, OfferedBean};
use crate::db::movements::{KindSum, MovementLine, StockThen};
use crate::db::update_lists::UpdateLine;
use crate::domain::{BeanId, BeanType, MovementKind};
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::chart::StepChart;
use crate::web::ui::form::{Mistakes, TextField};
use crate::web::ui::lasting::{Lasting, Lastings};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{COUNTED, Page, filters};
use crate::web::ui::pager::Pager;
use crate::web::ui::query::Query;
use crate::web::ui::typed::parse_past;
use crate::web::ui::updates::UpdateRow;
use crate::web::ui::weekdays::Weekdays;
use crate::web::ui::wording;

/// As many movements as a page can draw and list.
const MOVEMENTS: i64 = 50;
/// The newest updates; the rest are on their own page.
const UPDATES: i64 = 10;

/// As many unusual movements are listed, of so many days.
const UNUSUAL: i64 = 5;
const UNUSUAL_SHOWN: TimeDelta = TimeDelta::days(28);

#[derive(Template)]
#[template(path = "staff/beans/page.html")]
pub(crate) struct BeanPage {
    layout: Layout,
    bean: Bean,
    /// Other beans of the supplier whose types mean the same.
    twins: Vec<OfferedBean>,
    chart: Option<StepChart>,
    movements: Vec<MovementLine>,
    pager: Pager,
    /// What its stock is made of.
    sums: Vec<KindSum>,
    lasting: Lasting,
    weekdays: Option<Weekdays>,
    unusual: Vec<UnusualMovement>,
    /// A moment that was asked about, as typed, and how many bags there were.
    then: TextField,
    stock_then: Option<(DateTime<Utc>, StockThen)>,
    /// Those that wait for something.
    open: Vec<UpdateRow>,
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
    Query(choice): Query<BeanChoice>,
) -> Result<Page<BeanPage>, WebError> {
    let mut conn = state.connection().await?;
    let mut conn = db::snapshot(&mut conn).await?;
    let bean = db::beans::find_bean(&mut conn, id)
        .await?
        .ok_or(WebError::NotFound(Missing::Bean))?;
    let offered = db::beans::list_offered_beans(&mut conn, bean.supplier).await?;
    let total = db::movements::count_movements(&mut conn, id).await?;
    let pager = Pager::new(paths::bean(id), &choice.page, MOVEMENTS, total);
    let (limit, offset) = (pager.limit(), pager.offset());
    let movements = db::movements::list_movements(&mut conn, id, limit, offset).await?;
    let updates = db::update_lists::list_updates_of_bean(&mut conn, id, UPDATES).await?;
    let (then, stock_then) = find_stock_then(&mut conn, id, &choice.at, &layout).await?;
    let lastings = Lastings::read(&mut conn, &[id], &layout).await?;
    let since = layout.now - UNUSUAL_SHOWN;
    let whose = Whose {
        bean: Some(id),
        ..Whose::default()
    };
    let unusual = db::bean_days::list_unusual(&mut conn, whose, since, UNUSUAL).await?;
    Ok(Page::ok(BeanPage {
        twins: offered
            .into_iter()
            .filter(|other| are_twins(&bean, other))
            .collect(),
        // A page of older movements ends where the next newer one begins.
        chart: (pager.page == 1)
            .then(|| StepChart::new(&movements, bean.alert_at, state.clock.now()))
            .flatten(),
        sums: db::movements::sum_by_kind(&mut conn, id).await?,
        lasting: lastings.of(id, bean.quantity),
        weekdays: lastings.demand(id).as_ref().and_then(Weekdays::new),
        unusual,
        then,
        stock_then,
        open: list_open(&mut conn, &bean).await?,
        layout,
        movements,
        pager,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
        all_updates: db::update_counts::count_updates_of_bean(&mut conn, id, COUNTED + 1).await?,
        bean,
    }))
}

/// Whether a message could mean either of two beans of a supplier.
fn are_twins(one: &Bean, other: &OfferedBean) -> bool {
    let key = |bean_type: &str| BeanType::stored(bean_type.to_owned()).key();
    one.id != other.id && key(&one.bean_type) == key(&other.bean_type)
}

/// What an address chooses on the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BeanChoice {
    /// The page of the movements.
    page: String,
    /// The moment whose stock is asked for.
    at: String,
}

/// Tells how many bags there were at a moment, if one is asked about.
async fn find_stock_then(
    conn: &mut Connection,
    bean: BeanId,
    typed: &str,
    layout: &Layout,
) -> Result<(TextField, Option<(DateTime<Utc>, StockThen)>), WebError> {
    let mut mistakes = Mistakes::default();
    let moment = parse_past(typed, layout.now, layout.zone);
    let moment = mistakes.check("at", moment).flatten();
    let field = TextField {
        kind: "datetime-local",
        width: "medium",
        ..TextField::new("at", "How many were there at", typed, &mistakes)
    };
    let then = match moment {
        Some(at) => Some((at, db::movements::find_stock_at(conn, bean, at).await?)),
        None => None,
    };
    Ok((field, then))
}

/// As many open updates of a supplier are looked at for those of one bean.
const OPEN: i64 = 500;

/// The updates about a bean that wait for something. One that has not been applied yet names it by its type only.
async fn list_open(conn: &mut Connection, bean: &Bean) -> Result<Vec<UpdateRow>, WebError> {
    let key = BeanType::stored(bean.bean_type.clone()).key();
    let open = db::update_lists::list_open_updates(conn, bean.supplier, OPEN).await?;
    let is_about_it = |line: &UpdateLine| {
        let named = line
            .bean_type
            .clone()
            .map(|named| BeanType::stored(named).key());
        named.as_ref() == Some(&key)
    };
    Ok(open
        .into_iter()
        .filter(is_about_it)
        .map(UpdateRow::from)
        .collect())
}
