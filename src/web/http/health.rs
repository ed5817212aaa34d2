//! Whether the process is alive, and whether it can do its work.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::db;
use crate::readiness::DATABASE;
use crate::web::paths;
use crate::web::state::AppState;

pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route(paths::HEALTHZ, get(show_alive))
        .route(paths::READYZ, get(show_ready))
}

/// Answers as long as the process does.
async fn show_alive() -> &'static str {
    "ok"
}

/// Answers 200 when requests can be served, otherwise 503 and what is missing.
async fn show_ready(State(state): State<AppState>) -> (StatusCode, String) {
    let mut missing = state.readiness.missing();
    if db::ping(&state.pool).await.is_err() && !missing.contains(&DATABASE) {
        missing.insert(0, DATABASE);
    }
    if missing.is_empty() {
        (StatusCode::OK, "ready".to_owned())
    } else {
        let text = format!("not ready: {}", missing.join(", "));
        (StatusCode::SERVICE_UNAVAILABLE, text)
    }
}
