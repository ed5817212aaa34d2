//! Adding, changing and removing a bean.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::bean_form::{BeanForm, BeanFormPage};
use super::beans::find_bean;
use crate::catalogue::{self, CatalogueError, Change, Correction, Version};
use crate::db;
use crate::db::beans::Bean;
use crate::domain::BeanId;
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id, InPath as _};
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes};
use crate::web::ui::layout::Layout;
use crate::web::ui::merge::{ConflictPage, MAX_MERGES, Merged};
use crate::web::ui::notice::Notice;
use crate::web::ui::page::Page;
use crate::web::ui::wording::bags;

pub(super) async fn new_bean(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Response, WebError> {
    let empty = BeanForm::empty();
    show_form(
        &state,
        layout,
        None,
        &empty,
        Mistakes::default(),
        StatusCode::OK,
    )
    .await
}

pub(super) async fn create_bean(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Form(form): Form<BeanForm>,
) -> Result<Response, WebError> {
    let typed = match form.parse(None) {
        Ok(typed) => typed,
        Err(mistakes) => return refuse(&state, layout, None, &form, mistakes).await,
    };
    let (details, submission) = (&typed.details, form.submission());
    let (pool, clock, by) = (&state.pool, &*state.clock, acting.actor());
    match catalogue::add_bean(pool, clock, details, typed.quantity, Some(&submission), by).await {
        Ok(_) => Ok(Redirect::to(&Notice::BeanAdded.on(paths::BEANS)).into_response()),
        Err(error) => refuse(&state, layout, None, &form, mistake(error)?).await,
    }
}

pub(super) async fn edit_bean(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<BeanId>,
) -> Result<Response, WebError> {
    let form = BeanForm::from(&find_bean(&state, id).await?);
    show_form(
        &state,
        layout,
        Some(id),
        &form,
        Mistakes::default(),
        StatusCode::OK,
    )
    .await
}

pub(super) async fn change_bean(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Form(mut form): Form<BeanForm>,
) -> Result<Response, WebError> {
    let id = BeanId::from_segment(&form.id).ok_or(WebError::NotFound(Missing::Bean))?;
    let mut notice = Notice::BeanChanged;
    for _ in 0..MAX_MERGES {
        let shown = find_bean(&state, id).await?;
        // Whoever does not say what they saw is taken to mean the stock as it is now; what cannot be
        // read was never the stock.
        let says_nothing = form.quantity_was.trim().is_empty();
        let otherwise = if says_nothing { shown.quantity } else { -1 };
        let from = form.seen_quantity().unwrap_or(otherwise);
        form.quantity_was = from.to_string();
        match save(&state, &acting, id, &form, &shown, from).await? {
            Ok(()) => return Ok(Redirect::to(&notice.on(paths::BEANS)).into_response()),
            Err(Refused::Mistakes(mistakes)) => {
                return refuse(&state, layout, Some(id), &form, mistakes).await;
            }
            Err(Refused::ChangedMeanwhile) => {}
        }
        let saved = find_bean(&state, id).await?;
        let merged = merge(&mut form, &saved);
        if !merged.conflicts.is_empty() {
            let page = ConflictPage {
                layout,
                name: saved.product_name,
                action: paths::BEAN_UPDATE.to_owned(),
                fields: form.fields(),
                conflicts: merged.conflicts,
            };
            return Ok(Page(StatusCode::CONFLICT, page).into_response());
        }
        if merged.took_over {
            notice = Notice::BothKept;
        }
    }
    Err(WebError::refused(
        CatalogueError::ChangedMeanwhile,
        Missing::Bean,
    ))
}

/// Brings the form up to what somebody else saved meanwhile, and tells where both changed the same. Nothing
/// did after a double click, or if only what the form leaves alone has changed.
fn merge(form: &mut BeanForm, saved: &Bean) -> Merged {
    let mut merged = form.merge(&BeanForm::from(saved), &saved.supplier_name);
    let seen = form.seen_quantity();
    if seen.is_some_and(|seen| form.wants_stock(seen)) {
        // Bags may come and go while somebody edits the texts.
        form.quantity = saved.quantity.to_string();
    } else if seen != Some(saved.quantity) && !form.wants_stock(saved.quantity) {
        merged.conflicts.push(form.stock_conflict(saved.quantity));
    }
    form.quantity_was = saved.quantity.to_string();
    Version::of_bean(saved).as_str().clone_into(&mut form.seen);
    merged
}

/// Why a change was not saved, for the form to show.
enum Refused {
    Mistakes(Mistakes),
    ChangedMeanwhile,
}

/// Saves a form that was shown when the stock was `from`.
async fn save(
    state: &AppState,
    acting: &Acting,
    id: BeanId,
    form: &BeanForm,
    shown: &Bean,
    from: i64,
) -> Result<Result<(), Refused>, WebError> {
    let (typed, reason) = match form.parse_change(&BeanForm::from(shown), from) {
        Ok(parsed) => parsed,
        Err(mistakes) => return Ok(Err(Refused::Mistakes(mistakes))),
    };
    let correction = reason.map(|reason| Correction {
        from,
        to: typed.quantity,
        reason,
    });
    let (pool, clock, seen) = (&state.pool, &*state.clock, Version::seen(&form.seen));
    let change = Change {
        details: &typed.details,
        correction: correction.as_ref(),
        seen: seen.as_ref(),
    };
    match catalogue::change_bean(pool, clock, id, change, acting.actor()).await {
        Ok(()) => Ok(Ok(())),
        Err(CatalogueError::StockChanged(_) | CatalogueError::ChangedMeanwhile) => {
            Ok(Err(Refused::ChangedMeanwhile))
        }
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
    layout: Layout,
    id: Option<BeanId>,
    form: &BeanForm,
    mistakes: Mistakes,
) -> Result<Response, WebError> {
    show_form(
        state,
        layout,
        id,
        form,
        mistakes,
        StatusCode::UNPROCESSABLE_ENTITY,
    )
    .await
}

async fn show_form(
    state: &AppState,
    layout: Layout,
    id: Option<BeanId>,
    form: &BeanForm,
    mistakes: Mistakes,
    status: StatusCode,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let suppliers = db::suppliers::list_suppliers(&mut conn).await?;
    let page = BeanFormPage::new(layout, id, suppliers, form, mistakes);
    Ok(Page(status, page).into_response())
}

#[derive(Template)]
#[template(path = "staff/beans/remove.html")]
struct RemovalPage {
    layout: Layout,
    bean: Bean,
}

impl RemovalPage {
    fn bags(&self) -> String {
        bags(self.bean.quantity)
    }
}

pub(super) async fn confirm_removal(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<BeanId>,
) -> Result<Response, WebError> {
    let bean = find_bean(&state, id).await?;
    Ok(Page::ok(RemovalPage { layout, bean }).into_response())
}

pub(super) async fn remove_bean(
    State(state): State<AppState>,
    acting: Acting,
    Id(id): Id<BeanId>,
) -> Result<Response, WebError> {
    match catalogue::remove_bean(&state.pool, &*state.clock, id, acting.actor()).await {
        Ok(()) => Ok(Redirect::to(&Notice::BeanRemoved.on(paths::BEANS)).into_response()),
        Err(error) => Err(WebError::refused(error, Missing::Bean)),
    }
}
