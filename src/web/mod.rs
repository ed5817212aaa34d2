//! The website: pages for staff, and the addresses the lab's programs know.
//!
//! Everything is rendered here and works without JavaScript. Handlers read with `db` functions and
//! change things through [`crate::catalogue`]; they begin no transactions themselves.

mod assets;
mod bean_changes;
mod bean_form;
mod bean_page;
mod beans;
mod chart;
mod dead_letters;
mod error;
mod form;
mod front;
mod guests;
mod headers;
mod health;
mod home;
mod legacy_json;
mod page;
mod pager;
mod paths;
mod server;
mod shared_read;
mod state;
mod supplier_form;
mod suppliers;
#[cfg(test)]
mod tests;
mod updates;
mod wording;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_http::normalize_path::NormalizePath;

pub use self::error::{Missing, WebError};
pub use self::front::Front;
pub use self::guests::Room;
pub use self::paths::{HEALTHZ, READYZ};
pub use self::server::{Patience, serve};
pub use self::state::AppState;

/// The whole site, with everything that goes around its pages.
pub fn router(state: AppState) -> Router {
    around(pages(), state)
}

/// Puts around pages what every request goes through. The last layer is the first to be reached.
fn around(pages: Router<AppState>, state: AppState) -> Router {
    let pages = pages
        .layer(DefaultBodyLimit::max(form::MAX_FORM_BYTES))
        .layer(from_fn_with_state(
            state.front.clone(),
            front::own_host_only,
        ))
        .layer(cross_site_guard(&state.front).with_rejection_response(refuse_cross_site))
        .layer(from_fn_with_state(TIME_TO_ANSWER, in_time))
        .layer(from_fn_with_state(state.clone(), few_at_once))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.front.clone(), error::finish))
        .with_state(state.clone());
    // Addresses are tidied before they are routed, so the tidying wraps the router of the pages.
    Router::new()
        .fallback_service(NormalizePath::trim_trailing_slash(pages))
        .layer(from_fn_with_state(state.front.clone(), front::meet))
        .layer(from_fn_with_state(state, see_through))
}

fn pages() -> Router<AppState> {
    Router::new()
        .route(paths::HOME, get(home::show_home))
        .merge(beans::router())
        .merge(bean_changes::router())
        .merge(suppliers::router())
        .route(paths::UPDATES, get(updates::list_updates))
        .route(paths::UPDATE, get(updates::show_update))
        .merge(dead_letters::router())
        .route(paths::HEALTHZ, get(health::show_alive))
        .route(paths::READYZ, get(health::show_ready))
        .route(paths::FAVICON, get(assets::show_favicon))
        .route(paths::STATIC, get(assets::show_asset))
        .fallback(async || WebError::NotFound(Missing::Page))
        .method_not_allowed_fallback(async || WebError::MethodNotAllowed)
}

/// What is served when there is no room for more: whether we are alive.
fn probes(state: AppState) -> Router {
    Router::new()
        .route(paths::HEALTHZ, get(health::show_alive))
        .route(paths::READYZ, get(health::show_ready))
        .fallback(async || (StatusCode::SERVICE_UNAVAILABLE, "too many connections"))
        .with_state(state)
}

/// Visitors behind a proxy share its connections, so their requests are counted instead.
async fn few_at_once(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let visitor = request.extensions().get::<front::Visitor>();
    let counted = visitor.filter(|visitor| visitor.behind_proxy);
    let Some(address) = counted.and_then(|visitor| visitor.address) else {
        return next.run(request).await;
    };
    match state.visitors.admit(address) {
        Some(_place) => next.run(request).await,
        None => WebError::TooMany.into_response(),
    }
}

/// Carries a request through to its end, even if its visitor goes away in the middle.
///
/// The server drops what it runs for a connection that closes. A database future must not be
/// dropped (a transaction could stay open on a pooled connection), so it runs on a task of its own.
async fn see_through(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match state.tasks.spawn(next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// More than a form takes to arrive, a connection to be had and locks to be waited for.
const TIME_TO_ANSWER: Duration = Duration::from_secs(40);

/// Ends what waits for a database that gives no answer. Its connection is undone or closed, which
/// the pool and [`crate::db::Transaction`] see to.
async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(limit, next.run(request)).await;
    answer.unwrap_or_else(|elapsed| WebError::Unavailable(Arc::new(elapsed)).into_response())
}

/// Forms come from this site alone. A proxy may ask for it under another name than the visitor's
/// browser does, so the public name counts as well.
fn cross_site_guard(front: &Front) -> CsrfLayer {
    let guard = CsrfLayer::new();
    match front
        .origin()
        .map(|origin| guard.clone().add_trusted_origin(origin))
    {
        Some(Ok(guard)) => guard,
        _ => guard,
    }
}

fn refuse_cross_site(_: ProtectionError) -> Response {
    WebError::CrossSite.into_response()
}

/// A panic in a handler.
#[derive(Debug, thiserror::Error)]
#[error("panic: {0}")]
struct Panicked(String);

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is the layer's"
)]
fn panicked(payload: Box<dyn std::any::Any + Send>) -> Response {
    let text = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "unknown".to_owned(),
    };
    WebError::internal(Panicked(text)).into_response()
}
