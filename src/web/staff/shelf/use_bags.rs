//! Using bags: one tap, and a way back.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::taking::{refusal, submission};
use crate::db;
use crate::db::activity::Actor;
use crate::db::bean_lists::{BeanFilter, Order};
use crate::db::beans::Bean;
use crate::domain::{Bags, BeanId, MovementKind, isolate};
use crate::shelf::{self, Deed, ShelfError};
use crate::submission::Submission;
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::paths::{self, Id, InPath as _};
use crate::web::staff::beans::find_bean;
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField, new_key};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::query::Query;
use crate::web::ui::typed::parse_bags;
use crate::web::ui::wording;

/// What one tap takes from the shelf.
pub(in crate::web::staff) const TAPS: [i64; 3] = [1, 2, 5];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UseForm {
    form_key: String,
    bags: String,
}

/// What was just taken, so that it can be told and taken back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Taken {
    bean: String,
    movement: String,
    /// What is looked for.
    q: String,
}

/// As many beans as one page shows; whoever has more looks for the one they hold.
const LISTED: i64 = 60;

/// Bags that were just used.
struct Used {
    bean: Bean,
    sequence: i64,
    bags: i64,
    is_undone: bool,
}

#[derive(Template)]
#[template(path = "staff/shelf/use.html")]
pub(super) struct UsePage {
    layout: Layout,
    words: TextField,
    beans: Vec<Bean>,
    /// How many there are.
    all: i64,
    used: Option<Used>,
    form_key: String,
    refusal: Option<String>,
}

impl UsePage {
    /// Whether there are more than the page shows.
    fn goes_on(&self) -> bool {
        self.all > LISTED
    }
}

pub(super) async fn list_beans(
    State(state): State<AppState>,
    layout: Layout,
    Query(taken): Query<Taken>,
) -> Result<Page<UsePage>, WebError> {
    show(&state, layout, &taken, None).await
}

async fn show(
    state: &AppState,
    layout: Layout,
    taken: &Taken,
    refusal: Option<String>,
) -> Result<Page<UsePage>, WebError> {
    let mut conn = state.connection().await?;
    let filter = BeanFilter {
        words: taken.q.trim().chars().take(100).collect(),
        ..BeanFilter::default()
    };
    // What is there to use comes first.
    let order = Order::Usable;
    let beans = db::bean_lists::list_filtered_beans(&mut conn, &filter, order, LISTED, 0).await?;
    let count = db::bean_lists::count_filtered_beans(&mut conn, &filter).await?;
    let taken_from = match BeanId::from_segment(&taken.bean) {
        Some(id) => db::beans::find_bean(&mut conn, id).await?,
        None => None,
    };
    let used = match (taken_from, taken.movement.parse()) {
        (Some(bean), Ok(sequence)) => {
            let found = db::movements::find_movement(&mut conn, bean.id, sequence).await?;
            let used = found.filter(|movement| movement.kind == MovementKind::Use);
            used.map(|movement| Used {
                bean,
                sequence,
                bags: -movement.change_by,
                is_undone: movement.undone_by.is_some(),
            })
        }
        _ => None,
    };
    let none = Mistakes::default();
    Ok(Page::ok(UsePage {
        words: TextField {
            kind: "search",
            width: "medium",
            ..TextField::new("q", "Find a bean", &taken.q, &none)
        },
        all: count.number,
        layout,
        beans,
        used,
        form_key: new_key(),
        refusal,
    }))
}

pub(super) async fn take_form(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(bean): Id<BeanId>,
    Form(form): Form<UseForm>,
) -> Result<Response, WebError> {
    // All buttons of a page have its key: each of them has one effect, and another one has its own.
    let submission = submission(&form.form_key, "use", bean, acting.account, &[&form.bags])?;
    let refusal = match parse_bags(&form.bags) {
        Err(sentence) => sentence,
        Ok(bags) => match book(&state, bean, bags, acting.actor(), &submission).await {
            Ok(sequence) => {
                return Ok(Redirect::to(&paths::used(bean, sequence)).into_response());
            }
            Err(error) => refusal(error, layout.zone)?,
        },
    };
    let found = find_bean(&state, bean).await?;
    let refusal = format!("{}: {refusal}.", isolate(&found.product_name));
    let mut page = show(&state, layout, &Taken::default(), Some(refusal)).await?;
    page.0 = StatusCode::CONFLICT;
    Ok(page.into_response())
}

async fn book(
    state: &AppState,
    bean: BeanId,
    bags: Bags,
    by: Actor<'_>,
    form: &Submission,
) -> Result<i64, ShelfError> {
    shelf::book(&state.pool, bean, &Deed::Use(bags), by, form).await
}
