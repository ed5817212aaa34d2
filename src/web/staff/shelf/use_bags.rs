//! Using bags: one tap, and a way back.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::taking::{refusal, submission};
use crate::db;
use crate::db::beans::Bean;
use crate::domain::{AccountId, Bags, BeanId, MovementKind, isolate};
use crate::shelf::{self, Deed, ShelfError};
use crate::submission::Submission;
use crate::web::access::Viewer;
use crate::web::http::error::WebError;
use crate::web::paths::{self, Id};
use crate::web::staff::beans::find_bean;
use crate::web::state::AppState;
use crate::web::ui::form::{Form, new_key};
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
}

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
    beans: Vec<Bean>,
    used: Option<Used>,
    form_key: String,
    refusal: Option<String>,
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
    let mut beans = db::beans::list_beans(&mut conn).await?;
    let taken_from = beans.iter().find(|bean| bean.id.to_string() == taken.bean);
    let used = match (taken_from, taken.movement.parse()) {
        (Some(bean), Ok(sequence)) => {
            let found = db::movements::find_movement(&mut conn, bean.id, sequence).await?;
            let used = found.filter(|movement| movement.kind == MovementKind::Use);
            used.map(|movement| Used {
                bean: bean.clone(),
                sequence,
                bags: -movement.change_by,
                is_undone: movement.undone_by.is_some(),
            })
        }
        _ => None,
    };
    // What is there to use comes first.
    beans.sort_by_key(|bean| (bean.quantity == 0, bean.product_name.to_lowercase()));
    Ok(Page::ok(UsePage {
        layout,
        beans,
        used,
        form_key: new_key(),
        refusal,
    }))
}

pub(super) async fn take_form(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Id(bean): Id<BeanId>,
    Form(form): Form<UseForm>,
) -> Result<Response, WebError> {
    let by = viewer.0.account;
    // All buttons of a page have its key: each of them has one effect, and another one has its own.
    let submission = submission(&form.form_key, "use", bean, by, &[&form.bags])?;
    let refusal = match parse_bags(&form.bags) {
        Err(sentence) => sentence,
        Ok(bags) => match book(&state, bean, bags, by, &submission).await {
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
    by: AccountId,
    form: &Submission,
) -> Result<i64, ShelfError> {
    shelf::book(&state.pool, bean, &Deed::Use(bags), by, form).await
}
