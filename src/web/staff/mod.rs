//! Pages for the café's staff.

mod bean_changes;
mod bean_form;
mod bean_page;
mod beans;
mod dead_letters;
mod home;
mod supplier_form;
mod suppliers;
mod updates;

use axum::Router;
use axum::routing::{get, post};

use super::paths;
use super::state::AppState;

pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route(paths::HOME, get(home::show_home))
        .route(paths::BEANS, get(beans::list_beans))
        .route(paths::BEAN, get(bean_page::show_bean))
        .route(
            paths::BEAN_ADD,
            get(bean_changes::new_bean).post(bean_changes::create_bean),
        )
        .route(paths::BEAN_UPDATE_FORM, get(bean_changes::edit_bean))
        .route(paths::BEAN_UPDATE, post(bean_changes::change_bean))
        .route(
            paths::BEAN_REMOVE,
            get(bean_changes::confirm_removal).post(bean_changes::remove_bean),
        )
        .route(paths::SUPPLIERS, get(suppliers::list_suppliers))
        .route(
            paths::SUPPLIER_ADD,
            get(suppliers::new_supplier).post(suppliers::create_supplier),
        )
        .route(paths::SUPPLIER_UPDATE_FORM, get(suppliers::edit_supplier))
        .route(paths::SUPPLIER_UPDATE, post(suppliers::change_supplier))
        .route(
            paths::SUPPLIER_REMOVE,
            get(suppliers::confirm_removal).post(suppliers::remove_supplier),
        )
        .route(paths::UPDATES, get(updates::list_updates))
        .route(paths::UPDATE, get(updates::show_update))
        .route(paths::DEAD_LETTERS, get(dead_letters::list_dead_letters))
        .route(paths::DEAD_LETTER_BODY, get(dead_letters::show_body))
}
