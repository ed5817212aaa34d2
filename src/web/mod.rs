//! The website: pages for people, and the addresses the lab's programs know.
//!
//! One folder an audience. Handlers read with `db` functions and change things through the rooms that
//! own a write path, like [`crate::catalogue`]; they begin no transactions themselves.

mod api;
mod http;
mod paths;
mod staff;
mod state;
#[cfg(test)]
mod tests;
mod ui;

use std::future::Future;

use axum::Router;
use axum::http::StatusCode;
use tokio::net::TcpListener;

pub use self::http::connections::ConnectionLimits;
pub use self::http::error::{Missing, WebError};
pub use self::http::ingress::Ingress;
use self::http::layers::{keep_running, surround};
pub use self::http::server::ServerLimits;
use self::http::{health, server};
pub use self::paths::{HEALTHZ, READYZ};
pub use self::state::AppState;
use self::ui::{assets, error_page};

/// The whole site: each audience's routes, and how its errors are shown.
pub fn router(state: AppState) -> Router {
    let pages = Router::new()
        .merge(staff::router())
        .merge(health::router())
        .merge(assets::router())
        .fallback(async || WebError::NotFound(Missing::Page));
    let pages = surround(pages, error_page::render, &state);
    let api = surround(api::router(), api::error::render, &state);
    keep_running(pages.merge(api), &state).with_state(state)
}

/// What remains available when all connections are taken: the probes of load balancers.
fn probes(state: AppState) -> Router {
    Router::new()
        .merge(health::router())
        .fallback(async || (StatusCode::SERVICE_UNAVAILABLE, "too many connections"))
        .with_state(state)
}

/// Serves the site until `stop` resolves and the requests in progress are answered.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    limits: ServerLimits,
    stop: impl Future<Output = ()>,
) {
    let site = server::Site {
        probes: probes(state.clone()),
        ingress: state.ingress.clone(),
        tasks: state.tasks.clone(),
        pages: router(state),
    };
    server::serve(listener, site, limits, stop).await;
}
