//! The website: pages for people, and the addresses the lab's programs know.
//!
//! One folder an audience. Handlers read with `db` functions and change things through the rooms that
//! own a write path, like [`crate::catalogue`]; they begin no transactions themselves.

mod access;
mod account;
mod acting;
mod api;
mod dashboard;
mod http;
mod live;
mod paths;
mod staff;
mod state;
mod supplier;
#[cfg(test)]
mod tests;
mod ui;
mod updates;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;

use self::access::Viewer;
pub use self::access::{TABLE, Who};
pub use self::http::connections::ConnectionLimits;
pub use self::http::error::{Missing, WebError};
pub use self::http::ingress::Ingress;
use self::http::layers::Failure;
use self::http::layers::{keep_running, surround};
pub use self::http::server::ServerLimits;
use self::http::{health, server};
pub use self::paths::{HEALTHZ, READYZ, welcome};
pub use self::state::{AppState, MailDelivery, Rules};
use self::ui::layout::Layout;
use self::ui::query::Query;
use self::ui::{assets, error_page};

/// The whole site: each audience's routes, and how its errors are shown.
pub fn router(state: AppState) -> Router {
    let pages = Router::new()
        .route(paths::HOME, get(show_home))
        .merge(account::router())
        .merge(staff::router())
        .merge(updates::router())
        .merge(live::router())
        .merge(health::router())
        .merge(assets::router())
        .fallback(async || WebError::NotFound(Missing::Page));
    let pages = surround(pages, render_error, &state);
    let api = surround(api::router(), api::error::render, &state);
    keep_running(pages.merge(api), &state).with_state(state)
}

/// Where the first page is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ScreenChoice {
    /// `wall` for a screen that nobody operates.
    screen: String,
}

/// Everybody's first page: the café's or the supplier's.
async fn show_home(
    State(state): State<AppState>,
    viewer: Viewer,
    layout: Layout,
    Query(choice): Query<ScreenChoice>,
) -> Result<Response, WebError> {
    let is_wall = choice.screen == "wall";
    Ok(match viewer.bound_to() {
        Some(supplier) => supplier::show_home(&state, layout, supplier)
            .await?
            .into_response(),
        None => staff::show_home(&state, layout, is_wall).await?,
    })
}

/// Shows an error as a page; whoever has to sign in is led there.
fn render_error(failure: Failure<'_>) -> Response {
    match failure.error {
        WebError::SignInRequired => account::ask_to_sign_in(failure),
        _ => error_page::render(failure),
    }
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
    let live = Arc::clone(&state.live);
    let site = server::Site {
        probes: probes(state.clone()),
        ingress: state.ingress.clone(),
        tasks: state.tasks.clone(),
        pages: router(state),
    };
    let stop = async {
        stop.await;
        live.close();
    };
    server::serve(listener, site, limits, stop).await;
}
