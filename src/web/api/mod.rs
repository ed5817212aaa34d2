//! What programs read.

pub(crate) mod error;
mod legacy_json;

use axum::Router;
use axum::routing::get;

use super::paths;
use super::state::AppState;

pub(crate) fn router() -> Router<AppState> {
    Router::new().route(paths::BEANS_JSON, get(legacy_json::list_beans_json))
}
