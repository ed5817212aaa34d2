//! Suppliers: the list, and adding, changing and removing one.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::supplier_form::{SupplierForm, SupplierFormPage};
use crate::catalogue::{self, CatalogueError, Version};
use crate::db;
use crate::db::beans::Bean;
use crate::db::suppliers::Supplier;
use crate::domain::SupplierId;
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id, InPath as _};
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes};
use crate::web::ui::layout::Layout;
use crate::web::ui::merge::{ConflictPage, MAX_MERGES};
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::wording;

#[derive(Template)]
#[template(path = "staff/suppliers/list.html")]
pub(super) struct SuppliersPage {
    layout: Layout,
    suppliers: Vec<Supplier>,
}

pub(super) async fn list_suppliers(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<SuppliersPage>, WebError> {
    let mut conn = state.connection().await?;
    let suppliers = db::suppliers::list_suppliers(&mut conn).await?;
    Ok(Page::ok(SuppliersPage { layout, suppliers }))
}

pub(super) async fn new_supplier(layout: Layout) -> Page<SupplierFormPage> {
    let (empty, mistakes) = (SupplierForm::empty(), Mistakes::default());
    Page::ok(SupplierFormPage::new(layout, None, &empty, mistakes))
}

pub(super) async fn create_supplier(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Form(form): Form<SupplierForm>,
) -> Result<Response, WebError> {
    let typed = match form.parse(None) {
        Ok(typed) => typed,
        Err(mistakes) => return Ok(refuse(layout, None, &form, mistakes)),
    };
    let submission = form.submission();
    let (pool, clock, by) = (&state.pool, &*state.clock, acting.actor());
    catalogue::add_supplier(pool, clock, &typed, Some(&submission), by)
        .await
        .map_err(refused)?;
    Ok(Redirect::to(&Notice::SupplierAdded.on(paths::SUPPLIERS)).into_response())
}

pub(super) async fn edit_supplier(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<SupplierId>,
) -> Result<Page<SupplierFormPage>, WebError> {
    let form = find(&state, id).await?.into();
    Ok(Page::ok(SupplierFormPage::new(
        layout,
        Some(id),
        &form,
        Mistakes::default(),
    )))
}

pub(super) async fn change_supplier(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Form(mut form): Form<SupplierForm>,
) -> Result<Response, WebError> {
    let id = SupplierId::from_segment(&form.id).ok_or(WebError::NotFound(Missing::Supplier))?;
    let mut notice = Notice::SupplierChanged;
    for _ in 0..MAX_MERGES {
        let shown = find(&state, id).await?.into();
        let typed = match form.parse(Some(&shown)) {
            Ok(typed) => typed,
            Err(mistakes) => return Ok(refuse(layout, Some(id), &form, mistakes)),
        };
        let (pool, clock, seen) = (&state.pool, &*state.clock, Version::seen(&form.seen));
        match catalogue::change_supplier(pool, clock, id, &typed, seen.as_ref(), acting.actor())
            .await
        {
            Ok(()) => return Ok(Redirect::to(&notice.on(paths::SUPPLIERS)).into_response()),
            Err(CatalogueError::ChangedMeanwhile) => {}
            Err(error) => return Err(refused(error)),
        }
        let saved: SupplierForm = find(&state, id).await?.into();
        let merged = form.merge(&saved);
        form.seen = saved.seen;
        if !merged.conflicts.is_empty() {
            let page = ConflictPage {
                layout,
                name: saved.name,
                action: paths::SUPPLIER_UPDATE.to_owned(),
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
        Missing::Supplier,
    ))
}

fn refuse(
    layout: Layout,
    id: Option<SupplierId>,
    form: &SupplierForm,
    mistakes: Mistakes,
) -> Response {
    let page = SupplierFormPage::new(layout, id, form, mistakes);
    Page(StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

#[derive(Template)]
#[template(path = "staff/suppliers/remove.html")]
struct RemovalPage {
    layout: Layout,
    supplier: Supplier,
    /// What keeps it on the list.
    beans: Vec<Bean>,
}

pub(super) async fn confirm_removal(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<SupplierId>,
) -> Result<Response, WebError> {
    ask_about_removal(&state, layout, id, StatusCode::OK).await
}

pub(super) async fn remove_supplier(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<SupplierId>,
) -> Result<Response, WebError> {
    match catalogue::remove_supplier(&state.pool, &*state.clock, id, acting.actor()).await {
        Ok(()) => Ok(Redirect::to(&Notice::SupplierRemoved.on(paths::SUPPLIERS)).into_response()),
        Err(CatalogueError::HasBeans(_)) => {
            ask_about_removal(&state, layout, id, StatusCode::CONFLICT).await
        }
        Err(error) => Err(refused(error)),
    }
}

/// Shows what removing means or, as long as the supplier has beans, why it cannot be done.
async fn ask_about_removal(
    state: &AppState,
    layout: Layout,
    id: SupplierId,
    status: StatusCode,
) -> Result<Response, WebError> {
    let supplier = find(state, id).await?;
    let mut conn = state.connection().await?;
    let mut beans = db::beans::list_beans(&mut conn).await?;
    beans.retain(|bean| bean.supplier == id);
    let page = RemovalPage {
        layout,
        supplier,
        beans,
    };
    Ok(Page(status, page).into_response())
}

pub(super) async fn find(state: &AppState, id: SupplierId) -> Result<Supplier, WebError> {
    let mut conn = state.connection().await?;
    db::suppliers::find_supplier(&mut conn, id)
        .await?
        .ok_or(WebError::NotFound(Missing::Supplier))
}

pub(super) fn refused(error: CatalogueError) -> WebError {
    WebError::refused(error, Missing::Supplier)
}
