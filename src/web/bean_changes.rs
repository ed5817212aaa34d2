//! Adding, changing and removing a bean.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};

use super::bean_form::{BeanForm, BeanFormPage};
use super::error::{Missing, WebError};
use super::form::{Form, Mistakes};
use super::page::{Notice, Page};
use super::paths::{self, Id, InPath as _};
use super::state::AppState;
use super::wording::bags;
use crate::catalogue::{self, CatalogueError, Correction};
use crate::db;
use crate::db::beans::Bean;
use crate::domain::BeanId;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route(paths::BEAN_ADD, get(new_bean).post(create_bean))
        .route(paths::BEAN_UPDATE_FORM, get(edit_bean))
        .route(paths::BEAN_UPDATE, post(change_bean))
        .route(paths::BEAN_REMOVE, get(confirm_removal).post(remove_bean))
}

async fn new_bean(State(state): State<AppState>) -> Result<Response, WebError> {
    let empty = BeanForm::default();
    show_form(&state, None, &empty, Mistakes::default(), StatusCode::OK).await
}

async fn create_bean(
    State(state): State<AppState>,
    Form(form): Form<BeanForm>,
) -> Result<Response, WebError> {
    let typed = match form.parse() {
        Ok(typed) => typed,
        Err(mistakes) => return refuse(&state, None, &form, mistakes).await,
    };
    let added =
        catalogue::add_bean(&state.pool, &*state.clock, typed.texts(), typed.quantity).await;
    match added {
        Ok(_) => Ok(Redirect::to(&Notice::BeanAdded.on(paths::BEANS)).into_response()),
        Err(error) => refuse(&state, None, &form, mistake(error)?).await,
    }
}

async fn edit_bean(
    State(state): State<AppState>,
    Id(id): Id<BeanId>,
) -> Result<Response, WebError> {
    let form = BeanForm::from(&find(&state, id).await?);
    show_form(&state, Some(id), &form, Mistakes::default(), StatusCode::OK).await
}

async fn change_bean(
    State(state): State<AppState>,
    Form(mut form): Form<BeanForm>,
) -> Result<Response, WebError> {
    let id = BeanId::from_segment(&form.id).ok_or(WebError::NotFound(Missing::Bean))?;
    // Whoever does not say what they saw is taken to mean the stock as it is now.
    let from = match form.seen_quantity() {
        Some(seen) => seen,
        None => find(&state, id).await?.quantity,
    };
    form.quantity_was = from.to_string();
    match save(&state, id, &form, from).await? {
        Ok(()) => Ok(Redirect::to(&Notice::BeanChanged.on(paths::BEANS)).into_response()),
        Err(Refused::Mistakes(mistakes)) => refuse(&state, Some(id), &form, mistakes).await,
        Err(Refused::Moved(now)) => {
            form.quantity_was = now.to_string();
            let sentence = format!(
                "Stock changed to {} while you were editing. Check the number, and save again",
                bags(now)
            );
            let mistakes = Mistakes::one("quantity", sentence);
            show_form(&state, Some(id), &form, mistakes, StatusCode::CONFLICT).await
        }
    }
}

/// Why a change was not saved, for the form to show.
enum Refused {
    Mistakes(Mistakes),
    Moved(i64),
}

/// Saves a form that was shown when the stock was `from`.
async fn save(
    state: &AppState,
    id: BeanId,
    form: &BeanForm,
    from: i64,
) -> Result<Result<(), Refused>, WebError> {
    let (typed, reason) = match form.parse_change(from) {
        Ok(parsed) => parsed,
        Err(mistakes) => return Ok(Err(Refused::Mistakes(mistakes))),
    };
    let correction = reason.as_ref().map(|reason| Correction {
        from,
        to: typed.quantity,
        reason: reason.as_str(),
    });
    let changed =
        catalogue::change_bean(&state.pool, &*state.clock, id, typed.texts(), correction).await;
    match changed {
        Ok(()) => Ok(Ok(())),
        Err(CatalogueError::StockChanged(now)) => Ok(Err(Refused::Moved(now))),
        Err(error) => Ok(Err(Refused::Mistakes(mistake(error)?))),
    }
}

/// Finds the field that a refusal is about; other refusals have no place in the form.
fn mistake(error: CatalogueError) -> Result<Mistakes, WebError> {
    match error {
        CatalogueError::UnknownSupplier => Ok(Mistakes::one("supplier_id", "Choose a supplier")),
        CatalogueError::DuplicateType => Ok(Mistakes::one(
            "type",
            "This supplier already has a bean of that type on the list",
        )),
        error => Err(WebError::refused(error, Missing::Bean)),
    }
}

async fn refuse(
    state: &AppState,
    id: Option<BeanId>,
    form: &BeanForm,
    mistakes: Mistakes,
) -> Result<Response, WebError> {
    show_form(state, id, form, mistakes, StatusCode::UNPROCESSABLE_ENTITY).await
}

async fn show_form(
    state: &AppState,
    id: Option<BeanId>,
    form: &BeanForm,
    mistakes: Mistakes,
    status: StatusCode,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let suppliers = db::suppliers::list_suppliers(&mut conn).await?;
    let page = BeanFormPage::new(id, suppliers, form, mistakes);
    Ok(Page(status, page).into_response())
}

#[derive(Template)]
#[template(path = "beans/remove.html")]
struct RemovalPage {
    bean: Bean,
}

impl RemovalPage {
    fn bags(&self) -> String {
        bags(self.bean.quantity)
    }
}

async fn confirm_removal(
    State(state): State<AppState>,
    Id(id): Id<BeanId>,
) -> Result<Response, WebError> {
    let bean = find(&state, id).await?;
    Ok(Page::ok(RemovalPage { bean }).into_response())
}

async fn remove_bean(
    State(state): State<AppState>,
    Id(id): Id<BeanId>,
) -> Result<Response, WebError> {
    match catalogue::remove_bean(&state.pool, &*state.clock, id).await {
        Ok(()) => Ok(Redirect::to(&Notice::BeanRemoved.on(paths::BEANS)).into_response()),
        Err(error) => Err(WebError::refused(error, Missing::Bean)),
    }
}

async fn find(state: &AppState, id: BeanId) -> Result<Bean, WebError> {
    let mut conn = state.connection().await?;
    db::beans::find_bean(&mut conn, id)
        .await?
        .ok_or(WebError::NotFound(Missing::Bean))
}
