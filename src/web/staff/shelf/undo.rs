//! Taking a movement back by a counter-movement, whose effect is shown first.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::taking::{Answer, Typed, submission, take};
use crate::db;
use crate::db::beans::Bean;
use crate::db::movements::MovementLine;
use crate::domain::BeanId;
use crate::shelf::{Deed, Effect};
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, MovementPlace};
use crate::web::staff::beans::find_bean;
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField, new_key};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::typed::parse_optional;
use crate::web::ui::wording;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UndoForm {
    #[serde(rename = "do")]
    wish: String,
    form_key: String,
    why: String,
}

#[derive(Template)]
#[template(path = "staff/shelf/undo.html")]
struct UndoPage {
    layout: Layout,
    bean: Bean,
    movement: MovementLine,
    form: UndoForm,
    why: TextField,
    /// What it would do; nothing if it cannot be done.
    effect: Option<Effect>,
    mistakes: Mistakes,
}

pub(super) async fn ask(
    state: State<AppState>,
    acting: Acting,
    layout: Layout,
    place: MovementPlace,
) -> Result<Response, WebError> {
    let form = UndoForm {
        form_key: new_key(),
        ..UndoForm::default()
    };
    let mut answer = take_form(state, acting, layout, place, Form(form)).await?;
    // That it cannot be undone is an answer to the question.
    *answer.status_mut() = StatusCode::OK;
    Ok(answer)
}

pub(super) async fn take_form(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    MovementPlace { bean: id, sequence }: MovementPlace,
    Form(form): Form<UndoForm>,
) -> Result<Response, WebError> {
    let bean = find_bean(&state, id).await?;
    let movement = find_movement(&state, id, sequence).await?;
    let place = sequence.to_string();
    let why = parse_optional("Why", &form.why);
    let typed = Typed {
        bean: id,
        deed: why
            .map(|why| Deed::Undo { sequence, why })
            .map_err(|sentence| Mistakes::one("why", sentence)),
        by: acting.actor(),
        form: submission(
            &form.form_key,
            "undo",
            id,
            acting.account,
            &[&place, &form.why],
        )?,
        is_confirmed: form.wish == "send",
        field: "why",
        zone: layout.zone,
    };
    let (status, effect, mistakes) = match take(&state, typed, Notice::MovementUndone).await? {
        Answer::Done(page) => return Ok(page.into_response()),
        Answer::Show(status, Ok(effect)) => (status, Some(effect), Mistakes::default()),
        Answer::Show(status, Err(mistakes)) => (status, None, mistakes),
    };
    let page = UndoPage {
        why: TextField {
            hint: "Shown beside the movement, for whoever wonders later.",
            ..TextField::new("why", "Why? (optional)", &form.why, &mistakes)
        },
        layout,
        bean,
        movement,
        form,
        effect,
        mistakes,
    };
    Ok(Page(status, page).into_response())
}

async fn find_movement(
    state: &AppState,
    bean: BeanId,
    sequence: i64,
) -> Result<MovementLine, WebError> {
    let mut conn = state.connection().await?;
    let movement = db::movements::find_movement(&mut conn, bean, sequence).await?;
    movement.ok_or(WebError::NotFound(Missing::Movement))
}
