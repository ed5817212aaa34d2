//! What programs read and send.

pub(crate) mod error;
mod legacy_json;
mod sns;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::paths;
use super::state::AppState;
use crate::sns_endpoint::MAX_BYTES;

pub(crate) fn router() -> Router<AppState> {
    let deliveries = post(sns::take_delivery).layer(DefaultBodyLimit::max(MAX_BYTES));
    Router::new()
        .route(paths::BEANS_JSON, get(legacy_json::list_beans_json))
        .route(paths::SNS, deliveries)
}
