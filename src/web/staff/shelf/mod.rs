//! What staff do at the shelf: they use bags, adjust their number, count them, and take back what was booked by
//! mistake. All but using is shown before it is done.

mod adjust;
mod count;
mod taking;
mod undo;
mod use_bags;

pub(super) use self::taking::sentence;

use axum::Router;
use axum::routing::{get, post};

use crate::web::paths;
use crate::web::state::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route(paths::USE, get(use_bags::list_beans))
        .route(paths::BEAN_USE, post(use_bags::take_form))
        .route(
            paths::BEAN_ADJUST,
            get(adjust::show_form).post(adjust::take_form),
        )
        .route(
            paths::BEAN_COUNT,
            get(count::show_form).post(count::take_form),
        )
        .route(paths::BEAN_UNDO, get(undo::ask).post(undo::take_form))
}
